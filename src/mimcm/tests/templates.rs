//! Profile templates: their views, who may read them, the forms of their paths; and the unsupported endpoints.

use axum::body::Body;
use http::{Request, StatusCode};

use super::routes::{label, labels};
use super::{CARD_TEMPLATE, CLOSED_TEMPLATE, Facade, SOFTWARE_TEMPLATE};
use crate::mimcm::codes;

const API: &str = "/CertificateManagement/api/v1.0";
const UNKNOWN: &str = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";

impl Facade {
    /// The body of an answer that must be 200.
    async fn body_of(&self, path: &str) -> String {
        let answer = self.get(&format!("{API}/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{path}");
        answer.body().to_owned()
    }

    async fn status(&self, path: &str) -> (StatusCode, String) {
        let answer = self.get(&format!("{API}/{path}")).await;
        let body = answer.body().to_owned();
        (answer.status, if body.is_empty() { body } else { answer.message() })
    }
}

fn listed(id: &str, is_smartcard: bool, is_virtual: bool) -> String {
    format!(
        "{{\"Name\":\"Sample\",\"Description\":\"\",\"Uuid\":\"{id}\",\"IsSmartcardProfileTemplate\":{is_smartcard},\
         \"IsVirtualSmartcardProfileTemplate\":{is_virtual}}}"
    )
}

#[tokio::test]
async fn the_templates_for_which_the_caller_may_enroll_are_listed() {
    let facade = Facade::start().await;
    let software = listed(SOFTWARE_TEMPLATE, false, false);
    let card = listed(CARD_TEMPLATE, true, true);
    for query in ["", "?targetuser=current", "/?TargetUser=CURRENT", "?targetuser="] {
        assert_eq!(facade.body_of(&format!("ProfileTemplates{query}")).await, format!("[{software},{card}]"));
    }
    assert_eq!(facade.body_of(&format!("profiletemplates/{CARD_TEMPLATE}")).await, card);
    assert_eq!(facade.body_of(&format!("PROFILETEMPLATES/{{{SOFTWARE_TEMPLATE}}}.")).await, software);
    let (status, message) = facade.status("profiletemplates?targetuser=me").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(message, "targetuser must be current, the only value that is offered");
}

#[tokio::test]
async fn nothing_to_list_is_no_content() {
    let facade = Facade::offering(Vec::new()).await;
    assert_eq!(facade.status("profiletemplates").await, (StatusCode::NO_CONTENT, String::new()));
}

#[tokio::test]
async fn a_policy_has_every_documented_field() {
    let policy = concat!(
        r#"{"ApprovalsNeeded":2,"AuthorizedApprover":{"SecurityDescriptor":"D:(A;;CR;;;S-1-5-21-1)","#,
        r#""Uuid":"00000000-0000-0000-0000-000000000000"},"#,
        r#""AuthorizedEnrollmentAgent":{"SecurityDescriptor":"D:","Uuid":"00000000-0000-0000-0000-000000000000"},"#,
        r#""AuthorizedInitiator":{"SecurityDescriptor":"D:(A;;CR;;;WD)","Uuid":"00000000-0000-0000-0000-000000000000"},"#,
        r#""CollectComments":true,"CollectRequestPriority":true,"DefaultRequestPriority":3,"Documents":["Rules"],"#,
        r#""Enabled":true,"EnrollAgentRequired":false,"OneTimePasswordPolicy":{"SecretProviderType":"Numbers","#,
        r#""SecretProviderData":"8","Distribution":[{"DistributionType":2,"EmailTemplate":"Hello"}]},"#,
        r#""Personalization":{"layout":"blue"},"PolicyDataCollection":["#,
        r#"{"Name":"Sample Data Item","Required":false,"Type":1,"Validation":{"ValidationType":0,"ValidationData":null},"#,
        r#""Provider":"Subscriber"},"#,
        r#"{"Name":"Floor","Required":true,"Type":2,"Validation":{"ValidationType":1,"ValidationData":null},"#,
        r#""Provider":"CertificateManager"},"#,
        r#"{"Name":"Badge","Required":false,"Type":1,"Validation":{"ValidationType":2,"ValidationData":"[A-Z]{2}"},"#,
        r#""Provider":"CertificateManager"}],"SelfServiceEnabled":true}"#,
    );
    let facade = Facade::offering(vec![super::elaborate_template()]).await;
    assert_eq!(facade.body_of(&format!("profiletemplates/{CARD_TEMPLATE}/policies/enroll")).await, policy);
    let body = facade.body_of(&format!("profiletemplates/{CARD_TEMPLATE}/policies/OnlineUpdate")).await;
    assert!(body.ends_with(r#""SelfServiceEnabled":true,"AllowSpecifyCertificateTemplate":true}"#), "{body}");
    let body = facade.body_of(&format!("profiletemplates/{CARD_TEMPLATE}/policies/TemporaryCards")).await;
    let temporary = concat!(
        r#""AllowKioskRetirement":true,"AutoenrollEnabled":false,"BlockAdminPin":true,"#,
        r#""UnlimitedIssuedAllowed":false}"#,
    );
    assert!(body.ends_with(temporary), "{body}");
}

#[tokio::test]
async fn a_policy_is_found_by_every_name_of_its_type_under_both_paths() {
    let facade = Facade::start().await;
    for (name, _) in codes::TYPE_NAMES {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            let body = facade.body_of(&format!("profiletemplates/{CARD_TEMPLATE}/policies/{name}")).await;
            let other = facade.body_of(&format!("ProfileTemplates/{CARD_TEMPLATE}/Policy/Workflow/{name}")).await;
            assert_eq!(body, other, "{name}");
        }
    }
}

#[tokio::test]
async fn only_card_templates_have_a_card_configuration() {
    let configuration = concat!(
        r#"{"AdminPinPolicy":null,"AllowSmartcardReuse":false,"CardInitializationData":"","CardInitializationType":0,"#,
        r#""CertificateLabel":"","DefaultAdminKeyHex":"","DiversifyAdminKey":true,"DoNotInstallCaCertificates":false,"#,
        r#""EraseOnOverflow":false,"UserPinOption":0}"#,
    );
    let facade = Facade::start().await;
    let path = |id| format!("profiletemplates/{id}/configuration/smartcards");
    assert_eq!(facade.body_of(&path(CARD_TEMPLATE)).await, configuration);
    assert_eq!(facade.body_of(&path(CARD_TEMPLATE).to_uppercase()).await, configuration);
    assert_eq!(facade.status(&path(SOFTWARE_TEMPLATE)).await, (StatusCode::NO_CONTENT, String::new()));
}

#[tokio::test]
async fn an_unknown_template_is_no_content_and_a_closed_one_forbidden() {
    let facade = Facade::start().await;
    for rest in ["", "/policies/enroll", "/policy/workflow/enroll", "/configuration/smartcards"] {
        let nothing = (StatusCode::NO_CONTENT, String::new());
        assert_eq!(facade.status(&format!("profiletemplates/{UNKNOWN}{rest}")).await, nothing, "{rest}");
        let (status, message) = facade.status(&format!("profiletemplates/{CLOSED_TEMPLATE}{rest}")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{rest}");
        assert_eq!(message, "You may not enroll for the profile template \"Sample\"", "{rest}");
    }
    let not_offered = format!("profiletemplates/{SOFTWARE_TEMPLATE}/policies/renew");
    assert_eq!(facade.status(&not_offered).await, (StatusCode::NO_CONTENT, String::new()));
}

#[tokio::test]
async fn unknown_paths_get_the_message_of_the_framework() {
    let facade = Facade::start().await;
    for rest in ["policies", "policies/none", "policy/enroll", "policies/enroll/x", "configuration", "x"] {
        let path = format!("profiletemplates/{CARD_TEMPLATE}/{rest}");
        let (status, message) = facade.status(&path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{rest}");
        assert_eq!(message, format!("No HTTP resource was found that matches the request URI '{API}/{path}'."));
    }
    assert_eq!(facade.status("profiletemplates/1").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn templates_are_read_only() {
    let facade = Facade::start().await;
    for rest in ["", "/policies/enroll", "/configuration/smartcards"] {
        let uri = format!("{API}/profiletemplates/{CARD_TEMPLATE}{rest}");
        let answer = facade.send(Request::put(&uri).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET")), "{rest}");
    }
}

#[tokio::test]
async fn endpoints_that_need_an_authority_or_card_keys_are_unsupported() {
    let facade = Facade::start().await;
    let request = format!("requests/{UNKNOWN}");
    let card = format!("{request}/smartcards/{UNKNOWN}");
    let authority = "This service has no certification authority and ";
    let keys = "This service holds no smart card keys and ";
    let labels = labels().await;
    for (method, other, path, begin) in [
        ("GET", "POST", format!("{request}/CertificateRequestGenerationOptions"), authority),
        ("POST", "GET", format!("{request}/certificatedata"), authority),
        ("GET", "PUT", format!("{card}/diversifiedkey?cardid={UNKNOWN}"), keys),
        ("GET", "PUT", format!("{card}/authenticationresponse?challenge=x"), keys),
        ("GET", "PUT", format!("{card}/SERVERPROPOSEDPIN"), keys),
        ("GET", "PUT", format!("smartcards/{UNKNOWN}/serverproposedpin?atr=x"), keys),
    ] {
        let uri = format!("{API}/{path}");
        let send = |method: &str| facade.send(Request::builder().method(method).uri(&uri).body(Body::empty()).unwrap());
        let answer = send(method).await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{path}");
        assert!(answer.message().starts_with(begin), "{}", answer.message());
        let answer = send(other).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some(method)), "{path}");
        assert!(label(&labels, method, &uri).is_some_and(|label| label.starts_with(method)), "{path}");
    }
    let template = format!("{API}/profiletemplates/{CARD_TEMPLATE}");
    for path in [format!("{API}/profiletemplates"), template.clone(), format!("{template}/policies/enroll")] {
        assert!(label(&labels, "GET", &path).is_some(), "{path}");
    }
    assert_eq!(facade.status(&format!("{request}/smartcards/{UNKNOWN}/x")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(facade.status("requests/1/certificatedata").await.0, StatusCode::NOT_FOUND);
}
