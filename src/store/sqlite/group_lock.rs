//! The lock of a partition group: a locked file beside the database. The operating system releases it when the process ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::store::{PartitionGroupLock, StoreError};

struct FileLock {
    _file: File,
}

/// See [`crate::store::Store::lock_partition_group`].
pub(super) fn acquire(database: &Path, group: u16) -> Result<Option<Box<dyn PartitionGroupLock>>, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(format!(".group-{group}.lock"));
    let path = Path::new(&path);
    let failed = |source| StoreError::File { path: path.display().to_string(), source };
    let file = File::options().create(true).append(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Box::new(FileLock { _file: file }))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl PartitionGroupLock for FileLock {
    fn is_held(&self) -> bool {
        true
    }
}
