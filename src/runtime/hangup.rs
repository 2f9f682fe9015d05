//! SIGHUP asks the process to read its files again. It never ends the process, even if there is nothing to read.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Notices of SIGHUP. Each clone notices every signal that arrives after it was made; signals in quick succession count as one.
#[derive(Clone, Debug)]
pub struct Hangups(watch::Receiver<()>);

impl Hangups {
    /// Listens for SIGHUP from now on, in a task.
    ///
    /// # Errors
    /// The operating system refuses the signal handler.
    pub fn listen() -> io::Result<Self> {
        let mut signals = signal(SignalKind::hangup())?;
        let (sender, receiver) = watch::channel(());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                tracing::info!("SIGHUP: reading files again");
                // Without receivers there is nothing to read.
                let _ = sender.send(());
            }
        });
        Ok(Self(receiver))
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The task ended with the runtime.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Hangups;

    #[tokio::test]
    async fn every_clone_notices_a_signal_and_the_process_goes_on() {
        let mut first = Hangups::listen().unwrap();
        let mut second = first.clone();
        for _ in 0..2 {
            let own_id = std::process::id().to_string();
            let sent = std::process::Command::new("sh").args(["-c", "kill -HUP $0", &own_id]).status().unwrap();
            assert!(sent.success());
            first.next().await;
            second.next().await;
        }
    }
}
