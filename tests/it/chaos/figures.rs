//! The summary line of each kind of fault. After a failure it includes the panic message, which would otherwise be lost among the
//! logs of the instances.

use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;
use std::{fmt, panic, thread};

use crate::audit::{Report, Violation};

/// The totals of one kind of fault, printed at its end even after a failure.
pub(super) struct Figures {
    kind: &'static str,
    seed: u64,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    rounds: u32,
    acknowledged: usize,
    unknown: usize,
    events: usize,
    lost: usize,
    repeated: usize,
    out_of_order: usize,
    otherwise_wrong: usize,
    longest_recovery: Duration,
}

impl Figures {
    pub(super) fn new(kind: &'static str, seed: u64) -> Self {
        remember_panics();
        Self { kind, seed, counts: Mutex::default() }
    }

    /// Adds a round after its recovery.
    pub(super) fn add_round(&self, acknowledged: usize, unknown: usize, recovery: Duration) {
        let mut counts = self.counts.lock().unwrap();
        counts.rounds += 1;
        counts.acknowledged += acknowledged;
        counts.unknown += unknown;
        counts.longest_recovery = counts.longest_recovery.max(recovery);
    }

    /// Adds the result of an audit: new events and violations.
    pub(super) fn add_audit(&self, more_events: usize, report: &Report) {
        let mut counts = self.counts.lock().unwrap();
        counts.events += more_events;
        for violation in &report.violations {
            *counts.count_of(violation) += 1;
        }
    }
}

impl Counts {
    fn count_of(&mut self, violation: &Violation) -> &mut usize {
        match violation {
            Violation::AcknowledgedMissing { .. }
            | Violation::VersionMissing { .. }
            | Violation::PositionMissing { .. }
            | Violation::RecordMissing { .. } => &mut self.lost,
            Violation::VersionRepeated { .. }
            | Violation::PositionRepeated { .. }
            | Violation::RecordRepeated { .. } => &mut self.repeated,
            Violation::RecordOutOfOrder { .. }
            | Violation::VersionDisordered { .. }
            | Violation::TimeBackwards { .. } => &mut self.out_of_order,
            Violation::VersionUnknown { .. }
            | Violation::HeadWrong { .. }
            | Violation::WrongShard { .. }
            | Violation::RecordMisplaced { .. }
            | Violation::RecordForeign { .. }
            | Violation::StepIllegal { .. }
            | Violation::StatusWrong { .. }
            | Violation::RowContradictory { .. }
            | Violation::RecordWithoutRow { .. }
            | Violation::RecordDiffers { .. }
            | Violation::TopicAhead { .. }
            | Violation::CheckpointAhead { .. } => &mut self.otherwise_wrong,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { rounds, acknowledged, unknown, events, lost, repeated, out_of_order, .. } = *counts;
        write!(f, "chaos: kind={} seed={} rounds={rounds}", self.kind, self.seed)?;
        write!(f, " acknowledged={acknowledged} unknown={unknown} events={events}")?;
        write!(f, " lost={lost} repeated={repeated} out_of_order={out_of_order}")?;
        write!(f, " otherwise_wrong={}", counts.otherwise_wrong)?;
        write!(f, " longest_recovery={:.3}s", counts.longest_recovery.as_secs_f64())
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        if thread::panicking() {
            for reason in PANICS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                println!("chaos: {reason}");
            }
        }
        println!("{self}");
    }
}

/// All panics of this process; that of a client is more informative than that of the waiting test.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
            before(panic);
        }));
    });
}
