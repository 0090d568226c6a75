//! A thread that reads.

use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Trouble;

/// How many requests may wait before those who send them wait, too.
const QUEUE: usize = 256;

type Request = Box<dyn FnOnce(&Connection) + Send>;

/// Where reads are sent. The thread ends with it.
pub(super) struct Reader {
    requests: mpsc::Sender<Request>,
}

impl Reader {
    /// Starts the thread, and gives it to be waited for.
    pub(super) fn start(
        connection: Connection,
        name: &str,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (requests, mut waiting) = mpsc::channel::<Request>(QUEUE);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(request) = waiting.blocking_recv() {
                request(&connection);
            }
        })?;
        Ok((Self { requests }, thread))
    }

    /// Has a read carried out: all of it sees one state of the file, no older than this call.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, Trouble>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Trouble> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = move |connection: &Connection| {
            // Nobody listens any more if the caller gave up waiting.
            let _ = answer.send(in_one_state(connection, work));
        };
        self.requests.send(Box::new(request)).await.map_err(|_| Trouble::ended())?;
        answered.await.unwrap_or_else(|_| Err(Trouble::ended()))
    }
}

fn in_one_state<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let transaction = connection.unchecked_transaction()?;
    let outcome = work(&transaction);
    // Nothing was changed, so how it ends makes no difference.
    transaction.finish()?;
    outcome
}
