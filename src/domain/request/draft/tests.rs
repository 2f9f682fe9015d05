//! What a creator may ask for, and what a new request is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Draft, Origin, create};
use crate::domain::fixtures::{
    CARD, OTHER_CARD, REQUEST, STRANGER, TARGET, TEMPLATE, at, caller, comment, holding, needing, rows,
};
use crate::domain::{
    Caller, Comment, Credential, CredentialEffect, CredentialIds, CredentialStatus, DataItem, DataItemDefinition,
    Groups, Medium, Policy, Principal, Priority, ProfileId, ProfileTemplate, Provider, Refusal, Request, RequestType,
    Sid, SmartcardConfiguration, SmartcardId, Status, TemplateId, TemplateRef, UserId, UserName, Version,
};

/// What a new request is about before and after, by whether its draft names a known card; and whether a template for
/// software takes it.
const CREDENTIALS: &str = "
    type                   without_card    with_card    software

    enroll                 none,none       refused      taken
    recover                refused         card,none    taken
    renew                  refused         card,none    taken
    disable                refused         card,card    taken
    unblock                refused         card,card    refused
    duplicate              refused         card,none    taken
    retire                 refused         card,card    refused
    recover_on_behalf      refused         card,none    taken
    suspend_or_reinstate   refused         card,card    taken
    online_update          refused         card,card    taken
    temporary_card_enroll  none,none       card,none    refused
    offline_unblock        refused         card,card    refused
";

#[test]
fn every_type_of_request_is_about_what_the_table_says() {
    let table = rows(CREDENTIALS);
    let listed: Vec<&str> = table[1..].iter().map(|row| row[0]).collect();
    assert_eq!(listed, RequestType::ALL.map(RequestType::name), "the table has a row for every type");

    for (kind, row) in RequestType::ALL.into_iter().zip(&table[1..]) {
        let policy = Policy::default();
        let without = created(&draft(kind), &template(kind, policy.clone()), None);
        assert_eq!(about(&without), row[1], "{} without a card", kind.name());

        let with = Draft { old: CARD, ..draft(kind) };
        let known = credential_of(TARGET);
        assert_eq!(about(&created(&with, &template(kind, policy.clone()), Some(&known))), row[2], "{}", kind.name());

        let software = ProfileTemplate { medium: Medium::Software, ..template(kind, policy) };
        let drafted = if kind.effect() == CredentialEffect::Makes { draft(kind) } else { with };
        let taken = match created(&drafted, &software, None) {
            Ok(request) => {
                assert_eq!(request.medium, Medium::Software);
                "taken"
            }
            Err(Refusal::SmartcardOnly { .. }) => "refused",
            Err(refusal) => panic!("refused for another reason: {refusal}"),
        };
        assert_eq!(taken, row[3], "{} of a software profile", kind.name());
    }
}

#[test]
fn a_request_about_something_known_takes_the_rest_from_it() {
    let smartcard_alone = Draft { old: CredentialIds { profile: None, ..CARD }, ..draft(RequestType::Unblock) };
    let request = created_by(STRANGER, &smartcard_alone, Policy::default(), Some(&credential_of(TARGET))).unwrap();
    assert_eq!((request.target, request.originator), (TARGET, STRANGER));
    assert_eq!((request.old, request.new), (CARD, CARD));
}

#[test]
fn a_request_about_something_unknown_is_about_what_was_said() {
    let drafted = Draft { old: OTHER_CARD, ..draft(RequestType::Renew) };
    let request = created_by(TARGET, &drafted, Policy::default(), None).unwrap();
    assert_eq!((request.old, request.new), (OTHER_CARD, CredentialIds::NONE));
}

#[test]
fn a_profile_and_a_card_must_belong_together() {
    let mixed = CredentialIds { profile: OTHER_CARD.profile, ..CARD };
    for kind in [RequestType::Renew, RequestType::Unblock, RequestType::TemporaryCardEnroll] {
        let drafted = Draft { old: mixed, ..draft(kind) };
        let refusal = created_by(TARGET, &drafted, Policy::default(), Some(&credential_of(TARGET))).unwrap_err();
        let expected =
            Refusal::invalid("old_credential", "names a profile and a smart card that do not belong together");
        assert_eq!(refusal, expected, "{}", kind.name());
    }
}

/// Whoever could make himself the target of a request about a card would execute it.
#[test]
fn nobody_asks_for_himself_about_a_card_of_somebody_else() {
    for kind in [RequestType::Recover, RequestType::Unblock, RequestType::TemporaryCardEnroll] {
        let drafted = Draft { old: CARD, target: Some(STRANGER.into()), ..draft(kind) };
        let refusal = created_by(STRANGER, &drafted, Policy::default(), Some(&credential_of(TARGET))).unwrap_err();
        let expected = Refusal::invalid("target", "must be the owner of the profile or smart card");
        assert_eq!(refusal, expected, "{}", kind.name());
    }
}

