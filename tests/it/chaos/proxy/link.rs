//! One connection through a proxy.

use std::future;
use std::time::Duration;

use tokio::io::{self, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::wire::{Conversation, From, read};
use super::{Deed, Shared, connect};

/// What the trap asks for that ended a direction.
enum Ended {
    Cut,
    /// A message is to reach the server when the client is gone.
    Late(Vec<u8>, Duration),
}

/// Passes messages in both directions until either ends. A connection that is lost is one that ends.
pub(super) async fn run(client: TcpStream, shared: &Shared, silence: CancellationToken) {
    let Some(server) = connect(shared.server).await else { return };
    let conversation = Conversation::default();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let ended = tokio::select! {
        asked = pass(shared, &conversation, From::Client, &mut from_client, &mut to_server) => asked,
        answered = pass(shared, &conversation, From::Server, &mut from_server, &mut to_client) => answered,
        () = silence.cancelled() => return future::pending().await,
    };
    if let Ok(Ended::Late(message, delay)) = ended {
        drop((from_client, to_client));
        tokio::time::sleep(delay).await;
        // Nobody hears the answer; but if it were not waited for, the server might never read the message.
        if to_server.write_all(&message).await.is_ok() {
            let _ = read(shared.protocol, true, &mut from_server).await;
        }
    }
}

async fn pass(
    shared: &Shared,
    conversation: &Conversation,
    from: From,
    source: &mut OwnedReadHalf,
    target: &mut OwnedWriteHalf,
) -> io::Result<Ended> {
    // The first message of a client of Postgres says who it is, and has no type.
    let mut has_type = from == From::Server;
    loop {
        let message = read(shared.protocol, has_type, source).await?;
        has_type = true;
        match conversation.sight(shared.protocol, from, &message).and_then(|sight| shared.springs(sight)) {
            None => {
                shared.wait_for_room(message.len()).await;
                target.write_all(&message).await?;
            }
            Some(Deed::Cut) => return Ok(Ended::Cut),
            Some(Deed::CutAll) => {
                shared.cut_all();
                return Ok(Ended::Cut);
            }
            Some(Deed::DeliverLate(delay)) => return Ok(Ended::Late(message, delay)),
        }
    }
}
