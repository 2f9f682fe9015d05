//! The broker is killed or stopped, or its connections are cut or hang: during a transaction, or while its commit is in flight,
//! so that the relay cannot know whether it was committed.

use std::time::{Duration, Instant};

use cmgate::store::Publishing;

use super::fleet::{COMMIT_TIMEOUT, Fleet, Wiring};
use super::proxy::{Api, FaultAction, ProxyEvent};
use super::{Kind, ROUNDS, play, play_in};
use crate::support::random;
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
    fn event(self, publishing: Publishing) -> ProxyEvent {
        // What makes a batch visible: the end of its transaction, or under a fence the batch itself.
        let end = match publishing {
            Publishing::Transactions => Api::EndTxn,
            Publishing::Fenced => Api::Produce,
        };
        match (self, publishing) {
            (Self::EndAsked, _) => ProxyEvent::Asked(end),
            (Self::EndAnswered, _) => ProxyEvent::Answered(end),
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
    /// A connection is cut at a message of a fence.
    FenceCut(ProxyEvent),
    /// The answer to a commit is lost, and the broker is unreachable for longer than the relay waits.
    Unknown,
    /// A connection is cut, and the end of the transaction (KAFKA-17754), or the batch, arrives after the relay has moved on.
    StrayEnd,
}

/// Longer than a transaction may last on this fleet, and than the session of the broker with its controller (see
/// `tests/services/server.properties`): its partitions lose their leader for a moment.
const BEYOND_A_TRANSACTION: Duration = Duration::from_millis(2_200);

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

/// Those of the ordinary suite for a fenced publisher.
const FENCED_FAULTS: [BrokerFault; 3] =
    [BrokerFault::Killed, BrokerFault::StrayEnd, BrokerFault::AllCut(Moment::RecordsAnswered)];

/// Each message of a fence: before it reaches the broker, and before its answer reaches the relay.
const FENCE_FAULTS: [BrokerFault; 6] = [
    BrokerFault::FenceCut(ProxyEvent::Answered(Api::InitProducerId)),
    BrokerFault::FenceCut(ProxyEvent::Answered(Api::EndTxn)),
    BrokerFault::FenceCut(ProxyEvent::Asked(Api::AddPartitionsToTxn)),
    BrokerFault::FenceCut(ProxyEvent::Answered(Api::AddPartitionsToTxn)),
    BrokerFault::FenceCut(ProxyEvent::Asked(Api::EndTxn)),
    BrokerFault::FenceCut(ProxyEvent::Asked(Api::InitProducerId)),
];

const KIND: Kind<'static, BrokerFault> = Kind {
    name: "broker",
    wiring: Wiring::ProxiedKafka,
    fleets: None,
    variants: &FAULTS,
    rare: BrokerFault::AwayForAMinute,
    rounds: ROUNDS,
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_or_its_connections_die() {
    play(KIND, inject).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_publisher_loses_nothing_when_the_broker_or_its_connections_die() {
    play_in(Publishing::Fenced, Kind { name: "broker_fenced", variants: &FENCED_FAULTS, ..KIND }, inject).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_connection_is_cut_at_any_message_of_a_fence() {
    let kind = Kind { name: "fence_cut", variants: &FENCE_FAULTS, rare: BrokerFault::Killed, rounds: 2, ..KIND };
    play_in(Publishing::Fenced, kind, inject).await;
}

async fn inject(fleet: &mut Fleet, fault: BrokerFault) -> Instant {
    let event = |moment: Moment| moment.event(fleet.env.publishing);
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
        BrokerFault::Cut(moment) => fleet.proxy().set(event(moment), FaultAction::Cut).sprung().await,
        BrokerFault::AllCut(moment) => fleet.proxy().set(event(moment), FaultAction::CutAll).sprung().await,
        BrokerFault::FenceCut(event) => {
            let trap = fleet.proxy().set(event, FaultAction::Cut);
            // Every session ends, and the next one fences.
            fleet.proxy().cut_all();
            trap.sprung().await;
        }
        BrokerFault::Unknown => {
            fleet.proxy().set(event(Moment::EndAnswered), FaultAction::Cut).sprung().await;
            fleet.proxy().refuse(true);
            tokio::time::sleep(COMMIT_TIMEOUT).await;
            fleet.proxy().refuse(false);
        }
        BrokerFault::StrayEnd => {
            let event = event(Moment::EndAsked);
            let delay = random::up_to(&mut fleet.rng, Duration::from_secs(1));
            fleet.proxy().set(event, FaultAction::DeliverLate(delay)).sprung().await;
            tokio::time::sleep(delay).await;
        }
    }
    Instant::now()
}

/// Kills the broker and restarts it. Writes continue without it.
async fn away(fleet: &mut Fleet, time: Duration) {
    control("kafka", "kill");
    fleet.progress().await;
    tokio::time::sleep(time).await;
    control("kafka", "start");
}
