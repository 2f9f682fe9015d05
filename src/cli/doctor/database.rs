//! The database: whether it can be reached, and whether it fits.

use super::report::{Finding, count};
use super::{TooSlow, bounded, too_slow};
use crate::cli::settings::StoreSettings;
use crate::runtime::server_time::ServerTime;
use crate::runtime::telemetry::error_chain;
use crate::store::{
    Inspection, OpenFault, Postgres, Publishing, SchemaState, Sqlite, StoreError, TopicIdentity, UserCounts,
};

const SUBJECT: &str = "database";

/// What the examination found.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub(super) findings: Vec<Finding>,
    /// The topic of the database.
    pub(super) topic: Option<TopicIdentity>,
    /// How the database is published.
    pub(super) publishing: Option<Publishing>,
    /// The clock of the server.
    pub(super) clock: Option<ServerTime>,
    /// The users of the directory.
    pub(super) users: Option<UserCounts>,
}

/// Examines the database.
pub(super) async fn examine(settings: &StoreSettings) -> Examined {
    let inspected = match settings {
        StoreSettings::Postgres(settings) => bounded(Postgres::inspect(settings)).await,
        StoreSettings::Sqlite(settings) => bounded(Sqlite::inspect(settings)).await,
    };
    let finding = match inspected {
        Ok(Ok(inspection)) => {
            let findings = judge(&inspection);
            let Inspection { topic, publishing, clock, users, .. } = inspection;
            return Examined { findings, topic, publishing, clock, users };
        }
        Ok(Err(error)) => Finding::fault(SUBJECT, error_chain(&error), advice(&error)),
        Err(TooSlow) => too_slow(SUBJECT, "check host and port in database.url, and the network in between"),
    };
    Examined { findings: vec![finding], ..Examined::default() }
}

const fn advice(error: &StoreError) -> &'static str {
    match error {
        StoreError::Open { fault: OpenFault::Configuration, .. } => {
            "create the database, or correct its name in database.url"
        }
        StoreError::Open { fault: OpenFault::Rights, .. } | StoreError::Denied(_) => {
            "correct the user and the password in database.url, or grant the user its rights"
        }
        StoreError::File { .. } => "correct the path in database.url, or the owner and mode of the file",
        _ => "start the server, or correct host and port in database.url",
    }
}

fn judge(found: &Inspection) -> Vec<Finding> {
    let isolation = found.isolation.as_ref().map(|level| format!(", default isolation {level}")).unwrap_or_default();
    let summary = format!("{} ({}, {}{isolation})", found.target, found.server, found.encoding);
    let mut findings = vec![Finding::ok(SUBJECT, summary)];
    findings.extend(found.unfit.iter().map(|problem| {
        let advice = "use a database that fits, or change its settings";
        Finding::fault(SUBJECT, problem, advice)
    }));
    if let Some(why) = &found.read_only {
        let advice = "connect to the primary server, or reset default_transaction_read_only of the role and database";
        findings.push(Finding::fault(SUBJECT, format!("it does not accept writes: {why}"), advice));
    }
    findings.push(schema(found));
    findings.extend(rights(found));
    if let Some((left, needed)) = found.connections
        && left < i64::from(needed)
    {
        let text = format!("the server has {left} connections left; a process needs up to {needed}");
        let advice = "raise max_connections of the server, or lower database.max_connections";
        findings.push(Finding::warning("database connections", text, advice));
    }
    findings
}

fn schema(found: &Inspection) -> Finding {
    let subject = "database schema";
    let may_migrate = found.rights.may_migrate;
    let refused = "grant the role CREATE on the schema, or run `cmgate migrate` as the owner of the tables";
    let apply = "run `cmgate migrate`, or start the service, which does the same";
    match found.schema {
        SchemaState::Current => Finding::ok(subject, "up to date"),
        SchemaState::Missing if may_migrate => Finding::warning(subject, "there is none yet", apply),
        SchemaState::Missing => {
            Finding::fault(subject, "there is none yet, and the role may not create tables", refused)
        }
        SchemaState::Pending(pending) if may_migrate => {
            Finding::warning(subject, format!("{} not applied yet", count(pending, "migration")), apply)
        }
        SchemaState::Pending(pending) => {
            let text =
                format!("{} not applied yet, and the role may not change the tables", count(pending, "migration"));
            Finding::fault(subject, text, refused)
        }
        SchemaState::Newer(version) => {
            let text = format!("it is newer than this program: it has migration {version}");
            Finding::fault(subject, text, "run the newer program")
        }
        SchemaState::Damaged(version) => {
            let text = format!("migration {version} was applied with another text, or failed halfway");
            Finding::fault(subject, text, "restore the database from a backup, or use another one")
        }
        SchemaState::Unreadable => {
            let text = "the role may not read the table _sqlx_migrations";
            Finding::fault(subject, text, "make the role the owner of the tables, or grant it SELECT")
        }
    }
}

fn rights(found: &Inspection) -> Option<Finding> {
    let (subject, denied) = ("database rights", &found.rights.denied);
    if !denied.is_empty() {
        let text = format!("the role may not read and write {}", denied.join(", "));
        let advice = "make the role the owner of these tables, or execute the output of `cmgate grants` as their owner";
        return Some(Finding::fault(subject, text, advice));
    }
    match found.schema {
        SchemaState::Current if found.rights.may_migrate => {
            Some(Finding::ok(subject, "the role may read, write and migrate"))
        }
        SchemaState::Current if found.rights.may_partition => {
            Some(Finding::ok(subject, "the role may read and write, but not migrate; serve with --no-migrate"))
        }
        SchemaState::Current => {
            let text =
                "the role may not execute add_log_partition, so the event log gets no partitions for coming days";
            let advice = "execute the output of `cmgate grants` as the owner of the tables";
            Some(Finding::warning(subject, text, advice))
        }
        // The finding about the schema says it.
        SchemaState::Missing
        | SchemaState::Pending(_)
        | SchemaState::Newer(_)
        | SchemaState::Damaged(_)
        | SchemaState::Unreadable => None,
    }
}
