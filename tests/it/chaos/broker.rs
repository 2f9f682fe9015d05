//! The broker is killed or stopped, or its connections are cut or hang: during a transaction, or while its commit is in flight,
//! so that the relay cannot know whether it was committed.

use std::time::{Duration, Instant};

use super::fleet::{COMMIT_TIMEOUT, Fleet, Wiring};
use super::proxy::{Api, FaultAction, ProxyEvent};
use super::{Kind, ROUNDS, play};
use crate::support::random;
use crate::support::servers::{control, signal};

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
    Cut(ProxyEvent),
    /// Every connection is cut at a message.
    AllCut(ProxyEvent),
    /// The answer to a commit is lost, and the broker is unreachable for longer than the relay waits.
    Unknown,
    /// A connection is cut, and the end of the transaction arrives after the relay has moved on (KAFKA-17754).
    StrayEnd,
}

/// Longer than a transaction may last on this fleet, and than the session of the broker with its controller (see
/// `tests/services/server.properties`): its partitions lose their leader for a moment.
const BEYOND_A_TRANSACTION: Duration = Duration::from_millis(2_200);

const END_ASKED: ProxyEvent = ProxyEvent::Asked(Api::EndTxn);
const END_ANSWERED: ProxyEvent = ProxyEvent::Answered(Api::EndTxn);

const FAULTS: [BrokerFault; 13] = [
    BrokerFault::Killed,
    BrokerFault::Cut(END_ANSWERED),
    BrokerFault::StrayEnd,
    BrokerFault::Cut(END_ASKED),
    BrokerFault::Killed,
    BrokerFault::AllCut(END_ANSWERED),
    BrokerFault::Cut(ProxyEvent::Answered(Api::Produce)),
    BrokerFault::Unknown,
    BrokerFault::AllCut(ProxyEvent::Answered(Api::AddPartitionsToTxn)),
    BrokerFault::Stopped,
    BrokerFault::AllCut(ProxyEvent::Asked(Api::Produce)),
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
            BrokerFault::Cut(event) => fleet.proxy().set(event, FaultAction::Cut).sprung().await,
            BrokerFault::AllCut(event) => fleet.proxy().set(event, FaultAction::CutAll).sprung().await,
            BrokerFault::Unknown => {
                fleet.proxy().set(END_ANSWERED, FaultAction::Cut).sprung().await;
                fleet.proxy().refuse(true);
                tokio::time::sleep(COMMIT_TIMEOUT).await;
                fleet.proxy().refuse(false);
            }
            BrokerFault::StrayEnd => {
                let delay = random::up_to(&mut fleet.rng, Duration::from_secs(1));
                fleet.proxy().set(END_ASKED, FaultAction::DeliverLate(delay)).sprung().await;
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
