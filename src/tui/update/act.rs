//! Acting on the cluster: from an action to an operation, its plan, and what came of it.

use super::{
    super::{
        app::{App, Tone},
        dialog::{
            AnswerField, AnswerForm, Choice, Confirm, Dialog, JsonInput, Picker, Plan, StartField,
            StartForm, WantedJson,
        },
        message::Command,
        operator::{Letters, Operation, OperatorError, Outcome, Preview, Runs},
        rows::ListId,
        screen::Screen,
        under_way,
    },
    navigate::open_run,
    open,
};
use crate::{
    blueprint::{BlueprintId, RunId},
    cluster::WorkerMode,
    engine::{Awaits, RunStatus},
    monitor::{NodeRow, NodeShown, RunDetail},
    operations::HeldNode,
};

/// Chooses a blueprint, unless one is selected.
pub(super) fn start(app: &mut App) -> Vec<Command> {
    if app.catalog.blueprints.is_empty() {
        app.notify(Tone::Bad, "no blueprints are loaded: put JSON files into blueprints/");
        return Vec::new();
    }
    if app.focus == ListId::Blueprints
        && let Some(id) = app.selected_key(ListId::Blueprints)
    {
        return start_form(app, &BlueprintId::from(id));
    }
    open(app, Dialog::ChooseBlueprint(Picker::default()))
}

/// Asks for the input of a run.
pub(super) fn start_form(app: &mut App, id: &BlueprintId) -> Vec<Command> {
    let example = || example(app, id).unwrap_or_else(|| "{}".to_owned());
    let text = app.drafts.get(id).cloned().unwrap_or_else(example);
    let form = StartForm {
        blueprint: id.clone(),
        input: JsonInput::new(&text, WantedJson::Object),
        field: StartField::Input,
    };
    open(app, Dialog::Start(form))
}

/// A blueprint's example of an input, if it has one.
pub(in crate::tui) fn example(app: &App, id: &BlueprintId) -> Option<String> {
    let entry = app.catalog.blueprints.iter().find(|entry| entry.blueprint.id == *id)?;
    serde_json::to_string_pretty(entry.blueprint.example()?).ok()
}

/// The runs that an action is about: the marked ones, else the selected one.
fn chosen_runs(app: &App) -> Vec<RunId> {
    let marked = &app.list(ListId::Runs).marked;
    if app.focus == ListId::Runs && !marked.is_empty() {
        return marked.runs();
    }
    app.run_of_row(app.focus).into_iter().collect()
}

pub(super) fn requeue(app: &mut App) -> Vec<Command> {
    let runs = chosen_runs(app);
    let run = match runs.as_slice() {
        [] => {
            app.notify(Tone::Bad, "choose a run first");
            return Vec::new();
        }
        [run] => run,
        _ => return confirm(app, Operation::RequeueAll(runs), None),
    };
    // In a run: the chosen node, if it is one that a requeue is for.
    let node = app.selected_node().filter(|node| {
        app.screen == Screen::Run
            && matches!(node.state, NodeShown::Failed | NodeShown::Completed | NodeShown::Ready)
    });
    let nodes = node.map(|node| node.id.clone()).into_iter().collect();
    confirm(app, Operation::Requeue { run: run.clone(), nodes }, None)
}

pub(super) fn reconcile(app: &mut App) -> Vec<Command> {
    let marked = &app.list(ListId::Runs).marked;
    let these: Vec<RunId> = match (app.screen, &app.open_run) {
        (Screen::Run, Some(run)) => vec![run.clone()],
        _ => marked.runs(),
    };
    let runs = if these.is_empty() { Runs::AllStalled } else { Runs::These(these) };
    confirm(app, Operation::Reconcile(runs), None)
}

pub(super) fn cancel(app: &mut App) -> Vec<Command> {
    let runs = chosen_runs(app);
    if runs.is_empty() {
        app.notify(Tone::Bad, "choose a run first");
        return Vec::new();
    }
    confirm(app, Operation::Cancel(runs), None)
}

