//! The broker is killed or stopped, or its connections are cut or hang: during a transaction, or while its commit is in flight,
//! so that the relay cannot know whether it was committed.

use std::time::{Duration, Instant};

use cmgate::store::Publishing;

use super::fleet::{COMMIT_TIMEOUT, Fleet, Wiring};
use super::proxy::{Api, FaultAction, ProxyEvent};
use super::{Kind, ROUNDS, play};
use crate::support::random;
use crate::support::relay::publishing;
use crate::support::servers::{control, signal};

/// When a connection is cut.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before the end of a batch is asked for.
    EndAsked,
    /// Before the answer to that.
    EndAnswered,
    /// Before records are sent.
    RecordsAsked,
    /// Before they are acknowledged.
    RecordsAnswered,
    /// Before the answer that begins a transaction; under a fence, before records are acknowledged.
    BeginAnswered,
}

impl Moment {
    fn event(self) -> ProxyEvent {
        match (self, publishing()) {
            (Self::EndAsked, _) => ProxyEvent::Asked(end()),
            (Self::EndAnswered, _) => ProxyEvent::Answered(end()),
            (Self::RecordsAsked, _) => ProxyEvent::Asked(Api::Produce),
            (Self::RecordsAnswered, _) | (Self::BeginAnswered, Publishing::Fenced) => {
                ProxyEvent::Answered(Api::Produce)
            }
            (Self::BeginAnswered, Publishing::Transactions) => ProxyEvent::Answered(Api::AddPartitionsToTxn),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum BrokerFault {
    /// Kill -9, and a restart.
    Killed,
    /// Kill -9, and a restart after a minute.
    AwayForAMinute,
    /// Stopped for longer than a transaction may last.
    Stopped,
    /// Every connection is cut at any moment.
    Disconnected,
    /// Every connection stalls without closing, as when a host or a network is lost.
    Silent,
    /// A connection is cut at a message.
    Cut(Moment),
    /// Every connection is cut at a message.
    AllCut(Moment),
    /// The answer to a commit is lost, and the broker is unreachable for longer than the relay waits.
    Unknown,
    /// A connection is cut, and the end of the transaction (KAFKA-17754), or the batch, arrives after the relay has moved on.
    StrayEnd,
}

/// Longer than a transaction may last on this fleet, and than the session of the broker with its controller (see
/// `tests/services/server.properties`): its partitions lose their leader for a moment.
const BEYOND_A_TRANSACTION: Duration = Duration::from_millis(2_200);

/// The request that makes a batch visible: the end of its transaction, or under a fence the batch itself.
fn end() -> Api {
    match publishing() {
        Publishing::Transactions => Api::EndTxn,
        Publishing::Fenced => Api::Produce,
    }
}

const FAULTS: [BrokerFault; 13] = [
    BrokerFault::Killed,
    BrokerFault::Cut(Moment::EndAnswered),
    BrokerFault::StrayEnd,
    BrokerFault::Cut(Moment::EndAsked),
    BrokerFault::Killed,
    BrokerFault::AllCut(Moment::EndAnswered),
    BrokerFault::Cut(Moment::RecordsAnswered),
    BrokerFault::Unknown,
    BrokerFault::AllCut(Moment::BeginAnswered),
    BrokerFault::Stopped,
    BrokerFault::AllCut(Moment::RecordsAsked),
    BrokerFault::Disconnected,
    BrokerFault::Silent,
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_or_its_connections_die() {
    let kind = Kind {
        name: "broker",
        wiring: Wiring::ProxiedKafka,
        fleets: None,
        variants: &FAULTS,
        rare: BrokerFault::AwayForAMinute,
        rounds: ROUNDS,
    };
    play(kind, async |fleet, fault| {
        match fault {
            BrokerFault::Killed => away(fleet, Duration::ZERO).await,
            BrokerFault::AwayForAMinute => away(fleet, Duration::from_mins(1)).await,
            BrokerFault::Stopped => {
                let broker = control("kafka", "pid");
                signal(&broker, "STOP");
                tokio::time::sleep(BEYOND_A_TRANSACTION).await;
                signal(&broker, "CONT");
            }
            BrokerFault::Disconnected => fleet.proxy().cut_all(),
            BrokerFault::Silent => fleet.proxy().fall_silent(),
            BrokerFault::Cut(moment) => fleet.proxy().set(moment.event(), FaultAction::Cut).sprung().await,
            BrokerFault::AllCut(moment) => fleet.proxy().set(moment.event(), FaultAction::CutAll).sprung().await,
            BrokerFault::Unknown => {
                fleet.proxy().set(Moment::EndAnswered.event(), FaultAction::Cut).sprung().await;
                fleet.proxy().refuse(true);
                tokio::time::sleep(COMMIT_TIMEOUT).await;
                fleet.proxy().refuse(false);
            }
            BrokerFault::StrayEnd => {
                let delay = random::up_to(&mut fleet.rng, Duration::from_secs(1));
                fleet.proxy().set(Moment::EndAsked.event(), FaultAction::DeliverLate(delay)).sprung().await;
                tokio::time::sleep(delay).await;
            }
        }
        Instant::now()
    })
    .await;
}

/// Kills the broker and restarts it. Writes continue without it.
async fn away(fleet: &mut Fleet, time: Duration) {
    control("kafka", "kill");
    fleet.progress().await;
    tokio::time::sleep(time).await;
    control("kafka", "start");
}
