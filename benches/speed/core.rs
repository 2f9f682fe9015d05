//! The service in this process, without transports and relay.

use std::path::Path;
use std::sync::Arc;

use cmgate::cli::Settings;
use cmgate::config::templates;
use cmgate::domain::{
    Caller, Comment, CorrelationId, CredentialIds, Draft, RequestType, ShardCount, Sid, TemplateId, Trace, UserId,
};
use cmgate::feed::Feed;
use cmgate::runtime::clock::Clock;
use cmgate::service::{Authority, Call, Service, Writer, WriterSettings, load_catalog};
use cmgate::store::{OlderTemplate, Postgres, PostgresSettings, Store, Topology};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::env::BenchEnv;
use crate::grpc::TEMPLATE;

/// Shards and partition groups of the default configuration.
pub(crate) const TOPOLOGY: (u16, u16) = (8, 2);

/// The use cases over a store.
#[derive(Clone)]
pub(crate) struct Core {
    service: Service,
    call: Call,
}

impl Core {
    pub(crate) async fn open(env: &BenchEnv) -> Self {
        let store = open_store(env).await;
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/templates"));
        let templates = templates::load(directory).unwrap().templates;
        let catalog = load_catalog(&*store, &Clock::System, templates, OlderTemplate::Keep).await.unwrap();
        let feed = Arc::new(Feed::new(store.topology().shards));
        let writer = Writer::start(
            &store,
            &feed,
            WriterSettings { workers: 4, ..Settings::default().writer },
            &TaskTracker::new(),
        );
        let authority = Authority { account: Sid::parse("S-1-5-21-1").unwrap(), administrators: Vec::new() };
        let service = Service::new(store, writer, Arc::new(catalog), Clock::System, authority);
        let user = UserId::new(Uuid::new_v4());
        let caller = Caller::unproven(user, "measure");
        let correlation = CorrelationId::of_uuid(Uuid::new_v4());
        Self {
            service,
            call: Call {
                caller: Arc::new(caller),
                deadline: None,
                correlation,
                trace: Trace::default(),
                facts: Arc::default(),
                memory: cmgate::service::Reservation::default(),
            },
        }
    }

    /// Creates a request.
    pub(crate) async fn create(&self) {
        let draft = Draft {
            kind: RequestType::Enroll,
            template: Some(TemplateId::new(TEMPLATE.parse().unwrap())),
            target: None,
            old: CredentialIds::NONE,
            data_items: Vec::new(),
            comment: Comment::parse("comment", "measured").unwrap(),
            priority: None,
        };
        self.service.create(&self.call, draft, None).await.unwrap();
    }
}

/// Opens the store of an environment.
pub(crate) async fn open_store(env: &BenchEnv) -> Arc<dyn Store> {
    let (shards, partition_groups) = TOPOLOGY;
    let topology = Topology { shards: ShardCount::new(shards).unwrap(), partition_groups };
    let url = env.database.clone();
    let settings = PostgresSettings { url, max_connections: 8, relay_connections: 8, topology };
    Arc::new(Postgres::connect(&settings).await.unwrap())
}
