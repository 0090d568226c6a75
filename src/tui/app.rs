//! The dashboard's state.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use ratatui::layout::Rect;
use tui_logger::TuiWidgetState;

use super::{
    actions::{Action, Group},
    catalog::Catalog,
    chart::{ChartPane, Charted},
    dialog::Dialog,
    keymap::Keymap,
    list::ListState,
    log_book::LogBook,
    message::{Command, WorkerStatus},
    operator::Operation,
    order::RunOrder,
    replaying::Replaying,
    rows::{ListId, Rows},
    run_log::RunLog,
    run_logs::RunLogs,
    screen::{RunFace, Screen},
    theme::Theme,
    timeline::Timeline,
    under_way::UnderWay,
    values::Values,
    visits::{Visit, WantedNode},
};
use crate::{
    blueprint::{Blueprint, BlueprintId, RunId},
    engine::Timestamp,
    monitor::{Shape, Snapshot},
    operations::Fingerprint,
    recording::RecorderState,
};

/// A short notice of what came of something.
#[derive(Debug, Clone)]
pub(super) struct Toast {
    pub(super) text: String,
    pub(super) tone: Tone,
    pub(super) until: Timestamp,
}

/// Whether a notice is good or bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
}

/// Something that was done from here.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// Which one: they are counted from 1.
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) what: String,
    /// The runs it was about.
    pub(super) runs: Vec<RunId>,
    pub(super) result: String,
    pub(super) problems: Vec<String>,
    pub(super) tone: Tone,
}

/// A part of the screen that the mouse can hit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) area: Rect,
    pub(super) target: Target,
}

/// What is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A pane.
    Pane(ListId),
    /// Rows of a list, the first of them being the row `first`.
    Rows { list: ListId, first: usize },
    /// The heading of a list's column.
    Heading { list: ListId, title: &'static str },
    /// Targets of the log, the first of them being the one at the place `first`.
    LogTargets { first: usize },
    /// A screen's name.
    Tab(Screen),
    /// A graph.
    Graph(Charted),
    /// Rows of the timeline, the first of them being the row `first`.
    Timeline { first: usize },
    /// The text of a dialog, the first line of it being the line `first`.
    Text { first: usize },
    /// The bar of a recording's time line.
    TimeLine,
}

/// The log, and where its screen stands.
pub(super) struct Logs {
    pub(super) book: LogBook,
    /// Of the overview's pane, which always follows.
    pub(super) tail: TuiWidgetState,
    /// The number of the lowest line in view where the screen was scrolled up, and doesn't follow.
    pub(super) held: Option<u64>,
    /// Whether the list of targets is shown.
    pub(super) targets: bool,
    /// The name of the selected target; nothing: the first one.
    pub(super) target: Option<String>,
}

/// Whether what changes the cluster is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is.
    Full,
    /// It is not.
    ReadOnly,
    /// There is no cluster to change: it is a recording.
    Recording,
}

impl Access {
    /// Why an action is refused, if it is.
    pub(super) fn refusal(self, action: Action) -> Option<String> {
        let why = match self {
            Self::ReadOnly if action.changes() => "read-only",
            Self::Recording if action.changes() => "this is a recording",
            _ => return None,
        };
        Some(format!("{why}: `{action}` is switched off"))
    }
}

/// How much the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Header {
    /// One line.
    #[default]
    Brief,
    /// What the cluster costs, too.
    Detailed,
}

/// All state of the dashboard.
pub(crate) struct App {
    pub(super) snapshot: Arc<Snapshot>,
    /// What is shown instead while the display is frozen, and the time then.
    pub(super) frozen: Option<(Arc<Snapshot>, Timestamp)>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) worker: Option<WorkerStatus>,
    pub(super) clock: Timestamp,
    pub(super) themes: Vec<Theme>,
    pub(super) theme: usize,
    pub(super) keymap: Keymap,
    pub(super) access: Access,
    pub(super) header: Header,
    pub(super) screen: Screen,
    pub(super) focus: ListId,
    /// Where Esc leads to.
    pub(super) trail: Vec<(Screen, ListId)>,
    pub(super) open_run: Option<RunId>,
    /// How a run is seen.
    pub(super) face: RunFace,
    /// The runs that were left for one of their kin: where Esc leads to first.
    pub(super) visits: Vec<Visit>,
    /// The node to be selected as soon as the run is read.
    pub(super) wanted_node: WantedNode,
    /// Everything that the run holds.
    pub(super) values: Values,
    /// The log lines by run.
    pub(super) run_log: Arc<RunLog>,
    /// Those of the run.
    pub(super) run_logs: RunLogs,
    /// The time zone that times are shown in.
    pub(super) zone: jiff::tz::TimeZone,
    /// The graph of the run that is open.
    pub(super) graph: ChartPane,
    /// The graph of the selected blueprint.
    pub(super) preview: ChartPane,
    /// The blueprint that it is of, and its shape.
    pub(super) preview_of: Option<(Arc<Blueprint>, Arc<Shape>)>,
    pub(super) timeline: Timeline,
    /// What drawing asked for.
    pub(super) outbox: Vec<Command>,
    pub(super) lists: [ListState; ListId::COUNT],
    pub(super) filters: HashMap<ListId, String>,
    pub(super) order: RunOrder,
    pub(super) rows: Rows,
    /// The groups of dead letters whose letters are shown.
    pub(super) unfolded: BTreeSet<Fingerprint>,
    pub(super) dialog: Option<Dialog>,
    /// What was last typed as the input of a blueprint.
    pub(super) drafts: HashMap<BlueprintId, String>,
    pub(super) toasts: VecDeque<Toast>,
    /// The latest last.
    pub(super) done: VecDeque<Done>,
    /// Operations that are under way.
    pub(super) under_way: Vec<UnderWay>,
    pub(super) tickets: u64,
    /// The operator has left; the worker is being drained.
    pub(super) leaving: bool,
    pub(super) logs: Logs,
    /// Where in a recording this is, if it is one.
    pub(super) replay: Option<Replaying>,
    /// How the recording of what is shown goes, if it is recorded.
    pub(super) recorder: Option<RecorderState>,
    /// Where things are on the screen, as last drawn.
    pub(super) hits: Vec<Hit>,
    /// Whether anything changed since the screen was last drawn.
    pub(crate) dirty: bool,
}

