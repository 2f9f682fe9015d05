//! The privileges of a role that serves with the schema that another role migrates.

use std::fmt::Write;

/// The privileges on each table.
pub(super) const PRIVILEGES: [(&str, &[&str]); 14] = [
    ("_sqlx_migrations", &["SELECT"]),
    // Updated to its own values, to see whether the database accepts writes.
    ("topology", &["SELECT", "UPDATE"]),
    ("request", &["SELECT", "INSERT", "UPDATE"]),
    ("event_head", &["SELECT", "UPDATE"]),
    ("event_log", &["SELECT", "INSERT"]),
    ("event_log_other", &["SELECT"]),
    ("relay_checkpoint", &["SELECT", "UPDATE"]),
    ("relay_topic", &["SELECT", "INSERT", "UPDATE"]),
    ("relay_publishing", &["SELECT", "INSERT", "UPDATE"]),
    ("relay_producer", &["SELECT", "INSERT", "UPDATE"]),
    ("idempotency_key", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
    ("profile_template", &["SELECT", "INSERT"]),
    ("credential", &["SELECT", "INSERT", "UPDATE"]),
    ("directory_user", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
];

/// The functions that not everybody may execute.
pub(super) const FUNCTION: &str = "add_log_partition(date)";

/// The statements that give a role these privileges and no others, in the schema in which they are executed.
pub(super) fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let literal = role.replace('\'', "''");
    let mut sql = format!(
        "-- Execute as the role that migrates, in the database of cmgate. Repeat after an update of cmgate.\n\
         DO $$ BEGIN\n    \
         EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), '{literal}');\n    \
         EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', current_schema(), '{literal}');\n\
         END $$;\n"
    );
    for (table, privileges) in PRIVILEGES {
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "GRANT {} ON {table} TO {role};", privileges.join(", "));
    }
    let _ = writeln!(sql, "GRANT EXECUTE ON FUNCTION {FUNCTION} TO {role};");
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{inspection, migrations};

    #[test]
    fn every_table_of_the_schema_has_its_privileges() {
        let mut created = inspection::tables(&migrations::POSTGRES);
        created.push("_sqlx_migrations".to_owned());
        created.sort();
        let mut known = PRIVILEGES.map(|(table, _)| table.to_owned());
        known.sort();
        assert_eq!(known.as_slice(), created);
    }

    #[test]
    fn the_name_of_a_role_is_quoted() {
        let sql = grants("a\"b'; c");
        assert!(sql.contains("GRANT SELECT, INSERT ON event_log TO \"a\"\"b'; c\";"), "{sql}");
        assert!(sql.contains("current_database(), '\"a\"\"b''; c\"');"), "{sql}");
    }
}
