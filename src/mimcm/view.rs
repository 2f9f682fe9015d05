//! JSON view of a request: 21 properties in the documented order.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::write::write_json;
use super::{codes, time};
use crate::domain::{DataItem, Medium, ProfileId, Request, SmartcardId, State};

/// A request. Missing values are zero GUIDs, empty strings or `DateTime.MinValue`, never null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View<'a> {
    uuid: Uuid,
    request_type: u8,
    status: u8,
    flags: u8,
    data_collection: Vec<ItemView<'a>>,
    data_collection_flags: u8,
    originator_user_uuid: Uuid,
    target_user_uuid: Uuid,
    submitted: String,
    completed: String,
    new_profile_uuid: Uuid,
    old_profile_uuid: Uuid,
    new_smartcard_uuid: Uuid,
    old_smartcard_uuid: Uuid,
    priority: u8,
    comment: &'a str,
    profile_template_uuid: Uuid,
    security_descriptor: Cow<'a, str>,
    is_smartcard: bool,
    is_enrollment_agent: bool,
    is_data_collection_complete: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ItemView<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> View<'a> {
    /// The view of a request, with this number of NULs at the end of its descriptor.
    pub(super) fn of(request: &'a Request, nul_tail: u8) -> Self {
        Self {
            uuid: request.id.uuid(),
            request_type: codes::type_number(request.kind),
            status: codes::status_number(request.status()),
            flags: codes::flags(request),
            data_collection: request.data_items.iter().map(ItemView::of).collect(),
            data_collection_flags: codes::data_collection_flags(request),
            originator_user_uuid: request.originator.uuid(),
            target_user_uuid: request.target.uuid(),
            submitted: time::show(request.submitted_at),
            completed: completed(request),
            new_profile_uuid: request.new.profile.map_or(Uuid::nil(), ProfileId::uuid),
            old_profile_uuid: request.old.profile.map_or(Uuid::nil(), ProfileId::uuid),
            new_smartcard_uuid: request.new.smartcard.map_or(Uuid::nil(), SmartcardId::uuid),
            old_smartcard_uuid: request.old.smartcard.map_or(Uuid::nil(), SmartcardId::uuid),
            priority: request.priority.0,
            comment: request.comment.as_str(),
            profile_template_uuid: request.template.id.uuid(),
            security_descriptor: with_tail(&request.descriptor, nul_tail),
            is_smartcard: request.medium == Medium::Smartcard,
            is_enrollment_agent: request.policy.enrollment_agent_required,
            is_data_collection_complete: request.is_data_collection_complete(),
        }
    }
}

impl<'a> ItemView<'a> {
    fn of(item: &'a DataItem) -> Self {
        Self { name: item.name(), value: item.value() }
    }
}

fn with_tail(descriptor: &str, nuls: u8) -> Cow<'_, str> {
    match nuls {
        0 => Cow::Borrowed(descriptor),
        nuls => Cow::Owned(format!("{descriptor}{}", "\0".repeat(nuls.into()))),
    }
}

/// The completion time. Only a completed request has one; other final states count as not set.
fn completed(request: &Request) -> String {
    match &request.state {
        State::Completed { conclusion, .. } => time::show(conclusion.at),
        State::Pending
        | State::Approved
        | State::Executing { .. }
        | State::Denied { .. }
        | State::Failed { .. }
        | State::Canceled { .. } => time::UNSET.to_owned(),
    }
}

/// The text that directly precedes the data items of a view.
const ITEMS: &[u8] = b"\"DataCollection\":[";

/// Appends a request to `out`, starting at one of its data items, and stops once `out` has more than `max` bytes. Returns the
/// item to continue with; `None` at the end of the request.
pub(super) fn write_part(out: &mut Vec<u8>, request: &Request, nul_tail: u8, from: usize, max: usize) -> Option<usize> {
    let items = &request.data_items;
    let item_bytes = |item: &DataItem| item.name().len() + item.value().map_or(0, str::len);
    // JSON escapes make a text at most six times as long.
    if from == 0 && 6 * items.iter().map(item_bytes).sum::<usize>() <= max {
        write_json(out, &View::of(request, nul_tail));
        return None;
    }
    let begin = out.len();
    write_json(out, &View { data_collection: Vec::new(), ..View::of(request, nul_tail) });
    // Only an id and numbers precede it, so the first match is the property.
    let head = out[begin..].windows(ITEMS.len()).position(|bytes| bytes == ITEMS).unwrap_or(0) + ITEMS.len();
    let tail = out.split_off(begin + head);
    if from > 0 {
        out.truncate(begin);
    }
    for (number, item) in items.iter().enumerate().skip(from) {
        if out.len() > max && number > from {
            return Some(number);
        }
        if number > 0 {
            out.push(b',');
        }
        write_json(out, &ItemView::of(item));
    }
    out.extend(tail);
    None
}
