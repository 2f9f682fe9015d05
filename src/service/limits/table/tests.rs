//! The table of callers: its bounds, whom it forgets, and calls in flight.

use std::thread;

use uuid::Uuid;

use super::*;
use crate::service::limits::tests::{calls, rate};

const SECOND: u64 = 1_000_000_000;

fn user(number: usize) -> UserId {
    UserId::new(Uuid::from_u128(number as u128))
}

/// How many callers a table has in its largest part, and in all.
fn callers(table: &Table) -> (usize, usize) {
    let sizes: Vec<usize> = table
        .parts
        .iter()
        .map(|part| {
            let part = part.lock().unwrap();
            let mut order: Vec<_> = part.order.iter().copied().collect();
            order.sort_unstable();
            order.dedup();
            assert_eq!((order.len(), part.order.len()), (part.callers.len(), part.callers.len()), "each caller once");
            part.callers.len()
        })
        .collect();
    (sizes.iter().copied().max().unwrap(), sizes.iter().sum())
}

#[test]
fn callers_do_not_share_a_rate() {
    let (table, limit) = (Table::new(), rate(1, 2));
    for number in 0..200 {
        for _ in 0..2 {
            table.admit(user(number), limit, 0).unwrap();
        }
    }
    for number in 0..200 {
        assert!(table.admit(user(number), limit, 0).is_err(), "{number}");
        table.admit(user(number), limit, SECOND).unwrap();
    }
}

#[test]
fn a_call_is_in_flight_until_it_is_dropped() {
    let (table, limit) = (Table::new(), calls(2));
    let first = table.admit(user(1), limit, 0).unwrap();
    let second = table.admit(user(1), limit, 0).unwrap();
    let refused = table.admit(user(1), limit, 0).unwrap_err();
    assert_eq!(refused.exceeded, Exceeded::Calls(limit.calls.unwrap()));
    table.admit(user(2), limit, 0).unwrap();
    drop(first);
    let _third = table.admit(user(1), limit, 0).unwrap();
    assert!(table.admit(user(1), limit, 0).is_err());
    drop(second);
    table.admit(user(1), limit, 0).unwrap();
}

#[test]
fn a_call_refused_for_those_in_flight_takes_nothing_from_the_rate() {
    let limit = CallerLimit { calls: calls(1).calls, ..rate(1, 2) };
    let table = Table::new();
    let first = table.admit(user(1), limit, 0).unwrap();
    for _ in 0..10 {
        assert!(table.admit(user(1), limit, 0).is_err());
    }
    drop(first);
    table.admit(user(1), limit, 0).unwrap();
}

#[test]
fn no_more_calls_are_in_flight_than_allowed_whatever_threads_do() {
    const THREADS: usize = 8;
    let (table, limit) = (Table::new(), calls(3));
    let (running, most) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
    let order = std::sync::atomic::Ordering::SeqCst;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Ok(call) = table.admit(user(1), limit, 0) else { continue };
                    most.fetch_max(running.fetch_add(1, order) + 1, order);
                    thread::yield_now();
                    running.fetch_sub(1, order);
                    drop(call);
                }
            });
        }
    });
    assert!((1..=3).contains(&most.load(order)), "{most:?}");
    let again: Vec<_> = (0..3).map(|_| table.admit(user(1), limit, 0).unwrap()).collect();
    assert!(table.admit(user(1), limit, 0).is_err() && again.len() == 3, "no call is left in flight");
}

#[test]
fn callers_whose_bucket_is_full_again_are_forgotten() {
    let (table, limit) = (Table::new(), rate(1, 1));
    for number in 0..20_000 {
        // At one call per second, each is new again when the next ones come.
        table.admit(user(number), limit, number as u64 * SECOND).unwrap();
    }
    let (_, all) = callers(&table);
    assert!(all <= PARTS * 2, "{all} callers are kept");
}

#[test]
fn callers_with_state_are_kept_up_to_the_limit() {
    let (table, limit) = (Table::new(), rate(1, 1));
    let held: Vec<_> = (0..50_000).map(|number| table.admit(user(number), limit, 0).unwrap()).collect();
    assert_eq!(callers(&table).1, 50_000);
    for number in 0..50_000 {
        assert!(table.admit(user(number), limit, 0).is_err(), "{number} is remembered");
    }
    let more: Vec<_> = (50_000..300_000).map(|number| table.admit(user(number), limit, 0).unwrap()).collect();
    assert_eq!(callers(&table), (CALLERS, PARTS * CALLERS));
    // A forgotten caller begins anew, and its earlier calls can end.
    drop(more);
    drop(held);
    assert_eq!(callers(&table).1, PARTS * CALLERS);
}

#[test]
fn a_caller_with_a_call_in_flight_is_not_forgotten_for_idle_ones() {
    let table = Table::new();
    let both = CallerLimit { calls: calls(1).calls, ..rate(1_000_000, 1_000_000) };
    let held = table.admit(user(0), both, 0).unwrap();
    for number in 1..150_000 {
        table.admit(user(number), both, number as u64 * SECOND).unwrap();
    }
    assert!(table.admit(user(0), both, 150_000 * SECOND).is_err(), "its call is still counted");
    drop(held);
    table.admit(user(0), both, 150_000 * SECOND).unwrap();
}

#[test]
fn a_line_about_a_caller_tells_how_many_calls_were_refused() {
    let (table, limit) = (Table::new(), rate(1, 1));
    table.admit(user(1), limit, 0).unwrap();
    let line = |number, now| table.admit(user(number), limit, now).unwrap_err().line;
    assert_eq!(line(1, 1), Some(1));
    for now in 2..100 {
        assert_eq!(line(1, now), None);
    }
    table.admit(user(2), limit, 0).unwrap();
    let line = |number, now| table.admit(user(number), limit, now).unwrap_err().line;
    assert_eq!(line(2, 100), Some(1), "other callers have lines of their own");
    let later = 1 + LINE_INTERVAL;
    table.admit(user(1), limit, later).unwrap();
    let line = |number, now| table.admit(user(number), limit, now).unwrap_err().line;
    assert_eq!(line(1, later), Some(99));
}
