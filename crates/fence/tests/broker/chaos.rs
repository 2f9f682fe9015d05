//! Writers without a lock fight for the same partitions while requests are held, halved and cut, and the broker is killed. Each appends
//! the positions that follow the tail it found. An independent consumer must find every position once and in order.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cmgate_fence::{Cluster, ClusterSettings, End, Failure, Lane, Previous, Session, Tail, Unfenced};

use crate::proxy::Proxy;
use crate::support::{acknowledged, cluster, exclusive, lane, position, read_all, record, setting, settings};

const PARTITIONS: i32 = 4;
const WRITERS: u64 = 3;

/// What the writers share.
struct World {
    cluster: Cluster,
    lane: Lane,
    /// What is left out of the fence, in control runs.
    unfenced: Option<Unfenced>,
    /// Highest position of each partition that some writer saw acknowledged.
    acknowledged: BTreeMap<i32, AtomicU64>,
    takeovers: AtomicUsize,
    stop: AtomicBool,
    endings: Mutex<BTreeMap<String, usize>>,
}

#[derive(Debug, Default)]
struct Verdict {
    records: usize,
    lost: usize,
    repeated: usize,
    out_of_order: usize,
}

impl Verdict {
    fn is_clean(&self) -> bool {
        (self.lost, self.repeated, self.out_of_order) == (0, 0, 0)
    }

    /// Judges the positions of each partition.
    fn of(found: &BTreeMap<i32, Vec<u64>>, acknowledged: &BTreeMap<i32, AtomicU64>) -> Self {
        let mut verdict = Self::default();
        for (partition, positions) in found {
            verdict.records += positions.len();
            let mut sorted = positions.clone();
            sorted.sort_unstable();
            verdict.out_of_order += positions.windows(2).filter(|pair| pair[1] < pair[0]).count();
            verdict.repeated += sorted.windows(2).filter(|pair| pair[1] == pair[0]).count();
            sorted.dedup();
            let last = sorted.last().copied().unwrap_or(0).max(acknowledged[partition].load(SeqCst));
            verdict.lost += usize::try_from(last).unwrap() - sorted.len();
        }
        verdict
    }
}

