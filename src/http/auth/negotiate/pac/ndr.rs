//! The parts of NDR that `KERB_VALIDATION_INFO` needs, over a slice. Every read names the field that it belongs to; no count of the
//! sender is used to allocate.

use std::fmt::Write;

use super::PacError;

/// Common header of type serialization version 1 (MS-RPCE 2.2.6.1): version, little-endian, length of the header.
const COMMON_HEADER: [u8; 4] = [1, 0x10, 8, 0];

/// Most sub-authorities of a security identifier (MS-DTYP 2.4.2).
const MAX_SUB_AUTHORITIES: u8 = 15;

/// The unread rest of the data.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes read since the start of the data, for alignment.
    position: usize,
}

impl<'a> Reader<'a> {
    /// Checks both headers (MS-RPCE 2.2.6.1, 2.2.6.2) and the pointer to the structure, whose first field comes next.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, PacError> {
        let mut reader = Self { rest: bytes, position: 0 };
        if reader.bytes("the NDR header")? != COMMON_HEADER {
            return Err(PacError::Header);
        }
        // Its filler is arbitrary.
        reader.skip(4, "the NDR header")?;
        let length = reader.u32("the NDR header")? as usize;
        reader.skip(4, "the NDR header")?;
        reader.rest = reader.rest.get(..length).ok_or(PacError::Truncated("the structure"))?;
        if reader.u32("the structure")? == 0 {
            return Err(PacError::Missing("structure"));
        }
        Ok(reader)
    }

    pub(super) fn skip(&mut self, count: usize, field: &'static str) -> Result<(), PacError> {
        let (_, rest) = self.rest.split_at_checked(count).ok_or(PacError::Truncated(field))?;
        self.rest = rest;
        self.position += count;
        Ok(())
    }

    /// Four bytes of an integer or a pointer, aligned.
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, PacError> {
        self.skip(self.position.next_multiple_of(4) - self.position, field)?;
        Ok(u32::from_le_bytes(self.bytes(field)?))
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, PacError> {
        Ok(u16::from_le_bytes(self.bytes(field)?))
    }

    fn bytes<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], PacError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(PacError::Truncated(field))?;
        self.rest = rest;
        self.position += N;
        Ok(*bytes)
    }

    /// The fixed part of an `RPC_UNICODE_STRING` (MS-DTYP 2.3.10): its length in bytes, `None` if its pointer is null.
    pub(super) fn string_length(&mut self, field: &'static str) -> Result<Option<u16>, PacError> {
        let (length, _capacity) = (self.u16(field)?, self.u16(field)?);
        let is_set = self.u32(field)? != 0;
        if !length.is_multiple_of(2) {
            return Err(PacError::Count(field));
        }
        if length > 0 && !is_set { Err(PacError::Missing(field)) } else { Ok(is_set.then_some(length)) }
    }

    /// Skips the characters of a string: a conformant and varying array (C706 14.3.3.4).
    pub(super) fn skip_string(&mut self, length: Option<u16>) -> Result<(), PacError> {
        const FIELD: &str = "a string";
        let Some(length) = length else { return Ok(()) };
        let (capacity, offset, count) = (self.u32(FIELD)?, self.u32(FIELD)?, self.u32(FIELD)?);
        if offset != 0 || count > capacity || count != u32::from(length / 2) {
            return Err(PacError::Count(FIELD));
        }
        self.skip(usize::from(length), FIELD)
    }

    /// The size of a conformant array, which must repeat the count of the fixed part.
    pub(super) fn array(&mut self, count: u32, field: &'static str) -> Result<(), PacError> {
        if self.u32(field)? == count { Ok(()) } else { Err(PacError::Count(field)) }
    }

    /// An `RPC_SID` (MS-DTYP 2.4.2.3) as text. It may be the identifier of a domain, to which a relative one is appended.
    pub(super) fn sid(&mut self, field: &'static str) -> Result<String, PacError> {
        let size = self.u32(field)?;
        let [revision, count] = self.bytes(field)?;
        if u32::from(count) != size {
            return Err(PacError::Count(field));
        }
        if revision != 1 || !(1..=MAX_SUB_AUTHORITIES).contains(&count) {
            return Err(PacError::Sid(field));
        }
        let authority: [u8; 6] = self.bytes(field)?;
        let authority = authority.into_iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(byte));
        let mut text = format!("S-1-{authority}");
        for _ in 0..count {
            // Writing to a String cannot fail.
            let _ = write!(text, "-{}", self.u32(field)?);
        }
        Ok(text)
    }
}
