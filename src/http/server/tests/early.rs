//! Early responses over HTTP/1, to clients that send the whole body before they read.

use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::blocking::{Client, Port, announced, chunked};
use crate::cli::Settings;
use crate::http::ApiSettings;
use crate::http::server::ServerSettings;

const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";
/// Far more than the socket buffers of both sides hold.
const HUGE: usize = 24 << 20;

const NOBODY: &str = "X-Dev-User: nobody\r\n";
const GRPC: &str = "Content-Type: application/grpc\r\n";
const TEXT: &str = "Content-Type: text/plain\r\n";

/// Calls that are refused before their body is read: request line, headers and status.
fn refused() -> [(String, &'static str, u16); 6] {
    [
        (format!("POST {REQUESTS}"), NOBODY, 401),
        ("POST /nothing".to_owned(), "", 404),
        (format!("DELETE {REQUESTS}"), "", 405),
        (format!("POST {REQUESTS}"), TEXT, 415),
        (format!("POST {REQUESTS}"), GRPC, 505),
        (format!("GET {REQUESTS}?status=odd"), "", 400),
    ]
}

#[test]
fn a_body_of_any_announced_length_up_to_the_limit_leaves_the_connection_open() {
    let port = Port::open();
    for (start, headers, status) in refused() {
        for length in [0, 1, 1_000, 100_000, 900_000, 1 << 20] {
            let mut client = Client::connect(port.address());
            for _ in 0..2 {
                client.send(&announced(&start, headers, length)).unwrap();
                let answer = client.answer().unwrap();
                assert_eq!((answer.status, answer.closes()), (status, false), "{start} {length}");
            }
            assert!(client.is_kept());
        }
    }
}

#[test]
fn a_body_above_the_limit_ends_the_connection_after_its_answer() {
    let port = Port::open();
    for (start, headers, status) in refused() {
        for length in [(1 << 20) + 1, HUGE] {
            let mut client = Client::connect(port.address());
            client.send(&announced(&start, headers, length)).unwrap();
            let answer = client.answer().unwrap();
            assert_eq!((answer.status, answer.closes()), (status, true), "{start} {length}");
            assert!(client.is_ended().unwrap());
        }
    }
    let mut client = Client::connect(port.address());
    client.send(&announced(&format!("POST {REQUESTS}"), "", HUGE)).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.closes()), (413, true));
    assert!(client.is_ended().unwrap());
}

#[test]
fn a_chunked_body_is_read_on_for_a_while() {
    let port = Port::open();
    for (start, headers, status) in refused() {
        for (length, closes) in [(0, false), (20_000, false), (100_000, true), (900_000, true), (HUGE, true)] {
            let mut client = Client::connect(port.address());
            client.send(&chunked(&start, headers, length)).unwrap();
            let answer = client.answer().unwrap();
            assert_eq!((answer.status, answer.closes()), (status, closes), "{start} {length}");
            assert!(if closes { client.is_ended().unwrap() } else { client.is_kept() });
        }
    }
    // The body is read up to the limit, the call is refused, and the rest is discarded.
    for (length, closes) in [((1 << 20) + 8_192, false), (HUGE, true)] {
        let mut client = Client::connect(port.address());
        client.send(&chunked(&format!("POST {REQUESTS}"), "", length)).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.closes()), (413, closes), "{length}");
        assert!(if closes { client.is_ended().unwrap() } else { client.is_kept() });
    }
}

#[test]
fn a_refusal_replaces_100_continue() {
    let port = Port::open();
    let expect = |headers: &str| format!("{headers}Expect: 100-continue\r\n");
    for (start, headers, status) in refused() {
        for length in [100, 900_000, HUGE] {
            let call = announced(&start, &expect(headers), length);
            let (head, body) = call.split_at(call.len() - length);
            // Clients may wait for the response, or send the body at once.
            for sends in [false, true] {
                let mut client = Client::connect(port.address());
                client.send(head).unwrap();
                if sends {
                    client.send(body).unwrap();
                }
                let answer = client.answer().unwrap();
                assert_eq!((answer.status, answer.closes()), (status, true), "{start} {length}");
                assert!(client.is_ended().unwrap());
            }
        }
    }
    // A call that is not refused by its head gets `100 Continue`.
    let call = announced(&format!("POST {REQUESTS}"), &expect(""), 100);
    let (head, body) = call.split_at(call.len() - 100);
    let mut client = Client::connect(port.address());
    client.send(head).unwrap();
    assert_eq!(client.answer().unwrap().status, 100);
    client.send(body).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.closes()), (400, false));
    assert!(client.is_kept());
}

