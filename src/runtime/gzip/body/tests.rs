//! Bodies are restored in whatever pieces they arrive, and stopped at the limit.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{BoxError, Decompression, GzipError};

const LIMIT: usize = 10_000;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn message(flag: u8, content: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// What a body decompresses to if it arrives in pieces, and the most memory held on the way.
fn decoded(new: fn(usize) -> Decompression, body: &[u8], piece: usize) -> Result<(Vec<u8>, usize), GzipError> {
    let (mut decompression, mut output, mut most) = (new(LIMIT), Vec::new(), 0);
    for piece in body.chunks(piece) {
        let hold = |bytes: usize| -> Result<(), BoxError> {
            most = most.max(bytes);
            Ok(())
        };
        output.extend(decompression.decode(Bytes::copy_from_slice(piece), hold)?);
    }
    output.extend(decompression.finish()?);
    Ok((output, most))
}

#[test]
fn messages_are_restored_in_any_pieces() {
    let (first, second) = (b"first ".repeat(300), b"second".to_vec());
    let body = [message(1, &gzip(&first)), message(0, &second), message(0, b""), message(1, &gzip(b""))].concat();
    let expected = [message(0, &first), message(0, &second), message(0, b""), message(0, b"")].concat();
    for piece in [1, 4, 5, 100, body.len()] {
        let (output, most) = decoded(Decompression::messages, &body, piece).unwrap();
        assert_eq!((output.as_slice(), most), (expected.as_slice(), first.len()), "{piece}");
    }
}

#[test]
fn a_body_is_restored_in_any_pieces() {
    let plain = b"some text ".repeat(500);
    for piece in [1, 100, 10_000] {
        assert_eq!(decoded(Decompression::whole, &gzip(&plain), piece).unwrap().0, plain);
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_all_of_it_is_in_memory() {
    let bomb = gzip(&vec![0; 100 << 20]);
    let mut most = 0;
    let result = Decompression::messages(LIMIT).decode(message(1, &bomb).into(), |bytes| {
        most = most.max(bytes);
        Ok(())
    });
    assert!(matches!(result, Err(GzipError::TooLarge(LIMIT))), "{result:?}");
    assert!(most <= LIMIT, "{most}");
    assert!(matches!(
        decoded(Decompression::messages, &message(1, &gzip(&[0; LIMIT + 1])), 7),
        Err(GzipError::TooLarge(LIMIT))
    ));
    assert!(decoded(Decompression::messages, &message(1, &gzip(&[0; LIMIT])), 7).is_ok());
    let long = message(1, &[0; LIMIT + 1]);
    assert!(matches!(decoded(Decompression::messages, &long, 7), Err(GzipError::TooLarge(LIMIT))));
}

#[test]
fn a_body_beyond_the_limit_is_decompressed_a_step_further_at_most() {
    let bomb = gzip(&vec![0; 100 << 20]);
    let output = Decompression::whole(LIMIT).decode(bomb.into(), |_| Ok(())).unwrap();
    assert!((LIMIT + 1..1 << 20).contains(&output.len()), "{}", output.len());
}

#[test]
fn the_memory_budget_ends_the_decompression() {
    for (mut decompression, body) in [
        (Decompression::messages(LIMIT), message(1, &gzip(&[0; LIMIT]))),
        (Decompression::whole(LIMIT), gzip(&[0; LIMIT])),
    ] {
        let result = decompression.decode(body.into(), |_| Err("no memory".into()));
        assert!(matches!(result, Err(GzipError::OverBudget(_))), "{result:?}");
    }
}

#[test]
fn incomplete_and_damaged_bodies_are_malformed() {
    let whole = message(1, &gzip(b"text"));
    for body in [&whole[..3], &whole[..9], &message(1, b"text"), &message(1, b"")] {
        assert!(matches!(decoded(Decompression::messages, body, 2), Err(GzipError::Malformed(_))), "{body:?}");
    }
    for body in [&b"text"[..], &gzip(b"text")[..9], b""] {
        assert!(matches!(decoded(Decompression::whole, body, 2), Err(GzipError::Malformed(_))), "{body:?}");
    }
}
