//! Page tokens: the position where the next page begins, and a hash of the filters.
//!
//! A token is opaque but not secret: a forged one gives access to nothing that the list does not show.

mod user;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{CredentialQuery, Cursor, Query, Refusal, RequestId, Timestamp};

pub(super) use user::{format_user, parse_user};

/// First byte of the tokens of request lists: the version of the layout.
const LAYOUT: u8 = 1;
/// First byte of the tokens of credential lists, which hold only an id.
const ID_LAYOUT: u8 = 2;
/// Length of the hash of the filters, in bytes.
const FILTERS: usize = 16;
/// Last microsecond of the year 9999. No request was submitted outside 1970 to 9999, and not every store can compare with
/// later times.
const LAST_MICROS: i64 = 253_402_300_799_999_999;
/// Layout, submit time in microseconds, id, hash of the filters.
const LENGTH: usize = 1 + 8 + 16 + FILTERS;

/// The token of the page that begins after `cursor`.
pub(super) fn format(cursor: Cursor, query: &Query) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(LAYOUT);
    bytes.extend(cursor.submitted_at.micros().to_be_bytes());
    bytes.extend(cursor.id.uuid().as_bytes());
    bytes.extend(hash(query));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor in a token.
///
/// # Errors
/// [`Refusal::Invalid`] on `page_token` if the token is malformed or belongs to other filters.
pub(super) fn parse(token: &str, query: &Query) -> Result<Cursor, Refusal> {
    let (cursor, filters) = split(token)
        .ok_or_else(|| Refusal::invalid("page_token", "must be a next_page_token returned by this service"))?;
    if filters != hash(query) {
        return Err(Refusal::invalid("page_token", "belongs to a list with other filters"));
    }
    Ok(cursor)
}

