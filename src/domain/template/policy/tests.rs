//! What a policy holds against the items that are delivered, and how it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Policy;
use crate::domain::fixtures::{APPROVER, REQUEST, SECOND_APPROVER, TARGET, TEMPLATE, at, caller, command, request};
use crate::domain::{
    Action, Command, Comment, CredentialIds, Credentials, DataItem, DataItemDefinition, DataItemType, Draft, Event,
    Medium, Origin, Pattern, ProfileTemplate, Provider, Refusal, Request, RequestType, Sid, SmartcardConfiguration,
    Status, create, decide,
};

#[test]
fn what_is_delivered_at_creation_must_be_what_the_policy_wants() {
    let refusal = created(&asking(), &[("free", "x"), ("floor", "third"), ("BADGE", "ab"), ("Badge ", "ab")]);
    let wrong = [
        "data_items[1].value of the item \"Floor\" must be a whole number",
        "data_items[2].value of the item \"Badge\" must match [A-Z]{2}",
    ];
    assert_eq!(refusal.unwrap_err().to_string(), wrong.join("; "));
    let delivered = created(&asking(), &[("free", "x"), ("floor", "3"), ("BADGE", "AB")]).unwrap();
    assert_eq!(delivered.data_items.len(), 3);
}

#[test]
fn what_is_delivered_with_an_approval_must_be_what_the_policy_wants() {
    let policy = Policy { approvals_needed: 1, ..asking() };
    let refusal = approved_by(&pending(&policy), &[("Floor", "")]).map(|event| event.request.status());
    assert_eq!(refusal, Ok(Status::Approved), "an empty value is left to whoever asks for it");
    let refusal = approved_by(&pending(&policy), &[("Floor", "1.5")]).unwrap_err();
    let expected = Refusal::invalid("data_items[0].value", "of the item \"Floor\" must be a whole number");
    assert_eq!(refusal, expected);
}

#[test]
fn a_request_may_be_approved_without_its_items_unless_the_policy_insists() {
    let lenient = Policy { insists_on_required_items: false, ..insisting() };
    assert_eq!(created(&lenient, &[]).unwrap().status(), Status::Approved);
    let missing =
        Refusal::invalid("data_items", "must hold the item \"Badge\", which the certificate manager provides");
    assert_eq!(created(&insisting(), &[]), Err(missing));
    assert_eq!(created(&insisting(), &[("badge", "AB")]).unwrap().status(), Status::Approved);
}

#[test]
fn the_last_approval_must_leave_nothing_missing_that_the_policy_insists_on() {
    let policy = Policy { approvals_needed: 2, ..insisting() };
    let pending = created(&policy, &[]).unwrap();
    assert_eq!(pending.status(), Status::Pending);
    let first = approved_by(&pending, &[]).unwrap().request;
    let last = |items: &[(&str, &str)]| {
        let approve = Action::Approve { comment: Comment::default(), data_items: delivered(items) };
        decided(&command(SECOND_APPROVER, approve), &first)
    };
    assert!(last(&[("Floor", "3")]).unwrap_err().to_string().starts_with("data_items must hold the item \"Badge\""));
    assert_eq!(last(&[("Badge", "AB")]).unwrap().request.status(), Status::Approved);
}

/// A policy that asks for a number of its subscriber and for a badge of its manager.
fn asking() -> Policy {
    let floor = DataItemDefinition { kind: DataItemType::Number, ..definition("Floor", Provider::Subscriber) };
    let pattern = Some(Pattern::from("[A-Z]{2}".to_owned()));
    let badge = DataItemDefinition { pattern, required: true, ..definition("Badge", Provider::CertificateManager) };
    Policy { data_items: vec![floor, badge], ..Policy::default() }
}

fn insisting() -> Policy {
    Policy { insists_on_required_items: true, ..asking() }
}

fn definition(name: &str, provider: Provider) -> DataItemDefinition {
    DataItemDefinition::new(name, provider)
}

fn delivered(items: &[(&str, &str)]) -> Vec<DataItem> {
    items.iter().map(|(name, value)| DataItem::parse("item", *name, Some((*value).to_owned())).unwrap()).collect()
}

fn pending(policy: &Policy) -> Request {
    request(Status::Pending, policy.clone())
}

fn approved_by(pending: &Request, items: &[(&str, &str)]) -> Result<Event, Refusal> {
    let approve = Action::Approve { comment: Comment::default(), data_items: delivered(items) };
    decided(&command(APPROVER, approve), pending)
}

fn decided(command: &Command, current: &Request) -> Result<Event, Refusal> {
    decide(command, Some(current), &Credentials::default()).map(Option::unwrap)
}

fn created(policy: &Policy, items: &[(&str, &str)]) -> Result<Request, Refusal> {
    let draft = Draft {
        kind: RequestType::Enroll,
        template: Some(TEMPLATE),
        target: None,
        old: CredentialIds::NONE,
        data_items: delivered(items),
        comment: Comment::default(),
        priority: None,
    };
    let template = ProfileTemplate {
        id: TEMPLATE,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(RequestType::Enroll, Arc::new(policy.clone()))]),
        smartcard: SmartcardConfiguration::default(),
    };
    let origin = Origin {
        id: REQUEST,
        caller: &caller(TARGET),
        now: at(0),
        template: &template,
        template_version: 1,
        credential: None,
        target: None,
        service: &Sid::parse("S-1-5-21-1").unwrap(),
    };
    create(&draft, origin)
}