/// How long a notice stays.
const TOAST: Duration = Duration::from_secs(6);

/// How many of the things done from here are kept.
const DONE: usize = 200;

impl App {
    /// The state at the start, before anything is known.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        keymap: Keymap,
        access: Access,
        now: Timestamp,
    ) -> Self {
        let mut app = Self {
            snapshot,
            frozen: None,
            catalog: Arc::default(),
            worker: None,
            clock: now,
            themes: Theme::built_in(),
            theme: 0,
            keymap,
            access,
            header: Header::default(),
            screen: Screen::Overview,
            focus: Screen::Overview.first_focus(),
            trail: Vec::new(),
            open_run: None,
            face: RunFace::default(),
            visits: Vec::new(),
            wanted_node: WantedNode::None,
            values: Values::default(),
            run_log: Arc::default(),
            run_logs: RunLogs::default(),
            zone: jiff::tz::TimeZone::UTC,
            graph: ChartPane::new(Charted::Run),
            preview: ChartPane::new(Charted::Blueprint),
            preview_of: None,
            timeline: Timeline::default(),
            outbox: Vec::new(),
            lists: Default::default(),
            filters: HashMap::new(),
            order: RunOrder::default(),
            rows: Rows::default(),
            unfolded: BTreeSet::new(),
            dialog: None,
            drafts: HashMap::new(),
            toasts: VecDeque::new(),
            done: VecDeque::new(),
            under_way: Vec::new(),
            tickets: 0,
            leaving: false,
            logs: Logs {
                book: LogBook::default(),
                tail: TuiWidgetState::new(),
                held: None,
                targets: true,
                target: None,
            },
            replay: None,
            recorder: None,
            hits: Vec::new(),
            dirty: true,
        };
        app.relist();
        app
    }

    /// Shows these themes, beginning with the one at `first`.
    pub(crate) fn set_themes(&mut self, themes: Vec<Theme>, first: usize) {
        if !themes.is_empty() {
            self.theme = first.min(themes.len() - 1);
            self.themes = themes;
        }
    }

    /// The snapshot that is on the screen.
    pub(super) fn shown(&self) -> &Arc<Snapshot> {
        self.frozen.as_ref().map_or(&self.snapshot, |(snapshot, _)| snapshot)
    }

    /// The time that ages on the screen are reckoned from.
    pub(super) fn now(&self) -> Timestamp {
        match (&self.frozen, &self.replay) {
            (Some((_, at)), _) => *at,
            (None, Some(replay)) => replay.moment.at,
            (None, None) => self.clock,
        }
    }

    pub(super) fn filter(&self, list: ListId) -> &str {
        self.filters.get(&list).map_or("", String::as_str)
    }

    pub(super) fn list(&self, list: ListId) -> &ListState {
        &self.lists[list as usize]
    }

    /// The lists of the screen that can have the focus, the first one first.
    pub(super) fn lists_here(&self) -> &'static [ListId] {
        match (self.screen, self.face.list()) {
            (Screen::Run, ListId::Context) => &[ListId::Context],
            (Screen::Run, ListId::RunLogs) => &[ListId::RunLogs],
            (screen, _) => screen.lists(),
        }
    }

    pub(super) fn current_theme(&self) -> &Theme {
        &self.themes[self.theme]
    }

    pub(super) fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        if self.toasts.len() >= 3 {
            self.toasts.pop_front();
        }
        self.toasts.push_back(Toast { text: text.into(), tone, until: self.clock + TOAST });
    }

    /// Records what came of an operation, says so and logs it.
    pub(super) fn record(&mut self, operation: &Operation, result: String, problems: Vec<String>) {
        let tone = if problems.is_empty() { Tone::Good } else { Tone::Bad };
        self.record_as(tone, operation.title(), operation.runs().to_vec(), result, problems);
    }

    /// Records that an operation failed.
    pub(super) fn record_failure(&mut self, operation: &Operation, why: String) {
        let runs = operation.runs().to_vec();
        self.record_as(Tone::Bad, operation.title(), runs, why, Vec::new());
    }

    /// Records what came of something that changes nothing on the cluster.
    pub(super) fn record_other(&mut self, tone: Tone, what: String, result: String) {
        self.record_as(tone, what, Vec::new(), result, Vec::new());
    }

    fn record_as(
        &mut self,
        tone: Tone,
        what: String,
        runs: Vec<RunId>,
        result: String,
        problems: Vec<String>,
    ) {
        match tone {
            Tone::Good => tracing::info!("{what}: {result}"),
            Tone::Bad => tracing::error!("{what}: {result}"),
        }
        for problem in &problems {
            tracing::error!("{what}: {problem}");
        }
        let first = problems.first().map(|it| format!("; {it}")).unwrap_or_default();
        self.notify(tone, format!("{result}{first}"));
        if self.done.len() >= DONE {
            self.done.pop_front();
        }
        let number = self.done.back().map_or(1, |last| last.number + 1);
        self.done.push_back(Done { number, at: self.clock, what, runs, result, problems, tone });
        self.relist();
    }

    /// Takes in where things were drawn.
    pub(crate) fn drawn(&mut self, hits: Vec<Hit>) {
        // Whether what was drawn did not know yet how much room it has.
        let mut anew = false;
        for hit in &hits {
            match (hit.target, &mut self.dialog) {
                (Target::Rows { list, first }, _) => {
                    let state = &mut self.lists[list as usize];
                    state.offset = first;
                    state.height = usize::from(hit.area.height);
                }
                (Target::Graph(charted), _) => {
                    let pane = match charted {
                        Charted::Run => &mut self.graph,
                        Charted::Blueprint => &mut self.preview,
                    };
                    // Only now it is known how much room there is.
                    anew |= pane.measured((hit.area.width, hit.area.height));
                }
                (Target::Timeline { first }, _) => {
                    self.timeline.scrolled(first, usize::from(hit.area.height));
                }
                (Target::Text { first }, Some(dialog)) => {
                    if let Dialog::Whole(whole) = dialog {
                        anew |= whole.wrap(usize::from(hit.area.width));
                    }
                    dialog.scrolled_to(first);
                }
                _ => {}
            }
        }
        self.hits = hits;
        self.dirty = anew;
    }

    /// The place of the log's selected target.
    pub(super) fn log_target(&self) -> usize {
        let wanted = self.logs.target.as_deref();
        let mut names = self.logs.book.targets().map(|target| target.name.as_str());
        names.position(|name| Some(name) == wanted).unwrap_or(0)
    }

    /// Whether an action makes sense where the operator is.
    pub(super) fn offers(&self, action: Action) -> bool {
        if self.access.refusal(action).is_some() {
            return false;
        }
        if action.info().group == Group::Replay {
            return self.replay.is_some();
        }
        let about_run = self.run_of_row(self.focus).is_some();
        match action {
            Action::Explain => about_run || self.screen == Screen::Run,
            Action::Requeue | Action::Cancel | Action::CopyPlace => about_run,
            Action::Answer => {
                about_run && matches!(self.focus, ListId::Runs | ListId::Nodes | ListId::Inspector)
            }
            Action::Reconcile => {
                self.screen == Screen::Run || self.shown().runs.data.counts().stalled > 0
            }
            Action::Replay | Action::Purge => {
                self.focus == ListId::Letters
                    || (self.focus == ListId::Jobs && self.shown().queue.data.poison > 0)
            }
            Action::Stop => self.can_stop(),
            Action::Release => self.focus == ListId::Locks && about_run,
            Action::Pause | Action::Drain => self.worker.is_some(),
            Action::Filter => {
                let narrowed = !self.filter(self.focus).is_empty();
                self.focus.can_filter() && (narrowed || self.count(self.focus) > 0)
            }
            Action::Freeze | Action::Refresh => self.replay.is_none(),
            Action::Sort | Action::Reverse => self.focus == ListId::Runs,
            Action::NextPane | Action::PreviousPane => self.lists_here().len() > 1,
            Action::NextFace | Action::PreviousFace => self.screen == Screen::Run,
            Action::Parent => {
                self.run_of_row(self.focus).is_some_and(|run| self.parent_of(&run).is_some())
            }
            Action::Children => {
                self.screen == Screen::Run
                    && self.detail_of(self.shown()).is_some_and(|it| !it.children.is_empty())
            }
            Action::UnfoldAll | Action::FoldAll => self.focus == ListId::Context,
            Action::NextMatch | Action::PreviousMatch => {
                self.focus == ListId::Context && !self.filter(ListId::Context).is_empty()
            }
            Action::Export => self.screen == Screen::Run || self.rows.count(self.focus) > 0,
            Action::ZoomIn | Action::ZoomOut | Action::ZoomFit => {
                self.charted().is_some() || self.shows_timeline()
            }
            Action::Turn => self.charted().is_some(),
            _ => true,
        }
    }
}
