//! Loads the catalog of the templates in force. The store keeps every version of a template and assigns the version numbers.

use crate::domain::{Catalog, ProfileTemplate};
use crate::runtime::clock::Clock;
use crate::store::{Store, StoreError};

/// Stores templates and returns them with their versions.
///
/// # Errors
/// See [`StoreError`].
pub async fn load_catalog(
    store: &dyn Store,
    clock: &Clock,
    templates: Vec<ProfileTemplate>,
) -> Result<Catalog, StoreError> {
    let mut kept = Vec::new();
    for template in templates {
        let version = store.put_template(&template, clock.now()).await?;
        kept.push((template, version));
    }
    Ok(kept.into_iter().collect())
}
