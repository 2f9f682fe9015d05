//! Reads which principals have keys in a keytab, so that a wrong one is refused at start rather than at the first call. The keys
//! themselves are skipped; MIT krb5 reads them. Format: "keytab file format" in the documentation of MIT krb5.

use thiserror::Error;

/// Longest keytab that is read, in bytes; a key takes about 100.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// Format 2: numbers are big-endian.
const MAGIC: [u8; 2] = [5, 2];

/// A key of a principal, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeytabEntry {
    /// The components of the principal, such as `HTTP` and `cm.corp.example`.
    pub components: Vec<String>,
    /// Its realm.
    pub realm: String,
    /// Version of the key.
    pub version: u32,
    /// Encryption type (RFC 3961, 8), such as 18 for AES with 256 bits.
    pub encryption: u16,
}

/// Why bytes are not a keytab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The file exceeds the limit on bytes.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// It is not a keytab of format 2.
    #[error("it does not begin like a keytab")]
    NotAKeytab,
    /// An entry is damaged.
    #[error("entry {0} is damaged")]
    Entry(usize),
}

impl KeytabEntry {
    /// Reads all entries of a keytab.
    ///
    /// # Errors
    /// The bytes are not a keytab, or they are damaged.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, FormatError> {
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::TooLong);
        }
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(FormatError::NotAKeytab)?;
        let mut entries = Vec::new();
        for number in 1.. {
            let Some((length, after)) = rest.split_first_chunk() else { break };
            let length = i32::from_be_bytes(*length);
            // A length of 0 ends the file, a negative one is that of a deleted entry.
            if length == 0 {
                break;
            }
            let size = usize::try_from(length.unsigned_abs()).map_err(|_| FormatError::Entry(number))?;
            let (record, after) = after.split_at_checked(size).ok_or(FormatError::Entry(number))?;
            if length > 0 {
                entries.push(Self::read(record).ok_or(FormatError::Entry(number))?);
            }
            rest = after;
        }
        Ok(entries)
    }

    /// The principal as text, such as `HTTP/cm.corp.example@CORP.EXAMPLE`.
    #[must_use]
    pub fn principal(&self) -> String {
        format!("{}@{}", self.components.join("/"), self.realm)
    }

    fn read(record: &[u8]) -> Option<Self> {
        let mut record = Record(record);
        let count = record.u16()?;
        let realm = record.text()?;
        let mut components = Vec::new();
        for _ in 0..count {
            components.push(record.text()?);
        }
        let _name_type = record.u32()?;
        let _written_at = record.u32()?;
        let [short_version] = record.bytes()?;
        let encryption = record.u16()?;
        let _key = record.counted()?;
        // Newer writers append the whole version, because the first field holds only its last byte.
        let version = record.u32().filter(|version| *version != 0).unwrap_or_else(|| u32::from(short_version));
        Some(Self { components, realm, version, encryption })
    }
}

/// The unread rest of an entry.
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        let (bytes, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        self.counted().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
pub(super) mod tests;
