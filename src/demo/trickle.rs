//! New runs, every few seconds.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{DemoError, dice::Dice, order::Line, take_number};
use crate::{
    blueprint::Library,
    cluster::{Cluster, StatusQuery},
    engine::RunStatus,
    operations::{Lint, Operations, StartRequest},
};

/// What is started at once, so that there is something to see.
const OPENING: [Line; 3] = [Line::Images, Line::Order, Line::Prices];
/// How many runs may be under way for another to be started.
const UNDER_WAY: usize = 8;
/// How many may wait for an answer or a timer for another that waits to be started.
const WAITING: usize = 6;
/// A run that nobody touched for so long is not under way, but stalled.
const QUIET: Duration = Duration::from_mins(1);
/// The pause between two starts, in milliseconds.
const PAUSE: std::ops::Range<u64> = 2000..5000;

/// Starts runs until dropped.
pub(super) async fn trickle(cluster: Cluster, library: Library, seed: u64, next: Arc<AtomicU64>) {
    let operations = Operations::new(cluster, library, "demo");
    let mut dice = Dice::new(seed, "trickle");
    for started in 0_usize.. {
        let line = OPENING.get(started).unwrap_or_else(|| dice.pick(&Line::MIX));
        if let Err(error) = start(&operations, *line, &mut dice, &next).await {
            tracing::debug!(%error, "the demo could not start a run");
        }
        if started + 1 >= OPENING.len() {
            tokio::time::sleep(Duration::from_millis(dice.number(PAUSE))).await;
        }
    }
}

/// Starts a run, unless there are enough.
pub(super) async fn start(
    operations: &Operations,
    line: Line,
    dice: &mut Dice,
    next: &AtomicU64,
) -> Result<(), DemoError> {
    let waits = matches!(line, Line::Expense | Line::Trial);
    let enough = under_way(operations).await? >= UNDER_WAY
        || (waits && waiting(operations).await? >= WAITING);
    if enough {
        return Ok(());
    }
    let request = StartRequest {
        blueprint: line.blueprint().into(),
        input: line.input(dice),
        run: Some(line.run_id(take_number(next))),
        lint: Lint::Enforce,
    };
    operations.start(request).await?;
    Ok(())
}

async fn under_way(operations: &Operations) -> Result<usize, DemoError> {
    let now = operations.cluster().clock.now();
    let query = StatusQuery {
        statuses: vec![RunStatus::Running],
        limit: 4 * UNDER_WAY,
        ..StatusQuery::default()
    };
    let page = operations.cluster().state.list_statuses(&query).await?;
    Ok(page.items.iter().filter(|found| now.since(found.item.last_updated) < QUIET).count())
}

async fn waiting(operations: &Operations) -> Result<usize, DemoError> {
    let query = StatusQuery {
        statuses: vec![RunStatus::Awaiting],
        limit: WAITING,
        ..StatusQuery::default()
    };
    Ok(operations.cluster().state.list_statuses(&query).await?.items.len())
}
