//! The thread that writes: it carries out all requests that wait in one transaction, so that they
//! share one wait for the disk.

use std::{
    mem, slice,
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    fault::Trouble,
    open::{Lifetime, SameFile, SqliteOptions, with_patience},
};

/// How many requests may wait before those who send them wait, too.
const QUEUE: usize = 1024;

/// The most requests in one transaction.
const BATCH: usize = 512;

/// Whether a write must survive a power cut. (All survive the end of the process.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It must: it is on the disk before it is reported.
    Synced,
    /// It need not: it does not make anybody wait for the disk. A later synced write makes it
    /// durable, too.
    Relaxed,
}

/// A write that waits.
trait Request: Send {
    fn durability(&self) -> Durability;

    /// Carries it out within a transaction. What it says is kept for [`Request::answer`]. Must be
    /// able to run again after the transaction was undone.
    fn attempt(&mut self, connection: &Connection) -> Result<(), Trouble>;

    /// Reports what the last attempt said.
    fn answer(self: Box<Self>);

    /// Reports that it failed.
    fn fail(self: Box<Self>, trouble: Trouble);
}

struct Pending<T, W> {
    durability: Durability,
    work: W,
    outcome: Result<T, Trouble>,
    answer: oneshot::Sender<Result<T, Trouble>>,
}

impl<T, W> Request for Pending<T, W>
where
    T: Send,
    W: Fn(&Connection) -> Result<T, Trouble> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn attempt(&mut self, connection: &Connection) -> Result<(), Trouble> {
        self.outcome = (self.work)(connection);
        match &self.outcome {
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble.clone()),
        }
    }

    fn answer(self: Box<Self>) {
        // Nobody listens any more if the caller gave up waiting.
        let _ = self.answer.send(self.outcome);
    }

    fn fail(self: Box<Self>, trouble: Trouble) {
        let _ = self.answer.send(Err(trouble));
    }
}

/// Where writes are sent. The thread ends with it.
pub(super) struct Writer {
    requests: mpsc::Sender<Box<dyn Request>>,
}

impl Writer {
    /// Starts the thread. In the end it closes its connection after `readers` have closed theirs.
    pub(super) fn start(
        connection: Connection,
        file: SameFile,
        options: SqliteOptions,
        readers: Vec<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let (requests, waiting) = mpsc::channel(QUEUE);
        let writer = WriterThread { connection, file, options, synced: None };
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer.serve(waiting, readers))?;
        Ok(Self { requests })
    }

    /// Has a write carried out in a transaction. Returns once it is committed.
    pub(super) async fn write<T, W>(&self, durability: Durability, work: W) -> Result<T, Trouble>
    where
        T: Send + 'static,
        W: Fn(&Connection) -> Result<T, Trouble> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let request = Pending { durability, work, outcome: Err(Trouble::ended()), answer };
        self.requests.send(Box::new(request)).await.map_err(|_| Trouble::ended())?;
        answered.await.unwrap_or_else(|_| Err(Trouble::ended()))
    }
}

/// What became of a transaction.
enum Ended {
    /// Each request has its own outcome, and what succeeded is committed.
    Committed,
    /// Nothing was written, for this reason.
    Undone(Trouble),
}

struct WriterThread {
    connection: Connection,
    file: SameFile,
    options: SqliteOptions,
    /// How the connection is set at present.
    synced: Option<Durability>,
}

impl WriterThread {
    fn serve(
        mut self,
        mut waiting: mpsc::Receiver<Box<dyn Request>>,
        readers: Vec<JoinHandle<()>>,
    ) {
        // Waiting for other processes is done here, where the pauses are shorter.
        if let Err(error) = self.connection.busy_timeout(Duration::ZERO) {
            tracing::warn!(%error, "can't set the wait for locks");
        }
        let mut batch = Vec::new();
        while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.carry_out(mem::take(&mut batch));
        }
        // Closing the last connection of all moves the log into the file and deletes it; of two that
        // are closed at the same moment, neither is the last.
        for reader in readers {
            if reader.join().is_err() {
                tracing::warn!("a reading thread has panicked");
            }
        }
        // If other processes go on, the log is moved as far as they allow.
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::debug!(%error, "the log was left as it is");
        }
    }

    fn carry_out(&mut self, mut batch: Vec<Box<dyn Request>>) {
        match self.transaction(&mut batch) {
            Ended::Committed => batch.into_iter().for_each(Request::answer),
            Ended::Undone(trouble) if trouble.is_full() => self.carry_out_on_full_disk(batch),
            Ended::Undone(trouble) => {
                for request in batch {
                    request.fail(trouble.clone());
                }
            }
        }
    }

    /// Makes what room there is to be made without anybody's help, then carries out the requests
    /// one by one: one may be too much where the others fit.
    fn carry_out_on_full_disk(&mut self, batch: Vec<Box<dyn Request>>) {
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::debug!(%error, "the log could not be emptied");
        }
        for mut request in batch {
            match self.transaction(slice::from_mut(&mut request)) {
                Ended::Committed => request.answer(),
                Ended::Undone(trouble) => request.fail(trouble),
            }
        }
    }

    fn transaction(&mut self, batch: &mut [Box<dyn Request>]) -> Ended {
        let result = self.begin(batch).and_then(|()| {
            let kept = self.attempts(batch)?;
            let end = if kept { "COMMIT" } else { "ROLLBACK" };
            self.execute(end)
        });
        match result {
            Ok(()) => Ended::Committed,
            Err(trouble) => {
                if !self.connection.is_autocommit()
                    && let Err(error) = self.execute("ROLLBACK")
                {
                    tracing::warn!(detail = error.detail, "a failed transaction was not undone");
                }
                Ended::Undone(trouble)
            }
        }
    }

    fn begin(&mut self, batch: &[Box<dyn Request>]) -> Result<(), Trouble> {
        self.file.check()?;
        let synced = batch.iter().any(|request| request.durability() == Durability::Synced);
        let durability = if synced { Durability::Synced } else { Durability::Relaxed };
        let lasting = self.options.lifetime == Lifetime::Lasting;
        if lasting && self.synced != Some(durability) {
            self.synced = None;
            self.execute(match durability {
                Durability::Synced => "PRAGMA synchronous = FULL",
                Durability::Relaxed => "PRAGMA synchronous = NORMAL",
            })?;
            self.synced = Some(durability);
        }
        with_patience(self.options.patience, || self.execute("BEGIN IMMEDIATE"))
    }

    /// Carries out each request so that one that fails leaves nothing behind. Returns whether
    /// there is anything to commit. Fails if the transaction is gone, or the disk full.
    fn attempts(&self, batch: &mut [Box<dyn Request>]) -> Result<bool, Trouble> {
        if let [request] = batch {
            return match request.attempt(&self.connection) {
                Err(trouble) if self.is_lost(&trouble) => Err(trouble),
                outcome => Ok(outcome.is_ok()),
            };
        }
        for request in batch {
            self.execute("SAVEPOINT request")?;
            if let Err(trouble) = request.attempt(&self.connection) {
                if self.is_lost(&trouble) {
                    return Err(trouble);
                }
                self.execute("ROLLBACK TO request")?;
            }
            self.execute("RELEASE request")?;
        }
        Ok(true)
    }

    /// Whether a transaction can't go on after this.
    fn is_lost(&self, trouble: &Trouble) -> bool {
        trouble.is_full() || self.connection.is_autocommit()
    }

    fn execute(&self, statement: &str) -> Result<(), Trouble> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}