#[test]
fn malformed_http_is_answered_too() {
    let port = Port::open();
    let long_head = || {
        let mut call = b"POST / HTTP/1.1\r\nX-Long: ".to_vec();
        call.resize(HUGE, b'x');
        call
    };
    let broken_chunk = || {
        let mut call = chunked(&format!("POST {REQUESTS}"), "", 8_192);
        call.truncate(call.len() - 5);
        call.extend_from_slice(b"zz\r\n");
        call.resize(HUGE, b'x');
        call
    };
    let two_lengths = || {
        let mut call = b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec();
        call.resize(HUGE, b'x');
        call
    };
    for (call, status) in [(long_head(), 431), (broken_chunk(), 400), (two_lengths(), 400)] {
        let mut client = Client::connect(port.address());
        client.send(&call).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.closes()), (status, true), "{}", answer.head);
        assert!(client.is_ended().unwrap());
    }
}

#[test]
fn a_client_that_sends_half_a_body_is_answered_and_disconnected() {
    let port = Port::open();
    let mut client = Client::connect(port.address());
    client.send(&announced(&format!("POST {REQUESTS}"), NOBODY, 100_000)[..50_000]).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.closes()), (401, true));
    assert!(client.is_ended().unwrap());
}

#[test]
fn a_deadline_that_passes_while_the_body_arrives_is_answered() {
    let port = Port::with(ApiSettings { max_duration: Duration::from_millis(50), ..Settings::default().api });
    for call in [announced(&format!("POST {REQUESTS}"), "", 100_000), chunked(&format!("POST {REQUESTS}"), "", 100_000)]
    {
        let mut client = Client::connect(port.address());
        client.send(&call[..50_000]).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.closes()), (504, true));
        assert!(client.is_ended().unwrap());
    }
}

#[test]
fn the_last_response_arrives_during_shutdown() {
    let stop = CancellationToken::new();
    let port = Port::started(Settings::default().api, Settings::default().server, stop.clone());
    let call = announced("POST /nothing", "", HUGE);
    let (some, rest) = call.split_at(HUGE / 2);
    let mut client = Client::connect(port.address());
    client.send(some).unwrap();
    stop.cancel();
    client.send(rest).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.closes()), (404, true));
    assert!(client.is_ended().unwrap());
    drop(client);
    port.ended();
}

#[test]
fn a_client_that_never_stops_sending_does_not_delay_shutdown() {
    let stop = CancellationToken::new();
    let limits = ServerSettings { drain_timeout: Duration::ZERO, ..Settings::default().server };
    let port = Port::started(Settings::default().api, limits, stop.clone());
    let mut client = Client::connect(port.address());
    client.send(&announced("POST /nothing", "", HUGE)[..1_000]).unwrap();
    assert_eq!(client.answer().unwrap().status, 404);
    stop.cancel();
    port.ended();
}

#[test]
fn every_one_of_many_mixed_calls_is_answered() {
    let port = Port::open();
    let address = port.address();
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            thread::spawn(move || {
                for round in 0..40 {
                    let (start, headers, status) = &refused()[(caller + round) % 6];
                    let length = [10, 70_000, 300_000, 900_000, 3 << 20][round % 5];
                    let expecting = format!("{headers}Expect: 100-continue\r\n");
                    let call = match (caller + round) % 3 {
                        0 => announced(start, headers, length),
                        1 => chunked(start, headers, length),
                        _ => announced(start, &expecting, length),
                    };
                    let mut client = Client::connect(address);
                    client.send(&call).unwrap();
                    let answer = client.answer().unwrap();
                    assert_eq!(answer.status, *status);
                    assert!(if answer.closes() { client.is_ended().unwrap() } else { client.is_kept() });
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
}
