//! The log of a partition as a leader keeps it: batches with offsets, and the epoch and sequence of each producer.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::records::{
    Compression, NO_SEQUENCE, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::batch::batches;
use crate::{Producer, ProducerId};

/// The leader's clock at every marker, in milliseconds.
pub(crate) const MARKER_TIME: i64 = 1_700_000_000_000;

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Last offset and bytes of each batch.
    batches: Vec<(i64, Bytes)>,
    pub(crate) end: i64,
    /// Aborted transactions: producer and first offset.
    pub(crate) aborted: Vec<(ProducerId, i64)>,
    /// Epoch and next sequence.
    pub(crate) producers: BTreeMap<ProducerId, (i16, i32)>,
    /// First offset of an open transaction.
    pub(crate) open_from: Option<i64>,
}

impl Log {
    /// Appends a client's batch; returns its offset or the error code.
    pub(crate) fn append(&mut self, batch: &Bytes, fences: bool) -> Result<i64, i16> {
        let parsed = batches(batch.clone()).map_err(|_| ResponseError::CorruptMessage.code())?;
        let header = parsed.first().ok_or(ResponseError::CorruptMessage.code())?;
        let sequence = i32::from_be_bytes(batch[53..57].try_into().unwrap());
        let count = i32::try_from(header.last_offset - header.base_offset + 1).unwrap();
        if let Some((epoch, next)) = self.producers.get(&header.producer) {
            if header.epoch < *epoch && fences {
                return Err(ResponseError::InvalidProducerEpoch.code());
            }
            let expected = if header.epoch > *epoch { 0 } else { *next };
            if sequence != expected {
                return Err(ResponseError::OutOfOrderSequenceNumber.code());
            }
        }
        self.producers.insert(header.producer, (header.epoch, sequence + count));
        Ok(self.push(batch))
    }

    /// Appends bytes at the next offset.
    pub(crate) fn push(&mut self, batch: &Bytes) -> i64 {
        let parsed = batches(batch.clone()).unwrap();
        let count = parsed[0].last_offset - parsed[0].base_offset + 1;
        let base = self.end;
        let mut placed = batch.to_vec();
        placed[..8].copy_from_slice(&base.to_be_bytes());
        self.end += count;
        self.batches.push((self.end - 1, placed.into()));
        base
    }

    /// Appends the abort marker of a producer.
    pub(crate) fn mark(&mut self, producer: Producer) {
        self.producers.insert(producer.id, (producer.epoch, 0));
        self.push(&control(producer, 0));
    }

    /// Appends records without checks, of a transaction if `is_transactional`.
    pub(crate) fn write(&mut self, producer: Producer, values: &[u64], is_transactional: bool) -> i64 {
        let value =
            |value: &u64| theirs(producer, false, is_transactional, None, Some(value.to_be_bytes().to_vec().into()));
        self.push(&encoded(&values.iter().map(value).collect::<Vec<_>>()))
    }

    /// Appends a commit marker.
    pub(crate) fn commit(&mut self, producer: Producer) {
        self.push(&control(producer, 1));
    }

    /// Batches from an offset on, up to the first undecided record.
    pub(crate) fn fetch(&self, from: i64, at_most: usize) -> Bytes {
        let stable = self.open_from.unwrap_or(self.end);
        let mut bytes = BytesMut::new();
        for (_, batch) in self.batches.iter().filter(|(last, _)| *last >= from && *last < stable).take(at_most) {
            bytes.extend_from_slice(batch);
        }
        bytes.freeze()
    }
}

fn control(producer: Producer, kind: u8) -> Bytes {
    encoded(&[theirs(producer, true, true, Some(vec![0, 0, 0, kind].into()), Some(vec![0; 6].into()))])
}

fn theirs(producer: Producer, control: bool, transactional: bool, key: Option<Bytes>, value: Option<Bytes>) -> Record {
    Record {
        transactional,
        control,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: producer.id.get(),
        producer_epoch: producer.epoch,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: MARKER_TIME,
        key,
        value,
        headers: kafka_protocol::indexmap::IndexMap::new(),
    }
}

fn encoded(records: &[Record]) -> Bytes {
    let records: Vec<Record> = (0..)
        .zip(records)
        .map(|(offset, record)| Record { offset, sequence: i32::try_from(offset).unwrap(), ..record.clone() })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}