#[test]
fn the_verdict_tells_what_is_wrong() {
    let judge = |positions: &[u64], acknowledged| {
        let verdict = Verdict::of(&[(0, positions.to_vec())].into(), &[(0, AtomicU64::new(acknowledged))].into());
        (verdict.lost, verdict.repeated, verdict.out_of_order)
    };
    assert_eq!(judge(&[1, 2, 3], 3), (0, 0, 0));
    assert_eq!(judge(&[1, 2, 3], 5), (2, 0, 0));
    assert_eq!(judge(&[1, 3, 4], 4), (1, 0, 0));
    assert_eq!(judge(&[1, 2, 2, 3], 3), (0, 1, 0));
    assert_eq!(judge(&[1, 3, 2, 4], 4), (0, 0, 1));
    assert_eq!(judge(&[2, 3], 3), (1, 0, 0));
}

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Runs writers until there were so many take-overs; returns the verdict and how sessions ended.
async fn run(
    unfenced: Option<Unfenced>,
    takeovers: usize,
    kills: bool,
    seed: u64,
) -> Option<(Verdict, BTreeMap<String, usize>)> {
    let _servers = exclusive().await;
    let (address, ports) = (setting("CMGATE_TEST_KAFKA")?, setting("CMGATE_TEST_KAFKA_PROXY")?);
    let control = if kills { Some(setting("CMGATE_TEST_SERVICES")?) } else { None };
    let (from, to) = ports.split_once(':').unwrap();
    let from: u16 = from.parse().unwrap();
    let proxy = Proxy::start(from, to.parse().unwrap(), seed, 12).await;
    let mut lane = lane(&address, "chaos", PARTITIONS, &[("segment.bytes", "1048576")]).await;
    lane.fence_timeout = Duration::from_secs(8);
    let world = Arc::new(World {
        cluster: Cluster::new(ClusterSettings {
            request_timeout: Duration::from_secs(6),
            connect_timeout: Duration::from_secs(6),
            ..settings(&format!("127.0.0.1:{from}"))
        })
        .unwrap(),
        unfenced,
        acknowledged: lane.partitions.iter().map(|partition| (*partition, AtomicU64::new(0))).collect(),
        lane: lane.clone(),
        takeovers: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        endings: Mutex::default(),
    });
    let writers: Vec<_> = (0..WRITERS).map(|it| tokio::spawn(write(Arc::clone(&world), seed * 1_000 + it))).collect();

    let mut random = fastrand::Rng::with_seed(seed);
    let mut next_kill = 10;
    let mut killed = 0;
    while world.takeovers.load(SeqCst) < takeovers {
        tokio::time::sleep(Duration::from_millis(random.u64(20..80))).await;
        assert!(writers.iter().all(|writer| !writer.is_finished()), "seed {seed}: a writer panicked");
        if random.u8(..100) < 3 {
            proxy.cut_one();
        }
        if let Some(control) = control.as_ref().filter(|_| world.takeovers.load(SeqCst) >= next_kill) {
            for verb in ["kill", "start"] {
                assert!(Command::new(control).args(["kafka", verb]).status().unwrap().success());
            }
            killed += 1;
            next_kill = world.takeovers.load(SeqCst) + 10;
        }
    }
    world.stop.store(true, SeqCst);
    proxy.calm();
    for writer in writers {
        writer.await.unwrap();
    }
    // What is still held arrives, and a last owner appends behind it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (mut last, tails) =
        cluster(&address).claim(&lane, Previous::Abandoned).await.unwrap().fence(position).await.unwrap();
    for (partition, tail) in tails {
        last.append(partition, vec![record(tail.last.map_or(0, |(_, position)| position) + 1)]).await.unwrap();
    }
    acknowledged(&mut last, lane.partitions.len()).await;
    drop(last);
    let verdict = Verdict::of(&read_all(&address, &lane), &world.acknowledged);
    let endings = world.endings.lock().unwrap().clone();
    let count = world.takeovers.load(SeqCst);
    eprintln!(
        "seed {seed}, {unfenced:?}: {count} take-overs, {killed} broker kills, {} holds; {verdict:?}; {endings:?}",
        proxy.held()
    );
    Some((verdict, endings))
}

async fn write(world: Arc<World>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    while !world.stop.load(SeqCst) {
        let ending = match session(&world, &mut random).await {
            Ok(()) => "left".to_owned(),
            Err(Failure::PartitionRefused { error, .. } | Failure::Refused { error, .. }) => format!("{error:?}"),
            Err(Failure::UnexpectedOffset { .. }) => "another's record".to_owned(),
            Err(Failure::Lost { .. } | Failure::Connect { .. }) => "connection lost".to_owned(),
            Err(failure @ (Failure::TimedOut { .. } | Failure::MarkerMissing { .. } | Failure::NoLeader(_))) => {
                format!("{failure:?}").split([' ', '(']).next().unwrap_or_default().to_owned()
            }
            Err(failure) => panic!("seed {seed}: {failure}"),
        };
        *world.endings.lock().unwrap().entry(ending).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(random.u64(10..500))).await;
    }
}

async fn begin(world: &World, random: &mut fastrand::Rng) -> Result<(Session, BTreeMap<i32, Tail<u64>>), Failure> {
    let known: BTreeMap<i32, u64> =
        world.acknowledged.iter().map(|(it, position)| (*it, position.load(SeqCst))).collect();
    let claim = world.cluster.claim(&world.lane, Previous::Abandoned).await?;
    if random.u8(..100) < 6 {
        tokio::time::sleep(Duration::from_millis(random.u64(50..1_500))).await;
    }
    let Some(unfenced) = world.unfenced else {
        let (session, tails) = claim.fence(position).await?;
        for (partition, tail) in &tails {
            let last = tail.last.map_or(0, |(_, position)| position);
            assert!(
                last >= known[partition],
                "partition {partition} ends at {last}, {} was acknowledged",
                known[partition]
            );
        }
        return Ok((session, tails));
    };
    claim.pretend(unfenced, position).await
}

