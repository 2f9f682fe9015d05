//! Pages of lists, bounded by the number of messages and by their bytes.

use prost::Message;

use crate::domain::Listing;
use crate::service::{Call, Error};

/// Limit on the messages of one page, in bytes; a page always has one message. gRPC clients accept 4 MiB by default, and a
/// single request has less than 1 MiB.
const BYTES_MAX: usize = 3 << 20;

/// Copies of a page in memory at any time: first the rows and the messages, then the messages and the encoded response.
const COPIES: usize = 2;

/// The messages of a page, and whether more follow.
///
/// # Errors
/// [`Error::Overloaded`] if the messages do not fit into the memory budget.
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
        // 5 bytes: tag and length.
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

    /// Builds a page of texts of 2 + 8 + 5 bytes each; returns the number of messages, and whether more follow.
    fn shown(max_bytes: usize, members: usize, has_more: bool) -> (usize, bool) {
        let found = Listing { members: vec!["8 bytes."; members], has_more };
        let (messages, has_more) = within(max_bytes, &found, |text| String::from(*text));
        (messages.len(), has_more)
    }

    #[test]
    fn a_page_that_reaches_its_byte_limit_says_that_more_follows() {
        assert_eq!(shown(45, 3, false), (3, false));
        assert_eq!(shown(44, 3, false), (2, true));
        assert_eq!(shown(45, 3, true), (3, true));
    }

    #[test]
    fn a_page_has_at_least_one_member() {
        assert_eq!(shown(1, 3, false), (1, true));
        assert_eq!(shown(1, 1, false), (1, false));
        assert_eq!(shown(1, 0, false), (0, false));
    }
}
