//! Log lines by the run that they are about: what tui-logger's buffer can't be asked for.

use std::{
    collections::{HashMap, VecDeque},
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::log::now;
use crate::{engine::Timestamp, log_text::cut};

/// How many lines are kept of one run, and of those that name none.
const LINES: usize = 2_000;

/// How many bytes are kept in all. Beyond that, the runs that were silent longest are forgotten.
const BYTES: usize = 8 * 1024 * 1024;

/// The most that is kept of one line.
const LINE: usize = 4 * 1024;

/// What a line costs beside its text.
const OVERHEAD: usize = 160;

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunLine {
    /// Its number among all lines of this program.
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) level: Level,
    /// The part of the program that it is from.
    pub(super) target: String,
    /// The node that it is about, if it says so.
    pub(super) node: Option<String>,
    pub(super) text: String,
}

impl RunLine {
    fn cost(&self) -> usize {
        self.text.len() + self.target.len() + self.node.as_ref().map_or(0, String::len) + OVERHEAD
    }
}

/// The lines of one run.
#[derive(Default)]
struct Shelf {
    lines: VecDeque<Arc<RunLine>>,
    bytes: usize,
    last: u64,
}

impl Shelf {
    /// Puts a line in. Returns by how much that made it larger.
    fn put(&mut self, line: Arc<RunLine>) -> isize {
        let before = self.bytes;
        self.bytes += line.cost();
        self.last = line.number;
        self.lines.push_back(line);
        if self.lines.len() > LINES
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.cost();
        }
        self.bytes.cast_signed() - before.cast_signed()
    }
}

#[derive(Default)]
struct Shelves {
    runs: HashMap<Box<str>, Shelf>,
    /// Lines that name no run in a field. Their text may name one.
    others: Shelf,
    bytes: usize,
    next: u64,
}

/// The log lines of this program, by run. Bounded.
#[derive(Default)]
pub(super) struct RunLog {
    shelves: Mutex<Shelves>,
    /// How many lines there have been.
    count: AtomicU64,
}

impl RunLog {
    /// The one of this process, which [`super::start_log`] feeds.
    pub(super) fn of_process() -> Arc<Self> {
        static LOG: OnceLock<Arc<RunLog>> = OnceLock::new();
        LOG.get_or_init(Arc::default).clone()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines there have been so far: where it is the same, there is nothing new.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Files a line under a run, or with those that name none.
    pub(super) fn put(&self, run: Option<&str>, mut line: RunLine) {
        let mut shelves = self.shelves();
        line.number = shelves.next;
        shelves.next += 1;
        let line = Arc::new(line);
        let grown = match run {
            None => shelves.others.put(line),
            Some(run) => match shelves.runs.get_mut(run) {
                Some(shelf) => shelf.put(line),
                None => shelves.runs.entry(run.into()).or_default().put(line),
            },
        };
        shelves.bytes = shelves.bytes.saturating_add_signed(grown);
        if shelves.bytes > BYTES {
            forget(&mut shelves, run);
        }
        self.count.store(shelves.next, Ordering::Release);
    }

    /// The lines about a run, oldest first: those that say so, and those whose text names it.
    pub(super) fn of(&self, run: &str) -> Vec<Arc<RunLine>> {
        let (own, others) = {
            let shelves = self.shelves();
            let own = shelves.runs.get(run).map(|shelf| shelf.lines.clone()).unwrap_or_default();
            (own, shelves.others.lines.clone())
        };
        let mut named = others.into_iter().filter(|line| names(&line.text, run)).peekable();
        let mut lines = Vec::with_capacity(own.len());
        for line in own {
            while let Some(before) = named.next_if(|other| other.number < line.number) {
                lines.push(before);
            }
            lines.push(line);
        }
        lines.extend(named);
        lines
    }
}

/// Makes room: the runs that were silent longest go, a quarter of the room at once so that it is
/// done seldom, and never the one that was just written to.
fn forget(shelves: &mut Shelves, current: Option<&str>) {
    let mut silent: Vec<(u64, Box<str>)> = shelves
        .runs
        .iter()
        .filter(|(run, _)| Some(&***run) != current)
        .map(|(run, shelf)| (shelf.last, run.clone()))
        .collect();
    silent.sort_unstable();
    for (_, run) in silent {
        if shelves.bytes <= BYTES / 4 * 3 {
            break;
        }
        if let Some(shelf) = shelves.runs.remove(&run) {
            shelves.bytes = shelves.bytes.saturating_sub(shelf.bytes);
        }
    }
}

/// Whether a text names a run: its id, and not as a part of a longer one.
fn names(text: &str, run: &str) -> bool {
    if run.is_empty() {
        return false;
    }
    let belongs = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '~');
    text.match_indices(run).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + run.len()..].chars();
        let next = after.next();
        let goes_on = match next {
            // A dot ends a sentence, or goes on to the id of a child run.
            Some('.') => after.next().is_some_and(belongs),
            Some(c) => belongs(c),
            None => false,
        };
        !before.is_some_and(|c| belongs(c) || c == '.') && !goes_on
    })
}

