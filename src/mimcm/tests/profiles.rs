//! Profiles as the documents show them, and every documented endpoint in any case.

use axum::body::Body;
use http::{Request, StatusCode};

use super::golden::compact;
use super::memory::{CARD, Memory, PROFILE, held};
use super::{Facade, USER, template};
use crate::domain::{Credential, CredentialIds, CredentialStatus, Item, Lineage, Medium, RequestType, TemplateRef};

const DOCUMENTED: &str = include_str!("golden/profiles-1.json");
const DOCUMENTED_USER: &str = "0378a33b-8650-4713-a727-efd233903643";
const TEMPLATES: [(&str, u32); 2] =
    [("8f31803f-8afc-49bb-911d-402ec264b589", 8), ("1e3a31fe-699b-4a6b-945c-18b83c985bc1", 9)];

/// An active software profile.
fn profile(id: &str, template: (&str, u32), lineage: Lineage) -> Credential {
    let item = Item::Profile { id: id.parse().unwrap(), smartcard: None };
    let template = TemplateRef { id: template.0.parse().unwrap(), version: template.1 };
    Credential { template, lineage, ..held(item, CredentialStatus::Active) }
}

/// A facade with the documented profiles, and with templates that allow their renewal, disabling and recovery.
async fn documented() -> Facade {
    let old = CredentialIds { profile: "1c9e2606-fea2-4048-a6ac-b014e54c22df".parse().ok(), smartcard: None };
    let [usual, other] = TEMPLATES;
    let profiles = vec![
        profile("c0dd5c7d-ec35-4346-baca-3ad711e9722f", usual, Lineage::Replaces(old)),
        profile("5ad77b40-aa42-4533-9396-c9c59fd021a8", usual, Lineage::First),
        profile("ff342953-c444-4dc7-b144-f5515d6460c6", other, Lineage::First),
    ];
    let memory = Memory::default();
    memory.credentials.lock().unwrap().extend(profiles);
    let kinds = [RequestType::Renew, RequestType::Disable, RequestType::Recover];
    let templates = vec![
        template(usual.0, Medium::Software, &kinds),
        template(other.0, Medium::Software, &kinds[..2]),
        template(super::CARD_TEMPLATE, Medium::Smartcard, &RequestType::ALL),
    ];
    Facade::built(memory, super::Settings::default().api.rest, templates).await
}

async fn get(facade: &Facade, path: &str) -> (StatusCode, String) {
    let answer = facade.get(&format!("/certificatemanagement/api/v1.0{path}")).await;
    (answer.status, answer.body().to_owned())
}

/// The documents specify no order; the service lists by id.
#[tokio::test]
async fn the_documented_profiles_are_shown_byte_for_byte() {
    let facade = documented().await;
    let text = compact(DOCUMENTED).replace(DOCUMENTED_USER, USER);
    let mut shown: Vec<&str> =
        text[1..text.len() - 1].split_inclusive("]}").map(|one| one.trim_start_matches(',')).collect();
    shown.sort_unstable();
    assert_eq!(shown.len(), 3);
    for query in ["?status=Active", "", "?STATUS=active", "?status="] {
        assert_eq!(
            get(&facade, &format!("/profiles{query}")).await,
            (StatusCode::OK, format!("[{}]", shown.join(",")))
        );
    }
    for one in shown {
        let id = &one["{\"Uuid\":\"".len()..][..36];
        assert_eq!(get(&facade, &format!("/profiles/{id}")).await, (StatusCode::OK, one.to_owned()));
    }
}

