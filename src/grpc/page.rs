//! Pages of lists: bounded by the bytes of their messages as well as by their number.

use prost::Message;

use crate::domain::Listing;
use crate::service::{Call, Error};

/// Most bytes of the messages on one page, unless one message alone has more. gRPC clients accept 4 MiB by default, and a
/// single request has less than 1 MiB.
const BYTES_MAX: usize = 3 << 20;

/// How often a page is in memory while it is answered: as it was read, as messages, or as messages and as it is sent.
const COPIES: usize = 2;

/// The messages of a page, and whether the list goes on after them.
///
/// # Errors
/// [`Error::Overloaded`] if there is no room for them.
pub(super) fn of<T, M: Message>(
    call: &Call,
    found: &Listing<T>,
    message: impl Fn(&T) -> M,
) -> Result<(Vec<M>, bool), Error> {
    let (messages, has_more) = within(BYTES_MAX, found, message);
    call.memory.hold(COPIES * messages.iter().map(Message::encoded_len).sum::<usize>())?;
    Ok((messages, has_more))
}

fn within<T, M: Message>(max_bytes: usize, found: &Listing<T>, message: impl Fn(&T) -> M) -> (Vec<M>, bool) {
    let (mut messages, mut bytes) = (Vec::with_capacity(found.members.len()), 0);
    for member in &found.members {
        let message = message(member);
        // Each has a tag and its length before it.
        bytes += message.encoded_len() + 5;
        if bytes > max_bytes && !messages.is_empty() {
            return (messages, true);
        }
        messages.push(message);
    }
    (messages, found.has_more)
}

#[cfg(test)]
mod tests {
    use super::within;
    use crate::domain::Listing;

    /// A page of texts that take 2 + 8 + 5 bytes each, and how many of them are shown.
    fn shown(max_bytes: usize, members: usize, has_more: bool) -> (usize, bool) {
        let found = Listing { members: vec!["8 bytes."; members], has_more };
        let (messages, has_more) = within(max_bytes, &found, |text| String::from(*text));
        (messages.len(), has_more)
    }

    #[test]
    fn a_page_ends_at_its_bytes_and_says_that_more_follows() {
        assert_eq!(shown(45, 3, false), (3, false));
        assert_eq!(shown(44, 3, false), (2, true));
        assert_eq!(shown(45, 3, true), (3, true));
    }

    #[test]
    fn one_member_is_always_shown() {
        assert_eq!(shown(1, 3, false), (1, true));
        assert_eq!(shown(1, 1, false), (1, false));
        assert_eq!(shown(1, 0, false), (0, false));
    }
}
