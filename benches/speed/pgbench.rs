//! The yardstick of the database: pgbench, the load generator that ships with Postgres, against the same server.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::env::BenchEnv;

/// Positions for the events of pgbench, in addition to the schema. Its events are in shards that no relay reads.
const PREPARE: &str = "CREATE SEQUENCE IF NOT EXISTS bench_position";

/// One create in a transaction of its own: the request, then its event, both copied from rows that the service wrote. `uuidv7()`
/// creates ids in time order, as the service does.
const CREATE: &str = "
\\set shard random(2000, 2007)
BEGIN;
INSERT INTO request (id, version, status, type, target, originator, template, submitted_at, document)
  VALUES (uuidv7(), 1, 2, 1, 'TARGET', 'TARGET', 'TEMPLATE', now(), 'DOCUMENT');
INSERT INTO event_log (shard, pos, request_id, version, type, at, day, payload)
  VALUES (:shard, nextval('bench_position'), 'ID', 1, 1, now(), (now() AT TIME ZONE 'UTC')::date, decode('PAYLOAD', 'hex'));
END;
";

/// The result of a pgbench run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PgbenchResult {
    /// Transactions per second.
    pub(crate) rate: f64,
    /// Mean latency in milliseconds.
    pub(crate) latency: f64,
}

/// Scripts for one database.
pub(crate) struct Pgbench {
    url: String,
    directory: TempDir,
    scripts: Vec<PathBuf>,
}

/// A stored request for pgbench to write again: id, target, template, document, payload.
type Sample = (String, String, String, String, String);

impl Pgbench {
    /// Scripts that write the rows of a create. The service must have created a request in this environment.
    pub(crate) async fn creates(env: &BenchEnv) -> Self {
        env.execute(PREPARE).await;
        let pool = sqlx::PgPool::connect(&env.database).await.unwrap();
        let (id, target, template, document, payload): Sample = sqlx::query_as(
            "SELECT r.id::text, r.target::text, r.template::text, r.document::jsonb::text AS document, encode(l.payload, 'hex') AS payload
             FROM request r JOIN event_log l ON l.request_id = r.id AND l.version = 1 LIMIT 1",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        pool.close().await;
        let script = CREATE
            .replace("PAYLOAD", &payload)
            .replace("DOCUMENT", &literal(&document))
            .replace("TEMPLATE", &template)
            .replace("TARGET", &target)
            .replace("ID", &id);
        Self::new(env, [script])
    }

    /// Scripts that read requests by id, with the query of the service.
    pub(crate) fn reads(env: &BenchEnv, ids: &BTreeSet<String>) -> Self {
        Self::new(env, ids.iter().map(|id| format!("SELECT id, document FROM request WHERE id = '{id}';\n")))
    }

    fn new(env: &BenchEnv, scripts: impl IntoIterator<Item = String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |(nth, script): (usize, String)| {
            let path = directory.path().join(format!("{nth}.sql"));
            std::fs::write(&path, script).unwrap();
            path
        };
        let scripts = scripts.into_iter().enumerate().map(write).collect();
        Self { url: env.database.clone(), directory, scripts }
    }

    /// Runs the scripts with prepared statements, on one thread per core.
    pub(crate) async fn run(&self, clients: usize, duration: Duration) -> PgbenchResult {
        let threads = std::thread::available_parallelism().unwrap().get().min(clients);
        let mut command = Command::new(program());
        command
            .current_dir(self.directory.path())
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={threads}"))
            .arg(format!("--time={}", duration.as_secs()))
            .args(self.scripts.iter().map(|script| format!("--file={}", script.display())))
            .arg(&self.url)
            .stderr(Stdio::inherit());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let output_text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "pgbench failed: {output_text}");
        let number = |label: &str| -> f64 {
            let line = output_text.lines().find_map(|line| line.strip_prefix(label)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        PgbenchResult { rate: number("tps = "), latency: number("latency average = ") }
    }
}

/// Escapes JSON text for a script, where a colon before a letter or digit begins a variable. The text of `jsonb` has such colons
/// only in strings.
fn literal(json: &str) -> String {
    let mut literal = String::with_capacity(json.len());
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => literal.push_str("''"),
            ':' if characters.peek().is_some_and(char::is_ascii_alphanumeric) => literal.push_str("\\u003a"),
            other => literal.push(other),
        }
    }
    literal
}

/// pgbench from the path, or from the directory where Debian installs it.
fn program() -> PathBuf {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let of_debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut directories = on_path.chain(of_debian.map(|version| version.path().join("bin")));
    let found = directories.find_map(|directory| Some(directory.join("pgbench")).filter(|path| path.is_file()));
    found.expect("pgbench must be on the path (Debian: postgresql-contrib)")
}
