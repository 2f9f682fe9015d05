//! The right to run a relay lane: a locked file beside the database, freed by the system when its process ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::{LaneLock, StoreError};

struct FileLock {
    _file: File,
}

/// See [`crate::store::Store::lock_lane`].
pub(super) fn take(database: &Path, lane: u16) -> Result<Option<Box<dyn LaneLock>>, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(format!(".lane-{lane}.lock"));
    let path = Path::new(&path);
    let failed = |source| StoreError::File { path: path.display().to_string(), source };
    let file = File::options().create(true).append(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Box::new(FileLock { _file: file }))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl LaneLock for FileLock {
    fn is_held(&self) -> bool {
        true
    }
}