/// Whoever could choose the template would choose the one that needs no approval.
#[test]
fn nobody_asks_under_another_template_than_that_of_the_card() {
    let template = TemplateRef { id: TemplateId::new(uuid::Uuid::from_u128(0x21)), version: 1 };
    let elsewhere = Credential { template, ..credential_of(TARGET) };
    for kind in [RequestType::Recover, RequestType::Unblock] {
        let drafted = Draft { old: CARD, ..draft(kind) };
        let refusal = created_by(TARGET, &drafted, Policy::default(), Some(&elsewhere)).unwrap_err();
        let expected = Refusal::invalid("profile_template", "must be the template of the profile or smart card");
        assert_eq!(refusal, expected, "{}", kind.name());
    }
    let temporary = Draft { old: CARD, ..draft(RequestType::TemporaryCardEnroll) };
    assert!(created_by(TARGET, &temporary, Policy::default(), Some(&elsewhere)).is_ok());
}

#[test]
fn users_ask_for_themselves_only_where_the_policy_lets_them() {
    let policy = Policy { self_service: false, ..Policy::default() };
    let refusal = created_by(TARGET, &draft(RequestType::Enroll), policy.clone(), None).unwrap_err();
    assert!(matches!(refusal, Refusal::NotPermitted { action: "create", .. }), "{refusal}");

    let for_another = Draft { target: Some(TARGET.into()), ..draft(RequestType::Enroll) };
    assert!(created_by(STRANGER, &for_another, policy, None).is_ok());
}

#[test]
fn only_initiators_ask_for_others_once_the_policy_names_some() {
    let initiators = sid(5_094_533);
    let policy = Policy { initiators: vec![Principal::Group(initiators.clone())], ..Policy::default() };
    let for_another = Draft { target: Some(TARGET.into()), ..draft(RequestType::Enroll) };
    let template = template(RequestType::Enroll, policy.clone());

    let refusal = created_by(STRANGER, &for_another, policy, None).unwrap_err();
    assert!(matches!(refusal, Refusal::NotPermitted { action: "create", .. }), "{refusal}");

    let initiator = Caller { groups: Groups::Known(vec![initiators]), ..caller(STRANGER) };
    let request =
        create(&for_another, Origin { target: Some(TARGET), ..origin(&initiator, &template, None, &service()) })
            .unwrap();
    assert_eq!((request.originator, request.target), (STRANGER, TARGET));
}

#[test]
fn the_target_is_the_caller_unless_another_is_named() {
    let request = created_by(TARGET, &draft(RequestType::Enroll), Policy::default(), None).unwrap();
    assert_eq!((request.originator, request.target), (TARGET, TARGET));
}

