//! Each stored form against its golden file, in both directions.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::domain::{
    Actor, Approval, Atr, CancelReason, Comment, Conclusion, Credential, CredentialIds, CredentialStatus, DataItem,
    DataItemDefinition, DataItemType, DisplayName, Distribution, EventType, Execution, FailReason, Item, Lineage,
    Medium, OneTimePasswords, Pattern, PhysicalCard, Policy, Principal, Priority, ProfileId, ProfileTemplate, Provider,
    Request, RequestId, RequestType, SerialNumber, Sid, SmartcardConfiguration, SmartcardId, State, Status, TemplateId,
    TemplateRef, TemporaryCards, Timestamp, Upn, User, UserId, UserSource, UserStatus, Version,
};

const REMEDY: &str = "store a new field only while it differs from its default, and keep the names of the others; a form \
     that has to change gets a new version and a reader for the old one";

/// A golden file with its path, rewritten first if `CMGATE_WRITE_GOLDEN` is set.
fn golden(name: &str, now: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/document/golden").join(name);
    if std::env::var_os("CMGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    (path, text)
}

/// Checks that the written form equals the golden file, and that the golden file is read back as the value.
fn check<T: Document + Debug + PartialEq>(name: &str, value: &T) {
    let written: Value = serde_json::from_str(&value.encode().unwrap()).unwrap();
    let written = serde_json::to_string_pretty(&written).unwrap() + "\n";
    let (path, golden) = golden(&format!("{name}.json"), &written);
    assert!(
        golden == written,
        "{}: the stored form has changed; {REMEDY}\n--- golden\n{golden}\n--- now\n{written}",
        path.display()
    );
    let read = T::decode(&golden);
    assert!(
        read.as_ref().is_ok_and(|read| read == value),
        "{}: stored rows would become unreadable, or be read as something else: {read:?}; {REMEDY}",
        path.display()
    );
}

fn user(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

fn actor(number: u128) -> Actor {
    Actor { user: user(number), name: format!("User {number}") }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_436_312_181_930_123 + seconds * 1_000_000).unwrap()
}

fn comment(text: &str) -> Comment {
    Comment::parse("comment", text).unwrap()
}

fn credential_ids() -> CredentialIds {
    CredentialIds {
        profile: Some(ProfileId::new(Uuid::from_u128(0x30))),
        smartcard: Some(SmartcardId::new(Uuid::from_u128(0x31))),
    }
}

const TEMPLATE: TemplateRef = TemplateRef { id: TemplateId::new(Uuid::from_u128(0x20)), version: 3 };

/// A policy in which every field differs from its default.
fn policy() -> Policy {
    let principal = |text: &str| vec![Principal::try_from(text.to_owned()).unwrap()];
    let definition = DataItemDefinition {
        required: true,
        kind: DataItemType::Number,
        pattern: Some(Pattern::from("[0-9]+".to_owned())),
        ..DataItemDefinition::new("Floor", Provider::CertificateManager)
    };
    Policy {
        enabled: false,
        approvals_needed: 2,
        default_priority: Priority(3),
        self_service: false,
        enrollment_agent_required: true,
        initiators: principal("S-1-5-21-1"),
        approvers: principal("00000000-0000-0000-0000-000000000003"),
        agents: principal("S-1-5-21-2"),
        data_items: vec![
            DataItemDefinition::new("Badge", Provider::Subscriber),
            definition,
            DataItemDefinition { kind: DataItemType::Date, ..DataItemDefinition::new("Day", Provider::Subscriber) },
        ],
        insists_on_required_items: true,
        collect_comments: true,
        collect_request_priority: true,
        documents: vec!["Rules".to_owned()],
        one_time_passwords: OneTimePasswords {
            secret_provider_type: "Numbers".to_owned(),
            secret_provider_data: "8".to_owned(),
            distribution: vec![Distribution { distribution_type: 2, email_template: "Hello".to_owned() }],
        },
        personalization: BTreeMap::from([("layout".to_owned(), "blue".to_owned())]),
        allow_specify_certificate_template: true,
        temporary_cards: TemporaryCards {
            allow_kiosk_retirement: true,
            autoenroll_enabled: true,
            block_admin_pin: true,
            unlimited_issued_allowed: true,
        },
    }
}

/// A request with every optional field absent.
fn least(kind: RequestType, state: State) -> Request {
    Request {
        id: RequestId::new(Uuid::from_u128(0x10)),
        kind,
        originator: user(1),
        target: user(2),
        template: TEMPLATE,
        medium: Medium::Software,
        policy: Arc::new(Policy::default()),
        priority: Priority(0),
        comment: Comment::default(),
        data_items: Vec::new(),
        old: CredentialIds::NONE,
        new: CredentialIds::NONE,
        descriptor: "O:S-1-5-21-1D:".to_owned(),
        approvals: Vec::new(),
        state,
        submitted_at: at(0),
        changed_at: at(0),
        version: Version::FIRST,
    }
}

/// A request with every field present.
fn most(state: State) -> Request {
    let item = |name: &str, value: Option<&str>| DataItem::parse("", name, value.map(str::to_owned)).unwrap();
    Request {
        medium: Medium::Smartcard,
        policy: Arc::new(policy()),
        priority: Priority(7),
        comment: comment("please\n\"now\""),
        data_items: vec![
            item("Badge", Some("größer")),
            item("Room", Some("")),
            item("Floor", None),
            item("Key", Some("\u{1}\u{2}\u{3}")),
        ],
        old: credential_ids(),
        new: CredentialIds { profile: None, smartcard: credential_ids().smartcard },
        approvals: vec![
            Approval { actor: actor(3), at: at(1), comment: comment("yes") },
            Approval { actor: actor(4), at: at(2), comment: Comment::default() },
        ],
        changed_at: at(4),
        version: Version::new(5),
        ..least(RequestType::RecoverOnBehalf, state)
    }
}

#[test]
fn a_request_in_every_state_has_its_golden_form() {
    let execution = || Execution { actor: actor(5), at: at(3) };
    let conclusion = |text| Conclusion { actor: actor(6), at: at(4), comment: comment(text) };
    for status in Status::ALL {
        let (bare, full) = match status {
            Status::Pending => (State::Pending, State::Pending),
            Status::Approved => (State::Approved, State::Approved),
            Status::Executing => {
                (State::Executing { execution: execution() }, State::Executing { execution: execution() })
            }
            Status::Completed => (
                State::Completed { execution: None, conclusion: conclusion("") },
                State::Completed { execution: Some(execution()), conclusion: conclusion("done") },
            ),
            Status::Denied => {
                (State::Denied { conclusion: conclusion("") }, State::Denied { conclusion: conclusion("no") })
            }
            Status::Failed => (
                State::Failed { execution: None, reason: FailReason::Abandoned, conclusion: conclusion("") },
                State::Failed {
                    execution: Some(execution()),
                    reason: FailReason::Error,
                    conclusion: conclusion("broken"),
                },
            ),
            Status::Canceled => (
                State::Canceled { execution: None, reason: CancelReason::Withdrawn, conclusion: conclusion("") },
                State::Canceled {
                    execution: Some(execution()),
                    reason: CancelReason::Withdrawn,
                    conclusion: conclusion("back"),
                },
            ),
        };
        check(&format!("request-{}-least", status.name()), &least(RequestType::Enroll, bare));
        check(&format!("request-{}-most", status.name()), &most(full));
    }
}

#[test]
fn a_template_has_its_golden_form() {
    let least = ProfileTemplate {
        id: TEMPLATE.id,
        name: "Door".to_owned(),
        description: String::new(),
        medium: Medium::Software,
        policies: RequestType::ALL.into_iter().map(|kind| (kind, Arc::new(Policy::default()))).collect(),
        smartcard: SmartcardConfiguration::default(),
    };
    let most = ProfileTemplate {
        description: "Opens doors".to_owned(),
        medium: Medium::Smartcard,
        policies: BTreeMap::from([(RequestType::Enroll, Arc::new(policy()))]),
        smartcard: SmartcardConfiguration {
            is_virtual: true,
            allow_smartcard_reuse: true,
            certificate_label: "label".to_owned(),
            card_initialization_data: "data".to_owned(),
            card_initialization_type: 1,
            default_admin_key_hex: "00ff".to_owned(),
            diversify_admin_key: true,
            do_not_install_ca_certificates: true,
            erase_on_overflow: true,
            user_pin_option: 2,
        },
        ..least.clone()
    };
    check("template-least", &least);
    check("template-most", &most);
}

#[test]
fn a_profile_and_a_card_have_their_golden_forms() {
    let credential = |item, status, lineage, text| Credential {
        item,
        owner: user(2),
        template: TEMPLATE,
        status,
        lineage,
        comment: comment(text),
    };
    let card = PhysicalCard {
        serial_number: SerialNumber::parse("", "ACME-0001").unwrap(),
        atr: Atr::parse("", "3b8d01").unwrap(),
    };
    let (id, smartcard) = (ProfileId::new(Uuid::from_u128(0x30)), SmartcardId::new(Uuid::from_u128(0x31)));
    let profile = |smartcard| Item::Profile { id, smartcard };
    check("profile-least", &credential(profile(None), CredentialStatus::Active, Lineage::First, ""));
    let lineage = Lineage::Replaces(credential_ids());
    check("profile-most", &credential(profile(Some(smartcard)), CredentialStatus::Disabled, lineage, "old"));
    let item = Item::Smartcard { id: smartcard, profile: None, card: None };
    check("card-least", &credential(item, CredentialStatus::New, Lineage::StandsInFor(CredentialIds::NONE), ""));
    let item = Item::Smartcard { id: smartcard, profile: Some(id), card: Some(card) };
    check("card-most", &credential(item, CredentialStatus::Retired, Lineage::Duplicates(credential_ids()), "lost"));
}

#[test]
fn every_code_in_a_column_is_that_of_the_golden_file() {
    let mut text = String::new();
    let mut row = |kind: &str, name: &str, code: i16| writeln!(text, "{kind} {name} {code}").unwrap();
    for status in Status::ALL {
        row("status", status.name(), status_number(status));
    }
    for kind in RequestType::ALL {
        row("type", kind.name(), kind_number(kind));
    }
    for status in CredentialStatus::ALL {
        row("credential_status", status.name(), credential_status_number(status));
    }
    for status in [UserStatus::Active, UserStatus::Inactive] {
        row("user_status", status.name(), user_status_number(status));
    }
    for event in EventType::ALL {
        row("event", event.name(), event_number(event));
    }
    let id = ProfileId::new(Uuid::nil());
    row("kind", "profile", item_number(&Item::Profile { id, smartcard: None }));
    let id = SmartcardId::new(Uuid::nil());
    row("kind", "smartcard", item_number(&Item::Smartcard { id, profile: None, card: None }));
    let (path, golden) = golden("codes.txt", &text);
    assert!(
        golden == text,
        "{}: stored rows would be read as something else; never change a code\n--- golden\n{golden}\n--- now\n{text}",
        path.display()
    );
}

#[test]
fn a_user_is_stored_as_its_golden_files() {
    let sid = |text| Sid::parse(text).unwrap();
    let least = User {
        id: user(1),
        source: UserSource::Imported,
        sid: None,
        upn: None,
        name: DisplayName::parse("name", "Alice").unwrap(),
        groups: None,
        status: UserStatus::Active,
    };
    check("user-least", &least);
    let most = User {
        source: UserSource::Learned("adfs".into()),
        sid: Some(sid("S-1-5-21-1-2-3-1105")),
        upn: Upn::parse("alice@corp.example"),
        groups: Some(vec![sid("S-1-5-21-1-2-3-513")]),
        status: UserStatus::Inactive,
        ..least
    };
    check("user-most", &most);
}

/// During a rolling upgrade, an old release reads documents of a newer one.
#[test]
fn a_field_of_a_newer_release_is_ignored_and_a_newer_form_is_refused() {
    let value = most(State::Approved);
    let mut document: Value = serde_json::from_str(&value.encode().unwrap()).unwrap();
    document["added_later"] = "x".into();
    document["policy"]["added_later"] = 1.into();
    document["state"]["added_later"] = true.into();
    assert_eq!(Request::decode(&document.to_string()).unwrap(), value);
    document["v"] = 2.into();
    let problem = Request::decode(&document.to_string()).unwrap_err().to_string();
    assert!(problem.starts_with("the form has version 2; this release reads version 1"), "{problem}");
}

#[test]
fn a_document_that_breaks_a_rule_of_the_domain_is_refused() {
    let mut document: Value = serde_json::from_str(&most(State::Approved).encode().unwrap()).unwrap();
    document["policy"]["agents"] = serde_json::json!(["everybody"]);
    let problem = Request::decode(&document.to_string()).unwrap_err().to_string();
    assert_eq!(problem, "\"everybody\" is neither a user's UUID nor a SID (S-1-...)");
}
