//! The lock of a partition group: a locked file beside the database. The operating system releases it when the process ends.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::{PartitionGroupLock, StoreError};

struct FileLock {
    _file: File,
}

/// See [`crate::store::Store::lock_partition_group`].
pub(super) fn acquire(database: &Path, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
    let path = lock_file(database, group);
    let failed = |source| StoreError::File { path: path.display().to_string(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Box::new(FileLock { _file: file }))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Whether any process holds the lock. A worker that tries to lock the group at this moment may have to try again.
pub(super) fn is_held(database: &Path, group: u16) -> Result<bool, StoreError> {
    let path = lock_file(database, group);
    let failed = |source| StoreError::File { path: path.display().to_string(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn lock_file(database: &Path, group: u16) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(format!(".group-{group}.lock"));
    path.into()
}

impl PartitionGroupLock for FileLock {
    fn is_held(&self) -> bool {
        true
    }
}
