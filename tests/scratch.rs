//! scratch
use cmgate::{clock::Clock, domain::*, feed::Feed, kafka::*, relay::*, service::*, store::*};
use std::sync::Arc;
use std::time::{Duration, Instant};
fn template() -> ProfileTemplate {
    toml::from_str(
        r#"uuid="a039b4d0-5ce8-4eff-8651-181c6576fda3"
name="x"
medium="smartcard"
[policies.enroll]
approvals_needed=0
"#,
    )
    .unwrap()
}
async fn go(store: Arc<dyn Store>, mut kafka: KafkaSettings, n: usize) {
    let _broker = if kafka.brokers.is_empty() { Some(TestBroker::start(&mut kafka).unwrap()) } else { None };
    let clock = Clock::System;
    let tasks = tokio_util::task::TaskTracker::new();
    store.maintain(clock.now(), Timestamp::from_micros(0).unwrap()).await.unwrap();
    let feed = Arc::new(Feed::new(store.topology().shards));
    let writer = Writer::start(&store, &feed, WriterSettings::default(), &tasks);
    let catalog = Arc::new(Catalog::load(&*store, &clock, vec![template()]).await.unwrap());
    let service = Service::new(store.clone(), writer, catalog, clock.clone(), Sid::parse("S-1-5-21-1-2-3-4").unwrap());
    let relay = Relay::start(
        &store,
        &feed,
        &clock,
        &RelaySettings { kafka: kafka.clone(), poll_interval: Duration::from_millis(2) },
        &tasks,
    )
    .unwrap();
    let user = UserId::new(uuid::Uuid::new_v4());
    let call = Call {
        caller: Caller { user, name: "dev".into(), sid: None, groups: vec![] },
        deadline: None,
        correlation: CorrelationId::new(uuid::Uuid::new_v4()),
        traceparent: None,
    };
    let t = Instant::now();
    let mut js = vec![];
    for w in 0..64 {
        let s = service.clone();
        let call = call.clone();
        js.push(tokio::spawn(async move {
            for i in 0..n / 64 {
                let draft = Draft {
                    kind: RequestType::Enroll,
                    template: Some(template().id),
                    target: None,
                    old: Credential::NONE,
                    data_items: vec![],
                    comment: Comment::default(),
                    priority: None,
                };
                let key =
                    (i % 2 == 0).then(|| IdempotencyKey::parse("k", call.caller.user, &format!("{w}-{i}")).unwrap());
                let r = s.create(&call, draft.clone(), key.clone()).await.unwrap();
                if key.is_some() {
                    let again = s.create(&call, draft, key).await.unwrap();
                    assert_eq!(again.id, r.id);
                }
                let r = s
                    .act(&call, r.id, Action::Start { comment: Comment::default() }, Some(r.version), None)
                    .await
                    .unwrap();
                s.act(
                    &call,
                    r.id,
                    Action::Complete {
                        new: Credential { profile: None, smartcard: Some(SmartcardId::new(uuid::Uuid::new_v4())) },
                        comment: Comment::default(),
                    },
                    None,
                    None,
                )
                .await
                .unwrap();
                assert_eq!(s.get(&call, r.id).await.unwrap().status(), Status::Completed);
            }
        }));
    }
    for j in js {
        j.await.unwrap();
    }
    println!("{} events in {:?}", n * 3, t.elapsed());
    let t = Instant::now();
    println!(
        "{:?}",
        relay.lanes().iter().map(|l| (l.state(), l.problem(), l.cursors().collect::<Vec<_>>())).collect::<Vec<_>>()
    );
    relay.drain().await;
    println!(
        "drained in {:?} {:?} {:?}",
        t.elapsed(),
        store.heads().await.unwrap(),
        store.checkpoints().await.unwrap()
    );
    let kafka2 = kafka.clone();
    let shards: Vec<Shard> = store.topology().shards.shards().collect();
    let tails = tokio::task::spawn_blocking(move || {
        let t = Instant::now();
        let r = read_tails(&kafka2, &shards).unwrap();
        (r, t.elapsed())
    })
    .await
    .unwrap();
    println!("{tails:?}");
}
fn settings() -> (Topology, KafkaSettings) {
    let shards = ShardCount::new(8).unwrap();
    (
        Topology { shards, lanes: 2 },
        KafkaSettings {
            brokers: std::env::var("CMGATE_TEST_KAFKA").unwrap_or_default(),
            topic: format!("t{}", uuid::Uuid::new_v4()),
            partitions: shards,
            replication_factor: 1,
            source: "/cmgate".into(),
            transaction_timeout: Duration::from_secs(10),
            is_volatile: false,
            properties: Default::default(),
        },
    )
}
#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let _ = tracing_subscriber::fmt().try_init();
    let d = tempfile::tempdir().unwrap();
    let (topology, kafka) = settings();
    go(Arc::new(Sqlite::open(&SqliteSettings { path: d.path().join("x/y.db"), topology }).await.unwrap()), kafka, 640)
        .await;
}
#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let _ = tracing_subscriber::fmt().try_init();
    let (topology, kafka) = settings();
    go(
        Arc::new(
            Postgres::connect(&PostgresSettings {
                url: std::env::var("CMGATE_TEST_POSTGRES").unwrap(),
                max_connections: 16,
                topology,
            })
            .await
            .unwrap(),
        ),
        kafka,
        6400,
    )
    .await;
}
