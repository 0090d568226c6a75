//! The dashboard on a large cluster: 100,000 runs, 10,000 locks, 100,000 log lines.
//!
//! Measures how long a frame of each screen and dialog takes at 80x24 and at 200x60, how long the
//! state takes to take in a key or a snapshot, and how much memory the whole process needs. Prints
//! the medians beside the limits: 2 ms for a frame, 33 ms (one frame of thirty a second) for a key,
//! 100 MB for the process.

#![allow(missing_docs, clippy::unwrap_used)]

mod cluster;
mod memory;

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use cluster::{NOW, RUNS, catalog, log_line, log_lines, run, snapshot, some_changed};
use criterion::{Criterion, SamplingMode, measurement::WallTime};
use flowcraft_tui::{
    engine::Timestamp,
    tui::{Access, Command, Headless, ListJob, Message, Preview},
};

/// What a frame may take, in the median.
const FRAME: Duration = Duration::from_millis(2);

/// What a key press or a snapshot may take: one frame of thirty a second.
const UPDATE: Duration = Duration::from_millis(33);

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// A screen: its name, the keys that lead to it from the overview, and those pressed before each
/// frame, so that something on it moves.
struct Screen {
    name: &'static str,
    keys: &'static str,
    moves: &'static str,
}

const fn screen(name: &'static str, keys: &'static str, moves: &'static str) -> Screen {
    Screen { name, keys, moves }
}

const SCREENS: [Screen; 28] = [
    screen("overview", "1", "j"),
    screen("runs", "2", "j"),
    screen("runs, at the end", "2 G", "k"),
    screen("runs, all marked", "2 *", "j"),
    screen("runs, typing a filter", "2 / s t", ""),
    // The way to see a run stays as it was: each is one further.
    screen("run: graph", "2 g enter", "j"),
    screen("run: nodes", "2 g enter v", "j"),
    screen("run: timeline", "2 g enter v", "j"),
    screen("run: context", "2 g enter v", "j"),
    screen("run: logs", "2 g enter v", "j"),
    screen("run: inspector", "2 g enter v tab", "j"),
    screen("queue", "3", "j"),
    screen("locks", "4", "j"),
    screen("locks, at the end", "4 G", "k"),
    screen("workers", "5", "j"),
    screen("blueprints", "6", "j"),
    screen("warnings", "1 W", "j"),
    screen("actions", "1 H", "j"),
    screen("logs", "7", "j"),
    screen("logs, scrolled", "7 space pageup pageup", "k"),
    screen("logs, one rare target", "7 j enter", ""),
    screen("logs, a search", "7 / b o u n c e d enter", ""),
    screen("help", "?", "j"),
    screen("palette", ":", ""),
    screen("start: which blueprint", "s", "down"),
    screen("start: input", "6 s", "x"),
    screen("plan of 100,000", "2 * x", "j"),
    // Last: the order stays, too.
    screen("runs, by progress", "2 o o o o o", "j"),
];

/// A dashboard with all data in it. What it asks for in the background is done.
fn dashboard(size: (u16, u16)) -> Headless {
    let mut dashboard = Headless::new(Arc::new(snapshot()), NOW, size, Access::Full);
    dashboard.hear(Message::Catalog(catalog()));
    dashboard.hear(Message::LogLines(log_lines()));
    settle(&mut dashboard);
    dashboard.frame();
    dashboard
}

/// Does what the dashboard asked for.
fn settle(dashboard: &mut Headless) {
    for command in dashboard.asked() {
        match command {
            Command::List(job) => {
                if let Some(listed) = job.run(drop) {
                    dashboard.hear(listed);
                }
            }
            Command::Preview { ticket, operation: _ } => {
                let lines = (0..RUNS).map(|at| format!("run {at}: running → cancelled"));
                let preview = Preview { lines: lines.collect(), affects: RUNS, plan: None };
                dashboard.hear(Message::Previewed { ticket, result: Ok(preview) });
            }
            _ => {}
        }
    }
}

/// The times of one thing that was measured.
struct Measured {
    name: String,
    limit: Duration,
    times: Vec<Duration>,
}

impl Measured {
    fn median(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times[self.times.len() / 2]
    }

    fn print(&mut self) {
        let median = self.median();
        let worst = self.times[self.times.len() - 1];
        let of_limit = median.as_secs_f64() / self.limit.as_secs_f64();
        println!("{:<44}{median:>12.1?}{worst:>12.1?}{of_limit:>12.3}", self.name);
    }
}

/// Measures something with criterion, and keeps each single time.
fn measure(
    criterion: &mut Criterion<WallTime>,
    group: &str,
    name: String,
    limit: Duration,
    mut once: impl FnMut() -> Duration,
) -> Measured {
    let times = RefCell::new(Vec::new());
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(300));
    group.bench_function(&name, |bencher| {
        bencher.iter_custom(|iterations| {
            let each: Vec<Duration> = (0..iterations).map(|_| once()).collect();
            let total = each.iter().sum();
            times.borrow_mut().extend(each);
            total
        });
    });
    group.finish();
    Measured { name, limit, times: times.into_inner() }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    std::hint::black_box(work());
    began.elapsed()
}

