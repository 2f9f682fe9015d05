//! How the catalog of the templates in force is loaded: each is kept in the store, which knows its version.

use crate::domain::{Catalog, ProfileTemplate};
use crate::runtime::clock::Clock;
use crate::store::{Store, StoreError};

/// Keeps templates in the store and learns their versions.
///
/// # Errors
/// What the store says.
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
