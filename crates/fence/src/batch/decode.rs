//! Reads batches as a broker sends them. What a broker sends may be cut at the end, since it sends ranges of a file.

use std::io::Read;

use bytes::{Buf, Bytes};

use super::{CHECKSUM_AT, CODEC, CONTROL, HEADER_BYTES, LZ4, MAGIC, MAX_EXPANDED, StoredRecord, TRANSACTIONAL, varint};
use crate::error::malformed;
use crate::{Failure, ProducerId};

const WHAT: &str = "a record batch";

/// The header of a batch, with its records still encoded.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) producer: ProducerId,
    pub(crate) epoch: i16,
    pub(crate) timestamp: i64,
    attributes: i16,
    count: i32,
    body: Bytes,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Abort,
    Commit,
    /// A control record that is no end of a transaction.
    Other,
}

/// The complete batches of `bytes`.
pub(crate) fn batches(mut bytes: Bytes) -> Result<Vec<Batch>, Failure> {
    let mut batches = Vec::new();
    while bytes.len() >= HEADER_BYTES {
        let mut header = bytes.clone();
        let base_offset = header.get_i64();
        let length = usize::try_from(header.get_i32()).map_err(|error| malformed(WHAT, error))?;
        if length + 12 < HEADER_BYTES {
            return Err(malformed(WHAT, format!("a length of {length}")));
        }
        if bytes.len() < length + 12 {
            break;
        }
        let whole = bytes.split_to(length + 12);
        let mut header = whole.clone();
        header.advance(16);
        let magic = header.get_i8();
        if magic != MAGIC {
            return Err(malformed(WHAT, format!("format {magic}; this client reads format {MAGIC}")));
        }
        let checksum = header.get_u32();
        if checksum != crc32c::crc32c(whole.get(CHECKSUM_AT + 4..).unwrap_or_default()) {
            return Err(malformed(WHAT, format!("the checksum of the batch at offset {base_offset} is wrong")));
        }
        let attributes = header.get_i16();
        let last_offset_delta = header.get_i32();
        if base_offset < 0 || last_offset_delta < 0 {
            return Err(malformed(WHAT, "a negative offset"));
        }
        let timestamp = header.get_i64();
        header.advance(8);
        batches.push(Batch {
            base_offset,
            last_offset: base_offset.saturating_add(last_offset_delta.into()),
            timestamp,
            attributes,
            producer: ProducerId::new(header.get_i64()),
            epoch: header.get_i16(),
            count: {
                header.advance(4);
                header.get_i32()
            },
            body: header,
        });
    }
    Ok(batches)
}

impl Batch {
    pub(crate) const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// The end of a transaction that a control batch stands for.
    pub(crate) fn marker(&self) -> Option<Marker> {
        if !self.is_control() {
            return None;
        }
        // The key of a control record is its version and its type.
        let mut body = self.body.clone();
        let mut key = record(&mut body, self).and_then(|record| record.key).unwrap_or_default();
        let kind = key.try_get_i16().and_then(|_| key.try_get_i16()).ok();
        Some(match kind {
            Some(0) => Marker::Abort,
            Some(1) => Marker::Commit,
            _ => Marker::Other,
        })
    }

    /// The records of a batch of `partition`.
    pub(crate) fn records(&self, partition: i32) -> Result<Vec<StoredRecord>, Failure> {
        let mut body = self.expanded(partition)?;
        let cut = || malformed(WHAT, format!("a record of the batch at offset {} is cut", self.base_offset));
        let mut records = Vec::new();
        for _ in 0..self.count {
            records.push(record(&mut body, self).ok_or_else(cut)?);
        }
        Ok(records)
    }

    fn expanded(&self, partition: i32) -> Result<Bytes, Failure> {
        let codec = match self.attributes & CODEC {
            0 => return Ok(self.body.clone()),
            LZ4 => {
                let mut expanded = Vec::new();
                let decoder = lz4_flex::frame::FrameDecoder::new(self.body.as_ref());
                let limit = MAX_EXPANDED as u64 + 1;
                decoder.take(limit).read_to_end(&mut expanded).map_err(|error| malformed(WHAT, error))?;
                if expanded.len() > MAX_EXPANDED {
                    return Err(malformed(WHAT, format!("it expands to more than {MAX_EXPANDED} bytes")));
                }
                return Ok(expanded.into());
            }
            1 => "gzip",
            2 => "snappy",
            4 => "zstd",
            _ => "of an unknown kind",
        };
        Err(Failure::Codec { partition, offset: self.base_offset, codec })
    }
}

/// Reads a record; `None` if it is cut or does not have the length that it claims.
fn record(body: &mut Bytes, batch: &Batch) -> Option<StoredRecord> {
    let length = usize::try_from(varint::get(body)?).ok()?;
    if body.len() < length {
        return None;
    }
    let mut record = body.split_to(length);
    record.try_get_i8().ok()?;
    let timestamp = batch.timestamp.checked_add(varint::get(&mut record)?)?;
    let offset = batch.base_offset.checked_add(varint::get(&mut record)?)?;
    let key = bytes(&mut record)?;
    let value = bytes(&mut record)?;
    let count = varint::get(&mut record)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((bytes(&mut record)??, bytes(&mut record)?));
    }
    record.is_empty().then_some(StoredRecord { offset, timestamp, key, value, headers })
}

/// Reads nullable bytes; the outer `None` if they are cut.
#[expect(clippy::option_option, reason = "cut is one thing, null another")]
fn bytes(record: &mut Bytes) -> Option<Option<Bytes>> {
    match varint::get(record)? {
        -1 => Some(None),
        length => {
            let length = usize::try_from(length).ok().filter(|length| *length <= record.len())?;
            Some(Some(record.split_to(length)))
        }
    }
}
