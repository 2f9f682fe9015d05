//! Loads the catalog of the templates in force. The store keeps every version of a template and assigns the version numbers.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::{Catalog, ProfileTemplate, TemplateId};
use crate::runtime::clock::Clock;
use crate::runtime::telemetry::names;
use crate::store::{OlderTemplate, Store, StoreError};

/// The catalog in force. Clones share it.
#[derive(Clone, Debug)]
pub struct CurrentCatalog(Arc<ArcSwap<Catalog>>);

impl CurrentCatalog {
    /// Puts a catalog in force.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self(Arc::new(ArcSwap::new(catalog)))
    }

    /// Replaces the catalog for the calls that follow.
    pub fn replace(&self, catalog: Catalog) {
        self.0.store(Arc::new(catalog));
    }

    /// The catalog in force.
    pub(super) fn get(&self) -> Arc<Catalog> {
        self.0.load_full()
    }
}

/// Stores templates and returns those in force with their versions: of each, the newest version that is stored, whichever process
/// stored it. Logs each version in force and sets its metric.
///
/// # Errors
/// See [`StoreError`].
pub async fn load_catalog(
    store: &dyn Store,
    clock: &Clock,
    templates: Vec<ProfileTemplate>,
    older: OlderTemplate,
) -> Result<Catalog, StoreError> {
    let mut given = Vec::new();
    for template in templates {
        let version = store.put_template(&template, older, clock.now()).await?;
        given.push((template, version));
    }
    let stored = store.templates().await?;
    let mut newest: HashMap<TemplateId, _> =
        stored.into_iter().map(|(id, version, template)| (id, (template, version))).collect();
    let in_force = given.into_iter().map(|(template, version)| {
        let id = template.id;
        match newest.remove(&id) {
            Some((newer, newest)) if newest > version => {
                tracing::warn!(
                    template = %id, version, newest,
                    "the file of the template {:?} is older than the newest version, which stays in force; set \
                     templates_rollback to replace it",
                    newer.name
                );
                (newer, newest)
            }
            _ => (template, version),
        }
    });
    let in_force: Vec<(ProfileTemplate, u32)> = in_force.collect();
    for (template, version) in &in_force {
        tracing::info!(template = %template.id, version, name = template.name, "template in force");
        metrics::gauge!(names::TEMPLATE_VERSION, "template" => template.id.to_string()).set(f64::from(*version));
    }
    Ok(in_force.into_iter().collect())
}
