//! The metrics of running processes: each has samples, with exactly the labels that the documentation names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cmgate::contract::v1::GetRequestRequest;
use cmgate::relay::Halt;
use cmgate::runtime::telemetry::names::{self, Kind, METRICS, Metric};

use tonic::Code;

use crate::support::client::{Answer, create_many};
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::wait::wait_until;
use crate::tls::Site;

/// A key set (the example of RFC 7517, A.1).
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"1",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

/// Labels of the samples of a metric, without `le`; of each sample.
type Labels = BTreeSet<String>;

/// The samples of a scrape.
struct Scrape(Answer);

impl Scrape {
    async fn of(instance: &Instance) -> Self {
        let answer = instance.private.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer)
    }

    /// The label names of every sample of a metric; of a histogram, of its counts.
    fn labels(&self, metric: &Metric) -> Vec<Labels> {
        let name = match metric.kind {
            Kind::Counter | Kind::Gauge => metric.name.to_owned(),
            Kind::Histogram(_) => format!("{}_count", metric.name),
        };
        let samples = self.0.body.lines().filter(|line| line.split(['{', ' ']).next() == Some(&name));
        samples.map(label_names).collect()
    }

    fn has(&self, sample: &str) -> bool {
        self.0.body.lines().any(|line| line == sample)
    }
}

/// The names of the labels of a sample. Values of the tests contain no quotation marks.
fn label_names(sample: &str) -> Labels {
    let outside_of_values = sample.split('"').step_by(2);
    let names = outside_of_values.filter_map(|text| text.strip_suffix('='));
    names.map(|name| name.rsplit(['{', ',']).next().unwrap().to_owned()).collect()
}

