//! The processes of a persistent program.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::Rng;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

use super::{
    process::{Fault, Process},
    program::Program,
};

/// How long the first restart waits at most, and any.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// From which failure in a row on a restart waits for so long that somebody should hear of it.
const NOTABLE: u32 = 5;

/// Up to n processes, started when they are needed. A request has one for itself; requests wait for
/// one in the order in which they came.
pub(super) struct Pool {
    program: Program,
    turns: Semaphore,
    state: Mutex<State>,
    /// Told when a process becomes free, for those who would otherwise wait to start one.
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// Free processes, the last used one last.
    free: Vec<Process>,
    /// How many processes failed since a request was answered.
    failures: u32,
    /// No process is started before that.
    start_after: Option<Instant>,
}

/// A process for one request. Unless it is given back with [`Lease::answered`], it is killed.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    pub(super) process: Process,
    _turn: SemaphorePermit<'a>,
}

impl Pool {
    pub(super) fn new(program: Program, processes: usize) -> Self {
        Self {
            program,
            turns: Semaphore::new(processes),
            state: Mutex::default(),
            freed: Notify::new(),
        }
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// A free process, or a new one if there may be another, once restarts have waited enough.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let turn =
            self.turns.acquire().await.expect("the semaphore is never closed while it is borrowed");
        let process = loop {
            let freed = self.freed.notified();
            match self.take() {
                Taken::Process(process) => break process,
                Taken::None => break Process::start(&self.program)?,
                Taken::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = freed => {}
                },
            }
        };
        Ok(Lease { pool: self, process, _turn: turn })
    }

    fn take(&self) -> Taken {
        let mut state = self.state();
        while let Some(mut process) = state.free.pop() {
            if process.is_usable() {
                return Taken::Process(process);
            }
            tracing::warn!(
                node = self.program.name,
                "a process of the program ended, or wrote something unasked: it is replaced"
            );
        }
        match state.start_after {
            Some(until) if until > Instant::now() => Taken::Wait(until),
            _ => Taken::None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Process(Process),
    None,
    Wait(Instant),
}

impl Lease<'_> {
    /// Gives the process back, for the next request.
    pub(super) fn answered(self) {
        self.process.tail.clear();
        let mut state = self.pool.state();
        state.failures = 0;
        state.start_after = None;
        state.free.push(self.process);
        drop(state);
        self.pool.freed.notify_waiters();
    }

    /// Ends the process and makes the next start wait.
    pub(super) fn failed(self) {
        let mut state = self.pool.state();
        let longest = delay(state.failures);
        state.failures = state.failures.saturating_add(1);
        let wait = longest.mul_f64(rand::rng().random_range(0.5..1.0));
        state.start_after = Some(Instant::now() + wait);
        if state.failures >= NOTABLE {
            tracing::warn!(
                node = self.pool.program.name,
                failures = state.failures,
                "the program answers nothing: its nodes wait {:.1} s until it is started again",
                wait.as_secs_f64()
            );
        }
    }
}

/// How long the next start waits at most.
fn delay(failures_before: u32) -> Duration {
    FIRST_DELAY.saturating_mul(2_u32.saturating_pow(failures_before)).min(LONGEST_DELAY)
}

impl Drop for Pool {
    fn drop(&mut self) {
        for process in self.state().free.drain(..) {
            process.retire();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use std::{collections::BTreeMap, path::Path, sync::Arc};

    use super::*;
    use crate::nodes::secret::Mask;

    #[test]
    fn restarts_wait_longer_and_longer_up_to_a_limit() {
        let delays: Vec<_> = [0, 1, 2, 6, 7, 40, u32::MAX]
            .into_iter()
            .map(|failures| delay(failures).as_millis())
            .collect();
        assert_eq!(delays, [100, 200, 400, 6_400, 10_000, 10_000, 10_000]);
    }

    /// Collects what is logged.
    #[derive(Clone)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn that_restarts_wait_long_is_said() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = Lines(said.clone());
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let command = ["false".to_owned()];
        let program =
            Program::new("bust", &command, BTreeMap::new(), Path::new("."), Mask::default());
        let pool = Pool::new(program.unwrap(), 1);
        for failures in 1..=NOTABLE {
            let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
            assert_eq!(said, "", "before failure {failures}");
            pool.lease().await.unwrap().failed();
        }
        let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
        assert!(said.contains("WARN") && said.contains("the program answers nothing"), "{said}");
        assert!(said.contains("node=\"bust\" failures=5"), "{said}");
    }
}
