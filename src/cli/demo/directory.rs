//! The directory of the demo. A marker in it shows that the demo made it, so that files of others are never replaced. Only its owner
//! can read it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::DemoError;

/// The file that marks a directory of the demo.
const MARKER: &str = "DEMO.txt";
const MARKER_TEXT: &str = "This directory belongs to `cmgate demo`: throw-away keys, certificates, tokens and a database.\n\
                           Nothing in it is for production. You may delete it while the demo is not running.\n";
/// Limit on a file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Who may read a file. The directory itself is closed to others; the modes remain right if someone opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Public,
    /// Its owner alone: keys and tokens.
    Secret,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Secret => 0o600,
        }
    }
}

/// A directory of the demo.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Opens a directory of the demo, or makes one of a path that does not exist or is empty.
    pub(super) fn open(path: &Path) -> Result<Self, DemoError> {
        let failed = |action, path: &Path| DemoError::file(action, path);
        if !path.exists() {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::create_dir_all(parent).map_err(failed("create", parent))?;
            }
            DirBuilder::new().mode(0o700).create(path).map_err(failed("create", path))?;
        }
        let path = fs::canonicalize(path).map_err(failed("open", path))?;
        if path.to_str().is_none() {
            return Err(DemoError::NotText { path });
        }
        if !path.join(MARKER).exists() && fs::read_dir(&path).map_err(failed("read", &path))?.next().is_some() {
            return Err(DemoError::Foreign { path });
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(failed("restrict access to", &path))?;
        let directory = Self { path };
        directory.write(MARKER, MARKER_TEXT, Access::Public)?;
        Ok(directory)
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The text of a file; `None` if it cannot be used, so that it is made again.
    pub(super) fn read(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.path.join(name)).ok()?;
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces a file at once, so that a running service never reads half of it.
    pub(super) fn write(&self, name: &str, text: &str, access: Access) -> Result<(), DemoError> {
        let path = self.path.join(name);
        let write = || -> io::Result<()> {
            let unfinished = self.path.join(format!("{name}.new"));
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(access.mode()).open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(DemoError::file("write", &path))
    }

    /// Makes a directory within, unless it exists.
    pub(super) fn make(&self, name: &str) -> Result<(), DemoError> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(DemoError::file("create", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_and_its_secrets_are_closed_to_others() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data/demo");
        let directory = Directory::open(&path).unwrap();
        directory.write("a.key", "1", Access::Secret).unwrap();
        directory.write("a.key", "2", Access::Secret).unwrap();
        directory.write("a.pem", "3", Access::Public).unwrap();
        assert_eq!((mode(&path), mode(&path.join("a.key")), mode(&path.join("a.pem"))), (0o700, 0o600, 0o644));
        assert_eq!(directory.read("a.key").as_deref(), Some("2"));
        assert_eq!(directory.read("b"), None);

        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Directory::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700, "a second start restores the mode");
    }

    #[test]
    fn files_of_others_are_not_touched() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("thesis.txt"), "text").unwrap();
        let refused = Directory::open(outer.path()).unwrap_err();
        assert!(matches!(refused, DemoError::Foreign { .. }), "{refused}");
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        let refused = Directory::open(&outer.path().join("thesis.txt")).unwrap_err();
        assert!(matches!(refused, DemoError::File { .. }), "{refused}");
        let empty = outer.path().join("empty");
        fs::create_dir(&empty).unwrap();
        Directory::open(&empty).unwrap();
    }

    #[test]
    fn a_huge_file_is_not_read_whole() {
        let outer = tempfile::tempdir().unwrap();
        let directory = Directory::open(outer.path()).unwrap();
        fs::write(outer.path().join("big"), "x".repeat(200_000)).unwrap();
        assert_eq!(directory.read("big").unwrap().len() as u64, MAX_BYTES);
    }
}
