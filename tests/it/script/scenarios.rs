//! The script as data: what happens to each request.

use cmgate::contract::v1::{CredentialIds, DataItem, RequestDraft, RequestStatus as Status, RequestType as Type};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::client::{CARDS, DEV, JUDGE, PAVLE, PROFILES, SECOND_JUDGE};

/// The card in the sample credentials, and its profile.
pub(crate) const CARD: &str = "17cf063d-e337-4aa9-a822-346554ddd3c9";
pub(crate) const CARD_PROFILE: &str = "b99ff38c-6653-471f-ae3c-325bb351a6bc";
/// Credentials issued by requests of the script.
const MADE_CARD: &str = "00000000-0000-0000-0000-0000000000c1";
const MADE_PROFILE: &str = "00000000-0000-0000-0000-0000000000d1";
const RENEWED_CARD: &str = "00000000-0000-0000-0000-0000000000c2";
const RENEWED_PROFILE: &str = "00000000-0000-0000-0000-0000000000d2";
/// A software profile that is unknown to the service.
const OLD_PROFILE: &str = "00000000-0000-0000-0000-0000000000d3";

/// The scenario of one request.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Who creates it.
    pub(super) by: &'static str,
    pub(super) draft: ScenarioDraft,
    /// Its status after creation.
    pub(super) begins: Status,
    pub(super) steps: &'static [ScenarioStep],
}

/// A draft; empty texts stand for omitted fields.
pub(super) struct ScenarioDraft {
    kind: Type,
    /// The REST name of the type.
    legacy_kind: &'static str,
    template: &'static str,
    target: &'static str,
    profile: &'static str,
    smartcard: &'static str,
    items: &'static [(&'static str, Option<&'static str>)],
    comment: &'static str,
    priority: Option<u8>,
    /// The documented body, sent unchanged.
    documented: Option<&'static str>,
}

/// One call on a request.
pub(super) struct ScenarioStep {
    pub(super) by: &'static str,
    pub(super) action: ScenarioAction,
    /// The status after it, or the code of its refusal.
    pub(super) leads_to: Result<Status, Code>,
}

