//! Subflows: starting a child run, and taking its end back to the node that waits for it.

use std::sync::Arc;

use super::{
    Worker,
    core::{Core, Next, job_for},
    session::{Freshness, Loyalty, Session, SessionError},
    status::{self, Urgency},
};
use crate::{
    blueprint::{Node, NodeId, RunId},
    cluster::{Fault, Job},
    engine::{
        Awaits, ChildNews, Closing, Completion, Continuation, Effects, Event, Graph, Head,
        NodeState, Op, Parent, RunDocument, RunStatus, Verdict, child_blueprint, child_context,
        child_result, dynamic_definition, fits, reachable_work, start,
    },
};

impl Worker {
    /// Looks after a node that waits for a child run: starts the child if it is not there, takes up
    /// its work if that was left, tells the node what has become of it.
    pub(crate) async fn attend_child(
        &self,
        node: &NodeId,
        child: &RunId,
        document: &RunDocument,
        graph: &Graph,
        session: &Arc<Session>,
    ) -> Result<Option<Next>, SessionError> {
        let core = &self.core;
        let definition =
            graph.definition(node).cloned().or_else(|| dynamic_definition(document, node));
        let Some(definition) = definition.as_ref() else { return Ok(None) };
        let mut unclosed = None;
        let news = match core.fresh(child).await? {
            None => match self.start_child(definition, child, document, session).await? {
                Ok(next) => return Ok(next),
                Err(impossible) => ChildNews::Impossible(impossible),
            },
            Some(state) if !is_child_of(&state, session.run(), node) => {
                ChildNews::Impossible(format!(
                    "subflow: the run id \"{child}\" is taken by a run that was not started for this node"
                ))
            }
            Some(state) if state.status().is_final() => {
                let news = core.child_news(definition, child, &state);
                unclosed = (state.head().closed == Closing::Open).then_some(state);
                news
            }
            Some(state) => {
                let known = document.entry(node).and_then(|entry| entry.awaits.clone());
                let moved = Awaits::Child { run: child.clone(), status: state.status() };
                if known.as_ref() == Some(&moved) {
                    return self.take_up_child(child, &state).await;
                }
                ChildNews::Moved(state.status())
            }
        };
        let ended = !matches!(news, ChildNews::Moved(_));
        let event = Event::Child { node: node.clone(), run: child.clone(), news };
        let (settled, mut next) =
            core.happen(session, event, self.continuation(), Loyalty::Blueprint).await?;
        if ended && !matches!(settled.verdict, Verdict::Applied(_)) {
            // Taken before, and whoever took it may have died before going on with what follows.
            next = self.take_up(session.run(), &settled.document, &settled.graph, node).await?;
        }
        if let Some(state) = unclosed {
            // Whoever ended it may have died before its status was written.
            let graph = core
                .graphs()
                .of_run(state.head())
                .unwrap_or_else(|_| super::graphs::Graphs::stand_in(state.head()));
            core.touch(&core.session(child), &state, &graph, Urgency::WhenDue).await?;
            core.closed(child).await;
        }
        Ok(next)
    }

    /// Starts a child run. The inner error says why it never can be.
    async fn start_child(
        &self,
        definition: &Node,
        child: &RunId,
        document: &RunDocument,
        session: &Session,
    ) -> Result<Result<Option<Next>, String>, SessionError> {
        let core = &self.core;
        let blueprint = match child_blueprint(definition) {
            Ok(blueprint) => blueprint,
            Err(message) => return Ok(Err(message)),
        };
        let Some(graph) = core.graphs().get(&blueprint) else {
            return Ok(Err(format!(
                "subflow: blueprint \"{blueprint}\" is not loaded on worker \"{}\"",
                core.name
            )));
        };
        let input = match child_context(document, definition, &graph) {
            Ok(input) => input,
            Err(message) => return Ok(Err(message)),
        };
        let parent = Parent {
            run: session.run().clone(),
            blueprint: document.head().blueprint_id.clone(),
            node: definition.id.clone(),
        };
        let (begun, effects) = start(&graph, child, input, Some(parent), core.now());
        if let Err(error) = core.begin(child, &begun, &graph).await {
            return match error {
                SessionError::TooLarge(..) => Ok(Err(error.to_string())),
                SessionError::Cluster(error) if matches!(error.fault, Fault::TooLarge { .. }) => {
                    Ok(Err(error.to_string()))
                }
                error => Err(error),
            };
        }
        if !self.still_waits(session, &definition.id, child).await? {
            // Cancelled or requeued meanwhile, by somebody who found no child to stop.
            core.cancel(child).await?;
            return Ok(Ok(None));
        }
        let session = core.session(child);
        let document = session.existing(Freshness::AtLeast(0)).await?;
        if document.status().is_final() {
            // A blueprint without nodes has ended as soon as it has begun.
            return Ok(Ok(core.close(&session, &document, &graph).await?));
        }
        Ok(Ok(self.launch(child, &document, effects).await?))
    }

