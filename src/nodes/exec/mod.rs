//! Nodes that another program runs.

mod lines;
mod pool;
mod process;
mod program;
mod stderr;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use self::program::Program;
pub use self::program::ProgramError;
use self::{
    pool::Pool,
    process::{Fault, Process},
    stderr::Tail,
};
use super::{
    context::{NodeContext, NodeError, NodeOutput},
    definition::{ExecDefinition, Mode, Part},
    log::Asker,
    protocol::{Answer, read_aside, request},
    registry::Node,
    secret::Mask,
};

/// A kind of node that another program runs.
pub(super) struct ExecNode {
    processes: Processes,
    timeout: Option<Duration>,
    send: Vec<Part>,
    requests: AtomicU64,
}

enum Processes {
    Persistent(Pool),
    PerJob { program: Program, turns: Semaphore },
}

impl ExecNode {
    pub(super) fn new(definition: &ExecDefinition, program: Program) -> Self {
        let processes = match definition.mode {
            Mode::Persistent => {
                Processes::Persistent(Pool::new(program, definition.processes.unwrap_or(1)))
            }
            Mode::PerJob => {
                let most = definition.processes.unwrap_or(Semaphore::MAX_PERMITS);
                Processes::PerJob { program, turns: Semaphore::new(most) }
            }
        };
        Self {
            processes,
            timeout: definition.timeout,
            send: definition.send.clone(),
            requests: AtomicU64::new(0),
        }
    }

    fn program(&self) -> &Program {
        match &self.processes {
            Processes::Persistent(pool) => pool.program(),
            Processes::PerJob { program, .. } => program,
        }
    }

    /// A wait that ends with a fault when the definition's time is over.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        match self.timeout {
            Some(limit) => timeout(limit, work).await.unwrap_or(Err(Fault::TimedOut(limit))),
            None => work.await,
        }
    }

    async fn ask_pool(
        &self,
        pool: &Pool,
        id: String,
        line: &[u8],
        asker: Asker,
    ) -> Result<Answer, NodeError> {
        let mut lease = pool.lease().await.map_err(|fault| self.error(&fault, None))?;
        let process = &mut lease.process;
        process.tail.asked_by(asker);
        let mask = &pool.program().mask;
        let asked = self.in_time(async { read(process.ask(line).await?, id, mask).await }).await;
        match asked {
            Ok(answer) => {
                lease.answered();
                Ok(answer)
            }
            Err(fault) => {
                let error = self.error(&fault, Some(&lease.process.tail));
                lease.failed();
                Err(error)
            }
        }
    }

    /// The answer, and what went wrong after it.
    async fn ask_once(
        &self,
        program: &Program,
        id: String,
        line: &[u8],
        asker: Asker,
    ) -> Result<(Answer, Option<NodeError>), NodeError> {
        let mut process = Process::start(program).map_err(|fault| self.error(&fault, None))?;
        process.tail.asked_by(asker);
        let mut answer = None;
        let talk = async {
            answer = Some(read(process.ask_once(line).await?, id, &program.mask).await?);
            process.finish().await
        };
        let ended = self.in_time(talk).await;
        let error = ended.err().map(|fault| self.error(&fault, Some(&process.tail)));
        match (answer, error) {
            (Some(answer), error) => Ok((answer, error)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(self.error(&Fault::ExitedBefore(None), Some(&process.tail))),
        }
    }

    /// What went wrong, with the last that the program wrote on its stderr.
    fn error(&self, fault: &Fault, tail: Option<&Tail>) -> NodeError {
        let program = self.program();
        let mut text = format!("the program of {} {fault}", program.name);
        if let Fault::Program(fault) = fault {
            text = format!("the program of {} can't be run: {fault}", program.name);
        }
        if let Some(said) = tail.and_then(Tail::text) {
            text = format!("{text}; its stderr: {said}");
        }
        NodeError::ordinary(program.mask.apply(&text))
    }
}

async fn read(line: Vec<u8>, id: String, mask: &Mask) -> Result<Answer, Fault> {
    let mask = mask.clone();
    Ok(read_aside(line.len(), move || Answer::from_line(&line, &id, &mask)).await?)
}

#[async_trait]
impl Node for ExecNode {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let id = (self.requests.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let line = request(&id, context, &self.send);
        let execution = context.execution();
        let asker = Asker { run: execution.run_id.clone(), node: execution.node_id.clone() };
        let (answer, late) = match &self.processes {
            Processes::Persistent(pool) => (self.ask_pool(pool, id, &line, asker).await?, None),
            Processes::PerJob { program, turns } => {
                let _turn = turns
                    .acquire()
                    .await
                    .expect("the semaphore is never closed while it is borrowed");
                self.ask_once(program, id, &line, asker).await?
            }
        };
        let program = self.program();
        if !answer.unknown_members().is_empty() {
            tracing::warn!(
                node = program.name,
                members = ?answer.unknown_members(),
                "the answer has members that mean nothing"
            );
        }
        let is_error = answer.is_error();
        let result = answer.apply(context, &program.mask);
        match late {
            // An error that the program reports itself says more than its exit code.
            Some(error) if !is_error => Err(error),
            _ => result,
        }
    }
}