#[tokio::test]
async fn a_profile_on_a_card_is_shown_on_its_own_and_with_its_request() {
    let facade = documented().await;
    let (status, alone) = get(&facade, &format!("/profiles/{PROFILE}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!get(&facade, "/profiles").await.1.contains(PROFILE), "the list is of software profiles");
    let id = facade.created(include_str!("golden/create-2.json")).await;
    assert_eq!(get(&facade, &format!("/requests/{id}/profiles")).await, (StatusCode::OK, format!("[{alone}]")));
}

#[tokio::test]
async fn an_unknown_status_is_refused_and_one_of_requests_matches_nothing() {
    let facade = documented().await;
    for status in ["Pending", "None", "approved", "Retired"] {
        assert_eq!(get(&facade, &format!("/profiles?status={status}")).await.0, StatusCode::NO_CONTENT, "{status}");
    }
    for status in ["Open", "16", "active,pending"] {
        let answer = facade.get(&format!("/certificatemanagement/api/v1.0/profiles?status={status}")).await;
        let expected =
            "status must be one of Active, Approved, Canceled, Completed, Denied, Executing, Failed, None, Pending";
        assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, expected), "{status}");
    }
}

/// Every documented endpoint with the status of its answer.
#[tokio::test]
async fn every_documented_endpoint_is_found_in_any_case() {
    let facade = documented().await;
    let request = facade.created(include_str!("golden/create-2.json")).await;
    let [(software, _), _] = TEMPLATES;
    let endpoints = [
        ("GET", "/profiletemplates".to_owned(), 200),
        ("GET", format!("/profiletemplates/{}", super::CARD_TEMPLATE), 200),
        ("GET", format!("/profiletemplates/{}/policies/unblock", super::CARD_TEMPLATE), 200),
        ("GET", format!("/profiletemplates/{}/policy/workflow/unblock", super::CARD_TEMPLATE), 200),
        ("GET", format!("/profiletemplates/{}/configuration/smartcards", super::CARD_TEMPLATE), 200),
        ("GET", format!("/profiletemplates/{software}"), 403),
        ("POST", "/requests".to_owned(), 400),
        ("GET", "/requests".to_owned(), 200),
        ("GET", format!("/requests/{request}"), 200),
        ("PUT", format!("/requests/{request}"), 400),
        ("GET", format!("/requests/{request}/certificaterequestgenerationoptions"), 501),
        ("POST", format!("/requests/{request}/certificatedata"), 501),
        ("POST", "/smartcards".to_owned(), 400),
        ("GET", "/smartcards".to_owned(), 200),
        ("GET", "/smartcards?cardid=1".to_owned(), 204),
        ("GET", format!("/smartcards/{CARD}"), 200),
        ("GET", format!("/requests/{request}/smartcards/{CARD}"), 200),
        ("PUT", format!("/requests/{request}/smartcards/{CARD}"), 400),
        ("GET", format!("/requests/{request}/smartcards/{CARD}/diversifiedkey"), 501),
        ("GET", format!("/requests/{request}/smartcards/{CARD}/authenticationresponse"), 501),
        ("GET", format!("/requests/{request}/smartcards/{CARD}/serverproposedpin"), 501),
        ("GET", format!("/smartcards/{CARD}/serverproposedpin"), 501),
        ("GET", "/profiles".to_owned(), 200),
        ("GET", format!("/profiles/{PROFILE}"), 200),
        ("GET", format!("/requests/{request}/profiles"), 200),
        ("GET", format!("/profiles/{PROFILE}/operations"), 200),
        ("GET", format!("/smartcards/{CARD}/operations"), 200),
        ("GET", format!("/profiles/{PROFILE}/certificates"), 501),
        ("GET", format!("/smartcards/{CARD}/certificates"), 501),
        ("GET", "/certificates".to_owned(), 501),
    ];
    let mut random: u32 = 1;
    for (method, path, status) in endpoints {
        for _ in 0..20 {
            let mut in_case = |letter: char| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if random >> 31 == 1 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            };
            let path: String = format!("/CertificateManagement/api/v1.0{path}").chars().map(&mut in_case).collect();
            let call = Request::builder().method(method).uri(&path).body(Body::from("{}")).unwrap();
            assert_eq!(facade.send(call).await.status.as_u16(), status, "{method} {path}");
            let call = Request::builder().method("DELETE").uri(&path).body(Body::empty()).unwrap();
            let refused = facade.send(call).await;
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert!(refused.header("allow").unwrap().split(", ").any(|allowed| allowed == method), "{path}");
        }
    }
}
