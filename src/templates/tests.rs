//! The templates that are delivered, and those that are refused.

use std::fs;
use std::path::Path;

use super::{Templates, load};
use crate::config::Config;
use crate::domain::{
    Caller, Comment, Credential, DataItem, Draft, Origin, Policy, Priority, Provider, Request, RequestId, RequestType,
    Status, Timestamp, UserId, create,
};

fn samples() -> Templates {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates")).unwrap()
}

/// Creates a request as the development user does.
fn create_as_dev(draft: &Draft) -> Request {
    let config = Config::default();
    let caller = Caller {
        user: config.development.user,
        name: config.development.name,
        sid: Some(config.development.sid),
        groups: Vec::new(),
    };
    let samples = samples();
    let subject = samples
        .subjects
        .iter()
        .find(|subject| draft.old.smartcard.is_some() && subject.credential.smartcard == draft.old.smartcard);
    let id = draft.template.or(subject.map(|subject| subject.template)).unwrap();
    let origin = Origin {
        id: RequestId::new(uuid::Uuid::nil()),
        caller: &caller,
        now: Timestamp::from_micros(0).unwrap(),
        template: samples.templates.iter().find(|template| template.id == id).unwrap(),
        template_version: 1,
        subject,
        service: &config.service.sid,
    };
    create(draft, origin).unwrap()
}

fn draft(kind: RequestType) -> Draft {
    Draft {
        kind,
        template: None,
        target: None,
        old: Credential::NONE,
        data_items: Vec::new(),
        comment: Comment::default(),
        priority: None,
    }
}

/// The entries of the documented descriptors, with the numbers of the accounts in the documented domain.
fn documented_descriptor(entries: &str) -> String {
    let domain = "S-1-5-21-2127521184-1604012920-1887927527";
    format!("O:{domain}-14134865D:{}", entries.replace('#', domain))
}

#[test]
fn the_first_documented_example_is_as_documented() {
    let template = Some("a039b4d0-5ce8-4eff-8651-181c6576fda3".parse().unwrap());
    let request = create_as_dev(&Draft { template, ..draft(RequestType::Enroll) });
    assert_eq!(request.status(), Status::Approved);
    assert_eq!(request.priority, Priority(0));
    assert!(request.data_items.is_empty());
    assert!(request.is_provided_by(Provider::CertificateManager) && !request.is_provided_by(Provider::Subscriber));
    let entries = "(D;;LC;;;#-14995557)(A;;DCSW;;;#-5094533)(A;;DCSW;;;#-5094534)(A;;DCSW;;;#-5219125)\
                   (A;;SWRC;;;#-5094533)(A;;RC;;;WD)(A;;CCDCLCSWSDRC;;;#-14134865)(A;;DCSW;;;#-14995557)\
                   (A;;CCDCSW;;;#-14995557)";
    assert_eq!(request.descriptor, documented_descriptor(entries));
}

#[test]
fn the_second_documented_example_is_as_documented() {
    let smartcard = Some("17cf063d-e337-4aa9-a822-346554ddd3c9".parse().unwrap());
    let old = Credential { profile: None, smartcard };
    let request = create_as_dev(&Draft { old, ..draft(RequestType::Unblock) });
    assert_eq!(request.status(), Status::Approved);
    let profile = Some("b99ff38c-6653-471f-ae3c-325bb351a6bc".parse().unwrap());
    assert_eq!((request.old, request.new), (Credential { profile, smartcard }, Credential { profile, smartcard }));
    assert_eq!(request.target, Config::default().development.user);
    assert_eq!(request.data_items, [DataItem::open("Sample Data Item")]);
    assert!(request.is_provided_by(Provider::CertificateManager) && !request.is_provided_by(Provider::Subscriber));
    let entries = "(D;;LC;;;#-14995557)(A;;SWRC;;;#-5094533)(A;;RC;;;WD)(A;;CCDCLCSWSDRC;;;#-14134865)\
                   (A;;DCSW;;;#-14995557)(A;;CCDCSW;;;#-14995557)";
    assert_eq!(request.descriptor, documented_descriptor(entries));
}

#[test]
fn the_third_documented_example_waits_for_one_approval() {
    let template = Some("97CD65FA-AF4B-4587-9309-0DD6BFD8B4E1".parse().unwrap());
    let target: UserId = "97CC3493-F556-4C9B-9D8B-982434201527".parse().unwrap();
    let item = |name, value: &str| DataItem::parse("", name, Some(value.to_owned())).unwrap();
    let asked = Draft {
        template,
        target: Some(target),
        data_items: vec![item("name", "pavle"), item("city", "seattle")],
        priority: Some(Priority(4)),
        ..draft(RequestType::Enroll)
    };
    let request = create_as_dev(&asked);
    assert_eq!((request.status(), request.target, request.priority), (Status::Pending, target, Priority(4)));
    assert_eq!(request.policy.approvals_needed, 1);
    let without_priority = create_as_dev(&Draft { priority: None, ..asked });
    assert_eq!(without_priority.priority, Priority(3));
}

