//! The directory over a real SQLite file: callers with and without a database, and what is learned from them.

use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::domain::{
    DisplayName, KnownUser, LearnedUsers, PAGE_BYTES_MAX, Proof, Refusal, ShardCount, Sid, Upn, UserChanges, UserPage,
    UserQuery, UserSource, UserStatus, import_users,
};
use crate::store::{ChangeUsers, Sqlite, SqliteSettings, Topology};

/// A directory in a file of its own.
struct World {
    store: Arc<dyn Store>,
    directory: Directory,
    _file: TempDir,
}

struct Import(Vec<User>);

impl ChangeUsers for Import {
    fn keys(&self) -> Vec<UserKeys> {
        self.0.iter().map(UserKeys::of_user).collect()
    }

    fn decide(&self, stored: &[KnownUser]) -> Result<UserChanges, Refusal> {
        import_users(self.0.clone(), stored)
    }
}

impl World {
    async fn with(users: Vec<User>) -> Self {
        let file = tempfile::tempdir().unwrap();
        let topology = Topology { shards: ShardCount::new(1).unwrap(), partition_groups: 1 };
        let settings = SqliteSettings { path: file.path().join("cmgate.db"), topology };
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&settings).await.unwrap());
        let world = Self { directory: Directory::start(&store), store, _file: file };
        world.import(users).await;
        world
    }

    /// Imports as another process does.
    async fn import(&self, users: Vec<User>) {
        assert_eq!(self.store.change_users(&Import(users)).await.unwrap(), Ok(()));
    }

    /// The users learned, once there are so many.
    async fn learned(&self, count: usize) -> Vec<User> {
        loop {
            let page = UserPage { after: None, limit: 100, max_bytes: PAGE_BYTES_MAX };
            let found =
                self.store.find_users(&UserQuery::new("", Vec::new()), &LearnedUsers::All, &page).await.unwrap();
            let learned: Vec<User> =
                found.members.into_iter().filter(|user| user.source != UserSource::Imported).collect();
            if learned.len() >= count {
                return learned;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn sid(number: u32) -> Sid {
    Sid::parse(&format!("S-1-5-21-1-2-3-{number}")).unwrap()
}

fn user(number: u32, status: UserStatus) -> User {
    User {
        id: UserId::new(Uuid::from_u128(number.into())),
        source: UserSource::Imported,
        sid: Some(sid(number)),
        upn: None,
        name: DisplayName::parse("name", format!("user {number}")).unwrap(),
        groups: None,
        status,
    }
}

/// A caller whose proof an entry accepted, without a UUID.
fn caller(number: u32, entry: &str) -> Arc<Caller> {
    let user = UserId::of_subject(entry, &sid(number).to_string());
    let proof = Proof { method: ProofMethod::Kerberos, entry: Some(entry.into()), expires_at: None };
    Arc::new(Caller { sid: Some(sid(number)), proof, ..Caller::unproven(user, format!("user {number}")) })
}

#[tokio::test]
async fn callers_are_who_the_directory_says() {
    let world = World::with(vec![user(1, UserStatus::Active), user(2, UserStatus::Inactive)]).await;
    let admitted = world.directory.admit(caller(1, "negotiate")).await.unwrap();
    assert_eq!(admitted.user, user(1, UserStatus::Active).id);
    let refused = world.directory.admit(caller(2, "negotiate")).await.unwrap_err();
    assert!(matches!(refused, NotAdmitted::Inactive(id) if id == user(2, UserStatus::Active).id), "{refused:?}");
    let stranger = caller(3, "negotiate");
    assert_eq!(world.directory.admit(Arc::clone(&stranger)).await.unwrap(), stranger);
    // The development mode believes the caller, whatever the directory says.
    let unproven = Arc::new(Caller { proof: Proof::NONE, ..(*caller(2, "negotiate")).clone() });
    assert_eq!(world.directory.admit(Arc::clone(&unproven)).await.unwrap(), unproven);
}

#[tokio::test]
async fn a_change_counts_at_once_here_and_after_a_minute_elsewhere() {
    let world = World::with(vec![user(1, UserStatus::Active)]).await;
    let (alice, start) = (caller(1, "negotiate"), Instant::now());
    let admit = async |seconds| {
        let now = start + Duration::from_secs(seconds);
        world.directory.admit_at(Arc::clone(&alice), now).await.is_ok()
    };
    assert!(admit(0).await);
    world.import(vec![user(1, UserStatus::Inactive)]).await;
    assert!(admit(59).await, "another process has changed it");
    assert!(!admit(60).await);
    world.import(vec![user(1, UserStatus::Active)]).await;
    assert!(!admit(61).await);
    world.directory.forget();
    assert!(admit(61).await, "this process has changed it");
}

#[tokio::test]
async fn without_a_database_a_caller_is_who_it_was_or_nobody() {
    let world = World::with(vec![user(1, UserStatus::Active), user(2, UserStatus::Inactive)]).await;
    let start = Instant::now();
    let admit = async |number, seconds| {
        world.directory.admit_at(caller(number, "negotiate"), start + Duration::from_secs(seconds)).await
    };
    assert!(admit(1, 0).await.is_ok());
    assert!(admit(2, 0).await.is_err());
    world.store.close().await;
    for seconds in [0, 59, 60, 599] {
        let admitted = admit(1, seconds).await.unwrap();
        assert_eq!(admitted.user, user(1, UserStatus::Active).id, "{seconds}");
        assert!(matches!(admit(2, seconds).await, Err(NotAdmitted::Inactive(_))), "{seconds}");
    }
    for (number, seconds) in [(1, 600), (2, 600), (3, 0)] {
        let refused = admit(number, seconds).await;
        assert!(matches!(refused, Err(NotAdmitted::Failed(Error::Unavailable(_)))), "{number} {seconds}: {refused:?}");
    }
}

#[tokio::test]
async fn strangers_are_learned_by_entry_and_recognize_nobody() {
    let world = World::with(vec![user(1, UserStatus::Active)]).await;
    let nameless = Arc::new(Caller { sid: None, ..(*caller(4, "adfs")).clone() });
    let named = Arc::new(Caller { upn: Upn::parse("eve@corp.example"), ..(*nameless).clone() });
    for seen in [caller(1, "adfs"), caller(3, "adfs"), nameless, caller(3, "negotiate"), named] {
        let admitted = world.directory.admit(Arc::clone(&seen)).await.unwrap();
        assert_eq!(admitted.user == seen.user, seen.sid != Some(sid(1)), "{seen:?}");
    }
    let learned = world.learned(3).await;
    let shown = |user: &User| (user.source.entry().map(str::to_owned), user.id, user.sid.clone(), user.upn.clone());
    let expected = |entry: &str, number| (Some(entry.to_owned()), caller(number, entry).user, Some(sid(number)), None);
    let mut shown: Vec<_> = learned.iter().map(shown).collect();
    shown.sort();
    let eve = (Some("adfs".to_owned()), caller(4, "adfs").user, None, Upn::parse("eve@corp.example"));
    let mut expected = vec![expected("adfs", 3), eve, expected("negotiate", 3)];
    expected.sort();
    assert_eq!(shown, expected);

    // The callers of one entry do not become the user whom another one vouched for.
    world.directory.forget();
    for entry in ["adfs", "negotiate", "other"] {
        assert_eq!(world.directory.admit(caller(3, entry)).await.unwrap().user, caller(3, entry).user);
        let named = world.directory.find(UserName::Sid(sid(3)), Some(entry)).await.unwrap();
        assert_eq!(named.map(|user| user.id), (entry != "other").then(|| caller(3, entry).user), "{entry}");
    }
}
