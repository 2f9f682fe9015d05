//! SASL against a real broker.

use cmgate_fence::{Cluster, Failure, Previous, Sasl};

use crate::support::{acknowledged, broker, lane, position, record, setting, settings};

#[tokio::test]
async fn plain_lets_the_right_password_in() {
    let (Some(broker), Some(guarded)) = (broker().await, setting("CMGATE_TEST_KAFKA_PASSWORD")) else { return };
    let address = &broker.address;
    let lane = lane(address, "plain", 1, &[]).await;
    let cluster = |password: &str| {
        let sasl = Sasl::Plain { username: "relay".to_owned(), password: password.into() };
        Cluster::new(cmgate_fence::ClusterSettings { sasl: Some(sasl), ..settings(&guarded) }).unwrap()
    };
    let (mut session, _) =
        cluster("let-me-in").claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    session.append(0, vec![record(1)]).await.unwrap();
    acknowledged(&mut session, 1).await;
    let failure = cluster("canary").claim(&lane, Previous::None).await.err().unwrap();
    assert!(matches!(failure, Failure::Authentication { mechanism: "PLAIN", .. }), "{failure}");
    assert!(!failure.to_string().contains("canary"), "{failure}");
}

#[tokio::test]
async fn a_mechanism_that_the_broker_lacks_is_named() {
    let (Some(_broker), Some(guarded)) = (broker().await, setting("CMGATE_TEST_KAFKA_PASSWORD")) else { return };
    let sasl = Sasl::OauthBearer(std::sync::Arc::new(|| Box::pin(async { Ok("token".into()) })));
    let cluster = Cluster::new(cmgate_fence::ClusterSettings { sasl: Some(sasl), ..settings(&guarded) }).unwrap();
    let failure = cluster.durability("any").await.err().unwrap();
    assert!(failure.to_string().contains(r#"refused SASL OAUTHBEARER: the broker offers ["PLAIN"]"#), "{failure}");
}