/// Opens the run and the form that answers one of its nodes.
pub(super) fn answer(app: &mut App) -> Vec<Command> {
    let Some(run) = app.run_of_row(app.focus) else {
        app.notify(Tone::Bad, "choose a run first");
        return Vec::new();
    };
    let commands =
        if app.open_run.as_ref() == Some(&run) { Vec::new() } else { open_run(app, run.clone()) };
    // The chosen node, where it is one of those that wait.
    let detail = app.detail_of(app.shown());
    let node = app
        .selected_node()
        .and_then(|node| detail?.awaiting.iter().position(|waiting| waiting.node == node.id));
    let child = detail.and_then(|detail| waiting_child(detail, app.selected_node()));
    if let Some(child) = child {
        let mut commands = commands;
        commands.extend(open_run(app, child.clone()));
        app.dialog = Some(Dialog::Answer(answer_form(child, 0)));
        return commands;
    }
    if detail.is_some_and(|detail| detail.awaiting.is_empty()) {
        app.notify(Tone::Bad, format!("no node of run {run} waits for an answer"));
        return commands;
    }
    app.dialog = Some(Dialog::Answer(answer_form(run, node.unwrap_or(0))));
    commands
}

fn answer_form(run: RunId, node: usize) -> AnswerForm {
    AnswerForm {
        run,
        node,
        action: 0,
        output: JsonInput::new("", WantedJson::Any),
        field: AnswerField::Action,
    }
}

/// The child run that waits for an answer on behalf of the selected node, or of any where no node
/// of the run itself does.
fn waiting_child(detail: &RunDetail, selected: Option<&NodeRow>) -> Option<RunId> {
    let waits = |node: &NodeRow| match &node.awaits {
        Some(Awaits::Child { run, status: RunStatus::Awaiting }) => Some(run.clone()),
        _ => None,
    };
    let of_selected = selected.and_then(waits);
    of_selected.or_else(|| {
        detail.awaiting.is_empty().then(|| detail.nodes.iter().find_map(waits)).flatten()
    })
}

/// Goes on to the child run that waits, where the run of the form turns out to wait for it.
pub(super) fn follow_child(app: &mut App) -> Vec<Command> {
    let Some(Dialog::Answer(form)) = &app.dialog else { return Vec::new() };
    let detail = app.detail_of(app.shown()).filter(|detail| detail.run == form.run);
    let child = detail
        .filter(|detail| detail.awaiting.is_empty())
        .and_then(|detail| waiting_child(detail, None));
    let Some(child) = child else { return Vec::new() };
    let commands = open_run(app, child.clone());
    app.dialog = Some(Dialog::Answer(answer_form(child, 0)));
    commands
}

/// Takes the selected lease away, as it is now: one that was renewed or taken over since stays.
pub(super) fn release(app: &mut App) -> Vec<Command> {
    let lock = app
        .selected_place(ListId::Locks)
        .filter(|_| app.focus == ListId::Locks)
        .and_then(|at| app.shown().locks.data.locks.get(at));
    let Some(lock) = lock else {
        app.notify(Tone::Bad, "choose a lease among the locks first");
        return Vec::new();
    };
    let (Some(run), Some(node)) = (lock.run_id.clone(), lock.node_id.clone()) else {
        app.notify(Tone::Bad, "only leases of nodes can be released; this one ends by itself");
        return Vec::new();
    };
    let held = HeldNode { node, value: lock.value.clone() };
    confirm(app, Operation::ReleaseLocks { run, locks: vec![held] }, None)
}

pub(super) fn pause(app: &mut App) -> Vec<Command> {
    match app.worker.map(|worker| worker.mode) {
        None => no_worker(app),
        Some(WorkerMode::Running) => confirm(app, Operation::PauseWorker, None),
        Some(WorkerMode::Paused) => confirm(app, Operation::ResumeWorker, None),
        Some(WorkerMode::Draining) => {
            app.notify(Tone::Bad, "this worker is draining: it can't be paused any more");
            Vec::new()
        }
    }
}

pub(super) fn drain(app: &mut App) -> Vec<Command> {
    match app.worker.map(|worker| worker.mode) {
        None => no_worker(app),
        Some(WorkerMode::Draining) => {
            app.notify(Tone::Bad, "this worker is draining already");
            Vec::new()
        }
        Some(_) => confirm(app, Operation::DrainWorker, None),
    }
}