/// An action on a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScenarioAction {
    Approve(&'static [(&'static str, Option<&'static str>)]),
    Deny,
    Start,
    /// Binds the smart card with this serial number.
    Bind(&'static str),
    /// Completes with the issued profile and smart card.
    Complete(&'static str, &'static str),
    Fail,
    Cancel,
    Abandon,
}

/// A draft that is refused: the code of gRPC and the status of HTTP.
pub(super) const REFUSED: [(&str, ScenarioDraft, Code, u16); 4] = [
    (
        "a software profile has no PIN to unblock",
        ScenarioDraft { template: PROFILES, profile: OLD_PROFILE, ..of(Type::Unblock, "Unblock") },
        Code::PermissionDenied,
        403,
    ),
    (
        "only initiators may request cards for others",
        ScenarioDraft { template: CARDS, target: PAVLE, ..of(Type::Enroll, "Enroll") },
        Code::PermissionDenied,
        403,
    ),
    (
        "a template is unknown",
        ScenarioDraft { template: CARD, ..of(Type::Enroll, "Enroll") },
        Code::InvalidArgument,
        400,
    ),
    (
        "a card is unknown",
        ScenarioDraft { smartcard: MADE_PROFILE, ..of(Type::Unblock, "Unblock") },
        Code::InvalidArgument,
        400,
    ),
];

pub(super) const SCENARIOS: [Scenario; 21] = [
    Scenario {
        name: "the first documented example, carried out",
        by: DEV,
        draft: ScenarioDraft {
            template: CARDS,
            documented: Some(include_str!("../../../src/mimcm/tests/golden/create-1.json")),
            ..of(Type::Enroll, "Enroll")
        },
        begins: Status::Approved,
        steps: &[
            step(DEV, ScenarioAction::Start, Status::Executing),
            refused(DEV, ScenarioAction::Start, Code::FailedPrecondition),
            step(DEV, ScenarioAction::Complete(MADE_PROFILE, MADE_CARD), Status::Completed),
            refused(DEV, ScenarioAction::Cancel, Code::FailedPrecondition),
        ],
    },
    Scenario {
        name: "the second documented example, completed at once",
        by: DEV,
        draft: ScenarioDraft {
            smartcard: CARD,
            documented: Some(include_str!("../../../src/mimcm/tests/golden/create-2.json")),
            ..of(Type::Unblock, "Unblock")
        },
        begins: Status::Approved,
        steps: &[
            refused(JUDGE, ScenarioAction::Complete("", ""), Code::PermissionDenied),
            refused(DEV, ScenarioAction::Complete(MADE_PROFILE, MADE_CARD), Code::InvalidArgument),
            step(DEV, ScenarioAction::Complete("", ""), Status::Completed),
        ],
    },
    Scenario {
        name: "the third documented example, approved and carried out",
        by: DEV,
        draft: ScenarioDraft {
            template: PROFILES,
            target: PAVLE,
            items: &[("name", Some("pavle")), ("city", Some("seattle"))],
            comment: "LALALALA",
            priority: Some(4),
            documented: Some(include_str!("../../../src/mimcm/tests/golden/create-3.json")),
            ..of(Type::Enroll, "Enroll")
        },
        begins: Status::Pending,
        steps: &[
            refused(PAVLE, ScenarioAction::Start, Code::FailedPrecondition),
            refused(DEV, ScenarioAction::Approve(&[]), Code::PermissionDenied),
            refused(PAVLE, ScenarioAction::Approve(&[]), Code::PermissionDenied),
            step(JUDGE, ScenarioAction::Approve(&[("CITY", Some("tacoma")), ("room", None)]), Status::Approved),
            refused(DEV, ScenarioAction::Start, Code::PermissionDenied),
            step(PAVLE, ScenarioAction::Start, Status::Executing),
            step(PAVLE, ScenarioAction::Complete("00000000-0000-0000-0000-0000000000d4", ""), Status::Completed),
        ],
    },
    Scenario {
        name: "two approvals, given up by its originator",
        by: DEV,
        draft: ScenarioDraft {
            template: PROFILES,
            target: PAVLE,
            profile: OLD_PROFILE,
            priority: Some(255),
            ..of(Type::RecoverOnBehalf, "RecoverOnBehalf")
        },
        begins: Status::Pending,
        steps: &[
            step(JUDGE, ScenarioAction::Approve(&[]), Status::Pending),
            refused(JUDGE, ScenarioAction::Approve(&[]), Code::FailedPrecondition),
            step(SECOND_JUDGE, ScenarioAction::Approve(&[]), Status::Approved),
            step(SECOND_JUDGE, ScenarioAction::Start, Status::Executing),
            step(DEV, ScenarioAction::Abandon, Status::Failed),
        ],
    },
    Scenario {
        name: "one approval of two, then denied",
        by: JUDGE,
        draft: ScenarioDraft { smartcard: CARD, target: DEV, ..of(Type::RecoverOnBehalf, "recoveronbehalf") },
        begins: Status::Pending,
        steps: &[
            step(SECOND_JUDGE, ScenarioAction::Approve(&[]), Status::Pending),
            step(PAVLE, ScenarioAction::Deny, Status::Denied),
            refused(PAVLE, ScenarioAction::Approve(&[]), Code::FailedPrecondition),
        ],
    },
    Scenario {
        name: "denied at once",
        by: PAVLE,
        draft: ScenarioDraft {
            template: PROFILES, comment: "bitte, für Ærøskøbing ☂", ..of(Type::Enroll, "ENROLL")
        },
        begins: Status::Pending,
        steps: &[
            step(JUDGE, ScenarioAction::Deny, Status::Denied),
            refused(PAVLE, ScenarioAction::Cancel, Code::FailedPrecondition),
        ],
    },
    Scenario {
        name: "canceled while it waits",
        by: DEV,
        draft: ScenarioDraft { template: PROFILES, priority: Some(0), ..of(Type::Enroll, "Enroll") },
        begins: Status::Pending,
        steps: &[
            refused(JUDGE, ScenarioAction::Cancel, Code::PermissionDenied),
            step(DEV, ScenarioAction::Cancel, Status::Canceled),
        ],
    },
    Scenario {
        name: "a card is bound, and stays when the request is completed",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::Enroll, "Enroll") },
        begins: Status::Approved,
        steps: &[
            refused(JUDGE, ScenarioAction::Bind("ACME-1"), Code::PermissionDenied),
            step(DEV, ScenarioAction::Bind("ACME-1"), Status::Approved),
            refused(DEV, ScenarioAction::Bind("ACME-2"), Code::FailedPrecondition),
            step(DEV, ScenarioAction::Start, Status::Executing),
            refused(DEV, ScenarioAction::Complete("", MADE_CARD), Code::FailedPrecondition),
            step(DEV, ScenarioAction::Complete("00000000-0000-0000-0000-0000000000d5", ""), Status::Completed),
        ],
    },
    Scenario {
        name: "a card is bound to a request that is canceled, after another one was in use",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::Enroll, "Enroll") },
        begins: Status::Approved,
        steps: &[
            refused(DEV, ScenarioAction::Bind("ACME-1"), Code::FailedPrecondition),
            step(DEV, ScenarioAction::Bind("ACME-2"), Status::Approved),
            step(DEV, ScenarioAction::Cancel, Status::Canceled),
        ],
    },
    Scenario {
        name: "canceled in execution",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::Enroll, "Enroll") },
        begins: Status::Approved,
        steps: &[
            step(DEV, ScenarioAction::Start, Status::Executing),
            step(DEV, ScenarioAction::Cancel, Status::Canceled),
        ],
    },
    Scenario {
        name: "failed in execution",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::Enroll, "Enroll") },
        begins: Status::Approved,
        steps: &[step(DEV, ScenarioAction::Start, Status::Executing), step(DEV, ScenarioAction::Fail, Status::Failed)],
    },
    Scenario {
        name: "abandoned before it began",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::Enroll, "Enroll") },
        begins: Status::Approved,
        steps: &[step(DEV, ScenarioAction::Abandon, Status::Failed)],
    },
    Scenario {
        name: "renewed, which replaces the card",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, profile: CARD_PROFILE, smartcard: CARD, ..of(Type::Renew, "Renew") },
        begins: Status::Approved,
        steps: &[step(DEV, ScenarioAction::Complete(RENEWED_PROFILE, RENEWED_CARD), Status::Completed)],
    },
    Scenario {
        name: "retired: the card that was made by the first request is known since",
        by: DEV,
        draft: ScenarioDraft { smartcard: MADE_CARD, ..of(Type::Retire, "Retire") },
        begins: Status::Approved,
        steps: &[step(DEV, ScenarioAction::Complete(MADE_PROFILE, MADE_CARD), Status::Completed)],
    },
    Scenario {
        name: "revoked, and under way",
        by: DEV,
        draft: ScenarioDraft { profile: RENEWED_PROFILE, ..of(Type::Disable, "Revoke") },
        begins: Status::Approved,
        steps: &[step(DEV, ScenarioAction::Start, Status::Executing)],
    },
    Scenario {
        name: "reinstated, and not begun",
        by: DEV,
        draft: ScenarioDraft { smartcard: RENEWED_CARD, ..of(Type::SuspendOrReinstate, "Reinstate") },
        begins: Status::Approved,
        steps: &[],
    },
    Scenario {
        name: "updated online, with an item of the policy",
        by: DEV,
        draft: ScenarioDraft {
            smartcard: RENEWED_CARD,
            items: &[("sample data item", Some("")), ("more", None)],
            ..of(Type::OnlineUpdate, "OnlineUpdate")
        },
        begins: Status::Approved,
        steps: &[],
    },
    Scenario {
        name: "a duplicate",
        by: DEV,
        draft: ScenarioDraft { smartcard: RENEWED_CARD, ..of(Type::Duplicate, "Duplicate") },
        begins: Status::Approved,
        steps: &[],
    },
    Scenario {
        name: "a recovery",
        by: PAVLE,
        draft: ScenarioDraft { template: PROFILES, profile: OLD_PROFILE, ..of(Type::Recover, "Recover") },
        begins: Status::Pending,
        steps: &[],
    },
    Scenario {
        name: "a temporary card",
        by: DEV,
        draft: ScenarioDraft { template: CARDS, ..of(Type::TemporaryCardEnroll, "TemporaryCards") },
        begins: Status::Approved,
        steps: &[],
    },
    Scenario {
        name: "an offline unblock",
        by: DEV,
        draft: ScenarioDraft { smartcard: RENEWED_CARD, ..of(Type::OfflineUnblock, "OfflineUnblock") },
        begins: Status::Approved,
        steps: &[],
    },
];