/// Feeds a log with what the program says.
pub(super) struct RunLogLayer(pub(super) Arc<RunLog>);

/// The run and node that a span is about.
struct About {
    run: Option<String>,
    node: Option<String>,
}

impl<S> Layer<S> for RunLogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if (fields.run.is_some() || fields.node.is_some())
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(About { run: fields.run, node: fields.node });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event).into_iter().flatten();
        for span in scope {
            if fields.run.is_some() && fields.node.is_some() {
                break;
            }
            let extensions = span.extensions();
            let Some(about) = extensions.get::<About>() else { continue };
            // A node's name is of use only beside its run's.
            let same = fields.run.is_none() || fields.run == about.run;
            if same && fields.node.is_none() {
                fields.node.clone_from(&about.node);
            }
            if fields.run.is_none() {
                fields.run.clone_from(&about.run);
            }
        }
        let metadata = event.metadata();
        let Fields { run, node, mut text, rest } = fields;
        text.push_str(&rest);
        let line = RunLine {
            number: 0,
            at: now(),
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            node,
            text: cut(text, LINE),
        };
        self.0.put(run.as_deref(), line);
    }
}

/// The fields of a line.
#[derive(Default)]
struct Fields {
    run: Option<String>,
    node: Option<String>,
    text: String,
    /// Those without a meaning here, to be read after the text.
    rest: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: std::fmt::Arguments<'_>) {
        match field.name() {
            "run" | "run_id" => self.run = Some(value.to_string()),
            "node" | "node_id" => self.node = Some(value.to_string()),
            // Writing to a string can't fail.
            "message" => {
                let _ = self.text.write_fmt(value);
            }
            name if name.starts_with("log.") => {}
            name => {
                let _ = write!(self.rest, " {name}={value}");
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn line(text: &str) -> RunLine {
        RunLine {
            number: 0,
            at: Timestamp::default(),
            level: Level::INFO,
            target: "t".to_owned(),
            node: None,
            text: text.to_owned(),
        }
    }

    fn texts(log: &RunLog, run: &str) -> Vec<String> {
        log.of(run).iter().map(|line| line.text.clone()).collect()
    }

    #[test]
    fn lines_are_filed_by_field_span_and_text() {
        let log = Arc::<RunLog>::default();
        let subscriber = tracing_subscriber::registry().with(RunLogLayer(log.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(run = %"a-1", node = %"n", error = %"oh", "failed");
            let span = tracing::info_span!("node", run = "a-1", node = "m");
            span.in_scope(|| {
                tracing::debug!("inside");
                tracing::info!(run = "b", "of another");
            });
            tracing::warn!("Requeue run a-1: done");
            tracing::warn!("nothing of a-10, xa-1 or a-1.child; but of a-1.");
            tracing::warn!("nothing of it");
        });
        let lines = log.of("a-1");
        let seen: Vec<_> = lines.iter().map(|it| (it.node.as_deref(), it.text.as_str())).collect();
        assert_eq!(
            seen,
            [
                (Some("n"), "failed error=oh"),
                (Some("m"), "inside"),
                (None, "Requeue run a-1: done"),
                (None, "nothing of a-10, xa-1 or a-1.child; but of a-1."),
            ]
        );
        assert_eq!(log.of("b").first().and_then(|line| line.node.clone()), None);
        assert_eq!(texts(&log, "a-10").len(), 1);
        assert!(log.of("a").is_empty() && log.of("").is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let log = RunLog::default();
        for at in 0..LINES + 10 {
            log.put(Some("busy"), line(&at.to_string()));
        }
        let busy = texts(&log, "busy");
        assert_eq!((busy.len(), busy[0].as_str()), (LINES, "10"));
        let long = cut("é".repeat(LINE), LINE);
        assert!(long.len() <= LINE + 3 && long.ends_with('…'));
        for run in 0..5_000 {
            log.put(Some(&format!("run-{run}")), line(&long));
        }
        assert!(log.shelves().bytes <= BYTES);
        assert!(log.of("busy").is_empty(), "it was silent longest");
        assert_eq!(log.of("run-4999").len(), 1);
        let counted: usize = log.shelves().runs.values().map(|shelf| shelf.bytes).sum();
        assert_eq!(log.shelves().bytes, counted);
    }

    #[test]
    fn lines_of_both_kinds_stand_in_order() {
        let log = RunLog::default();
        for at in 0..6 {
            log.put((at % 2 == 0).then_some("r"), line(&format!("{at} about r")));
        }
        let order: Vec<u64> = log.of("r").iter().map(|line| line.number).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }
}