/// The token of the page of credentials that begins after `id`.
pub(super) fn format_id(id: Uuid, query: &CredentialQuery) -> String {
    let mut bytes = vec![ID_LAYOUT];
    bytes.extend(id.as_bytes());
    bytes.extend(hash_credentials(query));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The id in the token of a page of credentials.
///
/// # Errors
/// [`Refusal::Invalid`] on `page_token` if the token is malformed or belongs to other filters.
pub(super) fn parse_id(token: &str, query: &CredentialQuery) -> Result<Uuid, Refusal> {
    let read = || -> Option<(Uuid, [u8; FILTERS])> {
        let bytes = URL_SAFE_NO_PAD.decode(token.get(..token.len().min(LENGTH * 2))?).ok()?;
        let (&[layout], rest) = bytes.split_first_chunk()?;
        let (&id, filters) = rest.split_first_chunk()?;
        (layout == ID_LAYOUT).then_some((Uuid::from_bytes(id), filters.try_into().ok()?))
    };
    match read() {
        None => Err(Refusal::invalid("page_token", "must be a next_page_token returned by this service")),
        Some((_, filters)) if filters != hash_credentials(query) => {
            Err(Refusal::invalid("page_token", "belongs to a list with other filters"))
        }
        Some((id, _)) => Ok(id),
    }
}

fn hash_credentials(query: &CredentialQuery) -> [u8; FILTERS] {
    let CredentialQuery { owner, statuses } = query;
    let mut hasher = Sha256::new();
    add(&mut hasher, std::iter::once(owner.uuid().into_bytes()));
    add(&mut hasher, statuses.iter().map(|status| status.name()));
    truncated(hasher)
}

fn split(token: &str) -> Option<(Cursor, [u8; FILTERS])> {
    // Do not decode long texts.
    if token.len() > LENGTH * 2 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (&[layout], rest) = bytes.split_first_chunk()?;
    let (&micros, rest) = rest.split_first_chunk()?;
    let (&id, rest) = rest.split_first_chunk()?;
    let filters = rest.try_into().ok()?;
    let micros = Some(i64::from_be_bytes(micros)).filter(|micros| (0..=LAST_MICROS).contains(micros))?;
    let submitted_at = Timestamp::from_micros(micros)?;
    let cursor = Cursor { submitted_at, id: RequestId::new(Uuid::from_bytes(id)) };
    (layout == LAYOUT).then_some((cursor, filters))
}

/// Hash of the filters. The values of a filter are a set, so their order and repetition do not matter.
fn hash(query: &Query) -> [u8; FILTERS] {
    let Query { statuses, kinds, targets, originators, templates, submitted_from, submitted_before } = query;
    let mut hasher = Sha256::new();
    add(&mut hasher, statuses.iter().map(|status| status.name()));
    add(&mut hasher, kinds.iter().map(|kind| kind.name()));
    add(&mut hasher, targets.iter().map(|user| user.uuid().into_bytes()));
    add(&mut hasher, originators.iter().map(|user| user.uuid().into_bytes()));
    add(&mut hasher, templates.iter().map(|template| template.uuid().into_bytes()));
    add(&mut hasher, submitted_from.iter().map(|time| time.micros().to_be_bytes()));
    add(&mut hasher, submitted_before.iter().map(|time| time.micros().to_be_bytes()));
    truncated(hasher)
}

/// The first bytes of the digest.
fn truncated(hasher: Sha256) -> [u8; FILTERS] {
    let digest: [u8; 32] = hasher.finalize().into();
    let mut hash = [0; FILTERS];
    hash.copy_from_slice(&digest[..FILTERS]);
    hash
}

/// Adds one filter in an unambiguous encoding: the number of values, then each value with its length.
fn add<V: AsRef<[u8]> + Ord>(hasher: &mut Sha256, values: impl Iterator<Item = V>) {
    let mut values: Vec<V> = values.collect();
    values.sort_unstable();
    values.dedup();
    hasher.update(values.len().to_be_bytes());
    for value in values {
        hasher.update(value.as_ref().len().to_be_bytes());
        hasher.update(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};
    use uuid::Uuid;

    use super::{URL_SAFE_NO_PAD, format, parse};
    use crate::domain::{Cursor, Query, RequestId, RequestType, Status, Timestamp, UserId};
    use base64::Engine;

    fn cursor() -> Cursor {
        Cursor {
            submitted_at: Timestamp::from_micros(1_700_000_000_123_456).unwrap(),
            id: RequestId::new(Uuid::from_u128(7)),
        }
    }

    fn problem(token: &str, query: &Query) -> String {
        parse(token, query).unwrap_err().to_string()
    }

    #[test]
    fn a_token_round_trips() {
        let query = Query { statuses: vec![Status::Pending], ..Query::default() };
        assert_eq!(parse(&format(cursor(), &query), &query), Ok(cursor()));
    }

    #[test]
    fn a_token_of_other_filters_is_refused() {
        let user = UserId::new(Uuid::from_u128(1));
        let queries = [
            Query::default(),
            Query { statuses: vec![Status::Pending], ..Query::default() },
            Query { kinds: vec![RequestType::Enroll], ..Query::default() },
            Query { targets: vec![user], ..Query::default() },
            Query { originators: vec![user], ..Query::default() },
            Query { submitted_from: Some(cursor().submitted_at), ..Query::default() },
            Query { submitted_before: Some(cursor().submitted_at), ..Query::default() },
        ];
        for (made, query) in queries.iter().enumerate() {
            let token = format(cursor(), query);
            for (used, other) in queries.iter().enumerate() {
                if made == used {
                    assert_eq!(parse(&token, other), Ok(cursor()));
                } else {
                    assert_eq!(problem(&token, other), "page_token belongs to a list with other filters");
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_values_of_a_filter_does_not_matter() {
        let one = Query { statuses: vec![Status::Pending, Status::Approved, Status::Pending], ..Query::default() };
        let other = Query { statuses: vec![Status::Approved, Status::Pending], ..Query::default() };
        assert_eq!(parse(&format(cursor(), &one), &other), Ok(cursor()));
    }

    #[test]
    fn a_broken_token_is_refused() {
        let query = Query::default();
        let token = format(cursor(), &query);
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        bytes[0] = 2;
        let layout = URL_SAFE_NO_PAD.encode(&bytes);
        bytes[..2].copy_from_slice(&[1, 0xff]);
        let before_all_time = URL_SAFE_NO_PAD.encode(&bytes);
        let long = "A".repeat(100_000);
        let appended = format!("{token}AAAA");
        for broken in ["x", "not base64!", &token[1..], &appended, &layout, &before_all_time, &long] {
            let problem = problem(broken, &query);
            assert!(problem.starts_with("page_token must be a next_page_token"), "{broken}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn every_cursor_round_trips(micros in 0_i64..253_402_300_799_000_000, id: u128) {
            let cursor = Cursor {
                submitted_at: Timestamp::from_micros(micros).unwrap(),
                id: RequestId::new(Uuid::from_u128(id)),
            };
            prop_assert_eq!(parse(&format(cursor, &Query::default()), &Query::default()), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_parser_panic(token in ".{0,90}") {
            let _ = parse(&token, &Query::default());
        }
    }
}
