//! The fingerprint of a command, which identifies the call that an idempotency key was used for.
//!
//! It is the SHA-256 of a canonical text, so neither the transport nor a change of a domain type affects it. During a rolling
//! upgrade, old and new releases must agree on it; otherwise a retry is refused as a different call. The text lists each field as
//! its name, its length in bytes and its value, and leaves out absent fields.

use std::fmt::Display;

use sha2::{Digest, Sha256};

use crate::domain::{
    Action, Comment, Creation, CredentialIds, CredentialStatus, DataItem, Draft, PhysicalCard, RequestId, RequestType,
    UserName, Version,
};

/// First line of every canonical text. A new version makes the keys in use look like keys of different calls.
const FORM: &str = "cmgate command 1\n";

/// The fingerprint of a creation.
pub(super) fn of_creation(draft: &Draft) -> [u8; 32] {
    digest(|sink| write_draft(&mut Canonical::begin(sink), draft))
}

/// The fingerprint of an action on an existing request.
pub(super) fn of_step(request: RequestId, action: &Action, expected: Option<Version>) -> [u8; 32] {
    digest(|sink| write_step(&mut Canonical::begin(sink), request, action, expected))
}

fn digest(write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> [u8; 32] {
    let mut hash = Sha256::new();
    write(&mut |bytes| hash.update(bytes));
    hash.finalize().into()
}

/// Writes the fields of a canonical text to a sink, without copying large values.
struct Canonical<'s> {
    sink: &'s mut dyn FnMut(&[u8]),
}

impl<'s> Canonical<'s> {
    fn begin(sink: &'s mut dyn FnMut(&[u8])) -> Self {
        sink(FORM.as_bytes());
        Self { sink }
    }

    fn field(&mut self, name: &str, value: &str) {
        (self.sink)(format!("{name} {} ", value.len()).as_bytes());
        (self.sink)(value.as_bytes());
        (self.sink)(b"\n");
    }

    fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, &value.to_string());
        }
    }

    fn comment(&mut self, comment: &Comment) {
        if !comment.is_empty() {
            self.field("comment", comment.as_str());
        }
    }

    fn credential_ids(&mut self, prefix: &str, credential_ids: CredentialIds) {
        let CredentialIds { profile, smartcard } = credential_ids;
        self.optional(&format!("{prefix}.profile"), profile);
        self.optional(&format!("{prefix}.smartcard"), smartcard);
    }

    fn data_items(&mut self, items: &[DataItem]) {
        for item in items {
            let (name, value) = item.as_parts();
            self.field("data_item.name", name);
            if let Some(value) = value {
                self.field("data_item.value", value);
            }
        }
    }
}

fn write_draft(out: &mut Canonical<'_>, draft: &Draft) {
    let Draft { kind, template, target, old, data_items, comment, priority } = draft;
    out.field("action", "create");
    out.field("type", type_word(*kind));
    out.optional("template", *template);
    match target {
        None => {}
        Some(UserName::Id(id)) => out.field("target", &id.to_string()),
        // The name as given: a retry is the same call even if the name belongs to another user by then.
        Some(UserName::Sid(sid)) => out.field("target.sid", sid.as_str()),
        Some(UserName::Upn(upn)) => out.field("target.upn", upn.as_str()),
    }
    out.credential_ids("old", *old);
    out.optional("priority", priority.map(|priority| priority.0));
    out.comment(comment);
    out.data_items(data_items);
}

fn write_step(out: &mut Canonical<'_>, request: RequestId, action: &Action, expected: Option<Version>) {
    out.field("request", &request.to_string());
    out.optional("version", expected);
    let step = |out: &mut Canonical<'_>, word: &str, comment: &Comment| {
        out.field("action", word);
        out.comment(comment);
    };
    match action {
        Action::Create(creation) => {
            // The caller does not choose the catalog or the account of the service, nor whom the directory finds by a name.
            let Creation { draft, target: _, catalog: _, service: _ } = &**creation;
            write_draft(out, draft);
        }
        Action::Approve { comment, data_items } => {
            step(out, "approve", comment);
            out.data_items(data_items);
        }
        Action::Deny { comment } => step(out, "deny", comment),
        Action::Start { comment } => step(out, "start", comment),
        // Each attempt generates a new id for the card.
        Action::BindSmartcard { card: PhysicalCard { serial_number, atr }, id: _, comment } => {
            step(out, "bind_smartcard", comment);
            out.field("serial_number", serial_number.as_str());
            out.field("atr", atr.as_str());
        }
        Action::ChangeSmartcard { smartcard, status, comment } => {
            step(out, "change_smartcard", comment);
            out.field("smartcard", &smartcard.to_string());
            out.field("status", status_word(*status));
        }
        Action::Complete { new, comment } => {
            step(out, "complete", comment);
            out.credential_ids("new", *new);
        }
        Action::Fail { comment } => step(out, "fail", comment),
        Action::Cancel { comment } => step(out, "cancel", comment),
        Action::Abandon { comment } => step(out, "abandon", comment),
    }
}

const fn type_word(kind: RequestType) -> &'static str {
    match kind {
        RequestType::Enroll => "enroll",
        RequestType::Recover => "recover",
        RequestType::Renew => "renew",
        RequestType::Disable => "disable",
        RequestType::Unblock => "unblock",
        RequestType::Duplicate => "duplicate",
        RequestType::Retire => "retire",
        RequestType::RecoverOnBehalf => "recover_on_behalf",
        RequestType::SuspendOrReinstate => "suspend_or_reinstate",
        RequestType::OnlineUpdate => "online_update",
        RequestType::TemporaryCardEnroll => "temporary_card_enroll",
        RequestType::OfflineUnblock => "offline_unblock",
    }
}

const fn status_word(status: CredentialStatus) -> &'static str {
    match status {
        CredentialStatus::New => "new",
        CredentialStatus::Assigned => "assigned",
        CredentialStatus::Active => "active",
        CredentialStatus::Disabled => "disabled",
        CredentialStatus::Suspended => "suspended",
        CredentialStatus::Retired => "retired",
    }
}

#[cfg(test)]
mod tests;
