//! Compares each kind of command with its golden file: the canonical text, then its SHA-256.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::domain::{Atr, Catalog, Priority, ProfileId, SerialNumber, Sid, SmartcardId, TemplateId, UserId};

const REQUEST: RequestId = RequestId::new(Uuid::from_u128(0x10));

const WHAT_BREAKS: &str = "a retry during a rolling upgrade would be refused as another call under its idempotency key; \
     write a new field only while it is present, keep the names and words of the others";

/// The canonical text and the fingerprint in the form of a golden file.
fn shown(write: impl Fn(&mut Canonical<'_>), fingerprint: [u8; 32]) -> String {
    let mut text = Vec::new();
    let mut sink = |bytes: &[u8]| text.extend_from_slice(bytes);
    write(&mut Canonical::begin(&mut sink));
    let mut shown = String::from_utf8(text).unwrap() + "\nsha256 ";
    for byte in fingerprint {
        write!(shown, "{byte:02x}").unwrap();
    }
    shown + "\n"
}

fn of(action: &Action, expected: Option<Version>) -> String {
    match action {
        Action::Create(creation) => shown(|out| write_draft(out, &creation.draft), of_creation(&creation.draft)),
        _ => shown(|out| write_step(out, REQUEST, action, expected), of_step(REQUEST, action, expected)),
    }
}

fn comment(text: &str) -> Comment {
    Comment::parse("comment", text).unwrap()
}

fn item(name: &str, value: Option<&str>) -> DataItem {
    DataItem::parse("item", name, value.map(str::to_owned)).unwrap()
}

fn credential_ids() -> CredentialIds {
    CredentialIds {
        profile: Some(ProfileId::new(Uuid::from_u128(0x30))),
        smartcard: Some(SmartcardId::new(Uuid::from_u128(0x31))),
    }
}

fn least() -> Draft {
    Draft {
        kind: RequestType::Enroll,
        template: None,
        target: None,
        old: CredentialIds::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    }
}

fn most() -> Draft {
    Draft {
        kind: RequestType::SuspendOrReinstate,
        template: Some(TemplateId::new(Uuid::from_u128(0x20))),
        target: Some(UserId::new(Uuid::from_u128(2)).into()),
        old: credential_ids(),
        data_items: vec![item("Badge", Some("größer\n2")), item("Room", Some("")), item("Floor", None)],
        comment: comment("two\nlines"),
        priority: Some(Priority(7)),
    }
}

fn create(draft: Draft) -> Action {
    let service = Sid::parse("S-1-5-21-1").unwrap();
    let catalog = Arc::new(Catalog::default());
    Action::Create(Box::new(Creation { draft, target: Ok(None), catalog, service }))
}

fn bind(id: u128) -> Action {
    let card = PhysicalCard {
        serial_number: SerialNumber::parse("serial_number", "ACME-0001").unwrap(),
        atr: Atr::parse("atr", "3b8d01").unwrap(),
    };
    Action::BindSmartcard { card, id: SmartcardId::new(Uuid::from_u128(id)), comment: comment("") }
}

/// The golden file of a command; a new kind of command does not compile until it has one.
fn file(action: &Action) -> &'static str {
    match action {
        Action::Create(creation) if creation.draft == least() => "create-least",
        Action::Create(_) => "create-most",
        Action::Approve { .. } => "approve",
        Action::Deny { .. } => "deny",
        Action::Start { .. } => "start",
        Action::BindSmartcard { .. } => "bind-smartcard",
        Action::ChangeSmartcard { .. } => "change-smartcard",
        Action::Complete { .. } => "complete",
        Action::Fail { .. } => "fail",
        Action::Cancel { .. } => "cancel",
        Action::Abandon { .. } => "abandon",
    }
}

fn samples() -> [Action; 11] {
    [
        create(least()),
        create(most()),
        Action::Approve { comment: comment("yes"), data_items: vec![item("Badge", Some("AB"))] },
        Action::Deny { comment: comment("no") },
        Action::Start { comment: comment("") },
        bind(0x61),
        Action::ChangeSmartcard {
            smartcard: SmartcardId::new(Uuid::from_u128(0x31)),
            status: CredentialStatus::Suspended,
            comment: comment("lost"),
        },
        Action::Complete { new: credential_ids(), comment: comment("done") },
        Action::Fail { comment: comment("broken") },
        Action::Cancel { comment: comment("") },
        Action::Abandon { comment: comment("gave up") },
    ]
}

#[test]
fn the_fingerprint_of_each_command_is_that_of_its_golden_file() {
    for action in samples() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service/fingerprint/golden").join(file(&action));
        let path = path.with_extension("txt");
        let expected = (!matches!(action, Action::Start { .. } | Action::Create(_))).then(|| Version::new(5));
        let text = of(&action, expected);
        if std::env::var_os("CMGATE_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "{}: {WHAT_BREAKS}\n--- golden\n{golden}\n--- now\n{text}", path.display());
    }
}

#[test]
fn commands_that_differ_in_anything_have_different_fingerprints() {
    let mut all: Vec<[u8; 32]> = samples().iter().map(|action| of_step(REQUEST, action, None)).collect();
    all.extend(samples().iter().map(|action| of_step(REQUEST, action, Some(Version::FIRST))));
    all.push(of_step(RequestId::new(Uuid::from_u128(0x11)), &samples()[2], None));
    // A value that looks like the next field is not taken for it.
    let items = |items| of_creation(&Draft { data_items: items, ..least() });
    all.push(items(vec![item("a", Some("b\ndata_item.name 1 c"))]));
    all.push(items(vec![item("a", Some("b")), item("c", None)]));
    all.push(items(vec![item("a", None), item("c", None)]));
    all.push(items(vec![item("a", Some("")), item("c", None)]));
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn the_id_that_a_new_card_would_get_does_not_change_the_fingerprint() {
    assert_eq!(of_step(REQUEST, &bind(1), None), of_step(REQUEST, &bind(2), None));
}
