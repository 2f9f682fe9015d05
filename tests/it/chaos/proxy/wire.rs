//! The messages of the two protocols: where each ends, and which of them a trap can name.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use tokio::io::{self, AsyncRead, AsyncReadExt};

/// Longest message that is believed; a longer one would be a mistake in reading.
const LONGEST: usize = 64 << 20;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chaos) enum Protocol {
    Postgres,
    Kafka,
}

/// Calls of Kafka that belong to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chaos) enum Api {
    Produce,
    InitProducerId,
    AddPartitionsToTxn,
    EndTxn,
}

/// A message that a trap can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chaos) enum Sight {
    /// A client of Postgres asks for a commit.
    CommitAsked,
    /// Postgres says that it has committed.
    CommitAnswered,
    /// A client of Postgres sends events that are to be written and committed by one statement.
    WriteAsked,
    /// Postgres says that it has carried out such a statement.
    WriteAnswered,
    /// A client of Kafka asks.
    Asked(Api),
    /// Kafka answers.
    Answered(Api),
}

/// Whence a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
}

impl Api {
    const fn of(key: i16) -> Option<Self> {
        match key {
            0 => Some(Self::Produce),
            22 => Some(Self::InitProducerId),
            24 => Some(Self::AddPartitionsToTxn),
            26 => Some(Self::EndTxn),
            _ => None,
        }
    }
}

/// What has to be remembered of one connection to read it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Calls of Kafka under way, by the number that their answers carry.
    calls: Mutex<HashMap<i32, Api>>,
    session: Mutex<Session>,
}

/// What stands in a statement that writes events.
const WRITES: &[u8] = b"INSERT INTO event_log";

/// A session of Postgres.
#[derive(Debug, Default)]
struct Session {
    /// Names of prepared statements that write events.
    writing: HashSet<Vec<u8>>,
    is_in_transaction: bool,
    /// Whether such a statement is under way and will commit by itself.
    is_under_way: bool,
}

impl Session {
    fn asked(&mut self, message: &[u8]) -> Option<Sight> {
        let body = message.get(5..)?;
        let mut words = body.split(|byte| *byte == 0);
        match message.first()? {
            b'Q' => body.starts_with(b"COMMIT").then_some(Sight::CommitAsked),
            // A statement is prepared: its name, its text.
            b'P' => {
                let (name, text) = (words.next()?, words.next()?);
                if text.windows(WRITES.len()).any(|part| part == WRITES) {
                    self.writing.insert(name.to_vec());
                }
                text.starts_with(b"COMMIT").then_some(Sight::CommitAsked)
            }
            // A statement is carried out: the name of the result, its own name.
            b'B' => {
                let name = words.nth(1)?;
                self.is_under_way = !self.is_in_transaction && self.writing.contains(name);
                self.is_under_way.then_some(Sight::WriteAsked)
            }
            _ => None,
        }
    }

    fn answered(&mut self, message: &[u8]) -> Option<Sight> {
        let body = message.get(5..)?;
        match message.first()? {
            b'C' if body == b"COMMIT\0" => Some(Sight::CommitAnswered),
            b'C' => std::mem::take(&mut self.is_under_way).then_some(Sight::WriteAnswered),
            b'Z' => {
                self.is_in_transaction = body != b"I";
                None
            }
            _ => None,
        }
    }
}

impl Conversation {
    /// What a message is, if a trap can name it.
    pub(super) fn sight(&self, protocol: Protocol, from: From, message: &[u8]) -> Option<Sight> {
        match (protocol, from) {
            (Protocol::Postgres, From::Client) => self.session.lock().unwrap().asked(message),
            (Protocol::Postgres, From::Server) => self.session.lock().unwrap().answered(message),
            (Protocol::Kafka, From::Client) => {
                let api = Api::of(i16::from_be_bytes(message.get(4..6)?.try_into().ok()?))?;
                let call = i32::from_be_bytes(message.get(8..12)?.try_into().ok()?);
                self.calls.lock().unwrap().insert(call, api);
                Some(Sight::Asked(api))
            }
            (Protocol::Kafka, From::Server) => {
                let call = i32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
                self.calls.lock().unwrap().remove(&call).map(Sight::Answered)
            }
        }
    }
}

/// Reads a message. The first that a client of Postgres sends has no type before its length.
pub(super) async fn read(
    protocol: Protocol,
    has_type: bool,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    let before = usize::from(protocol == Protocol::Postgres && has_type);
    let mut message = vec![0; before + 4];
    stream.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[before], message[before + 1], message[before + 2], message[before + 3]]);
    // The length counts itself in Postgres, and not in Kafka.
    let counted = if protocol == Protocol::Postgres { 4 } else { 0 };
    let rest = usize::try_from(length).unwrap().checked_sub(counted).filter(|rest| *rest < LONGEST);
    let rest = rest.ok_or(io::ErrorKind::InvalidData)?;
    let begun = message.len();
    message.resize(begun + rest, 0);
    stream.read_exact(&mut message[begun..]).await?;
    Ok(message)
}

#[test]
fn messages_are_told_apart() {
    let conversation = Conversation::default();
    let postgres = |from, message: &[u8]| conversation.sight(Protocol::Postgres, from, message);
    assert_eq!(postgres(From::Client, b"Q\0\0\0\x0bCOMMIT\0"), Some(Sight::CommitAsked));
    assert_eq!(postgres(From::Client, b"P\0\0\0\x0e\0COMMIT\0\0\0"), Some(Sight::CommitAsked));
    assert_eq!(postgres(From::Client, b"Q\0\0\0\x0aBEGIN\0"), None);
    assert_eq!(postgres(From::Client, b"P\0\0\0\0s1\0WITH x INSERT INTO event_log ...\0"), None);
    assert_eq!(postgres(From::Client, b"P\0\0\0\0s2\0SELECT 1\0"), None);
    assert_eq!(postgres(From::Client, b"B\0\0\0\0\0s2\0..."), None);
    assert_eq!(postgres(From::Server, b"C\0\0\0\x0dSELECT 1\0"), None);
    assert_eq!(postgres(From::Client, b"B\0\0\0\0\0s1\0..."), Some(Sight::WriteAsked));
    assert_eq!(postgres(From::Server, b"C\0\0\0\x0dSELECT 1\0"), Some(Sight::WriteAnswered));
    assert_eq!(postgres(From::Server, b"Z\0\0\0\x05T"), None);
    assert_eq!(postgres(From::Client, b"B\0\0\0\0\0s1\0..."), None, "the commit comes later");
    assert_eq!(postgres(From::Server, b"C\0\0\0\x0bCOMMIT\0"), Some(Sight::CommitAnswered));
    assert_eq!(postgres(From::Server, b"C\0\0\0\x0dUPDATE 1\0"), None);
    let kafka = |from, message: &[u8]| conversation.sight(Protocol::Kafka, from, message);
    let end = [0, 0, 0, 8, 0, 26, 0, 1, 0, 0, 0, 7];
    assert_eq!(kafka(From::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), None);
    assert_eq!(kafka(From::Client, &end), Some(Sight::Asked(Api::EndTxn)));
    assert_eq!(kafka(From::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), Some(Sight::Answered(Api::EndTxn)));
    assert_eq!(kafka(From::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), None);
}
