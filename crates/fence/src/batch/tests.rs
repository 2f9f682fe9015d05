//! Batches against the codec of `kafka-protocol`, which others wrote, and against damage.

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{
    Compression as TheirCompression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

use super::*;
use crate::fence::Producer;
use crate::{Compression, Failure, ProducerId};

const PLACE: Place =
    Place { producer: Producer { id: ProducerId::new(4_711), epoch: 3 }, sequence: 17, timestamp: 1_700_000_000_000 };

fn samples() -> Vec<Record> {
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    vec![
        Record { key: text("key"), value: text("value"), headers: vec![("a".into(), text("1")), ("b".into(), None)] },
        Record { key: None, value: None, headers: Vec::new() },
        Record { key: text(""), value: Some(vec![7; 100_000].into()), headers: vec![("".into(), text(""))] },
    ]
}

fn their_records(records: &[Record]) -> Vec<TheirRecord> {
    let convert = |(index, record): (usize, &Record)| TheirRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: 4_711,
        producer_epoch: 3,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(index).unwrap(),
        sequence: 17 + i32::try_from(index).unwrap(),
        timestamp: 1_700_000_000_000,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap().into(), value.clone()))
            .collect::<IndexMap<_, _>>(),
    };
    records.iter().enumerate().map(convert).collect()
}

#[test]
fn a_batch_has_the_bytes_that_another_encoder_writes() {
    let mut expected = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: TheirCompression::None };
    RecordBatchEncoder::encode(&mut expected, &their_records(&samples()), &options).unwrap();
    assert_eq!(encode(PLACE, &samples(), Compression::None).unwrap(), expected.freeze());
}

#[test]
fn another_decoder_reads_a_batch() {
    let mut batch = encode(PLACE, &samples(), Compression::None).unwrap();
    assert_eq!(RecordBatchDecoder::decode(&mut batch).unwrap().records, their_records(&samples()));
}

#[test]
fn records_are_read_as_they_were_written() {
    for compression in [Compression::None, Compression::Lz4] {
        let encoded = encode(PLACE, &samples(), compression).unwrap();
        let mut two = encoded.to_vec();
        two.extend_from_slice(&encoded);
        two.extend_from_slice(&encoded[..encoded.len() - 1]);
        let found = batches(two.into()).unwrap();
        assert_eq!(found.len(), 2, "the last one is cut");
        for batch in found {
            assert!(!batch.is_control() && !batch.is_transactional() && batch.marker().is_none());
            assert_eq!((batch.producer.get(), batch.epoch, batch.last_offset), (4_711, 3, 2));
            let records = batch.records(0).unwrap();
            for ((offset, expected), record) in (0..).zip(samples()).zip(records) {
                assert_eq!((record.offset, record.timestamp), (offset, 1_700_000_000_000));
                assert_eq!(
                    (record.key, record.value, record.headers),
                    (expected.key, expected.value, expected.headers)
                );
            }
        }
        assert!(compression == Compression::None || encoded.len() < 10_000);
    }
}

#[test]
fn the_size_of_a_record_is_never_underestimated() {
    let record = samples().remove(0);
    for count in [1, 2, 100, 1_000] {
        let records = vec![record.clone(); count];
        let encoded = encode(PLACE, &records, Compression::None).unwrap().len();
        let bound = HEADER_BYTES + count * record.max_size();
        assert!(encoded <= bound && bound <= encoded + 3 * count, "{count}: {encoded} {bound}");
    }
}

#[test]
fn every_damaged_byte_is_noticed() {
    let sound = encode(PLACE, &samples()[..2], Compression::None).unwrap();
    for position in 0..sound.len() {
        let mut damaged = sound.to_vec();
        damaged[position] ^= 0x40;
        let found = batches(damaged.into());
        // The base offset and the leader epoch belong to the broker and are not covered; a longer length makes it a cut batch.
        let is_covered = position >= 16;
        assert!(!is_covered || found.is_err(), "byte {position}");
        if let Ok(found) = found {
            for batch in found {
                let _ = batch.records(0);
            }
        }
    }
}

#[test]
fn nonsense_with_a_valid_checksum_is_an_error_and_no_panic() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut damaged = encode(PLACE, &samples()[..2], Compression::None).unwrap().to_vec();
        for _ in 0..3 {
            let position = random.usize(21..damaged.len());
            damaged[position] = random.u8(..);
        }
        let checksum = crc32c::crc32c(&damaged[21..]);
        damaged[17..21].copy_from_slice(&checksum.to_be_bytes());
        for batch in batches(damaged.into()).into_iter().flatten() {
            let (_, _) = (batch.marker(), batch.records(0));
        }
    }
}

#[test]
fn a_codec_that_cannot_be_read_is_named() {
    let mut batch = encode(PLACE, &samples()[..1], Compression::None).unwrap().to_vec();
    batch[22] |= 4;
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    let found = batches(batch.into()).unwrap()[0].records(9);
    assert!(matches!(found, Err(Failure::Codec { partition: 9, offset: 0, codec: "zstd" })), "{found:?}");
}
