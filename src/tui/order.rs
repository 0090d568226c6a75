//! In which order runs are listed.

use std::cmp::{Ordering, Reverse};

use crate::{
    cluster::NodeCounts,
    engine::{RunStatus, Timestamp},
    monitor::RunRow,
};

/// What runs are ordered by. Runs that are alike in it have the newest start first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum OrderBy {
    /// Stalled, running, awaiting, then the rest.
    #[default]
    Attention,
    Status,
    Run,
    Blueprint,
    Nodes,
    Progress,
    Age,
    Touched,
}

/// Which way an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// As one mostly wants it: names from a to z, the latest time and the largest number first.
    #[default]
    Usual,
    Reversed,
}

/// The order of the runs. Runs that lack what they are ordered by are last, whichever way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RunOrder {
    pub(super) by: OrderBy,
    pub(super) way: Way,
}

impl OrderBy {
    const ALL: [Self; 8] = [
        Self::Attention,
        Self::Status,
        Self::Run,
        Self::Blueprint,
        Self::Nodes,
        Self::Progress,
        Self::Age,
        Self::Touched,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Status => "status",
            Self::Run => "run",
            Self::Blueprint => "blueprint",
            Self::Nodes => "nodes",
            Self::Progress => "progress",
            Self::Age => "age",
            Self::Touched => "touched",
        }
    }
}

impl RunOrder {
    /// The next one to look at.
    pub(super) fn next(self) -> Self {
        let at = OrderBy::ALL.iter().position(|by| *by == self.by).unwrap_or(0);
        Self { by: OrderBy::ALL[(at + 1) % OrderBy::ALL.len()], way: Way::Usual }
    }

    /// The same the other way round.
    pub(super) fn reversed(self) -> Self {
        let way = match self.way {
            Way::Usual => Way::Reversed,
            Way::Reversed => Way::Usual,
        };
        Self { way, ..self }
    }

    /// By the column of a title; the same once more: the other way round. Nothing if it is no
    /// order.
    pub(super) fn clicked(self, title: &str) -> Option<Self> {
        let title = if title == "note" { "attention" } else { title };
        let by = OrderBy::ALL.into_iter().find(|by| by.name() == title)?;
        let fresh = Self { by, way: Way::Usual };
        Some(if by == self.by { self.reversed() } else { fresh })
    }

    /// Whether what is shown grows (↑) or shrinks (↓) from row to row. Not the symbol of a stalled
    /// run.
    pub(super) fn arrow(self) -> &'static str {
        let shrinks = self.by == OrderBy::Nodes || self.by == OrderBy::Progress;
        if shrinks == (self.way == Way::Usual) { "↓" } else { "↑" }
    }

    /// Compares two runs; two different runs are never alike.
    pub(super) fn compare(self, a: &RunRow, b: &RunRow) -> Ordering {
        self.compare_by(a, b).then_with(|| compare_start(a, b))
    }

    fn compare_by(self, a: &RunRow, b: &RunRow) -> Ordering {
        let (one, two) = (&a.item, &b.item);
        let way = self.way;
        match self.by {
            OrderBy::Attention => way.of(need(a).cmp(&need(b))),
            OrderBy::Status => way.last(status(a), status(b)),
            OrderBy::Run => way.of(one.run_id.cmp(&two.run_id)),
            OrderBy::Blueprint => {
                way.last(one.blueprint_id.as_deref(), two.blueprint_id.as_deref())
            }
            OrderBy::Nodes => {
                let total = |nodes: NodeCounts| Reverse(nodes.total);
                way.last(one.nodes.map(total), two.nodes.map(total))
            }
            OrderBy::Progress => way.last(one.nodes.and_then(done), two.nodes.and_then(done)),
            OrderBy::Age => way.last(one.started_at.map(Reverse), two.started_at.map(Reverse)),
            OrderBy::Touched => way.of(two.last_updated.cmp(&one.last_updated)),
        }
    }

    /// Orders rows that come newest start first, as a view has them.
    pub(super) fn sort<R: AsRef<RunRow>>(self, rows: &mut [R]) {
        let by_time = |at: Timestamp| match self.way {
            Way::Usual => at.millis().saturating_neg(),
            Way::Reversed => at.millis(),
        };
        match (self.by, self.way) {
            // They are in this order already.
            (OrderBy::Age, Way::Usual) => {}
            // Whatever is a number is looked up once for each row.
            (OrderBy::Attention, Way::Usual) => rows.sort_by_cached_key(|row| need(row.as_ref())),
            (OrderBy::Attention, Way::Reversed) => {
                rows.sort_by_cached_key(|row| Reverse(need(row.as_ref())));
            }
            (OrderBy::Touched, _) => {
                rows.sort_by_cached_key(|row| by_time(row.as_ref().item.last_updated));
            }
            _ => rows.sort_by(|a, b| self.compare_by(a.as_ref(), b.as_ref())),
        }
    }
}

