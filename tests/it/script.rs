//! One script of creates, reads and transitions, played through gRPC and through REST on both stores: it ends in equal state
//! everywhere, and on the topic.

mod lives;
mod play;
mod topic;

use cmgate::contract::v1::RequestStatus;

pub(crate) use self::lives::{Action, CARD, CARD_PROFILE, credential, items};
use self::lives::{LIVES, Life};
use self::play::{End, Player, Via};
pub(crate) use self::play::{read, status_number, take, without_ids_and_times};
use crate::audit::{Acknowledged, audit, read_topic};
use crate::client::{CARDS, DEV, Http};
use crate::instance::{Instance, Place};
use crate::services::{Database, DatabaseFile, fresh_topic, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn one_script_ends_in_equal_state_over_both_transports_on_both_stores() {
    let (one, other) = (Database::create().await, Database::create().await);
    let (file, other_file) = (DatabaseFile::create(), DatabaseFile::create());
    let ends = [
        ("gRPC on Postgres", play_to_the_end(one.url().to_owned(), Via::Grpc).await),
        ("REST on Postgres", play_to_the_end(other.url().to_owned(), Via::Rest).await),
        ("gRPC on SQLite", play_to_the_end(file.url(), Via::Grpc).await),
        ("REST on SQLite", play_to_the_end(other_file.url(), Via::Rest).await),
    ];
    let [(_, first), others @ ..] = &ends;
    for (index, life) in LIVES.iter().enumerate() {
        for (place, end) in others {
            assert_eq!(end[index], first[index], "{}: {place} against gRPC on Postgres", life.name);
        }
    }
}

/// Plays the script over a fresh database and topic, lets the service drain, and has the database and the topic judged.
async fn play_to_the_end(database: String, via: Via) -> Vec<End> {
    let place = Place { database, topic: fresh_topic() };
    let mut instance = Instance::start(&place);
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
    let events = LIVES.iter().map(Life::events).sum::<usize>();
    assert_eq!(acknowledged.len(), events, "every step has its version");
    let report = audit(&place.database, &kafka(), &place.topic, acknowledged).await.unwrap();
    report.assert_clean_and_published();
    assert_eq!((report.requests, report.records), (LIVES.len(), events), "{report}");

    let topic = place.topic.clone();
    let records = tokio::task::spawn_blocking(move || read_topic(&kafka(), &topic).unwrap()).await.unwrap();
    let told = topic::last_told(&records);
    for request in &requests {
        assert_eq!(told.get(&request.id), Some(request), "the last event of a request shows it as it is read");
    }
    ends
}

/// The second example names neither template nor target; both are those of the card that the service knows.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_unblock_finds_template_and_target_by_its_card() {
    let file = DatabaseFile::create();
    let place = Place { database: file.url(), topic: fresh_topic() };
    let instance = Instance::start(&place);
    let documented = include_str!("../../src/mimcm/tests/golden/create-2.json");
    let id = Http::public(&instance).post(&[], documented).await.created();
    let read = play::read(&mut instance.client(), &id).await;
    assert_eq!((read.profile_template.as_str(), read.target.as_str()), (CARDS, DEV));
    assert_eq!(read.status(), RequestStatus::Approved);
    let old = read.old_credential.unwrap();
    assert_eq!(old.profile, "b99ff38c-6653-471f-ae3c-325bb351a6bc");
    assert_eq!(old.smartcard, "17cf063d-e337-4aa9-a822-346554ddd3c9");
}
