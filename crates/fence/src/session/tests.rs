//! Whatever is not a clean acknowledgement ends a session, and nothing is sent after it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use tokio::time::Instant;

use super::*;
use crate::fake::{Fake, until};
use crate::{Previous, StoredRecord};

async fn session(fake: &Fake, lane: &Lane) -> Session {
    let nothing = |_: &StoredRecord| None::<()>;
    fake.cluster().claim(lane, Previous::None).await.unwrap().fence(nothing).await.unwrap().0
}

fn records(count: u8) -> Vec<Record> {
    (0..count).map(|value| Record { value: Some(vec![value].into()), ..Record::default() }).collect()
}

/// Waits for the end and checks that the session stays over.
async fn ended(fake: &Fake, session: &mut Session) -> Ended {
    let ended = loop {
        match session.acknowledged().await {
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    let sent = fake.count(ApiKey::Produce);
    assert!(session.append(0, records(1)).await.is_err());
    assert!(session.acknowledged().await.is_err());
    assert!(session.task.is_finished() || sent == fake.count(ApiKey::Produce));
    ended
}

fn failure(ended: &Ended) -> &Failure {
    match ended.reason() {
        End::Failed(failure) => failure,
        End::Renewal => panic!("{ended}"),
    }
}

#[tokio::test]
async fn acknowledgements_add_up() {
    let fake = Fake::start(2).await;
    let mut session = session(&fake, &fake.lane()).await;
    for _ in 0..5 {
        session.append(1, records(20)).await.unwrap();
    }
    let mut sum = 0;
    while sum < 100 {
        for it in session.acknowledged().await.unwrap() {
            sum += it.records;
            assert_eq!((it.partition, it.end), (1, i64::try_from(sum).unwrap() + 1));
        }
    }
    assert_eq!(fake.state().logs[&1].end, 101);
}

#[tokio::test]
async fn appends_to_several_partitions_share_a_request() {
    let fake = Fake::start(8).await;
    let mut session = session(&fake, &fake.lane()).await;
    session.append_all((0..8).map(|partition| (partition, records(3))).collect()).await.unwrap();
    let mut sum = 0;
    while sum < 24 {
        sum += session.acknowledged().await.unwrap().iter().map(|it| it.records).sum::<usize>();
    }
    assert_eq!(fake.count(ApiKey::Produce), 1);
}

#[tokio::test]
async fn every_error_of_a_partition_ends_the_session() {
    for error in [
        ResponseError::NotLeaderOrFollower,
        ResponseError::InvalidProducerEpoch,
        ResponseError::OutOfOrderSequenceNumber,
        ResponseError::NotEnoughReplicasAfterAppend,
        ResponseError::RequestTimedOut,
        ResponseError::DuplicateSequenceNumber,
        ResponseError::Unknown(9_999),
    ] {
        let fake = Fake::start(2).await;
        fake.state().fail(ApiKey::Produce, vec![error.code()]);
        let mut session = session(&fake, &fake.lane()).await;
        session.append(1, records(3)).await.unwrap();
        let ended = ended(&fake, &mut session).await;
        let expected =
            matches!(failure(&ended), Failure::PartitionRefused { partition: 1, error: found, .. } if *found == error);
        assert!(expected, "{ended}");
        assert_eq!(fake.count(ApiKey::Produce), 1, "nothing is sent again");
    }
}

#[tokio::test]
async fn an_unexpected_offset_ends_the_session() {
    for shift in [-1, 1, -1_000] {
        let fake = Fake::start(1).await;
        let mut session = session(&fake, &fake.lane()).await;
        session.append(0, records(3)).await.unwrap();
        session.acknowledged().await.unwrap();
        fake.state().shift = shift;
        session.append(0, records(3)).await.unwrap();
        let ended = ended(&fake, &mut session).await;
        let expected =
            matches!(failure(&ended), Failure::UnexpectedOffset { expected: 4, actual, .. } if *actual == 4 + shift);
        assert!(expected, "{ended}");
    }
}

#[tokio::test]
async fn a_partition_without_an_answer_ends_the_session_and_the_others_count() {
    let fake = Fake::start(2).await;
    fake.state().omitted = Some(0);
    let mut session = session(&fake, &fake.lane()).await;
    session.append(0, records(1)).await.unwrap();
    session.append(1, records(1)).await.unwrap();
    let mut counted = 0;
    let ended = loop {
        match session.acknowledged().await {
            Ok(found) => counted += found.iter().filter(|it| it.partition == 1).count(),
            Err(ended) => break ended,
        }
    };
    assert!(matches!(failure(&ended), Failure::Malformed { .. }), "{ended}");
    assert_eq!(counted, fake.state().produced.iter().flatten().filter(|it| **it == 1).count());
}

#[tokio::test]
async fn a_lost_connection_ends_an_idle_session() {
    let fake = Fake::start(1).await;
    let mut session = session(&fake, &fake.lane()).await;
    let waiting = tokio::spawn(async move { session.acknowledged().await });
    tokio::task::yield_now().await;
    fake.cut.notify_waiters();
    let ended = waiting.await.unwrap().unwrap_err();
    assert!(matches!(failure(&ended), Failure::Lost { .. }), "{ended}");
}

#[tokio::test]
async fn a_missing_answer_ends_the_session() {
    let fake = Fake::start(1).await;
    let settings = crate::ClusterSettings { request_timeout: Duration::from_millis(300), ..fake.settings() };
    let claim = Cluster::new(settings).unwrap().claim(&fake.lane(), Previous::None).await.unwrap();
    let (mut session, _) = claim.fence(|_| None::<()>).await.unwrap();
    fake.state().silent.push(ApiKey::Produce);
    session.append(0, records(1)).await.unwrap();
    let ended = ended(&fake, &mut session).await;
    assert!(matches!(failure(&ended), Failure::TimedOut { api: "Produce", .. } | Failure::Lost { .. }), "{ended}");
}

#[tokio::test]
async fn nothing_is_sent_once_the_fence_is_due_for_renewal() {
    let fake = Fake::start(1).await;
    let mut session = session(&fake, &fake.lane()).await;
    session.append(0, records(1)).await.unwrap();
    session.acknowledged().await.unwrap();
    fake.clock.sleep(Duration::from_mins(61));
    session.append(0, records(1)).await.unwrap();
    let ended = ended(&fake, &mut session).await;
    assert!(matches!(ended.reason(), End::Renewal), "{ended}");
    assert_eq!(fake.count(ApiKey::Produce), 1);
}

#[tokio::test]
async fn answers_are_awaited_before_the_fence_is_renewed() {
    let fake = Fake::start(1).await;
    fake.state().holds_produce = true;
    let mut session = session(&fake, &fake.lane()).await;
    session.append(0, records(7)).await.unwrap();
    until(|| fake.count(ApiKey::Produce) == 1).await;
    fake.clock.sleep(Duration::from_mins(61));
    session.append(0, records(1)).await.unwrap();
    fake.released.notify_one();
    assert_eq!(session.acknowledged().await.unwrap()[0].records, 7);
    assert!(matches!(session.acknowledged().await.unwrap_err().reason(), End::Renewal));
    assert_eq!(fake.count(ApiKey::Produce), 1);
}

#[tokio::test]
async fn a_machine_that_slept_for_two_renewals_sends_nothing() {
    let fake = Fake::start(1).await;
    let mut session = session(&fake, &fake.lane()).await;
    fake.clock.sleep(Duration::from_hours(2));
    session.append(0, records(1)).await.unwrap();
    let ended = ended(&fake, &mut session).await;
    assert!(matches!(failure(&ended), Failure::FenceExpired(_)), "{ended}");
    assert_eq!(fake.count(ApiKey::Produce), 0);
}

#[tokio::test]
async fn the_age_of_a_fence_counts_from_before_the_claim() {
    let fake = Fake::start(1).await;
    let claim = fake.cluster().claim(&fake.lane(), Previous::None).await.unwrap();
    fake.clock.sleep(Duration::from_mins(61));
    let (mut session, _) = claim.fence(|_| None::<()>).await.unwrap();
    assert!(matches!(session.acknowledged().await.unwrap_err().reason(), End::Renewal));
}

#[tokio::test]
async fn one_batch_of_a_partition_is_in_flight() {
    let fake = Fake::start(2).await;
    fake.state().holds_produce = true;
    let mut lane = fake.lane();
    // Otherwise the next request waits, and the broker could answer first.
    lane.limits.floor = Duration::ZERO;
    let mut session = session(&fake, &lane).await;
    session.append(0, records(1)).await.unwrap();
    until(|| fake.count(ApiKey::Produce) == 1).await;
    session.append(0, records(1)).await.unwrap();
    session.append(1, records(1)).await.unwrap();
    // The sender shares this thread: it takes both from its queue before the broker answers.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // The broker reads the next request only after its answer to the first, so the second one tells what was sent meanwhile.
    fake.released.notify_one();
    until(|| fake.count(ApiKey::Produce) == 2).await;
    assert_eq!(fake.state().produced, [vec![0], vec![1]], "partition 0 waits for its answer");
    fake.released.notify_one();
    until(|| fake.count(ApiKey::Produce) == 3).await;
    assert_eq!(fake.state().produced[2], [0]);
}

#[tokio::test]
async fn another_leader_ends_an_idle_session() {
    let fake = Fake::start(1).await;
    let mut lane = fake.lane();
    lane.limits.keep_alive = Duration::from_millis(20);
    let mut session = session(&fake, &lane).await;
    let asked = fake.count(ApiKey::Metadata);
    until(|| fake.count(ApiKey::Metadata) > asked + 2).await;
    fake.state().leader = 2;
    let ended = ended(&fake, &mut session).await;
    assert!(matches!(failure(&ended), Failure::Moved(0)), "{ended}");
}

#[tokio::test]
async fn requests_keep_the_floor_and_the_pause_that_the_broker_asks_for() {
    for (floor, throttle_millis) in [(40, 0), (0, 40)] {
        let fake = Fake::start(1).await;
        fake.state().throttle_millis = throttle_millis;
        let mut lane = fake.lane();
        lane.limits.floor = Duration::from_millis(floor);
        let mut session = session(&fake, &lane).await;
        let begun = Instant::now();
        for _ in 0..4 {
            session.append(0, records(1)).await.unwrap();
            session.acknowledged().await.unwrap();
        }
        // A lower bound: pauses end late, never early.
        assert!(begun.elapsed() >= Duration::from_millis(119), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_unknown_partition_and_a_record_without_room_end_the_session() {
    let fake = Fake::start(1).await;
    let mut lane = fake.lane();
    let mut first = session(&fake, &lane).await;
    assert!(matches!(failure(&first.append(1, records(1)).await.unwrap_err()), Failure::NoLeader(1)));
    assert!(first.append(0, records(1)).await.is_err());
    lane.limits.batch_bytes = 100;
    let mut second = session(&fake, &lane).await;
    let large = Record { value: Some(vec![0; 100].into()), ..Record::default() };
    let ended = second.append(0, vec![large]).await.unwrap_err();
    assert!(matches!(failure(&ended), Failure::RecordTooLarge { limit: 100, .. }), "{ended}");
    assert_eq!(fake.count(ApiKey::Produce), 0);
}
