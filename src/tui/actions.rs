//! The one table of actions: keymap, footer, help, palette, the README's key table and read-only
//! mode all come from it.

use std::fmt;

/// Something an operator can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The table says what each does.
pub enum Action {
    Overview,
    Runs,
    Queue,
    Locks,
    Workers,
    Blueprints,
    Logs,
    Warnings,
    NextPane,
    PreviousPane,
    NextFace,
    PreviousFace,
    ZoomIn,
    ZoomOut,
    ZoomFit,
    Turn,
    Open,
    Back,
    Parent,
    Children,
    UnfoldAll,
    FoldAll,
    NextMatch,
    PreviousMatch,
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    PageUp,
    PageDown,
    Mark,
    MarkAll,
    Filter,
    Sort,
    Reverse,
    Start,
    Explain,
    Requeue,
    Reconcile,
    Cancel,
    Answer,
    Replay,
    Purge,
    Stop,
    Release,
    Play,
    StepBack,
    StepForward,
    MinuteBack,
    MinuteForward,
    EventBack,
    EventForward,
    ToStart,
    ToEnd,
    Slower,
    Faster,
    Pause,
    Drain,
    Palette,
    Help,
    Copy,
    CopyPlace,
    Export,
    Freeze,
    Refresh,
    Theme,
    Detail,
    History,
    Redraw,
    Suspend,
    Quit,
}

/// What an action belongs to, in help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Which screen.
    Screens,
    /// Where on it.
    Move,
    /// What the cluster is told.
    Act,
    /// When, in a recording.
    Replay,
    /// Everything else.
    Program,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 5] = [Self::Act, Self::Screens, Self::Move, Self::Program, Self::Replay];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Screens => "Screens",
            Self::Move => "Moving",
            Self::Act => "Acting on the cluster",
            Self::Replay => "In a recording",
            Self::Program => "This program",
        }
    }
}

/// Whether an action only looks, or changes the cluster or this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Looks,
    /// It changes something: asked for confirmation, and refused in read-only mode.
    Changes,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ActionInfo {
    /// The action.
    pub action: Action,
    /// Its name in the configuration and the palette.
    pub id: &'static str,
    /// Its keys unless configured otherwise, the main one first.
    pub keys: &'static [&'static str],
    /// What it does, for the help.
    pub description: &'static str,
    /// The same in a word or two, for the footer; empty if it has no place there.
    pub hint: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// Whether it changes anything.
    pub effect: Effect,
}

impl ActionInfo {
    /// A word or two for it: the footer's hint, else its name.
    pub(super) fn hint_or_id(&self) -> &'static str {
        if self.hint.is_empty() { self.id } else { self.hint }
    }
}

const fn looks(
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    group: Group,
    hint: &'static str,
    description: &'static str,
) -> ActionInfo {
    ActionInfo { action, id, keys, description, hint, group, effect: Effect::Looks }
}

const fn changes(
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    hint: &'static str,
    description: &'static str,
) -> ActionInfo {
    ActionInfo { action, id, keys, description, hint, group: Group::Act, effect: Effect::Changes }
}

use Action as A;
use Group::{Move, Program, Replay, Screens};

