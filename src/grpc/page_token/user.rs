//! Tokens of user lists: the place in the list is a name, an id and a source.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{FILTERS, add, truncated};
use crate::domain::{DisplayName, Refusal, UserCursor, UserId, UserQuery, UserSource};

/// First byte of the tokens: the version of the layout.
const LAYOUT: u8 = 3;
/// Longest token: layout, filters, id, length of the entry's name, that name, and the user's name of up to four bytes a character.
const MAX_CHARS: usize = (1 + FILTERS + 16 + 1 + u8::MAX as usize + 4 * DisplayName::MAX_CHARS).div_ceil(3) * 4;

/// The token of the page of users that begins after `cursor`.
pub(in crate::grpc) fn format_user(cursor: &UserCursor, query: &UserQuery) -> String {
    let entry = cursor.source.entry().unwrap_or_default();
    let mut bytes = vec![LAYOUT];
    bytes.extend(hash(query));
    bytes.extend(cursor.id.uuid().as_bytes());
    // The configuration limits the names of entries to 64 bytes.
    bytes.push(u8::try_from(entry.len()).unwrap_or(u8::MAX));
    bytes.extend(entry.bytes().take(usize::from(u8::MAX)));
    bytes.extend(cursor.name.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The cursor in the token of a page of users.
///
/// # Errors
/// [`Refusal::Invalid`] on `page_token` if the token is malformed or belongs to other filters.
pub(in crate::grpc) fn parse_user(token: &str, query: &UserQuery) -> Result<UserCursor, Refusal> {
    match split(token) {
        None => Err(Refusal::invalid("page_token", "must be a next_page_token returned by this service")),
        Some((_, filters)) if filters != hash(query) => {
            Err(Refusal::invalid("page_token", "belongs to a list with other filters"))
        }
        Some((cursor, _)) => Ok(cursor),
    }
}

fn split(token: &str) -> Option<(UserCursor, [u8; FILTERS])> {
    // Do not decode long texts.
    if token.len() > MAX_CHARS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (&[layout], rest) = bytes.split_first_chunk()?;
    let (&filters, rest) = rest.split_first_chunk()?;
    let (&id, rest) = rest.split_first_chunk()?;
    let (&[length], rest) = rest.split_first_chunk()?;
    let (entry, name) = rest.split_at_checked(usize::from(length))?;
    let source = match std::str::from_utf8(entry).ok()? {
        "" => UserSource::Imported,
        entry => UserSource::Learned(Arc::from(entry)),
    };
    // Postgres stores no text with a NUL and does not compare with one.
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0'))?.to_owned();
    let is_clean = source.entry().is_none_or(|entry| !entry.contains('\0'));
    let cursor = UserCursor { name, id: UserId::new(Uuid::from_bytes(id)), source };
    (layout == LAYOUT && is_clean).then_some((cursor, filters))
}

fn hash(query: &UserQuery) -> [u8; FILTERS] {
    let UserQuery { name_prefix, statuses } = query;
    let mut hasher = Sha256::new();
    add(&mut hasher, std::iter::once(name_prefix));
    add(&mut hasher, statuses.iter().map(|status| status.name()));
    truncated(hasher)
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;
    use crate::domain::UserStatus;

    fn all() -> UserQuery {
        UserQuery::new("", Vec::new())
    }

    fn cursor(name: &str, entry: &str) -> UserCursor {
        let source = if entry.is_empty() { UserSource::Imported } else { UserSource::Learned(Arc::from(entry)) };
        UserCursor { name: name.to_owned(), id: UserId::new(Uuid::from_u128(7)), source }
    }

    #[test]
    fn a_token_of_other_filters_is_refused() {
        let queries = [
            all(),
            UserQuery::new("a", Vec::new()),
            UserQuery::new("b", Vec::new()),
            UserQuery::new("", vec![UserStatus::Active]),
            UserQuery::new("", vec![UserStatus::Inactive]),
        ];
        let place = cursor("alice", "");
        for (made, query) in queries.iter().enumerate() {
            let token = format_user(&place, query);
            for (used, other) in queries.iter().enumerate() {
                let expected = if made == used {
                    Ok(place.clone())
                } else {
                    Err(Refusal::invalid("page_token", "belongs to a list with other filters"))
                };
                assert_eq!(parse_user(&token, other), expected, "{made} {used}");
            }
        }
        let upper = UserQuery::new("A", Vec::new());
        assert_eq!(parse_user(&format_user(&place, &upper), &queries[1]), Ok(place), "case does not matter");
    }

    #[test]
    fn a_broken_token_is_refused() {
        let token = format_user(&cursor("alice", "adfs"), &all());
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        bytes[0] = 2;
        let layout = URL_SAFE_NO_PAD.encode(&bytes);
        bytes[0] = LAYOUT;
        let short = URL_SAFE_NO_PAD.encode(&bytes[..1 + FILTERS + 16 + 1 + 3]);
        let nul_in_name = format_user(&cursor("a\0", "adfs"), &all());
        let nul_in_entry = format_user(&cursor("a", "a\0"), &all());
        let long = "A".repeat(100_000);
        for broken in ["x", "not base64!", &token[1..], &layout, &short, &nul_in_name, &nul_in_entry, &long] {
            let problem = parse_user(broken, &all()).unwrap_err().to_string();
            assert!(problem.starts_with("page_token must be a next_page_token"), "{broken:.40}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn every_cursor_round_trips(name in "[^\\x00]{0,256}", entry in "[a-z.]{0,64}") {
            let cursor = cursor(&name, &entry);
            prop_assert_eq!(parse_user(&format_user(&cursor, &all()), &all()), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_parser_panic(token in ".{0,90}") {
            let _ = parse_user(&token, &all());
        }
    }
}