fn no_worker(app: &mut App) -> Vec<Command> {
    app.notify(Tone::Bad, "there is no worker in this program: it only watches");
    Vec::new()
}

/// Asks for an operation's plan and shows it.
pub(super) fn confirm(
    app: &mut App,
    operation: Operation,
    back: Option<Box<Dialog>>,
) -> Vec<Command> {
    ask(app, operation, back, None)
}

/// How many runs are marked that the list, as it is filtered now, does not have.
fn unseen(app: &App) -> usize {
    if app.focus != ListId::Runs {
        return 0;
    }
    let marked = &app.list(ListId::Runs).marked;
    marked.iter().filter(|run| app.rows.runs.position(run).is_none()).count()
}

fn ask(
    app: &mut App,
    operation: Operation,
    back: Option<Box<Dialog>>,
    moved: Option<String>,
) -> Vec<Command> {
    app.tickets += 1;
    let unseen = unseen(app);
    app.dialog = Some(Dialog::Confirm(Confirm {
        operation: operation.clone(),
        ticket: app.tickets,
        plan: Plan::Awaited,
        choice: Choice::No,
        scroll: 0,
        moved,
        unseen,
        back,
    }));
    vec![Command::Preview { ticket: app.tickets, operation }]
}

/// A plan was made. One that nobody waits for any more is dropped.
pub(super) fn previewed(
    app: &mut App,
    ticket: u64,
    result: Result<Preview, OperatorError>,
) -> Vec<Command> {
    if let Some(Dialog::Confirm(confirm)) = &mut app.dialog
        && confirm.ticket == ticket
    {
        confirm.plan = match result {
            Ok(preview) => Plan::Ready(preview),
            Err(error) => Plan::Failed(error.to_string()),
        };
    }
    Vec::new()
}

/// An operation ended.
pub(super) fn applied(
    app: &mut App,
    operation: Operation,
    result: Result<Outcome, OperatorError>,
) -> Vec<Command> {
    under_way::ended(app, &operation);
    match result {
        Ok(outcome) => {
            if let Operation::Start { blueprint, .. } = &operation {
                app.drafts.remove(blueprint);
            }
            app.record(&operation, outcome.summary, outcome.problems);
            forget_marks(app, &operation);
            let mut commands = vec![Command::Refresh];
            if let Some(run) = outcome.run
                && app.dialog.is_none()
                && !app.leaving
            {
                commands.extend(open_run(app, run));
            }
            commands
        }
        Err(OperatorError::Moved(why)) if app.dialog.is_none() => {
            ask(app, operation, None, Some(why))
        }
        Err(OperatorError::Moved(why)) => {
            let why = format!("not done, something changed meanwhile: {why}");
            app.record_failure(&operation, why);
            Vec::new()
        }
        Err(OperatorError::Failed(why)) => {
            if operation == Operation::DrainWorker {
                app.leaving = false;
            }
            app.record_failure(&operation, why);
            Vec::new()
        }
    }
}

/// Takes the marks off what was acted on.
fn forget_marks(app: &mut App, operation: &Operation) {
    let (list, keys): (_, Vec<&str>) = match operation {
        Operation::Reconcile(Runs::These(runs))
        | Operation::Cancel(runs)
        | Operation::RequeueAll(runs) => (ListId::Runs, runs.iter().map(RunId::as_str).collect()),
        Operation::Replay(Letters::These(ids))
        | Operation::ReplayAtOnce(Letters::These(ids))
        | Operation::Purge(Letters::These(ids)) => {
            (ListId::Letters, ids.iter().map(String::as_str).collect())
        }
        _ => return,
    };
    let marked = &mut app.lists[list as usize].marked;
    // Mostly it was done to all that are marked.
    let ends = [keys.first(), keys.last()];
    if keys.len() == marked.len() && ends.iter().flatten().all(|key| marked.contains(key)) {
        marked.clear();
        return;
    }
    for key in keys {
        marked.remove(key);
    }
}