#[test]
fn a_type_that_the_template_does_not_offer_is_refused() {
    let off = Policy { enabled: false, ..Policy::default() };
    let offering_nothing = ProfileTemplate { policies: BTreeMap::new(), ..template(RequestType::Enroll, off.clone()) };
    for template in [template(RequestType::Enroll, off), offering_nothing] {
        let refusal = created(&draft(RequestType::Enroll), &template, None).unwrap_err();
        let expected = Refusal::WorkflowDisabled { template: template.name, kind: RequestType::Enroll };
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_request_begins_pending_only_if_it_needs_approvals() {
    for (needed, status) in [(0, Status::Approved), (1, Status::Pending), (2, Status::Pending)] {
        let request = created_by(TARGET, &draft(RequestType::Enroll), needing(needed), None).unwrap();
        assert_eq!(request.status(), status, "{needed} approvals needed");
    }
}

#[test]
fn the_priority_is_that_of_the_policy_unless_the_creator_names_one() {
    let policy = Policy { default_priority: Priority(7), ..Policy::default() };
    let priority = |named| {
        let drafted = Draft { priority: named, ..draft(RequestType::Enroll) };
        created_by(TARGET, &drafted, policy.clone(), None).unwrap().priority
    };
    assert_eq!(priority(None), Priority(7));
    assert_eq!(priority(Some(Priority(0))), Priority(0));
}

#[test]
fn a_new_request_carries_the_draft_and_the_policy_in_force() {
    let policy = Policy { approvers: vec![Principal::User(STRANGER)], ..needing(2) };
    let drafted = Draft {
        comment: comment("for the door"),
        data_items: vec![item("Room", Some("1"))],
        ..draft(RequestType::Enroll)
    };
    let request = created_by(TARGET, &drafted, policy.clone(), None).unwrap();
    assert_eq!(request.id, REQUEST);
    assert_eq!(request.template, TemplateRef { id: TEMPLATE, version: 3 });
    assert_eq!(*request.policy, policy);
    assert_eq!(request.comment, comment("for the door"));
    assert_eq!(request.data_items, drafted.data_items);
    assert_eq!(request.approvals, []);
    assert_eq!((request.submitted_at, request.changed_at), (at(0), at(0)));
    assert_eq!(request.version, Version::FIRST);
}

#[test]
fn a_draft_delivers_each_item_once() {
    let drafted = Draft { data_items: vec![item("Room", Some("1")), item("room", None)], ..draft(RequestType::Enroll) };
    let refusal = created_by(TARGET, &drafted, Policy::default(), None).unwrap_err();
    assert_eq!(refusal, Refusal::invalid("data_items[1].name", "\"room\" is given twice"));
}

#[test]
fn what_is_still_to_be_delivered_is_shown_in_a_request_about_a_card() {
    let policy = Policy { data_items: vec![asked("Reason"), asked("Room")], ..Policy::default() };
    let drafted = |kind, old| Draft { old, data_items: vec![item("ROOM", Some("1"))], ..draft(kind) };
    let items = |drafted: Draft| created_by(TARGET, &drafted, policy.clone(), None).unwrap().data_items;

    assert_eq!(items(drafted(RequestType::Unblock, CARD)), [item("ROOM", Some("1")), item("Reason", None)]);
    assert_eq!(items(drafted(RequestType::Enroll, CredentialIds::NONE)), [item("ROOM", Some("1"))]);
}

#[test]
fn neither_originator_nor_target_is_let_approve_by_the_descriptor() {
    let originator = Caller { sid: Some(sid(1)), ..caller(STRANGER) };
    let drafted = Draft { target: Some(TARGET.into()), ..draft(RequestType::Enroll) };
    let template = template(RequestType::Enroll, Policy::default());
    let request =
        create(&drafted, Origin { target: Some(TARGET), ..origin(&originator, &template, None, &service()) }).unwrap();
    // The account of the target is not known here, so it has no entries.
    let expected = format!("O:{0}D:(D;;LC;;;{1})(A;;RC;;;WD)(A;;CCDCLCSWSDRC;;;{0})(A;;DCSW;;;{1})", service(), sid(1));
    assert_eq!(request.descriptor, expected);
}

/// The first example of the page "Get request": a user enrolls a smart card for himself.
#[test]
fn the_documented_enrollment_is_reproduced() {
    let policy = Policy {
        initiators: [5_094_533, 5_094_534, 5_219_125].map(|rid| Principal::Group(sid(rid))).into(),
        ..documented_policy()
    };
    let request = documented(&draft(RequestType::Enroll), policy, None);

    assert_eq!((request.status(), request.medium), (Status::Approved, Medium::Smartcard));
    assert_eq!((request.old, request.new), (CredentialIds::NONE, CredentialIds::NONE));
    assert_eq!(request.data_items, []);
    assert_eq!((request.priority, request.comment.as_str()), (Priority(0), ""));
    assert!(request.is_provided_by(Provider::CertificateManager), "flag 32 is set");
    assert!(!request.is_provided_by(Provider::Subscriber), "and no other");
    assert!(!request.is_data_collection_complete());
    assert!(!request.policy.enrollment_agent_required);
    let documented = "O:S-1-5-21-2127521184-1604012920-1887927527-14134865D:\
        (D;;LC;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)\
        (A;;DCSW;;;S-1-5-21-2127521184-1604012920-1887927527-5094533)\
        (A;;DCSW;;;S-1-5-21-2127521184-1604012920-1887927527-5094534)\
        (A;;DCSW;;;S-1-5-21-2127521184-1604012920-1887927527-5219125)\
        (A;;SWRC;;;S-1-5-21-2127521184-1604012920-1887927527-5094533)\
        (A;;RC;;;WD)\
        (A;;CCDCLCSWSDRC;;;S-1-5-21-2127521184-1604012920-1887927527-14134865)\
        (A;;DCSW;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)\
        (A;;CCDCSW;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)";
    assert_eq!(request.descriptor, documented);
}

/// The second example of that page: the same user unblocks the card, by naming the card alone.
#[test]
fn the_documented_unblocking_is_reproduced() {
    let card = CredentialIds {
        profile: Some("b99ff38c-6653-471f-ae3c-325bb351a6bc".parse::<ProfileId>().unwrap()),
        smartcard: Some("17cf063d-e337-4aa9-a822-346554ddd3c9".parse::<SmartcardId>().unwrap()),
    };
    let known = holding(documented_user(), card, CredentialStatus::Active).remove(0);
    let drafted = Draft { template: None, old: CredentialIds { profile: None, ..card }, ..draft(RequestType::Unblock) };
    let request = documented(&drafted, documented_policy(), Some(&known));

    assert_eq!(request.status(), Status::Approved);
    assert_eq!((request.old, request.new), (card, card));
    assert_eq!(request.data_items, [item("Sample Data Item", None)]);
    assert!(request.is_provided_by(Provider::CertificateManager), "flag 32 is set");
    assert!(!request.is_provided_by(Provider::Subscriber), "and no other");
    let documented = "O:S-1-5-21-2127521184-1604012920-1887927527-14134865D:\
        (D;;LC;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)\
        (A;;SWRC;;;S-1-5-21-2127521184-1604012920-1887927527-5094533)\
        (A;;RC;;;WD)\
        (A;;CCDCLCSWSDRC;;;S-1-5-21-2127521184-1604012920-1887927527-14134865)\
        (A;;DCSW;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)\
        (A;;CCDCSW;;;S-1-5-21-2127521184-1604012920-1887927527-14995557)";
    assert_eq!(request.descriptor, documented);
}

/// The policy behind both examples, without the initiators of the first.
fn documented_policy() -> Policy {
    Policy {
        approvers: vec![Principal::Group(sid(5_094_533))],
        data_items: vec![asked("Sample Data Item")],
        ..Policy::default()
    }
}

fn documented(draft: &Draft, policy: Policy, credential: Option<&Credential>) -> Request {
    let user = Caller { sid: Some(sid(14_995_557)), ..caller(documented_user()) };
    let request = create(draft, origin(&user, &template(draft.kind, policy), credential, &service())).unwrap();
    assert_eq!((request.originator, request.target), (documented_user(), documented_user()));
    request
}

fn documented_user() -> UserId {
    "8f1590dc-d932-4b66-8e68-2e91c5880780".parse().unwrap()
}

/// An account of the domain in the examples.
fn sid(rid: u32) -> Sid {
    Sid::parse(&format!("S-1-5-21-2127521184-1604012920-1887927527-{rid}")).unwrap()
}

fn service() -> Sid {
    sid(14_134_865)
}

fn draft(kind: RequestType) -> Draft {
    Draft {
        kind,
        template: Some(TEMPLATE),
        target: None,
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    }
}

/// A template for smart cards that takes this type alone.
fn template(kind: RequestType, policy: Policy) -> ProfileTemplate {
    ProfileTemplate {
        id: TEMPLATE,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(kind, Arc::new(policy))]),
        smartcard: SmartcardConfiguration::default(),
    }
}

