//! Headroom: a request is accepted only if the event of every later step still fits the size limit.
//!
//! The headroom is the encoded length of the longest messages that later steps can add. Each message below lists all of its
//! fields, so a new field does not compile until the headroom covers it.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use uuid::Uuid;

use super::encode::event as event_message;
use super::v1;
use super::v1::credential::Item;
use crate::domain::{Actor, Atr, Comment, Event, EventType, MAX_CHANGED_CREDENTIALS, Refusal, Request, SerialNumber};

/// Maximum size of an event, in bytes. By default a Kafka producer accepts messages of 1,000,000 bytes and a broker slightly
/// more; the difference is for the key and the headers of the record. An event that cannot be published would block its shard.
pub const MAX_EVENT_BYTES: usize = 990_000;

/// Bytes that one approval can add to a request: its actor, its time and the longest comment.
static APPROVAL: LazyLock<usize> = LazyLock::new(|| {
    let approval = v1::Approval { actor: Some(actor()), time: Some(TIME), comment: text(Comment::MAX_CHARS) };
    v1::Request { approvals: vec![approval], ..v1::Request::default() }.encoded_len()
});

/// Bytes that everything else can add to the event of any later step.
static LAST_STEP: LazyLock<usize> = LazyLock::new(|| {
    let event = v1::RequestEvent {
        r#type: i32::MAX,
        request: Some(last_request()),
        previous_status: i32::MAX,
        actor: Some(actor()),
        time: Some(TIME),
        comment: text(Comment::MAX_CHARS),
        credentials: vec![credential(); MAX_CHANGED_CREDENTIALS],
        shard: u32::MAX,
        position: u64::MAX,
    };
    event.encoded_len()
});

const TIME: Timestamp = Timestamp { seconds: -1, nanos: -1 };

/// Encodes an event for the log. Only a creation or an approval can be too large, since only these add data items; every other
/// step of an accepted request fits.
///
/// # Errors
/// [`Refusal::TooLarge`], naming the field to shorten.
pub fn encode_event_within_limits(event: &Event) -> Result<Bytes, Refusal> {
    let message = event_message(event);
    match event.event_type {
        EventType::Created | EventType::ApprovalRecorded | EventType::Approved => {
            let bytes = message.request.as_ref().map_or(0, Message::encoded_len);
            let limit = MAX_EVENT_BYTES.saturating_sub(headroom(&event.request));
            if bytes > limit {
                return Err(Refusal::TooLarge { field: "data_items", bytes, limit });
            }
        }
        EventType::Denied
        | EventType::Started
        | EventType::SmartcardBound
        | EventType::SmartcardChanged
        | EventType::Completed
        | EventType::Failed
        | EventType::Canceled => {}
    }
    let payload = message.encode_to_vec();
    if payload.len() > MAX_EVENT_BYTES {
        return Err(Refusal::TooLarge { field: "comment", bytes: payload.len(), limit: MAX_EVENT_BYTES });
    }
    Ok(payload.into())
}

/// Bytes by which the event of any later step can exceed the encoded request as it is now, not counting data items of approvers.
fn headroom(request: &Request) -> usize {
    let approvals = usize::from(request.policy.approvals_needed).saturating_sub(request.approvals.len());
    approvals * *APPROVAL + *LAST_STEP
}

/// The fields of a request that a later step sets or changes, each at its longest.
fn last_request() -> v1::Request {
    v1::Request {
        id: String::new(),
        r#type: 0,
        status: i32::MAX,
        originator: String::new(),
        target: String::new(),
        profile_template: String::new(),
        profile_template_version: 0,
        is_smartcard: false,
        is_enrollment_agent: false,
        priority: 0,
        comment: String::new(),
        data_items: Vec::new(),
        is_data_collection_complete: true,
        old_credential: None,
        new_credential: Some(credential_ids()),
        approvals_needed: 0,
        approvals: Vec::new(),
        execution: Some(v1::Execution { actor: Some(actor()), time: Some(TIME) }),
        conclusion: Some(v1::Conclusion {
            actor: Some(actor()),
            time: Some(TIME),
            reason: i32::MAX,
            comment: text(Comment::MAX_CHARS),
        }),
        submit_time: None,
        update_time: Some(TIME),
        version: u32::MAX,
        etag: format!("v{}", u32::MAX),
    }
}

/// The longest profile or card that an event carries; a card is longer than a profile.
fn credential() -> v1::Credential {
    v1::Credential {
        item: Some(Item::Smartcard(v1::Smartcard {
            id: id(),
            profile: id(),
            serial_number: "x".repeat(SerialNumber::MAX_CHARS),
            atr: "x".repeat(2 * Atr::MAX_BYTES),
        })),
        owner: id(),
        profile_template: id(),
        profile_template_version: u32::MAX,
        status: i32::MAX,
        lineage: i32::MAX,
        parent: Some(credential_ids()),
        comment: text(Comment::MAX_CHARS),
    }
}

fn credential_ids() -> v1::CredentialIds {
    v1::CredentialIds { profile: id(), smartcard: id() }
}

fn actor() -> v1::Actor {
    v1::Actor { user: id(), name: text(Actor::MAX_NAME_CHARS) }
}

fn id() -> String {
    Uuid::max().to_string()
}

/// Text of `chars` characters, each of the maximum length in UTF-8.
fn text(chars: usize) -> String {
    "\u{10ffff}".repeat(chars)
}

#[cfg(test)]
mod tests;
