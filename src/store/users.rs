//! The interface between a store and the caller that decides a change of users, and what both stores have in common.

use uuid::Uuid;

use crate::domain::{KnownUser, Refusal, Sid, Upn, UserChanges, UserId, UserKeys, UserSource};

/// A change of users that its caller decides while no other change is in progress.
pub trait ChangeUsers: Send + Sync {
    /// The keys of the users that the change concerns.
    fn keys(&self) -> Vec<UserKeys>;

    /// Decides what to write, given the stored users that have one of the keys.
    ///
    /// # Errors
    /// The change is refused and writes nothing.
    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal>;
}

/// The rows to delete before the users of a change are inserted: also those that they replace, because a unique index is checked row
/// by row, and users may exchange their keys.
pub(super) fn deleted(changes: &UserChanges) -> impl Iterator<Item = (UserId, &UserSource)> {
    let replaced = changes.put.iter().map(|user| (user.id, &user.source));
    changes.removed.iter().map(|(id, source)| (*id, source)).chain(replaced)
}

/// The value of the column `entry`.
pub(super) fn entry_of(source: &UserSource) -> &str {
    source.entry().unwrap_or_default()
}

/// The source that the column `entry` stands for.
fn source_of(entry: &str) -> UserSource {
    if entry.is_empty() { UserSource::Imported } else { UserSource::Learned(entry.into()) }
}

/// The keys of a stored user, from the columns of its row.
pub(super) fn known_user(id: Uuid, entry: &str, sid: Option<&str>, upn: Option<&str>) -> KnownUser {
    KnownUser {
        source: source_of(entry),
        id: UserId::new(id),
        sid: sid.and_then(Sid::parse),
        upn: upn.and_then(Upn::parse),
    }
}

/// The first text after all those that begin with a prefix, in the order of code points, which is that of UTF-8; `None` if there is
/// none.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        // Skips the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            return Some(letters.into_iter().chain([next]).collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::after_prefix;

    #[test]
    fn a_prefix_ends_at_the_next_text() {
        for (prefix, end) in [
            ("", None),
            ("a", Some("b")),
            ("az", Some("a{")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
        ] {
            assert_eq!(after_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    proptest! {
        #[test]
        fn exactly_the_texts_with_a_prefix_lie_between_it_and_its_end(prefix in "[ab\u{10ffff}]{0,3}", text in "[abc\u{10ffff}]{0,4}") {
            let is_before_end = after_prefix(&prefix).is_none_or(|end| text < end);
            prop_assert_eq!(text.starts_with(&prefix), text >= prefix && is_before_end);
        }
    }
}
