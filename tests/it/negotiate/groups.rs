//! Groups of Active Directory in tickets of Samba reach the decision over a request.

use std::fs;
use std::path::Path;

use super::kdc::{Kdc, Kind};
use super::service::Service;
use crate::support::client::{PAVLE, PROFILES, REQUESTS};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_nested_group_of_the_domain_may_ask_for_others() {
    let Some(kdc) = Kdc::start(Kind::Samba).await else { return };
    let initiators = fs::read_to_string(kdc.path("initiators.sid")).unwrap().trim().to_owned();
    assert!(initiators.starts_with("S-1-5-21-"), "{initiators}");
    let templates = kdc.path("templates");
    write_template(&templates, &initiators);
    let service = Service::start(&kdc, &[("CMGATE__TEMPLATES", templates.to_str().unwrap())]);
    let at = service.instance.public;
    let (alice, bob) = (kdc.log_in("alice").await, kdc.log_in("bob").await);
    let for_another = format!(
        r#"{{"type":"Enroll","profiletemplateuuid":"{PROFILES}","datacollection":[],"comment":"","target":"{PAVLE}"}}"#
    );

    // Alice is a member of `initiators` through two other groups.
    let id = alice.create(at, &for_another);
    let view = alice.view(at, &id);
    assert_eq!(view["TargetUserUuid"], PAVLE, "{view}");
    let refused = bob.send(at, REQUESTS, &["--json", &for_another]);
    assert_eq!(refused.status, 403, "{refused:?}");
}

/// A template whose requests for others only a group may create.
fn write_template(directory: &Path, initiators: &str) {
    fs::create_dir(directory).unwrap();
    let sample = include_str!("../../../deploy/templates/software.toml");
    let (before, after) = sample.split_once("[policies.enroll]\n").unwrap();
    let template = format!("{before}[policies.enroll]\ninitiators = [\"{initiators}\"]\n{after}");
    fs::write(directory.join("software.toml"), template).unwrap();
}
