//! The profile templates in force, each with its stored version.

use std::collections::HashMap;

use crate::domain::{ProfileTemplate, TemplateId};

/// Templates by id, each with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog(HashMap<TemplateId, (ProfileTemplate, u32)>);

impl Catalog {
    /// The templates, in no particular order.
    pub fn all(&self) -> impl Iterator<Item = &ProfileTemplate> {
        self.0.values().map(|(template, _)| template)
    }

    /// A template with its version.
    #[must_use]
    pub fn get(&self, id: TemplateId) -> Option<(&ProfileTemplate, u32)> {
        self.0.get(&id).map(|(template, version)| (template, *version))
    }
}

impl FromIterator<(ProfileTemplate, u32)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (ProfileTemplate, u32)>>(templates: I) -> Self {
        Self(templates.into_iter().map(|(template, version)| (template.id, (template, version))).collect())
    }
}
