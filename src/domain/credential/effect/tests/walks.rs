//! Random walks of several requests and imports over the same profiles and cards: what must hold after every step.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest::{option, prop_assert, prop_oneof, proptest};
use uuid::Uuid;

use crate::domain::fixtures::{ORIGINATOR, TARGET, TEMPLATE, card, command, creation, needing};
use crate::domain::{
    Action, Command, Comment, Credential, CredentialIds, CredentialStatus, Credentials, EventType, Item, Lineage,
    MAX_CHANGED_CREDENTIALS, ProfileId, Request, RequestId, RequestType, SmartcardId, TemplateRef, decide, import,
    import_lock_set, lock_set,
};

/// Few of each, so that the steps of a walk meet.
const PROFILES: u128 = 4;
const CARDS: u128 = 3;
const REQUESTS: u128 = 4;

#[derive(Clone, Debug)]
enum WalkStep {
    Take(Box<Command>),
    Import(Vec<Credential>),
}

#[derive(Default)]
struct World {
    requests: HashMap<RequestId, Request>,
    known: Credentials,
    seen: Vec<EventType>,
    imports: usize,
    most_changed: usize,
}

impl World {
    /// Takes a step; a refused one changes nothing.
    fn take(&mut self, step: &WalkStep) {
        match step {
            WalkStep::Take(command) => {
                let current = self.requests.get(&command.request);
                let known = lock_set(command, current).within(&self.known);
                if let Ok(Some(event)) = decide(command, current, &known) {
                    self.most_changed = self.most_changed.max(event.credentials.len());
                    event.credentials.into_iter().for_each(|credential| self.known.put(credential));
                    self.seen.push(event.event_type);
                    self.requests.insert(command.request, (*event.request).clone());
                }
            }
            WalkStep::Import(imported) => {
                if import(imported, &import_lock_set(imported).within(&self.known)).is_ok() {
                    // Another order than that of the check: only the outcome counts.
                    let after: HashMap<Uuid, &Credential> =
                        imported.iter().map(|credential| (credential.id(), credential)).collect();
                    for credential in after.into_values() {
                        self.known.put(credential.clone());
                    }
                    self.imports += 1;
                }
            }
        }
    }

