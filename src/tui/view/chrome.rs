//! What is around every screen: the header, the screens' names, alerts, the footer, notices.

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::{
    super::{
        actions::{ACTIONS, Action, Group},
        app::{Access, App, Header, Hit, Target, Tone},
        dialog::Dialog,
        operator::Progress,
        rows::ListId,
        screen::Screen,
        text,
        theme::Role,
        under_way::UnderWay,
    },
    canvas::{Canvas, Piece},
    filter_line, header_detail, time_line, words,
};
use crate::{
    engine::Timestamp,
    monitor::{Snapshot, SourceState},
    recording::RecorderState,
};

/// A source's age is shown from here on, in seconds.
const AGE_SHOWN: u64 = 15;

/// Draws header and footer as far as there is room. Returns what is left between them.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    let mut body = area;
    if area.height >= 5 {
        draw_header(app, canvas, take_top(&mut body));
    }
    if app.header == Header::Detailed {
        header_detail::draw(app, canvas, &mut body);
    }
    if area.height >= 12 {
        draw_tabs(app, canvas, take_top(&mut body));
    }
    if area.height >= 10
        && let Some((what, next)) = alert(app)
    {
        let line = take_top(&mut body);
        let style = canvas.style(Role::SourceStale);
        let wide = u16::try_from(next.len()).unwrap_or(u16::MAX).min(line.width / 2);
        canvas.text(line.x, line.y, line.width - wide, &what, style);
        canvas.right(line, &next, style);
    }
    if area.height >= 8
        && let Some((work, progress)) = app.shown_work()
    {
        draw_progress(app, canvas, take_top(&mut body), work, progress);
    }
    if area.height >= 4 {
        body.height -= 1;
        let line = Rect { y: body.bottom(), height: 1, ..area };
        draw_footer(app, canvas, line);
    }
    let tall = time_line::height(app, area).min(body.height);
    body.height -= tall;
    time_line::draw(app, canvas, Rect { y: body.bottom(), height: tall, ..area });
    if area.height >= 8
        && let Some(Dialog::Filter { list: ListId::Runs, .. }) = &app.dialog
    {
        body.height -= 1;
        filter_line::draw_hint(app, canvas, Rect { y: body.bottom(), height: 1, ..area });
    }
    body
}

pub(super) fn take_top(area: &mut Rect) -> Rect {
    let line = Rect { height: 1, ..*area };
    area.y += 1;
    area.height -= 1;
    line
}

fn draw_header(app: &App, canvas: &mut Canvas<'_>, line: Rect) {
    canvas.paint(line, canvas.style(Role::Header));
    let snapshot = app.shown();
    let health = health(app, snapshot);
    let health_width: usize = health.iter().map(|(text, _)| text::width(text)).sum();
    let health_width = u16::try_from(health_width).unwrap_or(u16::MAX);
    let roomy = line.width >= 60;
    let reserved = if roomy { health_width.saturating_add(2).min(line.width) } else { 0 };
    let left = Rect { width: line.width - reserved, ..line };

    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let name_room = usize::from(left.width / 3).max(8);
    pieces.push((" ".into(), Role::Header));
    pieces.push((text::fit_end(&snapshot.cluster, name_room).into(), Role::TextStrong));
    pieces.push(("  ".into(), Role::Header));
    for badge in badges(app) {
        pieces.push((badge, Role::WorkerPaused));
        pieces.push(("  ".into(), Role::Header));
    }
    match app.worker {
        None => pieces.push(("◌ watch only".into(), Role::TextDim)),
        Some(worker) => {
            let (symbol, word, role) = words::worker(worker.mode);
            pieces.push((format!("{symbol} {word} ").into(), role));
            pieces.push((
                format!("{}/{} slots", worker.in_flight, worker.slots).into(),
                Role::Header,
            ));
        }
    }
    if let Some(rate) = snapshot.queue.data.completions {
        let rate = format!("  {rate:.1} nodes/s");
        let used: usize = pieces.iter().map(|(text, _)| text::width(text)).sum();
        if used + text::width(&rate) <= usize::from(left.width) {
            pieces.push((rate.into(), Role::Header));
        }
    }
    canvas.pieces(left, &pieces);
    if roomy {
        let right = Rect {
            x: line.right().saturating_sub(health_width + 1).max(line.x),
            width: health_width.min(line.width),
            ..line
        };
        canvas.pieces(right, &health);
    }
}

fn badges(app: &App) -> Vec<Cow<'static, str>> {
    let mut badges: Vec<Cow<'static, str>> = Vec::new();
    if app.leaving {
        let left = app.worker.map_or(0, |worker| worker.in_flight);
        let key = app.keymap.key(Action::Quit);
        badges.push(format!("LEAVING: {left} left, {key}: at once").into());
    }
    if app.frozen.is_some() {
        badges.push("FROZEN".into());
    }
    match app.access {
        Access::Full => {}
        Access::ReadOnly => badges.push("READ-ONLY".into()),
        Access::Recording => badges.push("RECORDING".into()),
    }
    match app.recorder {
        Some(RecorderState::Recording) => badges.push("● REC".into()),
        Some(RecorderState::Stopped(_)) => badges.push("✗ REC STOPPED".into()),
        Some(RecorderState::Ended) | None => {}
    }
    if !app.under_way.is_empty() {
        badges.push(format!("{} under way", app.under_way.len()).into());
    }
    badges
}

