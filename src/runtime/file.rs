//! Reads small files, and says where TOML is wrong.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file cannot be read. `Display` names the file.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refuses.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a directory, a device or a pipe, which might never end.
    #[error("{path} is not a regular file", path = path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{path} has more than {limit} bytes", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
}

/// Reads a file of at most `limit` bytes. Blocks.
///
/// # Errors
/// The file cannot be read, is not a regular file, or is larger.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    // Opening a pipe waits for a writer, so the kind of the file is checked first.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(FileError::NotRegular { path: path.to_owned() });
    }
    let mut content = Vec::new();
    let mut bounded = File::open(path).map_err(unreadable)?.take(limit as u64 + 1);
    bounded.read_to_end(&mut content).map_err(unreadable)?;
    if content.len() > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(content)
}

/// The line of a syntax error in TOML, from 1, and what is wrong there. Never the text of the line, which may hold a secret.
#[must_use]
pub fn toml_problem(text: &str, error: &toml::de::Error) -> (usize, String) {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    (before.matches('\n').count() + 1, error.message().replace('\n', ", "))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        assert!(matches!(read(&path, 4), Err(FileError::Unreadable { .. })));
        fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        assert!(matches!(read(&path, 3), Err(FileError::TooLarge { limit: 3, .. })));
        assert!(matches!(read(directory.path(), 4), Err(FileError::NotRegular { .. })));
        assert!(matches!(read(Path::new("/dev/zero"), 4), Err(FileError::NotRegular { .. })));
    }
}