    /// What is wrong with the profiles and cards.
    fn fault(&self) -> Option<String> {
        let mut held = HashMap::new();
        let mut in_use = HashMap::new();
        for credential in self.known.all() {
            if let Some(other) = credential.serial_number_in_use().and_then(|id| in_use.insert(id, credential.id())) {
                return Some(format!("{} and {other} have one serial number", credential.id()));
            }
            let Some(holder) = credential.valid_on() else { continue };
            if let Some(other) = held.insert(holder, credential.id()) {
                return Some(format!("{} and {other} are valid on one card", credential.id()));
            }
            match self.known.get(holder.uuid()) {
                Some(card) if card.status == CredentialStatus::Retired => {
                    return Some(format!("{} is {} on a retired card", credential.id(), credential.status.name()));
                }
                Some(card) if card.owner != credential.owner => {
                    return Some(format!("{} is on somebody else's card", credential.id()));
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 500, ..Default::default() })]

    #[test]
    fn a_valid_profile_is_never_on_a_retired_card(steps in vec(steps(), 0..40)) {
        let mut world = World::default();
        for (number, step) in steps.iter().enumerate() {
            world.take(step);
            prop_assert!(world.fault().is_none(), "step {number}: {:?}", world.fault());
        }
        prop_assert!(world.most_changed <= MAX_CHANGED_CREDENTIALS);
    }
}

/// Without this, walks whose steps are all refused would prove everything above.
#[test]
fn the_walks_come_to_what_they_are_about() {
    let mut runner = TestRunner::deterministic();
    let (mut completed, mut imports, mut retired, mut most_changed) = (0, 0, 0, 0);
    for _ in 0..500 {
        let mut world = World::default();
        vec(steps(), 30..40).new_tree(&mut runner).unwrap().current().iter().for_each(|step| world.take(step));
        completed += world.seen.iter().filter(|event| **event == EventType::Completed).count();
        imports += world.imports;
        retired += world.known.all().filter(|it| it.is_smartcard() && it.status == CredentialStatus::Retired).count();
        most_changed = most_changed.max(world.most_changed);
    }
    assert!(completed > 100 && imports > 100 && retired > 100, "{completed} {imports} {retired}");
    assert!(most_changed >= 3, "{most_changed}");
}

fn steps() -> impl Strategy<Value = WalkStep> {
    let take = |(request, action)| WalkStep::Take(Box::new(Command { request, ..command(TARGET, action) }));
    prop_oneof![
        1 => vec(credentials(), 1..4).prop_map(WalkStep::Import),
        4 => (requests(), creations()).prop_map(take),
        8 => (requests(), actions()).prop_map(take),
    ]
}

fn requests() -> impl Strategy<Value = RequestId> {
    (0..REQUESTS).prop_map(|id| RequestId::new(Uuid::from_u128(0x1000 + id)))
}

fn creations() -> impl Strategy<Value = Action> {
    let kinds = select(vec![
        RequestType::Enroll,
        RequestType::Renew,
        RequestType::Recover,
        RequestType::Disable,
        RequestType::Retire,
        RequestType::Duplicate,
        RequestType::SuspendOrReinstate,
    ]);
    (kinds, credential_ids()).prop_map(|(kind, old)| {
        let Action::Create(mut creation) = creation(needing(0), TARGET) else { unreachable!("it is a creation") };
        let (template, version) = creation.catalog.get(TEMPLATE).unwrap();
        let mut template = template.clone();
        let policy = template.policies.remove(&RequestType::Enroll).unwrap();
        template.policies.insert(kind, policy);
        creation.catalog = Arc::new([(template, version)].into_iter().collect());
        creation.draft.kind = kind;
        creation.draft.old = if kind == RequestType::Enroll { CredentialIds::NONE } else { old };
        Action::Create(creation)
    })
}

fn actions() -> impl Strategy<Value = Action> {
    let comment = Comment::default;
    prop_oneof![
        2 => (any::<u64>(), 0..3_u8).prop_map(move |(id, name)| {
            // The service gives a new id to each attempt.
            let id = SmartcardId::new(Uuid::from_u128(0x4000 << 64 | u128::from(id)));
            Action::BindSmartcard { card: card(&format!("card-{name}")), id, comment: comment() }
        }),
        2 => (cards(), select(CredentialStatus::ALL.to_vec())).prop_map(move |(smartcard, status)| {
            Action::ChangeSmartcard { smartcard, status, comment: comment() }
        }),
        4 => credential_ids().prop_map(move |new| Action::Complete { new, comment: comment() }),
        1 => Just(Action::Cancel { comment: comment() }),
    ]
}

fn credentials() -> impl Strategy<Value = Credential> {
    let owners = prop_oneof![4 => Just(TARGET), 1 => Just(ORIGINATOR)];
    let names = option::of((0..3_u8).prop_map(|name| card(&format!("card-{name}"))));
    let item = (any::<bool>(), credential_ids(), names).prop_filter_map("nothing", |(is_card, it, card)| {
        if is_card {
            Some(Item::Smartcard { id: it.smartcard?, profile: it.profile, card })
        } else {
            Some(Item::Profile { id: it.profile?, smartcard: it.smartcard })
        }
    });
    (item, owners, select(CredentialStatus::ALL.to_vec())).prop_map(|(item, owner, status)| Credential {
        item,
        owner,
        template: TemplateRef { id: TEMPLATE, version: 1 },
        status,
        lineage: Lineage::First,
        comment: Comment::default(),
    })
}

fn credential_ids() -> impl Strategy<Value = CredentialIds> {
    let profiles = (0..PROFILES).prop_map(|id| ProfileId::new(Uuid::from_u128(0x2000 + id)));
    (option::weighted(0.8, profiles), option::weighted(0.8, cards()))
        .prop_map(|(profile, smartcard)| CredentialIds { profile, smartcard })
}

fn cards() -> impl Strategy<Value = SmartcardId> {
    (0..CARDS).prop_map(|id| SmartcardId::new(Uuid::from_u128(0x3000 + id)))
}
