//! A target with several addresses: what `docs/clients.md` says about it is what a client meets.

use super::language::{PYTHON, printed};
use super::page::{block, read, section};
use crate::support::env::TestEnv;

/// Lists requests through the channel of the page, with and without its options.
const LIST: &str = "
import sys, grpc
from cmgate.v1 import request_service_pb2 as messages, request_service_pb2_grpc as services
def list_requests(channel):
    try:
        services.RequestServiceStub(channel).GetRequests(messages.GetRequestsRequest(), timeout=60)
        print('OK')
    except grpc.RpcError as error:
        print(error.code().name, error.details())
list_requests(CHANNEL)
list_requests(grpc.insecure_channel(TARGET))
";

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_several_addresses_needs_an_authority() {
    let env = TestEnv::sqlite();
    let instance = env.start_with(&[("CMGATE__KAFKA__BROKERS", "")]);
    let target = format!("ipv4:{0},{0}", instance.public);
    let page = read("docs/clients.md");
    let documented = block(section(&page, "## Several addresses"), "python").trim();
    let channel = documented.replace("ipv4:10.0.0.1:8080,10.0.0.2:8080", &target);
    assert_ne!(channel, documented);
    let code = LIST.replace("CHANNEL", &channel).replace("TARGET", &format!("'{target}'"));
    let printed = tokio::task::spawn_blocking(move || {
        let folder = PYTHON.build()?;
        Some(printed(folder, &["venv/bin/python", "-c", &code]))
    });
    let Some(printed) = printed.await.unwrap() else { return };
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "OK");
    assert!(lines[1].starts_with("INTERNAL ") && lines[1].contains("RST_STREAM with error code 1"), "{printed}");
}