/// The table. Footer hints stand in this order.
pub static ACTIONS: [ActionInfo; 73] = [
    looks(
        A::Play,
        "play",
        &[";"],
        Replay,
        "play",
        "play the recording, or hold it; space does, too",
    ),
    looks(A::EventBack, "event-back", &["("], Replay, "", "to the last thing that happened"),
    looks(
        A::EventForward,
        "event-forward",
        &[")"],
        Replay,
        "next event",
        "to the next thing that happened: a failure, a stall, something that was done",
    ),
    looks(A::StepBack, "step-back", &[","], Replay, "", "to the change before this one"),
    looks(A::StepForward, "step-forward", &["."], Replay, "step", "to the next change"),
    looks(A::MinuteBack, "minute-back", &["{"], Replay, "", "a minute back"),
    looks(A::MinuteForward, "minute-forward", &["}"], Replay, "", "a minute on"),
    looks(A::ToStart, "to-start", &["^"], Replay, "", "to the start of the recording"),
    looks(A::ToEnd, "to-end", &["$"], Replay, "", "to the end of the recording"),
    looks(A::Slower, "slower", &["<"], Replay, "", "play half as fast"),
    looks(A::Faster, "faster", &[">"], Replay, "", "play twice as fast"),
    changes(A::Start, "start", &["s"], "start", "start a run: choose a blueprint, give its input"),
    looks(
        A::Explain,
        "explain",
        &["w"],
        Group::Act,
        "why",
        "why is this run not moving? its causes, what speaks for them, and what mends them",
    ),
    changes(
        A::Requeue,
        "requeue",
        &["r"],
        "requeue",
        "run the failed or stuck nodes of the run, or of the marked runs, again; in a run, the chosen node",
    ),
    changes(
        A::Reconcile,
        "reconcile",
        &["R"],
        "reconcile",
        "resume stalled runs: the marked ones, else all",
    ),
    changes(
        A::Cancel,
        "cancel",
        &["x"],
        "cancel",
        "stop the run, or the marked runs: nothing more of it is executed",
    ),
    changes(
        A::Answer,
        "answer",
        &["a"],
        "answer",
        "answer a node that waits: choose its action, give its output",
    ),
    changes(
        A::Replay,
        "replay",
        &["P"],
        "replay",
        "try the dead letter, the group or the marked ones again: one as a canary first",
    ),
    changes(
        A::Purge,
        "purge",
        &["X"],
        "purge",
        "delete the dead letter, the group or the marked ones for good",
    ),
    looks(
        A::Stop,
        "stop",
        &["S"],
        Group::Act,
        "stop",
        "stop the operation under way: what is not done yet stays as it is",
    ),
    looks(
        A::Filter,
        "filter",
        &["/"],
        Move,
        "filter",
        "filter the list: words; the runs by status:failed, age>5m and more, see below; in a run's \
         context: search",
    ),
    looks(
        A::Open,
        "open",
        &["enter"],
        Move,
        "open",
        "zoom into the pane, open what is selected; unfold a group of dead letters",
    ),
    looks(
        A::Back,
        "back",
        &["esc", "backspace"],
        Move,
        "back",
        "go back; drop the filter or the marks",
    ),
    looks(
        A::Parent,
        "parent",
        &["u"],
        Move,
        "parent",
        "up to the run that this one works for; back leads down again",
    ),
    looks(
        A::Children,
        "children",
        &["c"],
        Move,
        "child runs",
        "open the child run of the selected node; of several, choose one",
    ),
    looks(
        A::NextMatch,
        "next-match",
        &["n"],
        Move,
        "next",
        "in a run's context: to the next match of the search",
    ),
    looks(A::PreviousMatch, "previous-match", &["N"], Move, "", "the same, to the one before"),
    looks(
        A::UnfoldAll,
        "unfold-all",
        &["+"],
        Move,
        "",
        "in a run's context: unfold everything; space folds one value",
    ),
    looks(A::FoldAll, "fold-all", &["-"], Move, "", "in a run's context: fold everything"),
    changes(
        A::Release,
        "release",
        &["L"],
        "release",
        "take the lease from its holder, and have its run move again: for one that is dead",
    ),
    changes(A::Pause, "pause", &["p"], "pause", "pause this worker, or let it go on"),
    changes(
        A::Drain,
        "drain",
        &["D"],
        "drain",
        "have this worker finish what it runs and take nothing new",
    ),
    looks(
        A::Mark,
        "mark",
        &["space"],
        Move,
        "",
        "mark the row, to act on several; in a graph: open a box of several nodes",
    ),
    looks(
        A::MarkAll,
        "mark-all",
        &["*"],
        Move,
        "",
        "mark every row that the filter leaves, or drop all marks",
    ),
    looks(
        A::Sort,
        "sort",
        &["o"],
        Move,
        "",
        "order the runs by the next column: need of attention first, age, progress and so on",
    ),
    looks(A::Reverse, "reverse", &["O"], Move, "", "the same order the other way round"),
    looks(A::NextPane, "next-pane", &["tab"], Move, "next pane", "move the focus to the next pane"),
    looks(
        A::PreviousPane,
        "previous-pane",
        &["backtab"],
        Move,
        "",
        "move the focus to the previous pane",
    ),
    looks(
        A::NextFace,
        "next-view",
        &["v"],
        Move,
        "view",
        "see the run in another way: graph, nodes, timeline, context, logs",
    ),
    looks(A::PreviousFace, "previous-view", &["V"], Move, "", "the same, the other way round"),
    looks(A::ZoomIn, "zoom-in", &["z"], Move, "zoom", "a graph or timeline: larger, less of it"),
    looks(A::ZoomOut, "zoom-out", &["Z"], Move, "", "the same: smaller, more of it"),
    looks(A::ZoomFit, "zoom-fit", &["0"], Move, "", "the same: as large as all of it fits"),
    looks(A::Turn, "turn", &["|"], Move, "", "a graph: turn it, to lead to the right or down"),
    looks(A::Help, "help", &["?"], Program, "help", "all keys"),
    looks(A::Palette, "palette", &[":"], Program, "command", "find an action by its name"),
    looks(
        A::Quit,
        "quit",
        &["q", "ctrl-c"],
        Program,
        "quit",
        "leave: drains this worker first, and says how many nodes still run",
    ),
    looks(A::Overview, "overview", &["1"], Screens, "", "queue, runs, locks and logs at once"),
    looks(A::Runs, "runs", &["2"], Screens, "", "all runs"),
    looks(A::Queue, "queue", &["3"], Screens, "", "the next messages, and the dead letters"),
    looks(A::Locks, "locks", &["4"], Screens, "", "who holds what, and whether it is alive"),
    looks(A::Workers, "workers", &["5"], Screens, "", "the workers of the cluster"),
    looks(A::Blueprints, "blueprints", &["6"], Screens, "", "the blueprints that are loaded"),
    looks(A::Logs, "logs", &["7"], Screens, "", "log lines, with a level per target"),
    looks(
        A::Warnings,
        "warnings",
        &["W"],
        Screens,
        "",
        "what is the matter: stalled runs, orphaned locks, poison, old messages, wrong clocks",
    ),
    looks(A::Up, "up", &["up", "k"], Move, "", "one row up"),
    looks(A::Down, "down", &["down", "j"], Move, "", "one row down"),
    looks(
        A::Left,
        "left",
        &["left", "h"],
        Move,
        "",
        "to the pane on the left; in the logs: fewer levels shown",
    ),
    looks(
        A::Right,
        "right",
        &["right", "l"],
        Move,
        "",
        "to the pane on the right; in the logs: more levels shown",
    ),
    looks(A::Top, "top", &["g", "home"], Move, "", "to the first row, and stay there"),
    looks(
        A::Bottom,
        "bottom",
        &["G", "end"],
        Move,
        "",
        "to the last row; in the logs: follow again",
    ),
    looks(A::PageUp, "page-up", &["pageup"], Move, "", "a page up"),
    looks(A::PageDown, "page-down", &["pagedown"], Move, "", "a page down"),
    looks(
        A::Copy,
        "copy",
        &["y"],
        Program,
        "copy",
        "copy the id of what is selected, the value as JSON, the log line, the error (OSC 52)",
    ),
    looks(
        A::CopyPlace,
        "copy-path",
        &["Y"],
        Program,
        "",
        "copy the path of the selected value; elsewhere the id of the run",
    ),
    looks(
        A::Export,
        "export",
        &["e"],
        Program,
        "export",
        "write the run, the value, the log lines or the list to a file, as JSON",
    ),
    looks(
        A::Freeze,
        "freeze",
        &["f"],
        Program,
        "freeze",
        "hold the display still; the cluster goes on",
    ),
    looks(A::Refresh, "refresh", &["F5"], Program, "", "ask every service now"),
    looks(
        A::History,
        "history",
        &["H"],
        Screens,
        "",
        "what was done from here, and what came of it",
    ),
    looks(
        A::Detail,
        "detail",
        &["i"],
        Program,
        "",
        "show more in the header: requests, request units, 429s, answer times",
    ),
    looks(A::Theme, "theme", &["t"], Program, "theme", "the next theme"),
    looks(A::Redraw, "redraw", &["ctrl-l"], Program, "", "draw the whole screen anew"),
    looks(
        A::Suspend,
        "suspend",
        &["ctrl-z"],
        Program,
        "",
        "back to the shell until fg; this worker stands still meanwhile",
    ),
];