    /// Whether a node of a run that goes on still waits for this child run.
    async fn still_waits(
        &self,
        session: &Session,
        node: &NodeId,
        child: &RunId,
    ) -> Result<bool, SessionError> {
        let document = session.existing(Freshness::Now).await?;
        let waits = document.entry(node).is_some_and(
            |entry| matches!(&entry.awaits, Some(Awaits::Child { run, .. }) if run == child),
        );
        Ok(waits && !document.status().is_final())
    }

    /// Goes on with the first node of a run that has just begun, and sends messages for the others.
    async fn launch(
        &self,
        run: &RunId,
        document: &RunDocument,
        effects: Effects,
    ) -> Result<Option<Next>, SessionError> {
        let mut jobs: Vec<Job> =
            effects.ready.into_iter().map(|work| job_for(run, document, work)).collect();
        let next = match self.continuation() {
            Continuation::Inline if !jobs.is_empty() => Some(jobs.remove(0)),
            _ => None,
        };
        self.core.send(jobs).await?;
        Ok(next.map(|job| Next { job, closes: None }))
    }

    /// Takes up the work of a child run that is under way: whoever was at it may have died.
    async fn take_up_child(
        &self,
        child: &RunId,
        document: &RunDocument,
    ) -> Result<Option<Next>, SessionError> {
        let core = &self.core;
        let Ok(graph) = core.graphs().of_run(document.head()) else { return Ok(None) };
        let now = core.now();
        let mut jobs: Vec<Job> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for first in graph.starts() {
            for work in reachable_work(&graph, document, first) {
                let Some(entry) = document.entry(&work.node) else { continue };
                let rests = entry.due_at.is_some_and(|due| due > now)
                    || (entry.state == NodeState::Awaiting
                        && !matches!(entry.awaits, Some(Awaits::Child { .. })));
                if rests || !seen.insert(work.clone()) {
                    continue;
                }
                let mut job = job_for(child, document, work);
                job.redrive = Some(true);
                jobs.push(job);
            }
        }
        core.send(jobs).await?;
        Ok(None)
    }
}

impl Core {
    /// What a finished child run tells its parent.
    fn child_news(&self, definition: &Node, child: &RunId, state: &RunDocument) -> ChildNews {
        match state.status() {
            RunStatus::Completed => {
                let graph = self
                    .graphs()
                    .get(&state.head().blueprint_id)
                    .unwrap_or_else(|| super::graphs::Graphs::stand_in(state.head()));
                let (output, writes) = child_result(definition, state, &graph);
                ChildNews::Completed(Completion {
                    output: output.map(Arc::new),
                    writes,
                    ..Completion::default()
                })
            }
            RunStatus::Cancelled => ChildNews::Cancelled,
            status => {
                let error = status::errors(state)
                    .into_iter()
                    .next()
                    .map_or_else(String::new, |(node, message)| {
                        format!(": node \"{node}\": {message}")
                    });
                ChildNews::Failed(format!(
                    "run \"{child}\" of blueprint \"{}\" ended {status}{error}",
                    state.head().blueprint_id
                ))
            }
        }
    }

    /// Creates the status item and the document of a run that begins. Both may be there already,
    /// from an earlier try. What neighbours must know comes first: where that fails, nothing of the
    /// run is there that would have to be put in order.
    pub(crate) async fn begin(
        &self,
        run: &RunId,
        document: &RunDocument,
        graph: &Graph,
    ) -> Result<(), SessionError> {
        let session = self.session(run);
        let state = &self.cluster().state;
        fits(document, state.measure()).map_err(|why| SessionError::TooLarge(run.clone(), why))?;
        let had_a_namesake = self.tell_blueprint(run, graph).await?;
        let item =
            status::status_item(&self.shared, &session, &self.name, document, graph, self.now());
        let created = self.patience().call(|| state.create_status(&item)).await;
        let mut document = document.clone();
        match created {
            Ok(version) => {
                let head =
                    Head { status_version: Some(version.0.clone()), ..document.head().clone() };
                document.apply(&Op::Head(Arc::new(head)));
                session.touch.lock().await.created(item, version);
            }
            Err(error) if error.fault == Fault::Conflict => {}
            Err(error) => return Err(error.into()),
        }
        match self.patience().call(|| state.create_document(run, &document)).await {
            Ok(version) => {
                session.created(document.clone(), version).await;
                if had_a_namesake {
                    self.clear_joins(run, graph).await?;
                }
                Ok(())
            }
            Err(error) if error.fault == Fault::Conflict => {
                let stored = session.existing(Freshness::Now).await?;
                // An earlier try may have stopped just here; nothing has been sent yet.
                if had_a_namesake && stored.head().rev == document.head().rev {
                    self.clear_joins(run, graph).await?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a run was started by this node of this run.
fn is_child_of(state: &RunDocument, run: &RunId, node: &NodeId) -> bool {
    state.head().parent.as_ref().is_some_and(|parent| parent.run == *run && parent.node == *node)
}
