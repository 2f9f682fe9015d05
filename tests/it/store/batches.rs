//! Random batches and imports over few profiles and cards: a batch has the effect of its members one by one, and an import has
//! the outcome that the domain computes, whatever the order of its members.

use std::collections::HashMap;

use cmgate::domain::{
    Action, Atr, Command, Comment, Credential, CredentialIds, CredentialStatus, Credentials, Item, Lineage,
    PhysicalCard, ProfileId, Refusal, Request, RequestId, RequestType, SerialNumber, SmartcardId, TemplateRef, import,
    import_lock_set,
};
use cmgate::service::{Reply, commit, import_credentials};
use cmgate::store::{LoggedEvent, Store};
use fastrand::Rng;
use uuid::Uuid;

use super::steps::whole_log;
use crate::support::commands::{TARGET, TEMPLATE, at, bind, cancel, command, complete, creation, request, under_key};
use crate::support::database::TestDatabase;
use crate::support::random;

const ROUNDS: usize = 12;

/// The replies of a store and its state after them.
#[derive(Debug, PartialEq)]
struct Outcome {
    replies: Vec<Result<(Request, bool), Refusal>>,
    credentials: Vec<Credential>,
    log: Vec<LoggedEvent>,
}

pub(super) async fn any_batch_does_what_its_members_do_one_by_one(database: &TestDatabase) {
    let singly = database.another().await;
    let seed = random::seed();
    let mut effects = 0;
    for round in 0..ROUNDS {
        let mut rng = random::rng(seed, round as u64);
        // Each round has its own ids, so that rounds are independent.
        let base = u128::from(round as u64 + 1) << 64;
        let (batch_store, single_store) = (database.open().await, singly.open().await);
        let credentials: Vec<Credential> = (0..6).map(|_| credential(&mut rng, base)).collect();
        let imported = import_credentials(&*batch_store, &credentials, at(0)).await.unwrap();
        assert_eq!(import_credentials(&*single_store, &credentials, at(0)).await.unwrap(), imported, "seed {seed}");
        let (mut together, mut apart) = (Vec::new(), Vec::new());
        for number in 0..10 {
            let batch = batch(&mut rng, base, number);
            together.extend(commit(&*batch_store, &batch).await.unwrap());
            for command in batch {
                apart.extend(commit(&*single_store, &[command]).await.unwrap());
            }
        }
        let together = outcome(&*batch_store, together, base).await;
        let apart = outcome(&*single_store, apart, base).await;
        assert_eq!(together.replies, apart.replies, "seed {seed}, round {round}");
        assert_eq!(together.credentials, apart.credentials, "seed {seed}, round {round}");
        assert_eq!(together.log, apart.log, "seed {seed}, round {round}");
        effects += together.replies.iter().filter(|reply| reply.is_ok()).count();
    }
    // In a single round nearly every command may be refused.
    assert!(effects > 5 * ROUNDS, "seed {seed}: {effects} commands took effect");
}

pub(super) async fn any_import_has_the_outcome_that_the_domain_computes(database: &TestDatabase) {
    let store = database.open().await;
    let seed = random::seed();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let mut rng = random::rng(seed, round as u64);
        let base = u128::from(round as u64 + 1) << 64;
        let mut model: HashMap<Uuid, Credential> = HashMap::new();
        for step in 0..20 {
            let count = 1 + rng.usize(..6);
            let credentials: Vec<Credential> = (0..count).map(|_| credential(&mut rng, base)).collect();
            let known: Credentials = model.values().cloned().collect();
            let expected = import(&credentials, &import_lock_set(&credentials).within(&known)).map(|_| ());
            if expected.is_ok() {
                model.extend(credentials.iter().map(|credential| (credential.id(), credential.clone())));
            }
            *if expected.is_ok() { &mut taken } else { &mut refused } += 1;
            assert_eq!(
                import_credentials(&*store, &credentials, at(0)).await.unwrap(),
                expected,
                "seed {seed}, {round}.{step}: {credentials:?}"
            );
        }
        let mut expected: Vec<Credential> = model.into_values().collect();
        expected.sort_by_key(Credential::id);
        assert_eq!(credentials(&*store, base).await, expected, "seed {seed}, round {round}");
    }
    assert!(taken > 20 && refused > 20, "seed {seed}: {taken} taken, {refused} refused");
}

