//! The partition of a record key, as Kafka's default partitioner chooses it: MurmurHash2 with the seed 0x9747b28c, without its
//! sign, modulo the number of partitions. Written for the auditor alone.

use uuid::Uuid;

/// The partition of a request among so many.
pub(super) fn of(request: Uuid, partitions: u16) -> u16 {
    let hash = murmur2(request.to_string().as_bytes()) & 0x7fff_ffff;
    u16::try_from(hash % u32::from(partitions)).unwrap()
}

fn murmur2(mut data: &[u8]) -> u32 {
    let mix = 0x5bd1_e995_u32;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    while let Some((word, rest)) = data.split_first_chunk::<4>() {
        let product = u32::from_le_bytes(*word).wrapping_mul(mix);
        hash = hash.wrapping_mul(mix) ^ (product ^ (product >> 24)).wrapping_mul(mix);
        data = rest;
    }
    if !data.is_empty() {
        let tail = data.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(mix);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(mix);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    /// Values of `UtilsTest.testMurmur2` of Apache Kafka.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (data, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(data.as_bytes()).cast_signed(), expected, "{data}");
        }
    }
}
