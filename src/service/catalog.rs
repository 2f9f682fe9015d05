//! The profile templates in force in this process.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::domain::{ProfileTemplate, TemplateId};
use crate::store::{Store, StoreError};

/// Templates by id, each with the version under which the store keeps it.
#[derive(Debug, Default)]
pub struct Catalog {
    templates: HashMap<TemplateId, (ProfileTemplate, u32)>,
}

impl Catalog {
    /// Keeps templates in the store and learns their versions.
    ///
    /// # Errors
    /// What the store says.
    pub async fn load(store: &dyn Store, clock: &Clock, templates: Vec<ProfileTemplate>) -> Result<Self, StoreError> {
        let mut catalog = Self::default();
        for template in templates {
            let version = store.put_template(&template, clock.now()).await?;
            catalog.templates.insert(template.id, (template, version));
        }
        Ok(catalog)
    }

    /// The templates, in no particular order.
    pub fn all(&self) -> impl Iterator<Item = &ProfileTemplate> {
        self.templates.values().map(|(template, _)| template)
    }

    /// A template with its version.
    #[must_use]
    pub fn get(&self, id: TemplateId) -> Option<(&ProfileTemplate, u32)> {
        self.templates.get(&id).map(|(template, version)| (template, *version))
    }
}