fn frames(criterion: &mut Criterion<WallTime>) -> Vec<Measured> {
    let mut all = Vec::new();
    for size in SIZES {
        let mut dashboard = dashboard(size);
        for screen in &SCREENS {
            dashboard.press(screen.keys);
            settle(&mut dashboard);
            dashboard.frame();
            let name = format!("{} {}x{}", screen.name, size.0, size.1);
            all.push(measure(criterion, "frame", name, FRAME, || {
                dashboard.press(screen.moves);
                timed(|| dashboard.frame())
            }));
            // Back to where the next one starts.
            dashboard.press("ctrl-c");
            for _ in 0..8 {
                dashboard.press("esc");
            }
            dashboard.press("1");
            settle(&mut dashboard);
        }
    }
    all
}

/// The jobs that the dashboard asked for.
fn jobs(dashboard: &mut Headless) -> Vec<ListJob> {
    let jobs = dashboard.asked().into_iter().filter_map(|command| match command {
        Command::List(job) => Some(job),
        _ => None,
    });
    jobs.collect()
}

fn updates(criterion: &mut Criterion<WallTime>) -> Vec<Measured> {
    let mut all = Vec::new();
    let mut dashboard = dashboard((200, 60));
    dashboard.press("2");
    let mut add = |measured| all.push(measured);
    for (name, keys) in [("a key: down", "j"), ("a key: to the end", "G"), ("a key: mark all", "*")]
    {
        add(measure(criterion, "update", name.to_owned(), UPDATE, || {
            timed(|| dashboard.press_unseen(keys))
        }));
    }
    dashboard.press("esc g");
    for (name, keys) in [("a key: other order", "o"), ("a key: the other way", "O")] {
        add(measure(criterion, "update", name.to_owned(), UPDATE, || {
            let time = timed(|| dashboard.press_unseen(keys));
            settle(&mut dashboard);
            time
        }));
    }
    while !dashboard.text().contains("Runs  ") {
        dashboard.press("o");
        settle(&mut dashboard);
    }
    for filter in ["order", "status:failed age>5m", "-status:completed \"disk full\""] {
        let name = format!("in the background: filter {filter}");
        add(measure(criterion, "update", name, UPDATE * 10, || {
            dashboard.press("/ ctrl-u");
            dashboard.type_text(filter);
            let mut jobs = jobs(&mut dashboard);
            let job = jobs.pop().unwrap();
            let mut listed = None;
            let time = timed(|| listed = job.run(drop));
            dashboard.hear(listed.unwrap());
            dashboard.press("esc");
            settle(&mut dashboard);
            time
        }));
    }
    add(measure(criterion, "update", "a key: a letter of a filter".to_owned(), UPDATE, || {
        dashboard.press("/");
        let time = timed(|| dashboard.type_text("f"));
        dashboard.press("esc");
        settle(&mut dashboard);
        time
    }));
    add(measure(criterion, "update", "a list that was made is shown".to_owned(), UPDATE, || {
        dashboard.press("/");
        dashboard.type_text("o");
        let listed = jobs(&mut dashboard).pop().unwrap().run(drop).unwrap();
        let time = timed(|| dashboard.hear(listed));
        dashboard.press("esc");
        settle(&mut dashboard);
        time
    }));
    for count in [1, 10, 100, 1_000, 5_000] {
        let mut snapshot = snapshot();
        dashboard.hear(Message::Snapshot(Arc::new(snapshot.clone())));
        settle(&mut dashboard);
        dashboard.press("g j j j");
        let mut round = 0;
        let name = format!("a snapshot: {count} runs changed");
        add(measure(criterion, "update", name, UPDATE, || {
            round += 1;
            snapshot = some_changed(&snapshot, count, round);
            let message = Message::Snapshot(Arc::new(snapshot.clone()));
            let time = timed(|| dashboard.hear(message));
            settle(&mut dashboard);
            time
        }));
    }
    let mut clock = NOW.seconds();
    add(measure(criterion, "update", "a second".to_owned(), UPDATE, || {
        clock += 1;
        timed(|| dashboard.hear(Message::Tick(Timestamp::from_seconds(clock))))
    }));
    add(measure(criterion, "update", "1,000 log lines".to_owned(), UPDATE, || {
        let lines = (0..1_000).map(log_line).collect();
        timed(|| dashboard.hear(Message::LogLines(lines)))
    }));
    dashboard.press("7");
    add(measure(
        criterion,
        "update",
        "a key: a letter of a search in the log".to_owned(),
        UPDATE,
        || {
            dashboard.press("/");
            let time = timed(|| dashboard.type_text("q"));
            dashboard.press("esc");
            time
        },
    ));
    all
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, path] = arguments.as_slice()
        && flag == memory::FLAG
    {
        memory::measure_here(path.as_ref());
        return;
    }
    // Cargo says so where it is to measure, and not only to see whether it runs.
    if !arguments.iter().any(|argument| argument == "--bench") {
        let _ = run(0);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let mut frames = frames(&mut criterion);
    let mut updates = updates(&mut criterion);
    criterion.final_summary();
    println!("\n{RUNS} runs, {} locks, {} log lines", cluster::LOCKS, cluster::LINES);
    println!("{:<44}{:>12}{:>12}{:>12}", "frame", "median", "worst", "of 2 ms");
    frames.iter_mut().for_each(Measured::print);
    println!("\n{:<44}{:>12}{:>12}{:>12}", "update", "median", "worst", "of 33 ms");
    updates.iter_mut().for_each(Measured::print);
    let medians = frames.iter_mut().map(|measured| (measured.median(), measured.name.clone()));
    if let Some((median, name)) = medians.max() {
        println!("\nslowest frame in the median: {name}, {median:.1?}");
    }
    memory::measure();
}
