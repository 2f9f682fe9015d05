//! The profile templates of a running service, read again at SIGHUP, and their comparison with the database.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::exit::{ExitError, ExitStatus};
use super::settings::Settings;
use super::wiring;
use crate::config::templates;
use crate::domain::Catalog;
use crate::runtime::clock::Clock;
use crate::runtime::hangup::Hangups;
use crate::runtime::telemetry::names;
use crate::service::{CurrentCatalog, load_catalog};
use crate::store::{OlderTemplate, SchemaUpdate, Store};

/// Reads the files again. Files that cannot be used leave the templates in force as they are.
pub(super) struct TemplateReload {
    directory: PathBuf,
    older: OlderTemplate,
    store: Arc<dyn Store>,
    clock: Clock,
}

impl TemplateReload {
    /// Reads the directory of the settings.
    pub(super) fn new(store: &Arc<dyn Store>, clock: &Clock, settings: &Settings) -> Self {
        Self {
            directory: settings.templates.clone(),
            older: settings.older_templates,
            store: Arc::clone(store),
            clock: clock.clone(),
        }
    }

    /// Replaces the catalog at each SIGHUP, for as long as it is polled.
    pub(super) async fn at_each(self, mut hangups: Hangups, catalog: CurrentCatalog) {
        loop {
            hangups.next().await;
            let result = match self.load().await {
                Ok(loaded) => {
                    catalog.replace(loaded);
                    tracing::info!("templates: the files are in force");
                    "applied"
                }
                Err(ExitError { message, .. }) => {
                    tracing::error!("templates: {message}; the templates in force stay");
                    "failed"
                }
            };
            metrics::counter!(names::FILE_RELOADS, "file" => "templates", "result" => result).increment(1);
        }
    }

    async fn load(&self) -> Result<Catalog, ExitError> {
        let directory = self.directory.clone();
        let files = tokio::task::spawn_blocking(move || templates::load(&directory)).await;
        let files = files.map_err(|error| ExitError::of(ExitStatus::Internal, &error))??;
        Ok(load_catalog(&*self.store, &self.clock, files.templates, self.older).await?)
    }
}

/// Prints how the templates of the files differ from the newest versions in the database, one line each.
///
/// # Errors
/// [`ExitStatus::Faults`] if they differ; else why they cannot be compared.
pub(super) async fn diff(settings: &Settings, output: &mut impl Write) -> Result<(), ExitError> {
    let files = templates::load(&settings.templates)?;
    let store = wiring::store(&settings.store, SchemaUpdate::Refuse).await?;
    let stored = store.templates().await?;
    store.close().await;
    let mut newest: HashMap<_, _> =
        stored.into_iter().map(|(id, version, template)| (id, (version, template))).collect();
    let mut lines = Vec::new();
    for template in files.templates {
        let (id, name) = (template.id, &template.name);
        match newest.remove(&id) {
            None => lines.push(format!("{id} ({name}) is not in the database")),
            Some((version, stored)) if stored != template => {
                lines.push(format!("{id} ({name}) differs from version {version} in the database"));
            }
            Some(_) => {}
        }
    }
    let mut lost: Vec<_> = newest.into_iter().collect();
    lost.sort_unstable_by_key(|(id, _)| *id);
    lines.extend(lost.into_iter().map(|(id, (version, template))| {
        format!("{id} ({}) has version {version} in the database and no file", template.name)
    }));
    let print = |output: &mut dyn Write| -> io::Result<()> {
        for line in &lines {
            writeln!(output, "{line}")?;
        }
        output.flush()
    };
    print(output).map_err(|error| ExitError::of(ExitStatus::Internal, &error))?;
    match lines.len() {
        0 => Ok(()),
        count => {
            Err(ExitError::new(ExitStatus::Faults, format!("the files and the database differ in {count} templates")))
        }
    }
}