/// What is known of the card.
fn credential_of(owner: UserId) -> Credential {
    holding(owner, CARD, CredentialStatus::Active).remove(0)
}

fn asked(name: &str) -> DataItemDefinition {
    DataItemDefinition::new(name, Provider::Subscriber)
}

fn item(name: &str, value: Option<&str>) -> DataItem {
    DataItem::parse("data_items", name, value.map(str::to_owned)).unwrap()
}

fn origin<'a>(
    caller: &'a Caller,
    template: &'a ProfileTemplate,
    credential: Option<&'a Credential>,
    service: &'a Sid,
) -> Origin<'a> {
    Origin { id: REQUEST, caller, now: at(0), template, template_version: 3, credential, target: None, service }
}

/// The target that a draft names.
fn named(draft: &Draft) -> Option<UserId> {
    draft.target.as_ref().and_then(UserName::id)
}

fn created(draft: &Draft, template: &ProfileTemplate, credential: Option<&Credential>) -> Result<Request, Refusal> {
    create(draft, Origin { target: named(draft), ..origin(&caller(TARGET), template, credential, &service()) })
}

fn created_by(
    user: UserId,
    draft: &Draft,
    policy: Policy,
    credential: Option<&Credential>,
) -> Result<Request, Refusal> {
    let template = template(draft.kind, policy);
    create(draft, Origin { target: named(draft), ..origin(&caller(user), &template, credential, &service()) })
}

/// What the request is about before and after, as the table says it.
fn about(created: &Result<Request, Refusal>) -> String {
    let name = |credential_ids| match credential_ids {
        CredentialIds::NONE => "none",
        CARD => "card",
        other => panic!("about something else: {other:?}"),
    };
    match created {
        Ok(request) => format!("{},{}", name(request.old), name(request.new)),
        Err(Refusal::Invalid(violations)) => {
            assert_eq!(violations[0].field, "old_credential");
            "refused".to_owned()
        }
        Err(refusal) => panic!("refused for another reason: {refusal}"),
    }
}