const fn of(kind: Type, legacy_kind: &'static str) -> ScenarioDraft {
    ScenarioDraft {
        kind,
        legacy_kind,
        template: "",
        target: "",
        profile: "",
        smartcard: "",
        items: &[],
        comment: "",
        priority: None,
        documented: None,
    }
}

const fn step(by: &'static str, action: ScenarioAction, status: Status) -> ScenarioStep {
    ScenarioStep { by, action, leads_to: Ok(status) }
}

const fn refused(by: &'static str, action: ScenarioAction, code: Code) -> ScenarioStep {
    ScenarioStep { by, action, leads_to: Err(code) }
}

impl Scenario {
    /// The status in which it ends.
    pub(super) fn ends(&self) -> Status {
        self.steps.iter().rev().find_map(|step| step.leads_to.ok()).unwrap_or(self.begins)
    }

    /// How many events it has.
    pub(super) fn events(&self) -> usize {
        1 + self.steps.iter().filter(|step| step.leads_to.is_ok()).count()
    }

    /// The target, which is the originator unless the draft sets another.
    pub(super) fn target(&self) -> &'static str {
        if self.draft.target.is_empty() { self.by } else { self.draft.target }
    }
}

impl ScenarioDraft {
    /// The draft in the contract of gRPC.
    pub(super) fn message(&self) -> RequestDraft {
        RequestDraft {
            r#type: self.kind.into(),
            profile_template: self.template.to_owned(),
            target: self.target.to_owned(),
            old_credential: credential_ids(self.profile, self.smartcard),
            data_items: items(self.items),
            comment: self.comment.to_owned(),
            priority: self.priority.map(u32::from),
            ..RequestDraft::default()
        }
    }

