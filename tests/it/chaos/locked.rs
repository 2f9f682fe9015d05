//! Another client holds row locks, like an operator with an open transaction. Calls that need the rows fail and can be retried
//! later; everything else continues and is published.

use std::time::Instant;

use cmgate::contract::v1::credential_service_client::CredentialServiceClient;
use cmgate::contract::v1::{
    Credential, CredentialLineage, CredentialStatus, ImportCredentialsRequest, Smartcard, credential,
};
use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use tonic::{Code, Status};

use super::fleet::{Fleet, INSTANCES, Wiring};
use super::{Kind, ROUNDS, play};
use crate::support::client::{CARDS, DEV, PAVLE, info, sent_by};

#[derive(Clone, Copy, Debug)]
enum Rows {
    /// Cards that imports wait for; there are more imports than connections for them.
    Cards,
    /// The newest requests, which clients are about to change.
    Requests,
}

/// Imports of the same card at once, in each instance.
const IMPORTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn locked_rows_delay_only_the_calls_that_need_them() {
    let kind = Kind {
        name: "locked_rows",
        wiring: Wiring::Direct,
        fleets: Some(1),
        variants: &[Rows::Cards, Rows::Requests],
        rare: Rows::Requests,
        rounds: ROUNDS,
    };
    play(kind, async |fleet, rows| {
        match rows {
            Rows::Cards => lock_cards(fleet).await,
            Rows::Requests => lock_requests(fleet).await,
        }
        Instant::now()
    })
    .await;
}

async fn lock_cards(fleet: &mut Fleet) {
    import(fleet, 0).await.unwrap();
    let mut stranger = PgConnection::connect(fleet.env.database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    sqlx::query("SELECT FROM credential FOR UPDATE").execute(&mut *tx).await.unwrap();
    let imports = join_all((0..INSTANCES * IMPORTS).map(|number| import(fleet, number % INSTANCES)));
    let goes_on = async {
        fleet.progress().await;
        fleet.wait_until_published().await;
    };
    let (outcomes, ()) = tokio::join!(imports, goes_on);
    let refused: Vec<Status> = outcomes.into_iter().map(Result::unwrap_err).collect();
    // On a busy machine, some callers may have timed out first.
    let is_expected = |status: &Status| matches!(status.code(), Code::Unavailable | Code::Cancelled);
    assert!(refused.iter().all(is_expected), "{refused:?}");
    let is_busy = |status: &Status| status.code() == Code::Unavailable && info(status).reason == "DATABASE_BUSY";
    assert!(refused.iter().any(is_busy), "no import was refused as busy: {refused:?}");
    fleet.progress().await;
    fleet.wait_until_published().await;
    tx.rollback().await.unwrap();
    import(fleet, 0).await.unwrap();
}

async fn lock_requests(fleet: &mut Fleet) {
    let mut stranger = PgConnection::connect(fleet.env.database.url()).await.unwrap();
    let mut tx = stranger.begin().await.unwrap();
    let sql = "SELECT FROM request ORDER BY submitted_at DESC LIMIT 6 FOR UPDATE";
    sqlx::query(sql).execute(&mut *tx).await.unwrap();
    fleet.load().wait_for_failure().await;
    fleet.wait_until_published().await;
    tx.rollback().await.unwrap();
}

async fn import(fleet: &Fleet, instance: usize) -> Result<(), Status> {
    let card = Smartcard { id: "00000000-0000-0000-0000-0000000ca001".to_owned(), ..Smartcard::default() };
    let card = Credential {
        item: Some(credential::Item::Smartcard(card)),
        owner: PAVLE.to_owned(),
        profile_template: CARDS.to_owned(),
        profile_template_version: 1,
        status: CredentialStatus::Active.into(),
        lineage: CredentialLineage::First.into(),
        ..Credential::default()
    };
    let mut client = CredentialServiceClient::new(fleet.instances[instance].channel());
    let call = sent_by(DEV, ImportCredentialsRequest { credentials: vec![card] });
    client.import_credentials(call).await.map(|_| ())
}
