//! Record batches of format 2: <https://kafka.apache.org/documentation/#recordbatch>.

mod decode;
mod encode;
mod varint;

use bytes::Bytes;

pub(crate) use decode::{Batch, Marker, batches};
pub(crate) use encode::{Place, encode};

/// Size of the header of a batch: everything before its records.
pub(crate) const HEADER_BYTES: usize = 61;
/// Position of the checksum, which covers what follows it.
const CHECKSUM_AT: usize = 17;
/// The only format in use since Kafka 0.11.
const MAGIC: i8 = 2;

/// Attribute bits of a batch.
const CODEC: i16 = 0x07;
const LZ4: i16 = 3;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// Most bytes that a compressed batch may expand to.
const MAX_EXPANDED: usize = 128 << 20;

/// A record to append. It has no timestamp: records get the time of sending, because older ones would let the broker forget who was
/// fenced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

impl Record {
    /// Its size in a batch as the record number `offset_delta`, with its own length.
    fn size(&self, offset_delta: i64) -> usize {
        let body = self.body_size(offset_delta);
        body + varint::length(as_i64(body))
    }

    /// Upper bound of its size in any batch of at most 2^20 records.
    pub(crate) fn max_size(&self) -> usize {
        self.size(1 << 20)
    }

    fn body_size(&self, offset_delta: i64) -> usize {
        let bytes = |bytes: Option<&Bytes>| bytes.map_or(1, |it| varint::length(as_i64(it.len())) + it.len());
        let header = |(name, value): &(Bytes, Option<Bytes>)| bytes(Some(name)) + bytes(value.as_ref());
        // Attributes and the difference of timestamps take one byte each.
        2 + varint::length(offset_delta)
            + bytes(self.key.as_ref())
            + bytes(self.value.as_ref())
            + varint::length(as_i64(self.headers.len()))
            + self.headers.iter().map(header).sum::<usize>()
    }
}

fn as_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since 1970.
    pub timestamp: i64,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

#[cfg(test)]
mod tests;
