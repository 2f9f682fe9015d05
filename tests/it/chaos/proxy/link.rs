//! One connection through a proxy.

use std::future;
use std::time::Duration;

use tokio::io::{self, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::accepted::report_accepted;
use super::wire::{Conversation, Peer, read};
use super::{FaultAction, Shared, connect};

/// How a trap ended a direction.
enum Interruption {
    Cut,
    /// The message must reach the server after the client has disconnected.
    Late(Vec<u8>, Duration),
}

/// Forwards messages in both directions until either ends; a lost connection counts as ended.
pub(super) async fn run(client: TcpStream, shared: &Shared, silence: CancellationToken) {
    let Some(server) = connect(shared.server).await else { return };
    let conversation = Conversation::default();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let ended = tokio::select! {
        asked = pass(shared, &conversation, Peer::Client, &mut from_client, &mut to_server) => asked,
        answered = pass(shared, &conversation, Peer::Server, &mut from_server, &mut to_client) => answered,
        () = silence.cancelled() => return future::pending().await,
    };
    if let Ok(Interruption::Late(message, delay)) = ended {
        drop((from_client, to_client));
        tokio::time::sleep(delay).await;
        // The answer is discarded, but without waiting for it the server might never read the message.
        if to_server.write_all(&message).await.is_ok() {
            let _ = read(shared.protocol, true, &mut from_server).await;
        }
    }
}

async fn pass(
    shared: &Shared,
    conversation: &Conversation,
    from: Peer,
    source: &mut OwnedReadHalf,
    target: &mut OwnedWriteHalf,
) -> io::Result<Interruption> {
    // The first message of a client of Postgres says who it is, and has no type.
    let mut has_type = from == Peer::Server;
    loop {
        let message = read(shared.protocol, has_type, source).await?;
        has_type = true;
        match conversation.event(shared.protocol, from, &message).and_then(|event| shared.springs(event)) {
            None => {
                shared.wait_for_room(message.len()).await;
                target.write_all(&message).await?;
            }
            Some(FaultAction::Cut) => return Ok(Interruption::Cut),
            Some(FaultAction::CutAll) => {
                shared.cut_all();
                return Ok(Interruption::Cut);
            }
            Some(FaultAction::ReportAccepted) => target.write_all(&report_accepted(&message)).await?,
            Some(FaultAction::DeliverLate(delay)) => return Ok(Interruption::Late(message, delay)),
        }
    }
}