async fn session(world: &World, random: &mut fastrand::Rng) -> Result<(), Failure> {
    let (mut session, tails) = begin(world, random).await?;
    world.takeovers.fetch_add(1, SeqCst);
    let mut cursors: BTreeMap<i32, u64> =
        tails.iter().map(|(partition, tail)| (*partition, tail.last.map_or(0, |(_, position)| position))).collect();
    let mut queued = cursors.clone();
    if random.u8(..100) < 10 {
        tokio::time::sleep(Duration::from_millis(random.u64(50..1_500))).await;
    }
    let life = tokio::time::Instant::now() + Duration::from_millis(random.u64(30..1_500));
    let failed = loop {
        if world.stop.load(SeqCst) || tokio::time::Instant::now() > life {
            // The last requests may still be under way: nobody waits for them.
            return Ok(());
        }
        let partition = random.i32(0..PARTITIONS);
        let first = queued[&partition] + 1;
        let last = first + random.u64(0..40);
        queued.insert(partition, last);
        if let Err(ended) = session.append(partition, (first..=last).map(record).collect()).await {
            break ended;
        }
        let pause = Duration::from_millis(random.u64(0..5));
        match tokio::time::timeout(pause, session.acknowledged()).await {
            Err(_) => {}
            Ok(Err(ended)) => break ended,
            Ok(Ok(found)) => {
                for it in found {
                    let cursor = cursors.get_mut(&it.partition).unwrap();
                    *cursor += u64::try_from(it.records).unwrap();
                    world.acknowledged[&it.partition].fetch_max(*cursor, SeqCst);
                }
            }
        }
    };
    match failed.reason() {
        End::Renewal => Ok(()),
        End::Failed(Failure::PartitionRefused { api, partition, error }) => {
            Err(Failure::PartitionRefused { api, partition: *partition, error: *error })
        }
        End::Failed(Failure::UnexpectedOffset { partition, expected, actual }) => {
            Err(Failure::UnexpectedOffset { partition: *partition, expected: *expected, actual: *actual })
        }
        End::Failed(Failure::TimedOut { address, api, limit }) => {
            Err(Failure::TimedOut { address: address.clone(), api, limit: *limit })
        }
        End::Failed(Failure::Lost { address, reason }) => {
            Err(Failure::Lost { address: address.clone(), reason: Arc::clone(reason) })
        }
        End::Failed(failure) => panic!("{failure}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_repeated_or_out_of_order() {
    let seed = number("CMGATE_TEST_SEED", 1) as u64;
    let takeovers = number("CMGATE_TEST_TAKEOVERS", 40);
    let Some((verdict, endings)) = run(None, takeovers, true, seed).await else { return };
    assert!(verdict.is_clean(), "seed {seed}: {verdict:?}");
    assert!(endings.contains_key("InvalidProducerEpoch"), "no zombie appended: {endings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fence_the_same_run_finds_violations() {
    for seed in 1..=20 {
        let Some((verdict, _)) = run(Some(Unfenced::NoTransaction), 40, false, seed).await else { return };
        if !verdict.is_clean() {
            return;
        }
    }
    panic!("the test does not notice a missing fence");
}

/// The markers follow the answer to `EndTxn` within a millisecond or two, so this control takes long and runs on demand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn without_the_wait_for_markers_the_same_run_finds_violations() {
    for seed in 1..=20 {
        let Some((verdict, _)) = run(Some(Unfenced::NoWait), 200, false, seed).await else { return };
        if !verdict.is_clean() {
            return;
        }
    }
    panic!("the test does not notice that the markers are not awaited");
}