/// The three services, each with how it is, and the age of its data once that is worth saying.
fn health(app: &App, snapshot: &Snapshot) -> Vec<Piece<'static>> {
    let now = app.now();
    let mut pieces: Vec<Piece<'static>> = Vec::new();
    for (at, (name, (state, updated))) in services(snapshot).into_iter().enumerate() {
        let (symbol, role) = words::source(state);
        let gap = if at == 0 { "" } else { "  " };
        pieces.push((format!("{gap}{name} ").into(), Role::HeaderKey));
        let age = updated.map(|at| now.since(at)).filter(|age| age.as_secs() >= AGE_SHOWN);
        let age = age.map(|age| format!(" {}", text::whole_age(age))).unwrap_or_default();
        pieces.push((format!("{symbol}{age}").into(), role));
    }
    pieces
}

/// The three services by their short names, with how each is and when it last answered.
pub(super) fn services(
    snapshot: &Snapshot,
) -> [(&'static str, (&SourceState, Option<Timestamp>)); 3] {
    let coordination = match (&snapshot.locks.state, &snapshot.workers.state) {
        (SourceState::Stale { .. }, _) => (&snapshot.locks.state, snapshot.locks.updated_at),
        (_, state @ SourceState::Stale { .. }) => (state, snapshot.workers.updated_at),
        (SourceState::Loading, _) => (&snapshot.locks.state, None),
        (_, state) => (state, snapshot.locks.updated_at.min(snapshot.workers.updated_at)),
    };
    [
        ("queue", (&snapshot.queue.state, snapshot.queue.updated_at)),
        ("state", (&snapshot.runs.state, snapshot.runs.updated_at)),
        ("locks", coordination),
    ]
}

/// What is wrong with a source, when one fails, and when it is asked again.
fn alert(app: &App) -> Option<(String, String)> {
    let snapshot = app.shown();
    let sources = [
        ("queue", &snapshot.queue.state),
        ("runs", &snapshot.runs.state),
        ("locks", &snapshot.locks.state),
        ("workers", &snapshot.workers.state),
        ("run", &snapshot.detail.state),
    ];
    let stale: Vec<_> = sources
        .into_iter()
        // That a run was not recorded is said where it would be.
        .filter(|(name, _)| app.replay.is_none() || *name != "run")
        .filter_map(|(name, state)| match state {
            SourceState::Stale { error, next_try } => Some((name, error, *next_try)),
            _ => None,
        })
        .collect();
    let (name, error, next_try) = stale.first()?;
    let error = error.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(error);
    let next = text::whole_age(app.now().until(*next_try));
    let more = match stale.len() {
        1 => String::new(),
        count => format!(" +{} more", count - 1),
    };
    Some((format!(" ✗ {name}: {error}"), format!(" next try in {next}{more} ")))
}

/// Draws how far an operation on many things is, with the key that stops it.
fn draw_progress(
    app: &App,
    canvas: &mut Canvas<'_>,
    line: Rect,
    work: &UnderWay,
    progress: &Progress,
) {
    const BAR: usize = 10;
    let stop = if work.stopping {
        " stopping … ".to_owned()
    } else {
        format!(" {} stops it ", app.keymap.key(Action::Stop))
    };
    let wide = u16::try_from(text::width(&stop)).unwrap_or(u16::MAX).min(line.width / 2);
    let full = (progress.done * BAR).checked_div(progress.total).unwrap_or(0).min(BAR);
    let bar = format!(" {}{} ", "█".repeat(full), "░".repeat(BAR - full));
    let title = work.operation.title();
    let pieces: [Piece<'_>; 3] = [
        (bar.into(), Role::WorkerRunning),
        (format!("{progress}  ").into(), Role::TextStrong),
        (title.into(), Role::TextDim),
    ];
    canvas.pieces(Rect { width: line.width - wide, ..line }, &pieces);
    canvas.right(line, &stop, canvas.style(Role::FooterKey));
}

fn draw_tabs(app: &App, canvas: &mut Canvas<'_>, line: Rect) {
    let counts = app.shown().runs.data.counts();
    let poison = app.shown().queue.data.poison;
    let mut warnings: Vec<Piece<'_>> = Vec::new();
    let mut warn = |count: usize, text: String, role| {
        if count > 0 {
            warnings.push((text.into(), role));
            warnings.push((" ".into(), Role::Text));
        }
    };
    let narrow = line.width < 120;
    let stalled = if narrow {
        format!("▲{} stalled", counts.stalled)
    } else {
        format!(" ▲ {} stalled ", counts.stalled)
    };
    let poisoned = if narrow { format!("✗{poison}") } else { format!("✗ {poison} poison") };
    warn(counts.stalled, stalled, Role::RunStalled);
    warn(usize::try_from(poison).unwrap_or(usize::MAX), poisoned, Role::QueuePoison);
    let all = &app.shown().warnings.data;
    let key = app.keymap.key(Action::Warnings);
    let (symbol, role) = match all.urgent() {
        0 => ("!", Role::WarningMild),
        _ => ("▲", Role::WarningUrgent),
    };
    let counted = if narrow {
        format!("{key}{symbol}{}", all.count())
    } else {
        format!("{key} {symbol}{} warnings", all.count())
    };
    warn(all.count(), counted, role);
    let wide: usize = warnings.iter().map(|(text, _)| text::width(text)).sum();
    let wide = u16::try_from(wide).unwrap_or(u16::MAX).min(line.width);
    let room = line.width - wide;

    // Where the full names don't fit, only the screen that is open has its name.
    let full: usize = Screen::TABS.iter().map(|(.., name)| name.len() + 3).sum();
    let short = full > usize::from(room);
    let gap = if full + Screen::TABS.len() < usize::from(room) { 2 } else { 1 };
    let mut x = line.x + 1;
    for (screen, action, name) in Screen::TABS {
        let here = screen == app.screen || (screen == Screen::Runs && app.screen == Screen::Run);
        let key = app.keymap.key(action);
        let start = x;
        let left = (line.x + room).saturating_sub(x);
        let (key_role, name_role) = if here {
            (Role::FooterKey, Role::PaneTitleFocused)
        } else {
            (Role::FooterKey, Role::TextDim)
        };
        x += canvas.text(x, line.y, left, &key, canvas.style(key_role));
        if !short || here {
            let left = (line.x + room).saturating_sub(x);
            x +=
                canvas.text(x, line.y, left, if here { ":" } else { " " }, canvas.style(name_role));
            let left = (line.x + room).saturating_sub(x);
            x += canvas.text(x, line.y, left, name, canvas.style(name_role));
        }
        let area = Rect { x: start, y: line.y, width: x.saturating_sub(start), height: 1 };
        canvas.hits.push(Hit { area, target: Target::Tab(screen) });
        x += gap;
    }
    canvas.pieces(Rect { x: line.right() - wide, width: wide, ..line }, &warnings);
}

fn draw_footer(app: &App, canvas: &mut Canvas<'_>, line: Rect) {
    if let Some(Dialog::Filter { list, .. }) = &app.dialog {
        filter_line::draw(app, canvas, line, *list);
        return;
    }
    let always = [Action::Help, Action::Quit];
    let reading = matches!(app.focus, ListId::Context | ListId::RunLogs);
    let hint = |action: Action| (time_line::key(app, action), action.info().hint);
    let wide = |(key, hint): &(String, &str)| text::width(key) + hint.len() + 3;
    let reserved: usize = always.iter().map(|action| wide(&hint(*action))).sum();
    let mut room = usize::from(line.width).saturating_sub(reserved + 1);
    let mut pieces: Vec<Piece<'_>> = vec![(" ".into(), Role::Footer)];
    let mut push = |(key, hint): (String, &'static str)| {
        pieces.push((key.into(), Role::FooterKey));
        pieces.push((format!(" {hint}  ").into(), Role::Footer));
    };
    for info in ACTIONS.iter().filter(|info| !info.hint.is_empty()) {
        let useful = match info.action {
            Action::Back => !app.trail.is_empty(),
            // Where one reads, what one reads with comes first.
            action if reading && (info.group == Group::Act || action == Action::Open) => false,
            action => app.offers(action) && !always.contains(&action),
        };
        if !useful {
            continue;
        }
        let hint = hint(info.action);
        let needed = wide(&hint);
        if needed > room {
            break;
        }
        room -= needed;
        push(hint);
    }
    for action in always {
        push(hint(action));
    }
    canvas.pieces(line, &pieces);
}

/// Draws the notices, the latest lowest, above the footer.
pub(super) fn draw_toasts(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 4 {
        return;
    }
    let mut y = area.bottom().saturating_sub(2 + time_line::height(app, area));
    for toast in app.toasts.iter().rev() {
        if y <= area.top() {
            break;
        }
        let (symbol, role) = match toast.tone {
            Tone::Good => ("✓", Role::ToastGood),
            Tone::Bad => ("✗", Role::ToastBad),
        };
        let limit = usize::from(area.width.saturating_sub(6)).min(100);
        let text = format!(" {symbol} {} ", text::fit(&toast.text, limit));
        let wide = u16::try_from(text::width(&text)).unwrap_or(u16::MAX).min(area.width);
        let line = Rect {
            x: area.right().saturating_sub(wide + 1).max(area.x),
            y,
            width: wide,
            height: 1,
        };
        canvas.clear(line);
        canvas.text(line.x, line.y, line.width, &text, canvas.style(role));
        y -= 1;
    }
}