/// In whatever order the rows are written, the unique index on serial numbers sees no conflict with a card that releases its own.
pub(super) async fn cards_exchange_their_serial_numbers_in_one_import(database: &TestDatabase) {
    let store = database.open().await;
    let ids = [Uuid::nil(), Uuid::from_u128(u128::MAX / 2), Uuid::max()];
    let card = |id: Uuid, name: &str| Credential {
        item: Item::Smartcard { id: SmartcardId::new(id), profile: None, card: Some(named(name)) },
        ..blank(CredentialStatus::Active)
    };
    let credentials = |names: [&str; 3]| [0, 1, 2].map(|place| card(ids[place], names[place]));
    assert_eq!(import_credentials(&*store, &credentials(["X", "Y", "Z"]), at(0)).await.unwrap(), Ok(()));
    for names in [["Y", "X", "Z"], ["Z", "Y", "X"], ["Y", "Z", "X"], ["X", "new", "Z"], ["new", "X", "Z"]] {
        let [first, second, third] = credentials(names);
        for order in [[&first, &second, &third], [&third, &first, &second], [&third, &second, &first]] {
            let credentials = order.map(Clone::clone);
            assert_eq!(import_credentials(&*store, &credentials, at(0)).await.unwrap(), Ok(()), "{names:?}");
        }
        let mut known = store.credentials(&ids).await.unwrap();
        known.sort_by_key(Credential::id);
        assert_eq!(known, credentials(names));
    }
    let refused = import_credentials(&*store, &[card(ids[0], "Z")], at(0)).await.unwrap();
    assert_eq!(refused, Err(Refusal::CardInUse(named("Z").serial_number)));

    // A card that is retired releases its serial number within the same import, whatever its place in the list.
    let retired = Credential { status: CredentialStatus::Retired, ..card(ids[2], "Z") };
    assert_eq!(import_credentials(&*store, &[card(ids[0], "Z"), retired], at(1)).await.unwrap(), Ok(()));
    let in_use = store.card(&named("Z").serial_number).await.unwrap().unwrap();
    assert_eq!(in_use.id(), ids[0]);
}

/// Commands about different requests, each at most once in a batch, over the same few cards.
fn batch(rng: &mut Rng, base: u128, number: u128) -> Vec<Command> {
    let mut batch = Vec::new();
    let request_id = |batch: u128, slot: u128| RequestId::new(Uuid::from_u128(base + 0x1000 + (batch << 4) + slot));
    for slot in 0..6 {
        // A request of a recent batch, at most once; it may not exist.
        let id = request_id(number.saturating_sub(1 + rng.usize(..3) as u128), slot);
        let command = match rng.usize(..8) {
            0..3 => {
                let mut new = request(0);
                new.id = request_id(number, slot);
                let kinds = [RequestType::Enroll, RequestType::Renew, RequestType::Retire, RequestType::Disable];
                new.kind = *rng.choice(&kinds).unwrap();
                new.old = if new.kind == RequestType::Enroll { CredentialIds::NONE } else { credential_ids(rng, base) };
                creation(Request { originator: TARGET, ..new })
            }
            3 => {
                let Action::BindSmartcard { card, comment, .. } = bind(&format!("card-{base}-{}", rng.usize(..3)))
                else {
                    panic!("it binds a card");
                };
                let id_of_card = SmartcardId::new(Uuid::from_u128(base + 0x4000 + (number << 8) + slot));
                command(TARGET, id, Action::BindSmartcard { card, id: id_of_card, comment })
            }
            4 => {
                let smartcard = SmartcardId::new(Uuid::from_u128(base + 0x3000 + rng.usize(..3) as u128));
                let status = *rng.choice(&CredentialStatus::ALL).unwrap();
                command(TARGET, id, Action::ChangeSmartcard { smartcard, status, comment: Comment::default() })
            }
            5 | 6 => command(TARGET, id, complete(credential_ids(rng, base))),
            _ => command(TARGET, id, cancel()),
        };
        let key = format!("{base}-{number}-{slot}");
        batch.push(if rng.bool() { under_key(&key, 1, command) } else { command });
    }
    batch
}

