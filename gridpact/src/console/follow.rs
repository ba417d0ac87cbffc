//! Keeps a console's book: follows a validator in this process block by block, from some way back on. Decides nothing.

use super::core::{Book, Seen, KEPT_BLOCKS};
use super::Console;
use crate::clock::wall_ms;
use ledger::query::{History, HistoryError, View};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Blocks of the past that a new console reads: some two days of quarter hours.
const LOOKED_BACK: u64 = 3 * KEPT_BLOCKS as u64;
/// Wait after a chain that can't be read.
const RETRY: Duration = Duration::from_secs(1);

/// Begins to follow a chain on the current runtime, until its validator ends.
pub fn start(mut views: watch::Receiver<View>, history: Arc<dyn History + Send + Sync>) -> Console {
    let view = views.borrow_and_update().clone();
    let next = view.tip.height.saturating_sub(LOOKED_BACK) + 1;
    let old = view.tip.height;
    let console = Console { book: Arc::new(Mutex::new(Book::new(view))) };
    let following = Following { console: console.clone(), history, next, old };
    tokio::spawn(following.follow(views));
    console
}

struct Following {
    console: Console,
    history: Arc<dyn History + Send + Sync>,
    /// The next height to be taken in.
    next: u64,
    /// The last block of the past.
    old: u64,
}

impl Following {
    async fn follow(mut self, mut views: watch::Receiver<View>) {
        loop {
            let view = views.borrow_and_update().clone();
            let now_ms = wall_ms();
            let reading = tokio::task::spawn_blocking(move || {
                let read = self.read(view, now_ms);
                (self, read)
            });
            let Ok((following, read)) = reading.await else { return };
            self = following;
            if let Err(error) = read {
                tracing::warn!(%error, height = self.next, "the console can't read the chain; it tries again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if views.changed().await.is_err() {
                return;
            }
        }
    }

    fn read(&mut self, view: View, now_ms: u64) -> Result<(), HistoryError> {
        let tip = view.tip.height;
        let current = view.rules.verifier.roster().clone();
        self.console.book().turn(view);
        while self.next <= tip {
            let height = self.next;
            // Blocks that were pruned, or came as a snapshot, are not there.
            if let Some(decided) = self.history.block(height)? {
                let did = self.history.remembered(height)?;
                let lineage = self.history.lineage()?;
                let seen = Seen {
                    decided: &decided,
                    did: did.as_deref(),
                    roster: lineage.at(height, &current),
                    roster_before: lineage.at(height.saturating_sub(1), &current),
                    now_ms: (height > self.old).then_some(now_ms),
                };
                self.console.book().take(&seen);
            }
            self.next = height + 1;
        }
        Ok(())
    }
}
