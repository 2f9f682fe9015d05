//! Writes idempotent batches: not transactional, under the producer id and epoch of a fence.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};

use super::{CHECKSUM_AT, HEADER_BYTES, LZ4, MAGIC, Record, as_i64, varint};
use crate::error::malformed;
use crate::fence::Producer;
use crate::{Compression, Failure};

/// Where a batch stands in the sequence of its producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) producer: Producer,
    pub(crate) sequence: i32,
    /// Time of sending, in milliseconds since 1970.
    pub(crate) timestamp: i64,
}

/// A batch of `records`, all with the same timestamp.
pub(crate) fn encode(place: Place, records: &[Record], compression: Compression) -> Result<Bytes, Failure> {
    let too_long = |error: std::num::TryFromIntError| malformed("a batch", error);
    let count = i32::try_from(records.len()).map_err(too_long)?;
    let mut body = BytesMut::with_capacity(records.iter().map(Record::max_size).sum());
    for (delta, record) in (0..).zip(records) {
        put_record(&mut body, delta, record);
    }
    let (codec, body) = match compression {
        Compression::None => (0, body),
        Compression::Lz4 => {
            (LZ4, BytesMut::from(compress(&body).map_err(|error| malformed("a batch", error))?.as_slice()))
        }
    };
    let mut batch = BytesMut::with_capacity(HEADER_BYTES + body.len());
    batch.put_i64(0); // base offset, which the broker sets
    batch.put_i32(i32::try_from(HEADER_BYTES - 12 + body.len()).map_err(too_long)?);
    batch.put_i32(-1); // leader epoch, which the broker sets
    batch.put_i8(MAGIC);
    batch.put_u32(0); // checksum
    batch.put_i16(codec);
    batch.put_i32(count - 1);
    batch.put_i64(place.timestamp); // of the first record
    batch.put_i64(place.timestamp); // latest
    batch.put_i64(place.producer.id.get());
    batch.put_i16(place.producer.epoch);
    batch.put_i32(place.sequence);
    batch.put_i32(count);
    batch.put_slice(&body);
    let checksum = crc32c::crc32c(batch.get(CHECKSUM_AT + 4..).unwrap_or_default());
    if let Some(at) = batch.get_mut(CHECKSUM_AT..CHECKSUM_AT + 4) {
        at.copy_from_slice(&checksum.to_be_bytes());
    }
    Ok(batch.freeze())
}

fn put_record(buffer: &mut BytesMut, offset_delta: i64, record: &Record) {
    varint::put(buffer, as_i64(record.body_size(offset_delta)));
    buffer.put_i8(0); // attributes
    varint::put(buffer, 0); // difference to the first timestamp
    varint::put(buffer, offset_delta);
    put_bytes(buffer, record.key.as_ref());
    put_bytes(buffer, record.value.as_ref());
    varint::put(buffer, as_i64(record.headers.len()));
    for (name, value) in &record.headers {
        put_bytes(buffer, Some(name));
        put_bytes(buffer, value.as_ref());
    }
}

fn put_bytes(buffer: &mut BytesMut, bytes: Option<&Bytes>) {
    match bytes {
        None => varint::put(buffer, -1),
        Some(bytes) => {
            varint::put(buffer, as_i64(bytes.len()));
            buffer.put_slice(bytes);
        }
    }
}

fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    // Brokers and clients in Java read independent blocks only.
    let frame = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Independent);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::with_capacity(body.len() / 2));
    encoder.write_all(body)?;
    encoder.finish().map_err(std::io::Error::other)
}
