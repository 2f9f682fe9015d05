//! The store alone: creates by tasks of one process, without transports or relay.

use super::creates::{PGBENCH_CLIENTS, prepared};
use crate::core::Core;
use crate::load::callers;
use crate::pgbench::Pgbench;
use crate::settings::Settings;
use crate::table::{Table, Turns};

/// Concurrent tasks, each with its goal.
const TASKS: [(usize, &str); 2] = [(256, ">= 5"), (1_024, ">= 6")];

pub(super) async fn measure(settings: &Settings, table: &mut Table) {
    let env = prepared().await;
    let pgbench = Pgbench::creates(&env).await;
    let mut turns = TASKS.map(|_| Turns::default());
    for _ in 0..settings.rounds {
        let yardstick = pgbench.run(PGBENCH_CLIENTS, settings.duration).await;
        for ((tasks, _), turns) in TASKS.iter().zip(&mut turns) {
            let core = Core::open(&env).await;
            let call = |core: Core| async {
                core.create().await;
                core
            };
            let measured = callers(*tasks, settings.duration, |_| core.clone(), call, || ()).await;
            turns.add(measured.rate, yardstick.rate);
        }
    }
    env.drop_database().await;
    for ((tasks, goal), turns) in TASKS.into_iter().zip(&turns) {
        table.compare(&format!("store alone, {tasks} tasks"), "/s", turns, "pgbench, 64 clients", goal);
    }
}
