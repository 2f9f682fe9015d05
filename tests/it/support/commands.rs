//! Users, requests, and the commands that tests commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use cmgate::domain::{
    Action, Atr, Caller, Command, Comment, Creation, CredentialIds, DataItem, Draft, IdempotencyKey, Idempotent,
    Medium, Origin, PhysicalCard, Policy, ProfileId, ProfileTemplate, Request, RequestId, RequestType, SerialNumber,
    Sid, SmartcardConfiguration, SmartcardId, TemplateId, Timestamp, Trace, UserId, create,
};
use uuid::Uuid;

pub(crate) const ORIGINATOR: UserId = UserId::new(Uuid::from_u128(1));
pub(crate) const TARGET: UserId = UserId::new(Uuid::from_u128(2));
pub(crate) const TEMPLATE: TemplateId = TemplateId::new(Uuid::from_u128(0x20));

/// A user who is no party to any request.
pub(crate) fn approver(number: u8) -> UserId {
    UserId::new(Uuid::from_u128(0x100 + u128::from(number)))
}

/// A number of seconds after the noon at which every test begins.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_788_264_000_000_000 + seconds * 1_000_000).unwrap()
}

pub(crate) fn comment(text: &str) -> Comment {
    Comment::parse("comment", text).unwrap()
}

pub(crate) fn item(name: &str, value: Option<&str>) -> DataItem {
    DataItem::parse("data_items", name, value.map(str::to_owned)).unwrap()
}

/// A new profile on a new card.
pub(crate) fn fresh_card() -> CredentialIds {
    let (profile, smartcard) = (ProfileId::new(Uuid::new_v4()), SmartcardId::new(Uuid::new_v4()));
    CredentialIds { profile: Some(profile), smartcard: Some(smartcard) }
}

/// The default policy with a number of approvals.
pub(crate) fn needing(approvals_needed: u8) -> Policy {
    Policy { approvals_needed, ..Policy::default() }
}

/// The template of every request here.
pub(crate) fn template(policy: Policy) -> ProfileTemplate {
    ProfileTemplate {
        id: TEMPLATE,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(RequestType::Enroll, Arc::new(policy))]),
        smartcard: SmartcardConfiguration::default(),
    }
}

/// A new request of [`ORIGINATOR`] for [`TARGET`], under a policy that needs a number of approvals.
pub(crate) fn request(approvals_needed: u8) -> Request {
    let caller = caller(ORIGINATOR);
    let draft = Draft {
        kind: RequestType::Enroll,
        template: Some(TEMPLATE),
        target: Some(TARGET.into()),
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    };
    let origin = Origin {
        id: RequestId::new(Uuid::new_v4()),
        caller: &caller,
        now: at(0),
        template: &template(needing(approvals_needed)),
        template_version: 1,
        credential: None,
        target: Some(TARGET),
        service: &Sid::parse("S-1-5-21-1").unwrap(),
    };
    create(&draft, origin).unwrap()
}

/// A request with 800,000 equal characters.
pub(crate) fn large_request(text: char) -> Request {
    let value = text.to_string().repeat(DataItem::MAX_VALUE_CHARS);
    Request { data_items: (0..50).map(|number| item(&number.to_string(), Some(&value))).collect(), ..request(0) }
}

/// A command that creates a request so many seconds after the noon at which every test begins.
pub(crate) fn creation_at(seconds: i64) -> Command {
    let mut new = request(0);
    (new.submitted_at, new.changed_at) = (at(seconds), at(seconds));
    creation(new)
}

/// A command that creates this request, under a template that leads to it.
pub(crate) fn creation(request: Request) -> Command {
    let draft = Draft {
        kind: request.kind,
        template: Some(request.template.id),
        target: Some(request.target.into()),
        old: request.old,
        data_items: request.data_items,
        comment: request.comment,
        priority: Some(request.priority),
    };
    let policies = BTreeMap::from([(request.kind, request.policy)]);
    let template = ProfileTemplate { id: request.template.id, policies, ..template(Policy::default()) };
    let catalog = Arc::new([(template, request.template.version)].into_iter().collect());
    let service = Sid::parse("S-1-5-21-1").unwrap();
    let creation = Creation { draft, target: Ok(Some(request.target)), catalog, service };
    command_at(request.submitted_at, request.originator, request.id, Action::Create(Box::new(creation)))
}

/// A command of a user about an existing request.
pub(crate) fn command(user: UserId, request: RequestId, action: Action) -> Command {
    command_at(at(1), user, request, action)
}

/// The same command with an idempotency key; `asked` stands for the fingerprint of the call.
pub(crate) fn under_key(key: &str, asked: u8, command: Command) -> Command {
    let key = IdempotencyKey::parse("key", command.caller.user, key).unwrap();
    Command { idempotent: Some(Idempotent { key, fingerprint: [asked; 32] }), ..command }
}

pub(crate) fn approve() -> Action {
    Action::Approve { comment: Comment::default(), data_items: Vec::new() }
}

pub(crate) fn deny() -> Action {
    Action::Deny { comment: Comment::default() }
}

pub(crate) fn start() -> Action {
    Action::Start { comment: Comment::default() }
}

/// Binds the card with this serial number.
pub(crate) fn bind(serial_number: &str) -> Action {
    let card = PhysicalCard {
        serial_number: SerialNumber::parse("serial_number", serial_number).unwrap(),
        atr: Atr::default(),
    };
    Action::BindSmartcard { card, id: SmartcardId::new(Uuid::new_v4()), comment: Comment::default() }
}

pub(crate) fn complete(new: CredentialIds) -> Action {
    Action::Complete { new, comment: Comment::default() }
}

pub(crate) fn fail() -> Action {
    Action::Fail { comment: Comment::default() }
}

pub(crate) fn cancel() -> Action {
    Action::Cancel { comment: Comment::default() }
}

fn command_at(now: Timestamp, user: UserId, request: RequestId, action: Action) -> Command {
    Command {
        request,
        action,
        caller: Arc::new(caller(user)),
        now,
        expected: None,
        idempotent: None,
        trace: Trace::default(),
    }
}

fn caller(user: UserId) -> Caller {
    Caller::unproven(user, format!("user {user}"))
}