    /// The draft as the body of a REST call.
    pub(super) fn body(&self) -> String {
        if let Some(documented) = self.documented {
            return documented.to_owned();
        }
        let items: Vec<Value> =
            self.items.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
        let mut body = json!({ "type": self.legacy_kind, "datacollection": items, "comment": self.comment });
        for (name, value) in [
            ("profiletemplateuuid", self.template),
            ("target", self.target),
            ("profile", self.profile),
            ("smartcard", self.smartcard),
        ] {
            if !value.is_empty() {
                body[name] = value.into();
            }
        }
        if let Some(priority) = self.priority {
            body["priority"] = priority.into();
        }
        body.to_string()
    }
}

/// The ids of a profile and smart card; `None` if both are empty.
pub(crate) fn credential_ids(profile: &str, smartcard: &str) -> Option<CredentialIds> {
    let is_there = !(profile.is_empty() && smartcard.is_empty());
    is_there.then(|| CredentialIds { profile: profile.to_owned(), smartcard: smartcard.to_owned() })
}

/// Data items in the contract of gRPC.
pub(crate) fn items<T: AsRef<str>>(items: &[(T, Option<T>)]) -> Vec<DataItem> {
    let text = |text: &T| text.as_ref().to_owned();
    items.iter().map(|(name, value)| DataItem { name: text(name), value: value.as_ref().map(text) }).collect()
}
