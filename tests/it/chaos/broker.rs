//! The broker is killed or stopped, or connections to it are cut or fall silent: in mid-transaction, or with the end of a
//! transaction on its way, so that the relay cannot know whether it was committed.

use std::time::{Duration, Instant};

use super::proxy::{Api, Deed, Sight};
use super::stage::{COMMIT_TIMEOUT, Stage, Wiring};
use super::{Kind, ROUNDS, play};
use crate::services::{control, signal};

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Kill -9, and a restart.
    Killed,
    /// Kill -9, and a restart after a minute.
    AwayForAMinute,
    /// Stopped for longer than a transaction may last.
    Stopped,
    /// Every connection is cut at any moment.
    Disconnected,
    /// Every connection falls silent: no answer and no end, as when a host or a network between is lost.
    Silent,
    /// A connection is cut at a message.
    Cut(Sight),
    /// Every connection is cut at a message.
    AllCut(Sight),
    /// The answer to a commit is lost, and the broker is away for longer than the relay waits.
    Unknown,
    /// A connection is cut, and the end of the transaction arrives when the relay has gone on (KAFKA-17754).
    StrayEnd,
}

/// Longer than a transaction may last on this stage, and than the session of the broker with its controller (see
/// `tests/services/server.properties`): its partitions lose their leader for a moment.
const BEYOND_A_TRANSACTION: Duration = Duration::from_millis(2_200);

const END_ASKED: Sight = Sight::Asked(Api::EndTxn);
const END_ANSWERED: Sight = Sight::Answered(Api::EndTxn);

const FAULTS: [Fault; 13] = [
    Fault::Killed,
    Fault::Cut(END_ANSWERED),
    Fault::StrayEnd,
    Fault::Cut(END_ASKED),
    Fault::Killed,
    Fault::AllCut(END_ANSWERED),
    Fault::Cut(Sight::Answered(Api::Produce)),
    Fault::Unknown,
    Fault::AllCut(Sight::Answered(Api::AddPartitionsToTxn)),
    Fault::Stopped,
    Fault::AllCut(Sight::Asked(Api::Produce)),
    Fault::Disconnected,
    Fault::Silent,
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_broker_or_its_connections_die() {
    let kind = Kind {
        name: "broker",
        wiring: Wiring::ProxiedKafka,
        stages: None,
        variants: &FAULTS,
        rare: Fault::AwayForAMinute,
        rounds: ROUNDS,
    };
    play(kind, async |stage, fault| {
        match fault {
            Fault::Killed => away(stage, Duration::ZERO).await,
            Fault::AwayForAMinute => away(stage, Duration::from_mins(1)).await,
            Fault::Stopped => {
                let broker = control("kafka", "pid");
                signal(&broker, "STOP");
                tokio::time::sleep(BEYOND_A_TRANSACTION).await;
                signal(&broker, "CONT");
            }
            Fault::Disconnected => stage.proxy().cut_all(),
            Fault::Silent => stage.proxy().fall_silent(),
            Fault::Cut(sight) => stage.proxy().set(sight, Deed::Cut).sprung().await,
            Fault::AllCut(sight) => stage.proxy().set(sight, Deed::CutAll).sprung().await,
            Fault::Unknown => {
                stage.proxy().set(END_ANSWERED, Deed::Cut).sprung().await;
                stage.proxy().refuse(true);
                tokio::time::sleep(COMMIT_TIMEOUT).await;
                stage.proxy().refuse(false);
            }
            Fault::StrayEnd => {
                let delay = stage.dice.up_to(Duration::from_secs(1));
                stage.proxy().set(END_ASKED, Deed::DeliverLate(delay)).sprung().await;
                tokio::time::sleep(delay).await;
            }
        }
        Instant::now()
    })
    .await;
}

/// Kills the broker and starts it again. Writes go on without it.
async fn away(stage: &mut Stage, time: Duration) {
    control("kafka", "kill");
    stage.progress().await;
    tokio::time::sleep(time).await;
    control("kafka", "start");
}
