//! Operations that are under way: how far they are, and stopping them.

use super::{
    app::{App, Tone},
    message::Command,
    operator::{Operation, Preview, Progress},
};

/// An operation that is under way.
pub(super) struct UnderWay {
    ticket: u64,
    pub(super) operation: Operation,
    /// How far it is, once it said so.
    pub(super) progress: Option<Progress>,
    pub(super) stopping: bool,
}

/// Has a plan carried out.
pub(super) fn begin(app: &mut App, operation: Operation, preview: Preview) -> Vec<Command> {
    app.tickets += 1;
    let ticket = app.tickets;
    app.under_way.push(UnderWay {
        ticket,
        operation: operation.clone(),
        progress: None,
        stopping: false,
    });
    vec![Command::Apply { ticket, operation, preview }]
}

/// Takes in how far an operation is.
pub(super) fn progressed(app: &mut App, ticket: u64, progress: Progress) {
    if let Some(work) = app.under_way.iter_mut().find(|work| work.ticket == ticket) {
        work.progress = Some(progress);
    }
}

/// Takes in that an operation has ended.
pub(super) fn ended(app: &mut App, operation: &Operation) {
    if let Some(at) = app.under_way.iter().position(|work| work.operation == *operation) {
        app.under_way.remove(at);
    }
}

/// Has the operation stopped that was begun last among those that can be: what says how far it is
/// looks up between two things whether it is to stop.
pub(super) fn stop(app: &mut App) -> Vec<Command> {
    let work =
        app.under_way.iter_mut().rev().find(|work| work.progress.is_some() && !work.stopping);
    let Some(work) = work else {
        app.notify(Tone::Bad, "nothing is under way that could be stopped");
        return Vec::new();
    };
    work.stopping = true;
    let (ticket, title) = (work.ticket, work.operation.title());
    app.notify(Tone::Good, format!("stopping: {title}"));
    vec![Command::Stop { ticket }]
}

impl App {
    /// The operation under way that is shown: the last one that says how far it is.
    pub(super) fn shown_work(&self) -> Option<(&UnderWay, &Progress)> {
        let mut works = self.under_way.iter().rev();
        works.find_map(|work| work.progress.as_ref().map(|progress| (work, progress)))
    }

    /// Whether an operation can be stopped.
    pub(super) fn can_stop(&self) -> bool {
        self.under_way.iter().any(|work| work.progress.is_some() && !work.stopping)
    }
}
