//! Starting runs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Change, OperationError, Operations};
use crate::{
    blueprint::{BlueprintId, Issue, LintContext, RunId, lint},
    cluster::{Job, StatusItem},
    engine::{Effects, Graph, RunDocument, RunStatus, fits, output_key, start},
    worker::{SessionError, core::job_for, session::Freshness},
};

/// What to start.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// The blueprint to run.
    pub blueprint: BlueprintId,
    /// The context to begin with.
    pub input: Map<String, Value>,
    /// The run's id; a new one if absent.
    pub run: Option<String>,
    /// Whether a blueprint with lint errors is started all the same.
    pub lint: Lint,
}

impl StartRequest {
    /// A run of a blueprint, under a new id, unless the blueprint has lint errors.
    pub fn new(blueprint: impl Into<BlueprintId>, input: Map<String, Value>) -> Self {
        Self { blueprint: blueprint.into(), input, run: None, lint: Lint::Enforce }
    }
}

/// What lint errors mean for a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lint {
    /// They prevent it. Node kinds other than the built-in ones are not checked.
    Enforce,
    /// They prevent it, and so do nodes of other kinds than these and the built-in ones.
    EnforceWith(BTreeSet<String>),
    /// They are overlooked.
    Overlook,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Its status.
    pub status: RunStatus,
    /// Whether it had been started before, by the same request.
    pub again: bool,
}

impl Operations {
    /// Checks a start without carrying it out: what it would write.
    pub async fn preview_start(
        &self,
        request: &StartRequest,
    ) -> Result<Vec<Change>, OperationError> {
        let graph = self.checked(request)?;
        let run = self.run_id(request)?;
        let (document, effects) = start(&graph, &run, request.input.clone(), None, self.core.now());
        fits(&document, self.cluster().state.measure())
            .map_err(|why| SessionError::TooLarge(run.clone(), why))?;
        let mut changes = vec![Change::Created(run.clone(), document.context().count())];
        changes.extend(effects.ready.into_iter().map(|work| Change::Message(work.node, None)));
        if self.core.fresh(&run).await?.is_some() {
            changes.push(Change::Note(format!("run \"{run}\" exists already")));
        }
        Ok(changes)
    }

    /// Starts a run: its status item, then its document, then its messages; whatever of that is
    /// interrupted is found and mended by the reconciler. A start with the id of a run that has the
    /// same blueprint and input goes on with that run.
    pub async fn start(&self, request: StartRequest) -> Result<Started, OperationError> {
        let graph = self.checked(&request)?;
        let run = self.run_id(&request)?;
        let (document, effects) = start(&graph, &run, request.input, None, self.core.now());
        self.core.begin(&run, &document, &graph).await?;
        let session = self.core.session(&run);
        let stored = session.existing(Freshness::AtLeast(0)).await?;
        check_same(&run, &stored, &document, &graph)?;
        let again = !same_start(&stored, &document);
        if stored.status().is_final() {
            self.core.ensure_closed(&session, &stored, &graph).await?;
        } else {
            self.send_first(&run, &stored, effects).await?;
        }
        Ok(Started { run, status: stored.status(), again })
    }

    async fn send_first(
        &self,
        run: &RunId,
        stored: &RunDocument,
        effects: Effects,
    ) -> Result<(), OperationError> {
        let jobs: Vec<Job> = effects
            .ready
            .into_iter()
            .filter(|work| {
                stored.entry(&work.node).is_some_and(|entry| {
                    (entry.iteration, entry.generation) == (work.iteration, work.generation)
                        && entry.state == crate::engine::NodeState::Ready
                })
            })
            .map(|work| job_for(run, stored, work))
            .collect();
        Ok(self.core.send(jobs).await?)
    }

    /// The lint findings of a loaded blueprint.
    pub fn lint(&self, graph: &Graph, implementations: Option<&BTreeSet<String>>) -> Vec<Issue> {
        let state = self.library().state();
        let context = LintContext { implementations, blueprints: Some(state.blueprints()) };
        lint(graph.blueprint(), &context)
    }

    fn checked(&self, request: &StartRequest) -> Result<std::sync::Arc<Graph>, OperationError> {
        let Some(graph) = self.core.graphs().get(&request.blueprint) else {
            let state = self.library().state();
            let near = state
                .blueprints()
                .keys()
                .map(|id| (strsim::damerau_levenshtein(id, &request.blueprint), id))
                .filter(|(distance, _)| *distance <= 3)
                .min()
                .map(|(_, id)| id.clone());
            return Err(OperationError::UnknownBlueprint { id: request.blueprint.clone(), near });
        };
        let implementations = match &request.lint {
            Lint::Overlook => return Ok(graph),
            Lint::Enforce => None,
            Lint::EnforceWith(kinds) => Some(kinds),
        };
        let mut issues = self.lint(&graph, implementations);
        issues.retain(Issue::is_error);
        if issues.is_empty() {
            Ok(graph)
        } else {
            Err(OperationError::Lint { id: request.blueprint.clone(), issues })
        }
    }

    #[allow(clippy::unused_self)]
    fn run_id(&self, request: &StartRequest) -> Result<RunId, OperationError> {
        match &request.run {
            Some(id) => RunId::parse(id)
                .map_err(|problem| OperationError::RunId { id: id.clone(), problem }),
            None => Ok(RunId::from(uuid::Uuid::new_v4().to_string())),
        }
    }

    /// A run's status item.
    pub async fn status(&self, run: &RunId) -> Result<Option<StatusItem>, OperationError> {
        let state = &self.cluster().state;
        Ok(state.read_status(run).await?.map(|found| found.item))
    }
}

/// Whether a stored document is the very one that was just made.
fn same_start(stored: &RunDocument, made: &RunDocument) -> bool {
    stored.head().rev == made.head().rev && stored.head().started_at == made.head().started_at
}

/// Whether an existing run was started by the same request.
fn check_same(
    run: &RunId,
    stored: &RunDocument,
    made: &RunDocument,
    graph: &Graph,
) -> Result<(), OperationError> {
    let differs = |what| Err(OperationError::Exists { run: run.clone(), what });
    if stored.head().blueprint_id != made.head().blueprint_id {
        return differs("blueprint");
    }
    // What the run has written since hides what it began with: only a run that has not moved can be
    // compared in full.
    let moved = stored.head().rev != 1;
    for (key, value) in made.context() {
        let written_since = moved
            && (stored.get(key) != Some(value))
            && (stored.completed() > 0
                || graph.definitions().any(|node| **key == output_key(&node.id)));
        if stored.get(key) != Some(value) && !written_since {
            return differs("input");
        }
    }
    if !moved && stored.context().count() != made.context().count() {
        return differs("input");
    }
    Ok(())
}
