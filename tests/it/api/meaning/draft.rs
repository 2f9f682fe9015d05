//! Generated drafts of requests, as a gRPC message and as a REST body.

use cmgate::contract::v1::{RequestDraft, RequestType as Type};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use serde_json::{Value, json};

use crate::script::{CARD, CARD_PROFILE, credential_ids, items};
use crate::support::client::{CARDS, DEV, PAVLE, PROFILES};

/// Types with their REST names: those that issue a credential, and those about an existing one.
const MAKING: [(Type, &str); 2] = [(Type::Enroll, "Enroll"), (Type::TemporaryCardEnroll, "TemporaryCards")];
const CHANGING: [(Type, &str); 10] = [
    (Type::Recover, "Recover"),
    (Type::Renew, "Renew"),
    (Type::Disable, "Revoke"),
    (Type::Unblock, "Unblock"),
    (Type::Duplicate, "Duplicate"),
    (Type::Retire, "Retire"),
    (Type::RecoverOnBehalf, "RecoverOnBehalf"),
    (Type::SuspendOrReinstate, "Reinstate"),
    (Type::OnlineUpdate, "OnlineUpdate"),
    (Type::OfflineUnblock, "OfflineUnblock"),
];

/// A draft; empty texts stand for omitted fields.
#[derive(Clone, Debug)]
pub(super) struct GeneratedDraft {
    about: About,
    target: &'static str,
    items: Vec<(String, Option<String>)>,
    comment: String,
    priority: Option<u8>,
}

#[derive(Clone, Debug)]
struct About {
    kind: (Type, &'static str),
    template: &'static str,
    profile: &'static str,
    smartcard: &'static str,
}

impl GeneratedDraft {
    /// Whether two requests of this draft are independent of each other.
    pub(super) fn is_about_nothing_shared(&self) -> bool {
        self.about.profile.is_empty() && self.about.smartcard.is_empty()
    }

    pub(super) fn message(&self) -> RequestDraft {
        let About { kind, template, profile, smartcard } = self.about;
        RequestDraft {
            r#type: kind.0.into(),
            profile_template: template.to_owned(),
            target: self.target.to_owned(),
            old_credential: credential_ids(profile, smartcard),
            data_items: items(&self.items),
            comment: self.comment.clone(),
            priority: self.priority.map(u32::from),
            ..RequestDraft::default()
        }
    }

    pub(super) fn body(&self) -> String {
        let About { kind, template, profile, smartcard } = self.about;
        let items: Vec<Value> =
            self.items.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
        let body = json!({
            "type": kind.1,
            "profiletemplateuuid": template,
            "profile": profile,
            "smartcard": smartcard,
            "target": self.target,
            "datacollection": items,
            "comment": self.comment,
            "priority": self.priority,
        });
        body.to_string()
    }
}

pub(super) fn drafts() -> impl Strategy<Value = GeneratedDraft> {
    let item = (text(), option::weighted(0.8, text()));
    let parts = (about(), select(vec!["", "", DEV, PAVLE]), vec(item, 0..6), text(), option::of(any::<u8>()));
    parts.prop_map(|(about, target, items, comment, priority)| GeneratedDraft {
        about,
        target,
        items,
        comment,
        priority,
    })
}

fn about() -> impl Strategy<Value = About> {
    let template = || select(vec![CARDS, PROFILES]);
    let making = (select(MAKING.to_vec()), template());
    let credential = select(vec![("", CARD), (CARD_PROFILE, ""), (CARD_PROFILE, CARD)]);
    let changing = (select(CHANGING.to_vec()), select(vec!["", CARDS]), credential);
    let any_kind = select([&MAKING[..], &CHANGING[..]].concat());
    let mixed = (any_kind, template(), select(vec![("", ""), ("", CARD), (CARD_PROFILE, CARD), (CARD, CARD_PROFILE)]));
    let with_credential = |(kind, template, (profile, smartcard))| About { kind, template, profile, smartcard };
    prop_oneof![
        4 => making.prop_map(|(kind, template)| About { kind, template, profile: "", smartcard: "" }),
        4 => changing.prop_map(with_credential),
        1 => mixed.prop_map(with_credential),
    ]
}

/// Texts of all kinds, from plain ones to arbitrary characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zA-Z0-9 .,;]{0,30}", 2 => "\\PC{0,20}", 1 => "(?s).{0,12}", 1 => Just(String::new())]
}
