//! Messages of both protocols: where each one ends, and which of them a trap can name.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use tokio::io::{self, AsyncRead, AsyncReadExt};

/// Longest plausible message; a longer one indicates a parsing error.
const LONGEST: usize = 64 << 20;

/// The protocol of a connection.
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
pub(in crate::chaos) enum ProxyEvent {
    /// A client of Postgres requests a commit.
    CommitAsked,
    /// Postgres confirms a commit.
    CommitAnswered,
    /// A client of Postgres executes an auto-committing statement that writes events.
    WriteAsked,
    /// Postgres confirms such a statement.
    WriteAnswered,
    /// A client of Kafka sends a request.
    Asked(Api),
    /// Kafka answers.
    Answered(Api),
}

/// The sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
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

/// State needed to parse one connection.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Kafka requests in flight by correlation id.
    calls: Mutex<HashMap<i32, Api>>,
    session: Mutex<Session>,
}

/// Part of every statement that writes events.
const WRITES: &[u8] = b"INSERT INTO event_log";

/// A session of Postgres.
#[derive(Debug, Default)]
struct Session {
    /// Names of prepared statements that write events.
    writing: HashSet<Vec<u8>>,
    is_in_transaction: bool,
    /// Whether such a statement is in flight and will commit by itself.
    is_under_way: bool,
}

impl Session {
    fn asked(&mut self, message: &[u8]) -> Option<ProxyEvent> {
        let body = message.get(5..)?;
        let mut words = body.split(|byte| *byte == 0);
        match message.first()? {
            b'Q' => body.starts_with(b"COMMIT").then_some(ProxyEvent::CommitAsked),
            // A statement is prepared: its name, its text.
            b'P' => {
                let (name, text) = (words.next()?, words.next()?);
                if text.windows(WRITES.len()).any(|part| part == WRITES) {
                    self.writing.insert(name.to_vec());
                }
                text.starts_with(b"COMMIT").then_some(ProxyEvent::CommitAsked)
            }
            // A statement is carried out: the name of the result, its own name.
            b'B' => {
                let name = words.nth(1)?;
                self.is_under_way = !self.is_in_transaction && self.writing.contains(name);
                self.is_under_way.then_some(ProxyEvent::WriteAsked)
            }
            _ => None,
        }
    }

    fn answered(&mut self, message: &[u8]) -> Option<ProxyEvent> {
        let body = message.get(5..)?;
        match message.first()? {
            b'C' if body == b"COMMIT\0" => Some(ProxyEvent::CommitAnswered),
            b'C' => std::mem::take(&mut self.is_under_way).then_some(ProxyEvent::WriteAnswered),
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
    pub(super) fn event(&self, protocol: Protocol, from: Peer, message: &[u8]) -> Option<ProxyEvent> {
        match (protocol, from) {
            (Protocol::Postgres, Peer::Client) => self.session.lock().unwrap().asked(message),
            (Protocol::Postgres, Peer::Server) => self.session.lock().unwrap().answered(message),
            (Protocol::Kafka, Peer::Client) => {
                let api = Api::of(i16::from_be_bytes(message.get(4..6)?.try_into().ok()?))?;
                let call = i32::from_be_bytes(message.get(8..12)?.try_into().ok()?);
                self.calls.lock().unwrap().insert(call, api);
                Some(ProxyEvent::Asked(api))
            }
            (Protocol::Kafka, Peer::Server) => {
                let call = i32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
                self.calls.lock().unwrap().remove(&call).map(ProxyEvent::Answered)
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
fn the_messages_of_both_protocols_are_recognized() {
    let conversation = Conversation::default();
    let postgres = |from, message: &[u8]| conversation.event(Protocol::Postgres, from, message);
    assert_eq!(postgres(Peer::Client, b"Q\0\0\0\x0bCOMMIT\0"), Some(ProxyEvent::CommitAsked));
    assert_eq!(postgres(Peer::Client, b"P\0\0\0\x0e\0COMMIT\0\0\0"), Some(ProxyEvent::CommitAsked));
    assert_eq!(postgres(Peer::Client, b"Q\0\0\0\x0aBEGIN\0"), None);
    assert_eq!(postgres(Peer::Client, b"P\0\0\0\0s1\0WITH x INSERT INTO event_log ...\0"), None);
    assert_eq!(postgres(Peer::Client, b"P\0\0\0\0s2\0SELECT 1\0"), None);
    assert_eq!(postgres(Peer::Client, b"B\0\0\0\0\0s2\0..."), None);
    assert_eq!(postgres(Peer::Server, b"C\0\0\0\x0dSELECT 1\0"), None);
    assert_eq!(postgres(Peer::Client, b"B\0\0\0\0\0s1\0..."), Some(ProxyEvent::WriteAsked));
    assert_eq!(postgres(Peer::Server, b"C\0\0\0\x0dSELECT 1\0"), Some(ProxyEvent::WriteAnswered));
    assert_eq!(postgres(Peer::Server, b"Z\0\0\0\x05T"), None);
    assert_eq!(postgres(Peer::Client, b"B\0\0\0\0\0s1\0..."), None, "the commit comes later");
    assert_eq!(postgres(Peer::Server, b"C\0\0\0\x0bCOMMIT\0"), Some(ProxyEvent::CommitAnswered));
    assert_eq!(postgres(Peer::Server, b"C\0\0\0\x0dUPDATE 1\0"), None);
    let kafka = |from, message: &[u8]| conversation.event(Protocol::Kafka, from, message);
    let end = [0, 0, 0, 8, 0, 26, 0, 1, 0, 0, 0, 7];
    assert_eq!(kafka(Peer::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), None);
    assert_eq!(kafka(Peer::Client, &end), Some(ProxyEvent::Asked(Api::EndTxn)));
    assert_eq!(kafka(Peer::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), Some(ProxyEvent::Answered(Api::EndTxn)));
    assert_eq!(kafka(Peer::Server, &[0, 0, 0, 4, 0, 0, 0, 7]), None);
}
