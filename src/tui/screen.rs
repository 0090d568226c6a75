//! The screens, and the ways to see a run.

use super::{actions::Action, rows::ListId};

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Screen {
    Overview,
    Runs,
    Run,
    Queue,
    Locks,
    Workers,
    Blueprints,
    Logs,
    Warnings,
    History,
}

impl Screen {
    /// The screens that have a number, in their order.
    pub(super) const TABS: [(Self, Action, &'static str); 7] = [
        (Self::Overview, Action::Overview, "Overview"),
        (Self::Runs, Action::Runs, "Runs"),
        (Self::Queue, Action::Queue, "Queue"),
        (Self::Locks, Action::Locks, "Locks"),
        (Self::Workers, Action::Workers, "Workers"),
        (Self::Blueprints, Action::Blueprints, "Blueprints"),
        (Self::Logs, Action::Logs, "Logs"),
    ];

    /// The lists on it that can have the focus, the first one first.
    pub(super) fn lists(self) -> &'static [ListId] {
        match self {
            Self::Overview => &[ListId::Jobs, ListId::Locks, ListId::Runs, ListId::Logs],
            Self::Runs => &[ListId::Runs],
            // Which one it is depends on how the run is seen: `App::lists_here`.
            Self::Run => &[ListId::Nodes, ListId::Inspector],
            Self::Queue => &[ListId::Jobs, ListId::Letters],
            Self::Locks => &[ListId::Locks],
            Self::Workers => &[ListId::Workers, ListId::Costs],
            Self::Blueprints => &[ListId::Blueprints],
            Self::Logs => &[ListId::Logs],
            Self::Warnings => &[ListId::Warnings],
            Self::History => &[ListId::History],
        }
    }

    /// The list that has the focus at first.
    pub(super) fn first_focus(self) -> ListId {
        match self {
            Self::Overview => ListId::Runs,
            screen => screen.lists()[0],
        }
    }
}

/// A way to see a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RunFace {
    #[default]
    Graph,
    Nodes,
    Timeline,
    Context,
    Logs,
}

impl RunFace {
    /// All of them, in the order in which one goes through them.
    pub(super) const ALL: [Self; 5] =
        [Self::Graph, Self::Nodes, Self::Timeline, Self::Context, Self::Logs];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Graph => "Graph",
            Self::Nodes => "Nodes",
            Self::Timeline => "Timeline",
            Self::Context => "Context",
            Self::Logs => "Logs",
        }
    }

    /// The list that it shows. Graph, table and timeline share their selected node.
    pub(super) fn list(self) -> ListId {
        match self {
            Self::Graph | Self::Nodes | Self::Timeline => ListId::Nodes,
            Self::Context => ListId::Context,
            Self::Logs => ListId::RunLogs,
        }
    }

    /// Whether it stands beside what is known of the chosen node.
    pub(super) fn has_inspector(self) -> bool {
        self.list() == ListId::Nodes
    }

    /// The one before or after it, round and round.
    pub(super) fn turned(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|face| *face == self).unwrap_or(0);
        let count = Self::ALL.len();
        Self::ALL[at.saturating_add_signed(by + count.cast_signed()) % count]
    }
}
