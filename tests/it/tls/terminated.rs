//! A port behind a proxy that terminates TLS: connections from its network only.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::{PAGE, metrics};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::wait::wait_until;

/// Sends a call from an address of this machine, and returns what arrives until the end of the connection.
async fn call_from(source: Ipv4Addr, instance: &Instance) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let mut stream = socket.connect(instance.public).await.unwrap();
    let call = format!("GET {PAGE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // A refused connection may have ended already.
    let _ = stream.write_all(call.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_network_of_the_proxy_may_connect() {
    let proxy = Ipv4Addr::new(127, 0, 0, 2);
    let settings = [("CMGATE__KAFKA__BROKERS", ""), ("CMGATE__TLS__TERMINATED", "127.0.0.2/31")];
    let instance = TestEnv::sqlite().start_with(&settings);
    assert!(call_from(proxy, &instance).await.starts_with("HTTP/1.1 200 "));
    for (outside, refused) in [(Ipv4Addr::LOCALHOST, 1.0), (Ipv4Addr::new(127, 0, 0, 4), 2.0)] {
        assert_eq!(call_from(outside, &instance).await, "", "{outside}");
        wait_until("the refusal is counted", async || {
            metrics(&instance).await.metric("cmgate_connections_refused_total") >= refused
        })
        .await;
        let line = format!("connection refused: its address is not in tls.terminated peer={outside} suppressed=0");
        assert!(instance.log().contains(&line), "{line} is not in {}", instance.log());
    }
    assert!(call_from(Ipv4Addr::new(127, 0, 0, 3), &instance).await.starts_with("HTTP/1.1 200 "));
    assert!((metrics(&instance).await.metric("cmgate_connections_refused_total") - 2.0).abs() < 0.5);
}