impl Action {
    /// Its row of the table.
    pub fn info(self) -> &'static ActionInfo {
        // A test goes through every action.
        ACTIONS.iter().find(|info| info.action == self).unwrap_or(&ACTIONS[0])
    }

    /// The action of a name.
    pub fn from_id(id: &str) -> Option<Self> {
        ACTIONS.iter().find(|info| info.id == id).map(|info| info.action)
    }

    /// Whether it changes the cluster or this worker.
    pub fn changes(self) -> bool {
        self.info().effect == Effect::Changes
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_has_one_row_with_its_own_id_and_a_key() {
        let ids: HashSet<_> = ACTIONS.iter().map(|info| info.id).collect();
        let actions: HashSet<_> = ACTIONS.iter().map(|info| info.action).collect();
        assert_eq!(ids.len(), ACTIONS.len());
        assert_eq!(actions.len(), ACTIONS.len());
        for info in &ACTIONS {
            assert_eq!(info.action.info().id, info.id);
            assert!(!info.keys.is_empty() && !info.description.is_empty(), "{}", info.id);
        }
    }

    #[test]
    fn nothing_that_changes_the_cluster_is_on_a_ctrl_chord() {
        for info in ACTIONS.iter().filter(|info| info.effect == Effect::Changes) {
            assert!(info.keys.iter().all(|key| !key.starts_with("ctrl")), "{}", info.id);
        }
    }
}
