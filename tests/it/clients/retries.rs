//! The retry policy of `docs/clients.md` works as pasted: clients in three languages repeat a call with it until it succeeds.

use std::fs;

use cmgate::contract::DESCRIPTORS;
use cmgate::contract::v1::CreateRequestRequest;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tonic::Code;

use super::flaky::Flaky;
use super::language::{GO, JAVA, Language, PYTHON, TYPESCRIPT, printed, program, run};
use super::page::{block, read, section};
use crate::support::client::{CARDS, creation, enrollment};
use crate::support::env::TestEnv;

fn policy() -> String {
    block(section(&read("docs/clients.md"), "## Retries"), "json").to_owned()
}

#[test]
fn the_policy_names_services_of_the_contract_and_the_codes_of_the_page() {
    let policy: Value = serde_json::from_str(&policy()).unwrap();
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let method = &policy["methodConfig"][0];
    for name in method["name"].as_array().unwrap() {
        let service = name["service"].as_str().unwrap();
        assert!(pool.get_service_by_name(service).is_some(), "{service}");
    }
    // The rows of the error table that suggest a retry.
    let codes: Vec<&str> = method["retryPolicy"]["retryableStatusCodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let errors = read("docs/errors.md");
    for code in &codes {
        assert!(errors.contains(&format!("`{code}`")), "{code}");
    }
    assert_eq!(codes, ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_retry_with_the_policy_until_the_call_succeeds() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", "")]);
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(config.path(), policy()).unwrap();
    for language in [&PYTHON, &GO, &JAVA] {
        let flaky = Flaky::start(instance.public, &[Code::Unavailable, Code::ResourceExhausted]).await;
        let (target, config) = (flaky.address.to_string(), config.path().to_str().unwrap().to_owned());
        let key = target.clone();
        let Some(created) = create(language, vec![target, config, CARDS.to_owned(), key.clone()]).await else {
            continue;
        };
        assert_eq!(flaky.calls(), ["first", "1", "2"]);
        // The same call with the same key returns the request of the client.
        let repeated = CreateRequestRequest { idempotency_key: key, ..creation(enrollment(CARDS)) };
        let request = instance.client().create_request(repeated).await.unwrap().into_inner().request.unwrap();
        assert_eq!(created, format!("{} REQUEST_STATUS_APPROVED\n", request.id));
    }
}

/// Output of an example that creates a request; `None` if this machine lacks the tools of its language.
async fn create(language: &'static Language, arguments: Vec<String>) -> Option<String> {
    let running = spawn_blocking(move || {
        let folder = language.build()?;
        let words = [program(language, "CreateRequest"), arguments].concat();
        Some(printed(folder, &words.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    running.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_typescript_creates_a_request_and_names_the_reason_of_a_refusal() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", "")]);
    let url = format!("http://{}", instance.public);
    let outputs = spawn_blocking(move || {
        let folder = TYPESCRIPT.build()?;
        let create = |template| run(folder, &["node", "dist/create_request.js", &url, template, template]);
        Some((create(CARDS), create("00000000-0000-0000-0000-00000000dead")))
    });
    let Some((created, refused)) = outputs.await.unwrap() else { return };
    assert!(created.status.success(), "{created:?}");
    assert!(String::from_utf8_lossy(&created.stdout).ends_with(" APPROVED\n"), "{created:?}");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.starts_with("refused: InvalidArgument PROFILE_TEMPLATE_NOT_FOUND: "), "{message}");
}
