//! The templates that are delivered, and those that are refused.

use std::fs;
use std::path::Path;

use super::{Templates, load};
use crate::config::Config;
use crate::domain::{
    Caller, Comment, CredentialIds, DataItem, Draft, Origin, Policy, Priority, Provider, Request, RequestId,
    RequestType, Status, Timestamp, UserId, UserName, create,
};

fn samples() -> Templates {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/templates")).unwrap()
}

/// Creates a request as the development user does.
fn create_as_dev(draft: &Draft) -> Request {
    let config = Config::default();
    let unproven = Caller::unproven(config.development.user, config.development.name);
    let caller = Caller { sid: Some(config.development.sid), ..unproven };
    let samples = samples();
    let credential = samples.credentials.iter().find(|credential| {
        draft.old.smartcard.is_some() && credential.credential_ids().smartcard == draft.old.smartcard
    });
    let id = draft.template.or(credential.map(|credential| credential.template.id)).unwrap();
    let origin = Origin {
        id: RequestId::new(uuid::Uuid::nil()),
        caller: &caller,
        now: Timestamp::from_micros(0).unwrap(),
        template: samples.templates.iter().find(|template| template.id == id).unwrap(),
        template_version: 1,
        credential,
        target: draft.target.as_ref().and_then(UserName::id),
        service: &config.service.sid,
    };
    create(draft, origin).unwrap()
}

fn draft(kind: RequestType) -> Draft {
    Draft {
        kind,
        template: None,
        target: None,
        old: CredentialIds::NONE,
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
    let old = CredentialIds { profile: None, smartcard };
    let request = create_as_dev(&Draft { old, ..draft(RequestType::Unblock) });
    assert_eq!(request.status(), Status::Approved);
    let profile = Some("b99ff38c-6653-471f-ae3c-325bb351a6bc".parse().unwrap());
    assert_eq!(
        (request.old, request.new),
        (CredentialIds { profile, smartcard }, CredentialIds { profile, smartcard })
    );
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
        target: Some(target.into()),
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
        assert!(offered(templates[0].policies.get(&kind).map(AsRef::as_ref)), "{kind:?}");
        assert_eq!(offered(templates[1].policies.get(&kind).map(AsRef::as_ref)), !kind.needs_smartcard(), "{kind:?}");
    }
}

const CARD: &str = "uuid = '00000000-0000-0000-0000-000000000001'\nname = 'a'\nmedium = 'smartcard'\n";
const SOFTWARE: &str = "uuid = '00000000-0000-0000-0000-000000000002'\nname = 'a'\nmedium = 'software'\n";
const ENROLL: &str = "[policies.enroll]\n";
const ID: &str = "00000000-0000-0000-0000-00000000000a";

fn refusal(files: &[(&str, String)]) -> String {
    let problem = problem(files);
    assert!(!problem.is_empty(), "nothing is wrong with {files:?}");
    problem
}

