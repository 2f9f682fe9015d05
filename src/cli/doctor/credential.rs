//! Reads the credential that a command examines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::report::Finding;

/// Reads a file of at most `limit` bytes; `-` is standard input.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Finding> {
    let mut bytes = Vec::new();
    let bound = limit as u64 + 1;
    let result = if path.as_os_str() == "-" {
        io::stdin().lock().take(bound).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes))
    };
    let name = path.display();
    match result {
        Err(error) => Err(Finding::plain_fault("file", format!("cannot read {name}: {error}"))),
        Ok(_) if bytes.len() > limit => {
            Err(Finding::plain_fault("file", format!("{name} has more than {limit} bytes")))
        }
        Ok(_) => Ok(bytes),
    }
}
