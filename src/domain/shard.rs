//! Shards of the event log and positions within them.

use std::fmt;

use uuid::Uuid;

use super::RequestId;

/// A shard of the event log, which is a partition of the Kafka topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u16);

impl Shard {
    /// The shard with this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number, which is the number of the partition.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Its number as an index into a list of all shards.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of shards; fixed when the database is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardCount(u16);

impl ShardCount {
    /// Maximum number of shards.
    pub const MAX: u16 = 1_024;

    /// `count` shards; `None` if there would be none, or more than [`Self::MAX`].
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count == 0 || count > Self::MAX { None } else { Some(Self(count)) }
    }

    /// The number of shards.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every shard.
    pub fn shards(self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.0).map(Shard)
    }

    /// The shard of a request: Kafka's own choice of partition for the record key, which is the id in text form.
    #[must_use]
    pub fn shard_of(self, id: RequestId) -> Shard {
        let mut text = Uuid::encode_buffer();
        let key = id.uuid().hyphenated().encode_lower(&mut text);
        let hash = murmur2(key.as_bytes()) & 0x7fff_ffff;
        #[expect(clippy::cast_possible_truncation, reason = "the remainder of a division by a u16 fits a u16")]
        let shard = (hash % u32::from(self.0)) as u16;
        Shard(shard)
    }
}

/// A position within a shard. Positions are dense from 1; 0 is before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `events` later.
    #[must_use]
    pub const fn plus(self, events: u64) -> Self {
        Self(self.0 + events)
    }

    /// The next position.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The number of events from `earlier` to this position; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// MurmurHash2 as Kafka's default partitioner computes it (`org.apache.kafka.common.utils.Utils.murmur2`), so that
/// Kafka clients that hash the key choose the same partition.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "the length of a record key is an i32 in Kafka")]
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `UtilsTest.testMurmur2` of Apache Kafka.
    #[test]
    fn murmur2_agrees_with_kafka() {
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (data, expected) in cases {
            assert_eq!(murmur2(data).cast_signed(), expected, "{data:?}");
        }
    }

    #[test]
    fn every_shard_is_hit() {
        let count = ShardCount::new(8).unwrap();
        let mut hits = [0; 8];
        for number in 0..8_000_u128 {
            hits[count.shard_of(RequestId::new(Uuid::from_u128(number))).index()] += 1;
        }
        assert!(hits.iter().all(|&n| n > 800), "{hits:?}");
    }
}
