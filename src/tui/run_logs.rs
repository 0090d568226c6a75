//! The log lines of the run that is open, as they are shown.

use std::sync::Arc;

use tracing::Level;

use super::{
    app::App,
    list::Step,
    rows::ListId,
    run_log::RunLine,
    screen::{RunFace, Screen},
};
use crate::blueprint::RunId;

/// Which lines are shown, and where one is in them.
pub(super) struct RunLogs {
    /// The lines about the run, oldest first.
    pub(super) lines: Vec<Arc<RunLine>>,
    /// Which run, and how many lines there had been in all when they were taken.
    taken: Option<(RunId, u64)>,
    /// The rows were chosen by these.
    chosen: Option<(Level, String)>,
    /// Lines less severe than this are left out.
    pub(super) level: Level,
    /// Whether the newest line is selected, and the next one will be.
    pub(super) following: bool,
}

impl Default for RunLogs {
    fn default() -> Self {
        Self { lines: Vec::new(), taken: None, chosen: None, level: Level::TRACE, following: true }
    }
}

/// The levels, from the most severe.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Brings the lines up to date. To be called after every change of the state.
pub(super) fn catch_up(app: &mut App) {
    if app.screen != Screen::Run || app.face != RunFace::Logs {
        if !app.run_logs.lines.is_empty() {
            app.run_logs = RunLogs { level: app.run_logs.level, ..RunLogs::default() };
        }
        return;
    }
    let Some(run) = app.open_run.clone() else { return };
    if app.frozen.is_some() && app.run_logs.taken.as_ref().is_some_and(|(of, _)| *of == run) {
        return choose(app);
    }
    let now = (run.clone(), app.run_log.count());
    if app.run_logs.taken.as_ref() != Some(&now) {
        app.run_logs.lines = app.run_log.of(&run);
        app.run_logs.taken = Some(now);
        app.run_logs.chosen = None;
    }
    choose(app);
}

/// Lists the lines that level and filter leave.
fn choose(app: &mut App) {
    let filter = app.filter(ListId::RunLogs).to_lowercase();
    let chosen = (app.run_logs.level, filter);
    if app.run_logs.chosen.as_ref() == Some(&chosen) {
        return;
    }
    let words: Vec<&str> = chosen.1.split_whitespace().collect();
    let lines = &app.run_logs.lines;
    let takes = |line: &RunLine| {
        line.level <= chosen.0
            && (words.is_empty() || {
                let node = line.node.as_deref().unwrap_or_default();
                let text = format!("{node} {} {}", line.target, line.text).to_lowercase();
                words.iter().all(|word| text.contains(word))
            })
    };
    let places: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| takes(line)).map(|(at, _)| at).collect();
    // The selection follows its line; numbers only rise.
    let number = app.list(ListId::RunLogs).pinned.as_ref().and_then(|key| key.parse().ok());
    let kept = number
        .filter(|_| !app.run_logs.following)
        .map(|number: u64| places.partition_point(|at| lines[*at].number < number));
    let last = places.len().saturating_sub(1);
    app.rows.set_places(ListId::RunLogs, places);
    app.run_logs.chosen = Some(chosen);
    let index = kept.unwrap_or(last).min(last);
    let pinned = app.key(ListId::RunLogs, index);
    let state = &mut app.lists[ListId::RunLogs as usize];
    state.index = index;
    state.pinned = pinned;
}

/// Moves through the lines: at the last one they are followed.
pub(super) fn step(app: &mut App, step: Step) {
    let count = app.rows.count(ListId::RunLogs);
    let mut state = std::mem::take(&mut app.lists[ListId::RunLogs as usize]);
    let before = state.index;
    state.step(step, count, |row| app.key(ListId::RunLogs, row));
    if step == Step::Top {
        state.pinned = app.key(ListId::RunLogs, 0);
    }
    // A step that changes nothing at the end is one that wants to be there.
    app.run_logs.following =
        state.index + 1 >= count && (state.index >= before || step == Step::Bottom);
    app.lists[ListId::RunLogs as usize] = state;
}

/// Shows lines of one more level, or of one less.
pub(super) fn turn_level(app: &mut App, more: bool) {
    let at = LEVELS.iter().position(|level| *level == app.run_logs.level).unwrap_or(0);
    let next = if more { at + 1 } else { at.saturating_sub(1) };
    app.run_logs.level = LEVELS[next.min(LEVELS.len() - 1)];
}