/// Starts a service on SQLite with TLS, client certificates, an issuer and denied tokens.
fn start_everything(site: &Site) -> Instance {
    for (name, content) in [("keys.json", KEYS), ("denied.toml", "")] {
        fs::write(site.path(name), content).unwrap();
    }
    let path = |name: &str| site.path(name).display().to_string();
    let (ca, crl, keys, denied) = (path("clients.pem"), path("clients.crl"), path("keys.json"), path("denied.toml"));
    site.start(&[
        ("CMGATE__TLS__CLIENT_CERTIFICATES", "optional"),
        ("CMGATE__TLS__CLIENT_CA", &ca),
        ("CMGATE__TLS__CRL", &crl),
        ("CMGATE__AUTH__JWT__0__NAME", "idp"),
        ("CMGATE__AUTH__JWT__0__ISSUERS", "https://idp.corp.test"),
        ("CMGATE__AUTH__JWT__0__JWKS_FILE", &keys),
        ("CMGATE__AUTH__JWT__0__AUDIENCES", "urn:cmgate"),
        ("CMGATE__AUTH__JWT__0__ALGORITHMS", "ES256"),
        ("CMGATE__AUTH__DENIED", &denied),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_samples_with_its_labels() {
    let site = Site::new();
    let guarded = start_everything(&site);
    let env = TestEnv::postgres().await;
    let instance = env.start();
    create_many(&mut instance.client(), 1).await;
    instance.wait_until_published(1).await;
    let fencing = TestEnv::postgres().await;
    let fenced = fencing.start_with(&[("CMGATE__KAFKA__PUBLISH", "fenced")]);
    create_many(&mut fenced.client(), 1).await;
    fenced.wait_until_published(1).await;

    let mut found: BTreeMap<&str, Vec<Labels>> = BTreeMap::new();
    wait_until("every metric has a sample", async || {
        for instance in [&guarded, &instance, &fenced] {
            let scrape = Scrape::of(instance).await;
            for metric in METRICS {
                found.entry(metric.name).or_default().extend(scrape.labels(metric));
            }
        }
        let missing: Vec<_> = found.iter().filter(|(_, samples)| samples.is_empty()).collect();
        if !missing.is_empty() {
            println!("no samples yet: {missing:?}");
        }
        missing.is_empty()
    })
    .await;
    for metric in METRICS {
        let documented: Labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        for labels in &found[metric.name] {
            assert_eq!(*labels, documented, "{}", metric.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_exist_with_zero_before_anything_happens() {
    let site = Site::new();
    let scrape = Scrape::of(&start_everything(&site)).await;
    for halt in Halt::REASONS {
        assert!(scrape.has(&format!("{}{{reason=\"{halt}\"}} 0", names::RELAY_HALTS)), "{halt}");
    }
    for sample in [
        "cmgate_calls_total{method=\"cmgate.v1.RequestService/CreateRequest\",outcome=\"OK\"} 0",
        "cmgate_call_errors_total{reason=\"INTERNAL\"} 0",
        "cmgate_call_errors_total{reason=\"OVERLOADED\"} 0",
        "cmgate_calls_over_limit_total{entry=\"idp\",limit=\"rate\"} 0",
        "cmgate_calls_over_limit_total{entry=\"none\",limit=\"calls\"} 0",
        "cmgate_calls_not_authenticated_total{check=\"no_token\"} 0",
        "cmgate_commits_failed_total{reason=\"OUTCOME_UNKNOWN\"} 0",
        "cmgate_connections_refused_total 0",
        "cmgate_database_acquire_timeouts_total{pool=\"write\"} 0",
        "cmgate_file_reloads_total{file=\"auth.denied\",result=\"failed\"} 0",
        "cmgate_identity_headers_dropped_total 0",
        "cmgate_ignored_token_members_total{member=\"jku\"} 0",
        "cmgate_kafka_errors_total{error=\"AllBrokersDown\"} 0",
        "cmgate_key_set_reads_total{issuer=\"idp\",result=\"timeout\"} 0",
        "cmgate_relay_restarts_total{group=\"0\"} 0",
        "cmgate_tls_handshakes_total{port=\"public\",result=\"timed_out\",ca=\"none\"} 0",
        "cmgate_tls_reloads_total{port=\"public\",result=\"failed\"} 0",
        "cmgate_unknown_key_ids_total{issuer=\"idp\"} 0",
        "cmgate_writes_pending 0",
        "cmgate_batch_size_count 0",
        "cmgate_commit_seconds_count 0",
    ] {
        assert!(scrape.has(sample), "{sample} is not in\n{}", scrape.0.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_its_build_and_its_connections_are_shown() {
    let env = TestEnv::sqlite();
    let instance = env.start();
    create_many(&mut instance.client(), 1).await;
    let scrape = Scrape::of(&instance).await.0;
    for name in ["process_cpu_seconds_total", "process_threads", "process_virtual_memory_bytes"] {
        assert_eq!(scrape.samples(name).len(), 1, "{name}\n{}", scrape.body);
    }
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"] {
        assert!(scrape.metric(name) > 0.0, "{name}\n{}", scrape.body);
    }
    assert_eq!(scrape.samples("process_virtual_memory_max_bytes").len(), 1);
    let build = format!("cmgate_build_info{{version=\"{}\",revision=\"", env!("CARGO_PKG_VERSION"));
    assert!(
        scrape.body.lines().any(|line| line.starts_with(&build) && line.ends_with("store=\"sqlite\"} 1")),
        "{build}"
    );
    // That of this scrape is one of the admin port.
    assert!(scrape.body.contains("cmgate_connections{port=\"admin\"} 1\n"), "{}", scrape.body);

    let client = reqwest::Client::new();
    let url = format!("http://{}/CertificateManagement/api/v1.0/openapi.json", instance.public);
    client.get(&url).send().await.unwrap().bytes().await.unwrap();
    let connections = async |port: &str| {
        let start = format!("cmgate_connections{{port=\"{port}\"}} ");
        let text = instance.private.get("/metrics").await.body;
        let value = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        value.parse::<f64>().unwrap()
    };
    assert!(connections("public").await >= 1.0);
    drop(client);
    wait_until("the connections are closed", async || connections("public").await == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_calls_are_counted_by_reason() {
    let env = TestEnv::sqlite();
    let instance = env.start();
    let count = async |reason: &str| {
        let start = format!("cmgate_call_errors_total{{reason=\"{reason}\"}} ");
        let text = instance.private.get("/metrics").await.body;
        let value = text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {reason} in\n{text}"))
    };
    assert_eq!(count("REQUEST_NOT_FOUND").await, "0");
    for _ in 0..3 {
        let unknown = GetRequestRequest { id: "6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11".to_owned() };
        let error = instance.client().get_request(unknown).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
    }
    assert_eq!(count("REQUEST_NOT_FOUND").await, "3");
}
