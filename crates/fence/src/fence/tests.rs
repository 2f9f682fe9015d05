//! The conditions of the fence, each against a broker that violates it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::scan::Scan;
use super::*;
use crate::fake::{Fake, Log, Markers};
use crate::{Record, StoredRecord};

/// Keeps the number of a record.
#[expect(clippy::unnecessary_wraps, reason = "a selection may refuse a record")]
fn number(record: &StoredRecord) -> Option<u64> {
    Some(u64::from_be_bytes(record.value.as_deref().unwrap().try_into().unwrap()))
}

fn producer(id: i64, epoch: i16) -> Producer {
    Producer { id: ProducerId::new(id), epoch }
}

fn record(number: u64) -> Record {
    Record { value: Some(number.to_be_bytes().to_vec().into()), ..Record::default() }
}

#[tokio::test]
async fn every_partition_has_the_marker_before_a_session_begins() {
    let fake = Fake::start(3).await;
    let (session, tails) =
        fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap().fence(number).await.unwrap();
    assert_eq!(session.producer(), producer(1_000, 0));
    assert!(tails.values().all(|tail| *tail == Tail { start: 0, marker: 0, last: None, foreign: None }), "{tails:?}");
    assert!(fake.state().logs.values().all(|log| log.end == 1));
}

#[tokio::test]
async fn a_partition_without_the_marker_stops_the_fence() {
    let fake = Fake::start(3).await;
    fake.state().markers = Markers::NotIn(1);
    let lane = Lane { fence_timeout: Duration::from_millis(200), ..fake.lane() };
    let failure = fake.cluster().claim(&lane, Previous::None).await.unwrap().fence(number).await.err().unwrap();
    assert!(matches!(failure, Failure::MarkerMissing { partition: 1, .. }), "{failure}");
}

#[tokio::test]
async fn a_record_between_the_answer_and_the_marker_is_in_the_tail() {
    for fetches in [0, 1, 5] {
        let fake = Fake::start(2).await;
        fake.state().logs.get_mut(&0).unwrap().write(producer(1_000, 6), &[40, 41], false);
        fake.state().next = producer(1_000, 7);
        fake.state().markers = Markers::AfterFetches(fetches);
        fake.state().overtaking = Some((producer(1_000, 6), 42));
        let claim = fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap();
        let (_, tails) = claim.fence(number).await.unwrap();
        assert_eq!(tails[&0], Tail { start: 0, marker: 3, last: Some((2, 42)), foreign: None });
    }
}

#[tokio::test]
async fn the_marker_of_another_producer_or_epoch_is_not_the_own_one() {
    let fake = Fake::start(1).await;
    fake.state().next = producer(1_000, 7);
    fake.state().markers = Markers::NotIn(0);
    let lane = Lane { fence_timeout: Duration::from_millis(200), ..fake.lane() };
    let claim = fake.cluster().claim(&lane, Previous::None).await.unwrap();
    let writer = async {
        crate::fake::until(|| fake.count(ApiKey::Fetch) > 0).await;
        let mut state = fake.state();
        let log = state.logs.get_mut(&0).unwrap();
        log.mark(producer(1_000, 6));
        log.mark(producer(1_000, 8));
        log.mark(producer(2_000, 7));
        log.commit(producer(1_000, 7));
    };
    let (fenced, ()) = tokio::join!(claim.fence(number), writer);
    let failure = fenced.err().unwrap();
    assert!(matches!(failure, Failure::MarkerMissing { partition: 0, .. }), "{failure}");
}

#[tokio::test]
async fn passing_errors_of_the_coordinator_are_waited_out_and_others_stop_the_claim() {
    let keys = [ApiKey::FindCoordinator, ApiKey::InitProducerId, ApiKey::AddPartitionsToTxn, ApiKey::EndTxn];
    for key in keys {
        for (error, passes) in [
            (ResponseError::CoordinatorLoadInProgress, true),
            (ResponseError::CoordinatorNotAvailable, true),
            (ResponseError::ConcurrentTransactions, key != ApiKey::FindCoordinator),
            (ResponseError::NotCoordinator, key == ApiKey::InitProducerId),
            (ResponseError::ProducerFenced, false),
            (ResponseError::InvalidProducerEpoch, false),
            (ResponseError::TransactionalIdAuthorizationFailed, false),
        ] {
            let fake = Fake::start(1).await;
            fake.state().fail(key, vec![error.code(); 3]);
            let fenced = async {
                let claim = fake.cluster().claim(&fake.lane(), Previous::None).await?;
                claim.fence(number).await.map(|_| ())
            };
            match fenced.await {
                Ok(()) => assert!(passes, "{key:?} {error}"),
                Err(Failure::Refused { error: found, .. }) => assert!(!passes && found == error, "{key:?} {error}"),
                Err(failure) => panic!("{failure}"),
            }
        }
    }
}

#[tokio::test]
async fn an_error_for_a_partition_stops_the_fence() {
    for key in [ApiKey::Fetch, ApiKey::ListOffsets] {
        let fake = Fake::start(2).await;
        fake.state().fail(key, vec![ResponseError::NotLeaderOrFollower.code()]);
        let failure =
            fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap().fence(number).await.err().unwrap();
        assert!(matches!(failure, Failure::PartitionRefused { .. }), "{key:?} {failure}");
    }
}

