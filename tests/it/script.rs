//! One script of creates, reads and transitions, run over gRPC and REST on both stores: the final state is the same everywhere
//! and on the topic.

mod play;
mod scenarios;
mod topic;

use cmgate::contract::v1::RequestStatus;

use self::play::{End, Player, Via};
pub(crate) use self::play::{read, status_number, take, without_ids_and_times};
pub(crate) use self::scenarios::{CARD, CARD_PROFILE, ScenarioAction, credential_ids, items};
use self::scenarios::{SCENARIOS, Scenario};
use crate::audit::{Acknowledged, read_topic};
use crate::support::client::{CARDS, DEV, Http};
use crate::support::database::TestDatabase;
use crate::support::env::TestEnv;
use crate::support::instance::Instance;
use crate::support::servers::kafka;

#[tokio::test(flavor = "multi_thread")]
async fn one_script_ends_in_equal_state_over_both_transports_on_both_stores() {
    let ends = [
        ("gRPC on Postgres", play_to_the_end(TestDatabase::postgres().await, Via::Grpc).await),
        ("REST on Postgres", play_to_the_end(TestDatabase::postgres().await, Via::Rest).await),
        ("gRPC on SQLite", play_to_the_end(TestDatabase::sqlite(), Via::Grpc).await),
        ("REST on SQLite", play_to_the_end(TestDatabase::sqlite(), Via::Rest).await),
    ];
    let [(_, first), others @ ..] = &ends;
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        for (variant, end) in others {
            assert_eq!(end[index], first[index], "{}: {variant} against gRPC on Postgres", scenario.name);
        }
    }
}

/// Plays the script over gRPC on an instance without requests.
pub(crate) async fn play(instance: &Instance) {
    Player::new(instance, Via::Grpc).play().await;
}

/// Plays the script on a new database and topic, lets the service drain, and audits the database and the topic.
async fn play_to_the_end(database: TestDatabase, via: Via) -> Vec<End> {
    let env = TestEnv::new(database);
    let mut instance = env.start();
    let mut player = Player::new(&instance, via);
    let ids = player.play().await;
    let requests = player.requests(&ids).await;
    let ends = player.ends(&ids).await;
    assert!(instance.terminate().success(), "{}", instance.log());

    let acknowledged: Vec<Acknowledged> = requests
        .iter()
        .flat_map(|request| (1..=request.version).map(|version| (request.id.parse().unwrap(), version)))
        .map(|(request, version)| Acknowledged { request, version })
        .collect();
    let events = SCENARIOS.iter().map(Scenario::events).sum::<usize>();
    assert_eq!(acknowledged.len(), events, "every step has its version");
    let report = env.audit(acknowledged).await;
    report.assert_clean_and_published();
    assert_eq!((report.requests, report.records), (SCENARIOS.len(), events), "{report}");

    let topic = env.topic.clone();
    let records = tokio::task::spawn_blocking(move || read_topic(&kafka(), &topic).unwrap()).await.unwrap();
    let last = topic::last_states(&records);
    for request in &requests {
        assert_eq!(last.get(&request.id), Some(request), "the last event of a request shows its current state");
    }
    ends
}

/// The second example has neither template nor target; the service takes both from the card.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_unblock_finds_template_and_target_by_its_card() {
    let env = TestEnv::sqlite();
    let instance = env.start();
    let documented = include_str!("../../src/mimcm/tests/golden/create-2.json");
    let id = Http::public(&instance).post(&[], documented).await.created();
    let read = play::read(&mut instance.client(), &id).await;
    assert_eq!((read.profile_template.as_str(), read.target.as_str()), (CARDS, DEV));
    assert_eq!(read.status(), RequestStatus::Approved);
    let old = read.old_credential.unwrap();
    assert_eq!(old.profile, "b99ff38c-6653-471f-ae3c-325bb351a6bc");
    assert_eq!(old.smartcard, "17cf063d-e337-4aa9-a822-346554ddd3c9");
}
