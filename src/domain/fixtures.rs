//! Persons, policies and requests that the tests of the domain share.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{
    Action, Actor, Approval, Atr, Caller, CancelReason, Command, Comment, Conclusion, Creation, Credential,
    CredentialIds, CredentialStatus, Credentials, Draft, Execution, FailReason, Item, Lineage, Medium, PhysicalCard,
    Policy, Priority, ProfileId, ProfileTemplate, Request, RequestId, RequestType, SerialNumber, Sid,
    SmartcardConfiguration, SmartcardId, State, Status, TemplateId, TemplateRef, Timestamp, Trace, UserId, Version,
};

pub(super) const ORIGINATOR: UserId = UserId::new(Uuid::from_u128(1));
pub(super) const TARGET: UserId = UserId::new(Uuid::from_u128(2));
pub(super) const APPROVER: UserId = UserId::new(Uuid::from_u128(3));
pub(super) const SECOND_APPROVER: UserId = UserId::new(Uuid::from_u128(4));
pub(super) const AGENT: UserId = UserId::new(Uuid::from_u128(5));
pub(super) const INITIATOR: UserId = UserId::new(Uuid::from_u128(6));
pub(super) const STRANGER: UserId = UserId::new(Uuid::from_u128(7));

pub(super) const REQUEST: RequestId = RequestId::new(Uuid::from_u128(0x10));
pub(super) const TEMPLATE: TemplateId = TemplateId::new(Uuid::from_u128(0x20));

/// A card with its profile.
pub(super) const CARD: CredentialIds = CredentialIds {
    profile: Some(ProfileId::new(Uuid::from_u128(0x30))),
    smartcard: Some(SmartcardId::new(Uuid::from_u128(0x31))),
};
/// Another one.
pub(super) const OTHER_CARD: CredentialIds = CredentialIds {
    profile: Some(ProfileId::new(Uuid::from_u128(0x40))),
    smartcard: Some(SmartcardId::new(Uuid::from_u128(0x41))),
};

/// The card of a request that stands somewhere, in use by its target.
pub(super) const HELD: SmartcardId = SmartcardId::new(Uuid::from_u128(0x51));
/// The id that a card gets when it is bound.
pub(super) const BOUND: SmartcardId = SmartcardId::new(Uuid::from_u128(0x61));

/// So many seconds after the moment at which every request of the fixtures was made.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000).unwrap()
}

pub(super) fn caller(user: UserId) -> Caller {
    Caller::unproven(user, format!("user {user}"))
}

pub(super) fn actor(user: UserId) -> Actor {
    caller(user).actor()
}

pub(super) fn comment(text: &str) -> Comment {
    Comment::parse("comment", text).unwrap()
}

/// A policy that needs so many approvals and leaves the rest open.
pub(super) fn needing(approvals_needed: u8) -> Policy {
    Policy { approvals_needed, ..Policy::default() }
}

/// A request for a new card, of somebody for somebody else, that stands at `status`. It was not brought there by the code
/// under test.
pub(super) fn request(status: Status, policy: Policy) -> Request {
    let conclusion = Conclusion { actor: actor(TARGET), at: at(0), comment: Comment::default() };
    let state = match status {
        Status::Pending => State::Pending,
        Status::Approved => State::Approved,
        Status::Executing => State::Executing { execution: execution() },
        Status::Completed => State::Completed { execution: Some(execution()), conclusion },
        Status::Denied => State::Denied { conclusion },
        Status::Failed => State::Failed { execution: Some(execution()), reason: FailReason::Error, conclusion },
        Status::Canceled => State::Canceled { execution: None, reason: CancelReason::Withdrawn, conclusion },
    };
    Request {
        id: REQUEST,
        kind: RequestType::Enroll,
        originator: ORIGINATOR,
        target: TARGET,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        medium: Medium::Smartcard,
        policy: Arc::new(policy),
        priority: Priority(0),
        comment: comment("please"),
        data_items: Vec::new(),
        old: CredentialIds::NONE,
        new: CredentialIds::NONE,
        descriptor: "O:S-1-5-21-1D:".to_owned(),
        approvals: Vec::new(),
        state,
        submitted_at: at(0),
        changed_at: at(0),
        version: Version::new(5),
    }
}

pub(super) fn execution() -> Execution {
    Execution { actor: actor(AGENT), at: at(0) }
}

pub(super) fn approval_by(user: UserId) -> Approval {
    Approval { actor: actor(user), at: at(0), comment: Comment::default() }
}

/// A command of a user on the request, a second after it was made.
pub(super) fn command(user: UserId, action: Action) -> Command {
    Command {
        request: REQUEST,
        action,
        caller: Arc::new(caller(user)),
        now: at(1),
        expected: None,
        idempotent: None,
        trace: Trace::default(),
    }
}

/// The creation of an enrollment for somebody, under an open template with this policy.
pub(super) fn creation(policy: Policy, target: UserId) -> Action {
    let draft = Draft {
        kind: RequestType::Enroll,
        template: Some(TEMPLATE),
        target: Some(target.into()),
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: comment("please"),
        priority: None,
    };
    let template = ProfileTemplate {
        id: TEMPLATE,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(RequestType::Enroll, Arc::new(policy))]),
        smartcard: SmartcardConfiguration::default(),
    };
    let service = Sid::parse("S-1-5-21-1").unwrap();
    let catalog = Arc::new([(template, 1)].into_iter().collect());
    Action::Create(Box::new(Creation { draft, target: Ok(Some(target)), catalog, service }))
}

pub(super) fn card(id: &str) -> PhysicalCard {
    PhysicalCard { serial_number: SerialNumber::parse("serial_number", id).unwrap(), atr: Atr::default() }
}

/// A card of somebody with the profile on it, as the service knows them.
pub(super) fn holding(owner: UserId, credential_ids: CredentialIds, status: CredentialStatus) -> Vec<Credential> {
    let smartcard =
        credential_ids.smartcard.map(|id| Item::Smartcard { id, profile: credential_ids.profile, card: None });
    let profile = credential_ids.profile.map(|id| Item::Profile { id, smartcard: credential_ids.smartcard });
    let credential = |item| Credential {
        item,
        owner,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status,
        lineage: Lineage::First,
        comment: Comment::default(),
    };
    smartcard.into_iter().chain(profile).map(credential).collect()
}

/// What is known where the requests of the fixtures are decided.
pub(super) fn known() -> Credentials {
    let held = CredentialIds { profile: None, smartcard: Some(HELD) };
    holding(TARGET, held, CredentialStatus::Active).into_iter().collect()
}

/// The action of this name, with nothing said and nothing delivered; a creation is one with no approvals to come.
pub(super) fn action(name: &str) -> Action {
    let comment = Comment::default();
    match name {
        "create" => creation(Policy::default(), TARGET),
        "approve" => Action::Approve { comment, data_items: Vec::new() },
        "deny" => Action::Deny { comment },
        "start" => Action::Start { comment },
        "bind" => Action::BindSmartcard { card: card("bc88f13f-83ba-4037-8262-46eba1291c6e"), id: BOUND, comment },
        "change" => Action::ChangeSmartcard { smartcard: HELD, status: CredentialStatus::Suspended, comment },
        "complete" => Action::Complete { new: CredentialIds::NONE, comment },
        "fail" => Action::Fail { comment },
        "cancel" => Action::Cancel { comment },
        "abandon" => Action::Abandon { comment },
        _ => panic!("there is no action {name}"),
    }
}

/// The lines of a table written out in a test, each as its words.
pub(super) fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split_whitespace().collect()).filter(|row: &Vec<&str>| !row.is_empty()).collect()
}