/// What is wrong with the files; empty if nothing is.
fn problem(files: &[(&str, String)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let problem = load(directory.path()).err().map(|error| error.to_string()).unwrap_or_default();
    problem.replace(&format!("{}/", directory.path().display()), "")
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
        (format!("{CARD}{ENROLL}approvals_needed = 300"), "t.toml: policies.enroll.approvals_needed is not valid: "),
        (format!("{CARD}{ENROLL}approvals_needed = 17"), "t.toml: policies.enroll.approvals_needed must be at most 16"),
        (format!("{CARD}{ENROLL}approvers = ['me']"), "t.toml: policies.enroll.approvers.0 is not valid: \"me\" is"),
        (format!("{CARD}{ENROLL}x ="), "t.toml, line 5: "),
        (format!("name = 'a'\nmedium = 'software'\n{ENROLL}"), "t.toml: the file lacks uuid"),
        (format!("{}{ENROLL}", CARD.replace("'0", "'x")), "t.toml: uuid is not valid: "),
        (format!("{}{ENROLL}", CARD.replace("'a'", "' '")), "t.toml: name must not be empty"),
        (format!("{SOFTWARE}{ENROLL}[smartcard]\nvirtual = true"), "t.toml: smartcard requires medium = \"smartcard\""),
        (
            format!("{CARD}{ENROLL}[smartcard]\ndefault_admin_key_hex = '0x1'"),
            "t.toml: smartcard.default_admin_key_hex must be an even number of hexadecimal digits",
        ),
        (CARD.to_owned(), "t.toml: policies must contain an enabled policy"),
        (format!("{CARD}{ENROLL}enabled = false"), "t.toml: policies must contain an enabled policy"),
        (format!("{SOFTWARE}{ENROLL}[policies.unblock]"), "t.toml: policies.unblock requires medium = "),
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
            "t.toml: policies.enroll.data_items[1].name \"X\" is a duplicate",
        ),
        (
            format!("{CARD}{ENROLL}data_items = [{{ name = 'x', provider = 'subscriber', pattern = '(' }}]"),
            "t.toml: policies.enroll.data_items[0].pattern is not a regular expression",
        ),
        (
            format!("{CARD}{ENROLL}data_items = [{{ name = 'x', provider = 'subscriber', type = 'text' }}]"),
            "t.toml: policies.enroll.data_items.0.type must be one of string, number, date",
        ),
        (
            format!("{CARD}{ENROLL}one_time_passwords.distribution = [{{ distribution_type = 'mail' }}]"),
            "t.toml: policies.enroll.one_time_passwords.distribution.0.distribution_type is not valid: ",
        ),
        (
            format!("{CARD}{ENROLL}allow_specify_certificate_template = true"),
            "t.toml: policies.enroll.allow_specify_certificate_template is only allowed for online_update",
        ),
        (
            format!("{CARD}{ENROLL}temporary_cards.block_admin_pin = true"),
            "t.toml: policies.enroll.temporary_cards is only allowed for temporary_card_enroll",
        ),
        (format!("{CARD}{ENROLL}[[credentials]]\nowner = '{ID}'"), "t.toml: credentials[0] lacks profile or smartcard"),
        (
            format!("{SOFTWARE}{ENROLL}[[credentials]]\nowner = '{ID}'\nsmartcard = '{ID}'"),
            "t.toml: credentials[0].smartcard requires medium = \"smartcard\"",
        ),
        (
            format!("{CARD}{ENROLL}[[credentials]]\nowner = '{ID}'\nprofile = '{ID}'\nsmartcard = '{ID}'"),
            "t.toml: credentials[0].smartcard is already used in t.toml",
        ),
    ];
    for (text, expected) in cases {
        let refused = refusal(&[("t.toml", text)]);
        assert!(refused.starts_with(expected), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
}

#[test]
fn every_key_of_a_policy_is_read() {
    let text = "enabled = true\napprovals_needed = 1\ndefault_priority = 7\nself_service = false\n\
        enrollment_agent_required = true\ninsists_on_required_items = true\ncollect_comments = true\n\
        collect_request_priority = true\ndocuments = ['Rules']\npersonalization = { layout = 'blue' }\n\
        one_time_passwords = { secret_provider_type = 'Numbers', secret_provider_data = '8', \
        distribution = [{ distribution_type = 2, email_template = 'Hello' }] }\n\
        temporary_cards = { allow_kiosk_retirement = true, autoenroll_enabled = true, block_admin_pin = true, \
        unlimited_issued_allowed = true }\ninitiators = ['S-1-5-21-1']\napprovers = ['S-1-5-21-2']\nagents = ['S-1-5-21-3']\n\
        [[policies.temporary_card_enroll.data_items]]\nname = 'Badge'\nprovider = 'certificate_manager'\n\
        type = 'string'\npattern = '[A-Z]{2}'\nrequired = true\n";
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{CARD}[policies.temporary_card_enroll]\n{text}");
    fs::write(directory.path().join("t.toml"), text).unwrap();
    let templates = load(directory.path()).unwrap().templates;
    let policy = &templates[0].policies[&RequestType::TemporaryCardEnroll];
    assert_eq!(
        (policy.personalization["layout"].as_str(), policy.documents.as_slice()),
        ("blue", &["Rules".to_owned()][..])
    );
    // Every key was read: no field has its default.
    let Policy {
        enabled: _,
        approvals_needed,
        default_priority,
        self_service: _,
        enrollment_agent_required,
        initiators,
        approvers,
        agents,
        data_items,
        insists_on_required_items,
        collect_comments,
        collect_request_priority,
        documents,
        one_time_passwords,
        personalization,
        allow_specify_certificate_template: _,
        temporary_cards,
    } = &**policy;
    assert_ne!((*approvals_needed, *default_priority), (0, Priority(0)));
    assert!(*enrollment_agent_required && *insists_on_required_items && *collect_comments && *collect_request_priority);
    assert!([initiators, approvers, agents].into_iter().all(|principals| principals.len() == 1));
    assert!(data_items[0].pattern.is_some() && data_items[0].required);
    assert_eq!((documents.len(), personalization.len(), one_time_passwords.distribution.len()), (1, 1, 1));
    assert!(temporary_cards.unlimited_issued_allowed && temporary_cards.block_admin_pin);
}

/// What MIM CM fixed for a type, whatever its policy said: self-service and the enrollment agent, each `yes`, `no` or as
/// the policy says.
const FIXED: &str = "
    type                   self_service  agent

    enroll                 policy        policy
    recover                policy        policy
    renew                  policy        policy
    disable                policy        no
    unblock                policy        no
    duplicate              policy        policy
    retire                 policy        no
    recover_on_behalf      no            yes
    suspend_or_reinstate   policy        no
    online_update          policy        no
    temporary_card_enroll  policy        policy
    offline_unblock        policy        policy
";

#[test]
fn a_policy_cannot_say_otherwise_than_what_is_fixed_for_its_type() {
    let rows: Vec<Vec<&str>> = FIXED.lines().map(|line| line.split_whitespace().collect()).collect();
    let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| !row.is_empty()).skip(1).collect();
    assert_eq!(rows.len(), RequestType::ALL.len());
    for (kind, row) in RequestType::ALL.into_iter().zip(rows) {
        assert_eq!(kind.name(), row[0]);
        for self_service in [true, false] {
            for agent in [true, false] {
                let policy = format!("self_service = {self_service}\nenrollment_agent_required = {agent}\n");
                let text = format!("{CARD}[policies.{}]\n{policy}", kind.name());
                let is_allowed = |fixed: &str, value: bool| fixed == "policy" || (fixed == "yes") == value;
                let key = format!("t.toml: policies.{}", kind.name());
                let expected = match (is_allowed(row[1], self_service), is_allowed(row[2], agent)) {
                    (true, true) => String::new(),
                    (false, _) => format!("{key}.self_service must be {} for this type of request", !self_service),
                    (true, false) => {
                        format!("{key}.enrollment_agent_required must be {} for this type of request", !agent)
                    }
                };
                assert_eq!(problem(&[("t.toml", text)]), expected);
            }
        }
    }
}

#[test]
fn only_the_certificate_manager_provides_items_to_recover_on_behalf() {
    let policy = "[policies.recover_on_behalf]\nself_service = false\nenrollment_agent_required = true\n";
    let items = "data_items = [{ name = 'x', provider = 'subscriber' }]";
    assert_eq!(
        refusal(&[("t.toml", format!("{CARD}{policy}{items}"))]),
        "t.toml: policies.recover_on_behalf.data_items[0].provider must be \"certificate_manager\" for this type of request"
    );
}

#[test]
fn a_template_must_not_be_given_twice() {
    let files = [("a.toml", format!("{CARD}{ENROLL}")), ("b.toml", format!("{CARD}{ENROLL}"))];
    assert_eq!(refusal(&files), "b.toml: uuid is already used in a.toml");
}

#[test]
fn a_directory_without_templates_is_refused() {
    assert!(refusal(&[("readme.md", String::new())]).contains("contains no *.toml file"));
    let missing = load(Path::new("no/such/directory")).unwrap_err().to_string();
    assert_eq!(missing, "cannot read the templates in no/such/directory");
}