#[test]
fn the_sample_card_takes_every_type_and_the_sample_profile_all_that_software_can() {
    let templates = samples().templates;
    let offered = |policy: Option<&Policy>| policy.is_some_and(|policy| policy.enabled);
    for kind in RequestType::ALL {
        assert!(offered(templates[0].policies.get(&kind)), "{kind:?}");
        assert_eq!(offered(templates[1].policies.get(&kind)), !kind.needs_smartcard(), "{kind:?}");
    }
}

const CARD: &str = "uuid = '00000000-0000-0000-0000-000000000001'\nname = 'a'\nmedium = 'smartcard'\n";
const SOFTWARE: &str = "uuid = '00000000-0000-0000-0000-000000000002'\nname = 'a'\nmedium = 'software'\n";
const ENROLL: &str = "[policies.enroll]\n";
const ID: &str = "00000000-0000-0000-0000-00000000000a";

fn refusal(files: &[(&str, String)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let refused = load(directory.path()).unwrap_err().to_string();
    refused.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn a_bad_file_is_refused_with_its_name_and_key() {
    let cases = [
        (format!("{CARD}color = 1\n{ENROLL}"), "t.toml: color is not a known key; known are uuid, name, "),
        (
            format!("{CARD}{ENROLL}approval = 1"),
            "t.toml: policies.enroll.approval is not a known key; known are enabled",
        ),
        (format!("{CARD}[policies.enrol]"), "t.toml: policies.enrol must be one of enroll, recover, "),
        (format!("{CARD}{ENROLL}approvals_needed = 300"), "t.toml: policies.enroll.approvals_needed cannot be used: "),
        (format!("{CARD}{ENROLL}approvers = ['me']"), "t.toml: policies.enroll.approvers.0 cannot be used: \"me\" is"),
        (format!("{CARD}{ENROLL}x ="), "t.toml, line 5: "),
        (format!("name = 'a'\nmedium = 'software'\n{ENROLL}"), "t.toml: the file lacks uuid"),
        (format!("{}{ENROLL}", CARD.replace("'0", "'x")), "t.toml: uuid cannot be used: "),
        (format!("{}{ENROLL}", CARD.replace("'a'", "' '")), "t.toml: name must not be empty"),
        (CARD.to_owned(), "t.toml: policies must hold a policy that is enabled"),
        (format!("{CARD}{ENROLL}enabled = false"), "t.toml: policies must hold a policy that is enabled"),
        (format!("{SOFTWARE}{ENROLL}[policies.unblock]"), "t.toml: policies.unblock is only possible with medium = "),
        (
            format!("{CARD}{ENROLL}approvals_needed = 2\napprovers = ['{ID}', '{ID}']"),
            "t.toml: policies.enroll.approvals_needed must not exceed the number of approvers, 1",
        ),
        (
            format!("{CARD}{ENROLL}data_items = [{{ name = '', provider = 'subscriber' }}]"),
            "t.toml: policies.enroll.data_items[0].name must be 1 to 256 characters",
        ),
        (
            format!(
                "{CARD}{ENROLL}[[policies.enroll.data_items]]\nname = 'x'\nprovider = 'subscriber'\n\
                 [[policies.enroll.data_items]]\nname = 'X'\nprovider = 'certificate_manager'"
            ),
            "t.toml: policies.enroll.data_items[1].name \"X\" is given twice",
        ),
        (format!("{CARD}{ENROLL}[[subjects]]\nowner = '{ID}'"), "t.toml: subjects[0] lacks profile or smartcard"),
        (
            format!("{SOFTWARE}{ENROLL}[[subjects]]\nowner = '{ID}'\nsmartcard = '{ID}'"),
            "t.toml: subjects[0].smartcard is only possible with medium = \"smartcard\"",
        ),
        (
            format!("{CARD}{ENROLL}[[subjects]]\nowner = '{ID}'\nprofile = '{ID}'\nsmartcard = '{ID}'"),
            "t.toml: subjects[0].smartcard was already given in t.toml",
        ),
    ];
    for (text, expected) in cases {
        let refused = refusal(&[("t.toml", text)]);
        assert!(refused.starts_with(expected), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
}

#[test]
fn a_template_must_not_be_given_twice() {
    let files = [("a.toml", format!("{CARD}{ENROLL}")), ("b.toml", format!("{CARD}{ENROLL}"))];
    assert_eq!(refusal(&files), "b.toml: uuid was already given in a.toml");
}

#[test]
fn a_directory_without_templates_is_refused() {
    assert!(refusal(&[("readme.md", String::new())]).contains("holds no *.toml file"));
    let missing = load(Path::new("no/such/directory")).unwrap_err().to_string();
    assert_eq!(missing, "cannot read the templates in no/such/directory");
}
