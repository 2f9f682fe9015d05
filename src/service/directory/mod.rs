//! The directory of users: what it says about callers, with a cache, and whom the names of targets mean.

mod cache;
mod learner;
mod target;
#[cfg(test)]
mod tests;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tokio::sync::Semaphore;

use self::cache::Cache;
use self::learner::Learner;
use super::Error;
use crate::domain::{Caller, ProofMethod, Recognition, User, UserId, UserKeys, UserName, recognize};
use crate::runtime::telemetry::error_chain;
use crate::store::Store;

/// Maximum concurrent look-ups of users in the database. Each takes a connection.
const LOOKUPS: usize = 4;
/// Maximum calls that wait for a look-up; further ones are refused.
const WAITING: usize = 4_096;

/// The directory. Clones share the cache.
#[derive(Clone)]
pub struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    cache: Cache,
    learner: Learner,
    /// Permits of calls that look up, or wait to.
    places: Semaphore,
    /// Permits of calls that look up.
    lookups: Semaphore,
}

/// Why an authenticated caller is not admitted.
#[derive(Debug, Error)]
pub enum NotAdmitted {
    /// The caller is an inactive user.
    #[error("user {0} of the directory is inactive")]
    Inactive(UserId),
    /// The directory does not answer.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Directory {
    /// Opens the directory in a store. Must be called within a Tokio runtime.
    pub(super) fn start(store: &Arc<dyn Store>) -> Self {
        Self(Arc::new(Shared {
            store: Arc::clone(store),
            cache: Cache::default(),
            learner: Learner::start(store),
            places: Semaphore::new(LOOKUPS + WAITING),
            lookups: Semaphore::new(LOOKUPS),
        }))
    }

    /// The caller whom a proof and the directory describe together. The development mode believes every caller, so it asks no directory.
    ///
    /// # Errors
    /// The caller is inactive; or the directory is not available, and without it a user could appear under two ids.
    pub async fn admit(&self, proven: Arc<Caller>) -> Result<Arc<Caller>, NotAdmitted> {
        self.admit_at(proven, Instant::now()).await
    }

    async fn admit_at(&self, proven: Arc<Caller>, now: Instant) -> Result<Arc<Caller>, NotAdmitted> {
        if proven.proof.method == ProofMethod::Development {
            return Ok(proven);
        }
        let keys = UserKeys::of_caller(&proven);
        if keys.is_empty() {
            return Ok(proven);
        }
        match &*self.recognize(keys, now).await? {
            Recognition::Stranger => {
                self.0.learner.learn(&proven, now);
                Ok(proven)
            }
            Recognition::User(user) => Ok(user.complete(proven)),
            Recognition::Inactive(user) => Err(NotAdmitted::Inactive(*user)),
        }
    }

    /// What the directory says about a caller with these keys.
    async fn recognize(&self, keys: UserKeys, now: Instant) -> Result<Arc<Recognition>, Error> {
        let Shared { store, cache, places, lookups, .. } = &*self.0;
        if let Some(found) = cache.get(&keys, now) {
            return Ok(found);
        }
        let _place = places.try_acquire()?;
        let _lookup = lookups.acquire().await.map_err(|_| Error::Stopping)?;
        // Another call of the same caller may have asked meanwhile.
        if let Some(found) = cache.get(&keys, now) {
            return Ok(found);
        }
        let generation = cache.generation();
        match store.users(&keys, None).await {
            Ok(stored) => {
                let found = Arc::new(recognize(&keys, &stored));
                cache.insert(keys, &found, generation, now);
                Ok(found)
            }
            Err(error) => match cache.get_old(&keys, now) {
                Some(found) if error.is_transient() => {
                    tracing::debug!(error = error_chain(&error), "the directory is not available; using the cache");
                    Ok(found)
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// The user of a name, as the callers of an entry of the configuration see it.
    async fn find(&self, name: UserName, entry: Option<&str>) -> Result<Option<User>, Error> {
        let _place = self.0.places.try_acquire()?;
        let _lookup = self.0.lookups.acquire().await.map_err(|_| Error::Stopping)?;
        let stored = self.0.store.users(&name.clone().into(), entry).await?;
        Ok(name.find(stored))
    }

    /// Forgets what the cache holds, after the directory was changed.
    fn forget(&self) {
        self.0.cache.clear();
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}