#[tokio::test]
async fn late_epochs_only_fence_and_the_id_is_replaced() {
    for first in [LAST_EPOCH, LAST_EPOCH + 1, 32_764] {
        let fake = Fake::start(2).await;
        fake.state().next = producer(1_000, first);
        let claim = fake.cluster().claim(&fake.lane(), Previous::Recorded(ProducerId::new(1_000))).await.unwrap();
        assert_eq!(claim.producer(), producer(1_001, 0));
        for log in fake.state().logs.values() {
            assert_eq!(log.producers[&ProducerId::new(1_000)].0, first, "every earlier epoch is fenced everywhere");
        }
        let (mut session, _) = claim.fence(number).await.unwrap();
        session.append(0, vec![record(1)]).await.unwrap();
        session.acknowledged().await.unwrap();
    }
    let fake = Fake::start(1).await;
    fake.state().next = producer(1_000, LAST_EPOCH - 1);
    assert_eq!(fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap().producer().epoch, LAST_EPOCH - 1);
}

#[tokio::test]
async fn another_producer_id_needs_proof_that_the_old_one_is_fenced() {
    for (epochs, unproven) in [
        ([Some(LAST_EPOCH), Some(32_766)], None),
        ([Some(LAST_EPOCH), Some(LAST_EPOCH - 1)], Some(1)),
        ([None, Some(LAST_EPOCH)], Some(0)),
        ([Some(5), Some(5)], Some(0)),
    ] {
        let fake = Fake::start(2).await;
        for (log, epoch) in fake.state().logs.values_mut().zip(epochs) {
            log.producers.extend(epoch.map(|epoch| (ProducerId::new(7), (epoch, 0))));
            log.producers.insert(ProducerId::new(8), (32_766, 0));
        }
        let recorded = ProducerId::new(7);
        match (fake.cluster().claim(&fake.lane(), Previous::Recorded(recorded)).await, unproven) {
            (Ok(_), None) => {}
            (Err(Failure::ProducerIdChanged { partition, .. }), Some(expected)) => assert_eq!(partition, expected),
            (found, _) => panic!("{found:?}"),
        }
        let claim = fake.cluster().claim(&fake.lane(), Previous::Abandoned).await;
        assert!(claim.is_ok(), "{claim:?}");
    }
}

#[tokio::test]
async fn the_self_test_tells_a_broker_that_accepts_fenced_epochs() {
    let fake = Fake::start(2).await;
    self_test(&fake.cluster(), &fake.lane()).await.unwrap();
    fake.state().fences = false;
    let failure = self_test(&fake.cluster(), &fake.lane()).await.unwrap_err();
    assert!(matches!(failure, Failure::NotEnforced(_)), "{failure}");
    // A fence between the two by somebody else, and a passing error, are no verdict.
    fake.state().fences = true;
    fake.state().fail(ApiKey::EndTxn, vec![0, ResponseError::InvalidProducerEpoch.code()]);
    let failure = self_test(&fake.cluster(), &fake.lane()).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. }), "{failure}");
}

#[tokio::test]
async fn the_last_record_is_found_behind_any_number_of_markers_and_aborted_records() {
    for aborted in [0, 1, 63, 64, 65, 200] {
        let fake = Fake::start(1).await;
        {
            let mut state = fake.state();
            let log = state.logs.get_mut(&0).unwrap();
            log.write(producer(1, 0), &[1, 2, 3], false);
            for round in 0..aborted {
                let writer = producer(2, round);
                let first = log.write(writer, &[99, 98], true);
                log.aborted.push((writer.id, first));
                log.mark(writer);
            }
        }
        let (_, tails) = fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap().fence(number).await.unwrap();
        assert_eq!((tails[&0].last, tails[&0].foreign), (Some((2, 3)), None), "{aborted}");
    }
}

#[test]
fn only_the_aborted_records_of_a_transaction_are_left_out() {
    let mut log = Log::default();
    log.write(producer(1, 0), &[1], true); // 0, committed
    log.write(producer(2, 0), &[2], true); // 1, aborted
    log.commit(producer(1, 0)); // 2
    log.write(producer(1, 0), &[3], false); // 3, of no transaction
    log.write(producer(2, 0), &[4], true); // 4, aborted
    log.mark(producer(2, 0)); // 5
    log.write(producer(2, 1), &[5], true); // 6, committed
    log.commit(producer(2, 1)); // 7
    let mut found = std::sync::Mutex::new(Vec::new());
    for from in 0..8 {
        let mut scan: Scan<()> = Scan::new(0, from);
        let fetched = super::links::Fetched {
            high_watermark: 8,
            stable: 8,
            // Brokers name the transactions that reach into the range.
            aborted: if from <= 5 { vec![(ProducerId::new(2), 1)] } else { Vec::new() },
            batches: crate::batch::batches(log.fetch(from, 10)).unwrap(),
        };
        let note = |record: &StoredRecord| {
            found.lock().unwrap().push(number(record).unwrap());
            None
        };
        assert_eq!(scan.read(fetched, 8, None, &note).unwrap(), None);
        assert_eq!(scan.next, 8);
        let expected: Vec<u64> =
            [(0, 1), (3, 3), (6, 5)].iter().filter(|(at, _)| *at >= from).map(|(_, it)| *it).collect();
        assert_eq!(std::mem::take(found.get_mut().unwrap()), expected, "from {from}");
    }
}
