//! What a session appends is what a consumer reads.

use cmgate_fence::{Compression, End, Failure, Limits, Previous, Record};

use crate::support::{acknowledged, broker, cluster, lane, position, read_all, record};

#[tokio::test]
async fn a_consumer_reads_what_was_appended_in_order() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    for compression in [Compression::None, Compression::Lz4] {
        let mut lane = lane(address, "appends", 4, &[]).await;
        lane.limits.compression = compression;
        let (mut session, tails) =
            cluster(address).claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
        assert!(
            tails.values().all(|tail| tail.last.is_none() && tail.foreign.is_none() && tail.marker == 0),
            "{tails:?}"
        );
        for chunk in (1..=1_000_u64).collect::<Vec<_>>().chunks(77) {
            for partition in 0..4 {
                session.append(partition, chunk.iter().map(|it| record(*it)).collect()).await.unwrap();
            }
        }
        let counts = acknowledged(&mut session, 4_000).await;
        assert!(counts.values().all(|count| *count == 1_000), "{counts:?}");
        let expected: Vec<u64> = (1..=1_000).collect();
        for (partition, found) in read_all(address, &lane) {
            assert_eq!(found, expected, "partition {partition}, {compression:?}");
        }
    }
}

#[tokio::test]
async fn the_next_session_finds_the_last_records() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let lane = lane(address, "tails", 3, &[]).await;
    let cluster = cluster(address);
    let mut previous = Previous::None;
    for round in 0..5_u64 {
        let claim = cluster.claim(&lane, previous).await.unwrap();
        assert_eq!(claim.producer().epoch, i16::try_from(round).unwrap());
        previous = Previous::Recorded(claim.producer().id);
        let (mut session, tails) = claim.fence(position).await.unwrap();
        for partition in 0..3 {
            let last = tails[&partition].last.map(|(_, position)| position);
            // Partition 2 stays empty, partition 1 gets records in the first round only.
            let expected = match partition {
                0 => (round > 0).then_some(round * 10),
                1 => (round > 0).then_some(10),
                _ => None,
            };
            assert_eq!(last, expected, "round {round}, partition {partition}");
        }
        let partitions = if round == 0 { vec![0, 1] } else { vec![0] };
        for partition in &partitions {
            session.append(*partition, (round * 10 + 1..=round * 10 + 10).map(record).collect()).await.unwrap();
        }
        acknowledged(&mut session, 10 * partitions.len()).await;
    }
}

#[tokio::test]
async fn batches_are_split_below_the_limit_of_the_topic() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let mut lane = lane(address, "split", 1, &[("max.message.bytes", "20000")]).await;
    let cluster = cluster(address);
    let durability = cluster.durability(&lane.topic).await.unwrap();
    assert_eq!((durability.max_message_bytes, durability.replicas), (20_000, 1));
    assert!(!durability.survives_a_broker());
    lane.limits.batch_bytes = durability.max_message_bytes;
    let (mut session, _) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    session.append(0, (1..=2_000).map(record).collect()).await.unwrap();
    acknowledged(&mut session, 2_000).await;
    assert_eq!(read_all(address, &lane)[&0], (1..=2_000).collect::<Vec<_>>());

    // A record that fits into no batch ends the session here; a batch that is too large for the topic, there.
    let huge = Record { value: Some(vec![0; 20_000].into()), ..record(2_001) };
    let ended = session.append(0, vec![huge]).await.unwrap_err();
    assert!(matches!(ended.reason(), End::Failed(Failure::RecordTooLarge { limit: 20_000, .. })), "{ended}");
    lane.limits = Limits::default();
    let (mut session, _) = cluster.claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    session.append(0, (2_001..=2_200).map(record).collect()).await.unwrap();
    let ended = session.acknowledged().await.unwrap_err();
    let expected = matches!(ended.reason(), End::Failed(Failure::BatchTooLarge { records: 200, partition: 0, .. }));
    assert!(expected, "{ended}");
    assert_eq!(read_all(address, &lane)[&0].len(), 2_000);
}

#[tokio::test]
async fn a_small_queue_holds_the_caller_back_and_loses_nothing() {
    let Some(broker) = broker().await else { return };
    let address = &broker.address;
    let mut lane = lane(address, "small", 2, &[]).await;
    lane.limits = Limits { queue_bytes: 4_000, batch_bytes: 3_000, request_bytes: 1, in_flight: 1, ..lane.limits };
    let (mut session, _) = cluster(address).claim(&lane, Previous::None).await.unwrap().fence(position).await.unwrap();
    for first in (0..500_u64).step_by(50) {
        for partition in 0..2 {
            session.append(partition, (first + 1..=first + 50).map(record).collect()).await.unwrap();
        }
    }
    acknowledged(&mut session, 1_000).await;
    for found in read_all(address, &lane).into_values() {
        assert_eq!(found, (1..=500).collect::<Vec<_>>());
    }
}