impl Way {
    fn of(self, ordering: Ordering) -> Ordering {
        match self {
            Self::Usual => ordering,
            Self::Reversed => ordering.reverse(),
        }
    }

    /// Compares what may be missing: that is last either way.
    fn last<T: Ord>(self, a: Option<T>, b: Option<T>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => self.of(a.cmp(&b)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }
}

/// Newest start first, then by id: the order of a view.
fn compare_start(a: &RunRow, b: &RunRow) -> Ordering {
    b.item.started_at.cmp(&a.item.started_at).then_with(|| a.item.run_id.cmp(&b.item.run_id))
}

/// How much a run needs attention: less is more.
fn need(row: &RunRow) -> u8 {
    match row.item.status {
        _ if row.stalled => 0,
        Some(RunStatus::Running) => 1,
        Some(RunStatus::Awaiting) => 2,
        None => 3,
        Some(_) => 4,
    }
}

/// The word that stands in the status column.
fn status(row: &RunRow) -> Option<&'static str> {
    if row.stalled { Some("stalled") } else { row.item.status.map(RunStatus::as_str) }
}

/// The share of nodes that are completed, the largest first.
fn done(nodes: NodeCounts) -> Option<Reverse<u64>> {
    // In units so small that two shares of real runs never fall into one.
    let parts = (u64::from(nodes.completed) << 32).checked_div(u64::from(nodes.total))?;
    Some(Reverse(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::StatusItem;

    fn row(
        run: &str,
        status: RunStatus,
        started: Option<i64>,
        nodes: Option<(u32, u32)>,
    ) -> RunRow {
        let item = StatusItem {
            run_id: run.into(),
            status: Some(status),
            last_updated: Timestamp::from_seconds(started.unwrap_or(0) + 5),
            blueprint_id: (run != "c").then(|| format!("b-{run}").into()),
            started_at: started.map(Timestamp::from_seconds),
            nodes: nodes.map(|(completed, total)| NodeCounts { total, completed, failed: 0 }),
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: None,
            final_status: None,
            remarks: crate::cluster::Remarks::default(),
        };
        RunRow { item, stalled: run == "d" }
    }

    fn rows() -> Vec<RunRow> {
        vec![
            row("b", RunStatus::Failed, Some(30), Some((1, 3))),
            row("a", RunStatus::Completed, Some(20), Some((4, 4))),
            row("d", RunStatus::Running, Some(10), Some((0, 9))),
            row("c", RunStatus::Running, None, None),
        ]
    }

    fn listed(by: OrderBy, way: Way) -> String {
        let mut rows = rows();
        rows.sort_by(|a, b| RunOrder { by, way }.compare(a, b));
        rows.iter().map(|row| row.item.run_id.as_str()).collect()
    }

    #[test]
    fn runs_are_ordered_by_each_column_both_ways() {
        let order = |by| [listed(by, Way::Usual), listed(by, Way::Reversed)];
        assert_eq!(order(OrderBy::Attention), ["dcba", "bacd"]);
        assert_eq!(order(OrderBy::Status), ["abcd", "dcba"]);
        assert_eq!(order(OrderBy::Run), ["abcd", "dcba"]);
        assert_eq!(order(OrderBy::Blueprint), ["abdc", "dbac"], "what lacks one is last");
        assert_eq!(order(OrderBy::Nodes), ["dabc", "badc"]);
        assert_eq!(order(OrderBy::Progress), ["abdc", "dbac"]);
        assert_eq!(order(OrderBy::Age), ["badc", "dabc"]);
        assert_eq!(order(OrderBy::Touched), ["badc", "cdab"]);
    }

    #[test]
    fn sorting_what_is_in_a_views_order_is_the_same_as_comparing() {
        struct Row(RunRow);
        impl AsRef<RunRow> for Row {
            fn as_ref(&self) -> &RunRow {
                &self.0
            }
        }
        for by in OrderBy::ALL {
            for way in [Way::Usual, Way::Reversed] {
                let mut sorted: Vec<Row> = rows().into_iter().map(Row).collect();
                RunOrder { by, way }.sort(&mut sorted);
                let names: String = sorted.iter().map(|row| row.0.item.run_id.as_str()).collect();
                assert_eq!(names, listed(by, way), "{by:?} {way:?}");
            }
        }
    }

    #[test]
    fn a_heading_that_is_clicked_twice_turns_the_order_round() {
        let first = RunOrder::default().clicked("progress");
        let progress = RunOrder { by: OrderBy::Progress, way: Way::Usual };
        assert_eq!(first, Some(progress));
        assert_eq!(progress.clicked("progress"), Some(progress.reversed()));
        assert_eq!(progress.clicked("note"), Some(RunOrder::default()));
        assert_eq!(progress.clicked("elsewhere"), None);
    }

    #[test]
    fn one_comes_through_all_orders_and_back() {
        let mut order = RunOrder::default();
        for _ in OrderBy::ALL {
            order = order.next();
        }
        assert_eq!(order, RunOrder::default());
    }
}