fn credential(rng: &mut Rng, base: u128) -> Credential {
    let CredentialIds { profile, smartcard } = credential_ids(rng, base);
    let card = rng.bool().then(|| named(&format!("card-{base}-{}", rng.usize(..3))));
    let item = match (profile, smartcard) {
        (Some(id), smartcard) if smartcard.is_none() || rng.bool() => Item::Profile { id, smartcard },
        (profile, Some(id)) => Item::Smartcard { id, profile, card },
        _ => Item::Profile { id: ProfileId::new(Uuid::from_u128(base + 0x2000)), smartcard: None },
    };
    // Most are active; otherwise almost every import would be refused for reviving a retired credential.
    let status =
        if rng.usize(..4) == 0 { *rng.choice(&CredentialStatus::ALL).unwrap() } else { CredentialStatus::Active };
    Credential { item, ..blank(status) }
}

fn blank(status: CredentialStatus) -> Credential {
    Credential {
        item: Item::Profile { id: ProfileId::new(Uuid::nil()), smartcard: None },
        owner: TARGET,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status,
        lineage: Lineage::First,
        comment: Comment::default(),
    }
}

fn named(name: &str) -> PhysicalCard {
    PhysicalCard { serial_number: SerialNumber::parse("serial_number", name).unwrap(), atr: Atr::default() }
}

fn credential_ids(rng: &mut Rng, base: u128) -> CredentialIds {
    let profile = ProfileId::new(Uuid::from_u128(base + 0x2000 + rng.usize(..4) as u128));
    let smartcard = SmartcardId::new(Uuid::from_u128(base + 0x3000 + rng.usize(..3) as u128));
    match rng.usize(..5) {
        0 => CredentialIds { profile: Some(profile), smartcard: None },
        1 => CredentialIds { profile: None, smartcard: Some(smartcard) },
        _ => CredentialIds { profile: Some(profile), smartcard: Some(smartcard) },
    }
}

async fn outcome(store: &dyn Store, replies: Vec<Reply>, base: u128) -> Outcome {
    let seen = |reply: Reply| reply.map(|applied| ((*applied.request).clone(), applied.logged.is_some()));
    let mut log: Vec<LoggedEvent> = whole_log(store).await;
    // Events of different requests may get other positions in a batch than one by one.
    let mut next = HashMap::new();
    log.sort_by_key(|event| (event.request, event.version));
    for event in &mut log {
        let position = next.entry(event.shard).or_insert(cmgate::domain::Position::START);
        event.position = *position;
        *position = position.plus(1);
    }
    Outcome { replies: replies.into_iter().map(seen).collect(), credentials: credentials(store, base).await, log }
}

/// All stored profiles and cards of a round.
async fn credentials(store: &dyn Store, base: u128) -> Vec<Credential> {
    let ids = [(0x2000, 4), (0x3000, 3), (0x4000, 0xb00)].into_iter();
    let ids: Vec<Uuid> =
        ids.flat_map(|(from, count)| (0..count).map(move |n| Uuid::from_u128(base + from + n))).collect();
    let mut known = store.credentials(&ids).await.unwrap();
    known.sort_by_key(Credential::id);
    known
}
