//! Dialogs: questions, choices, help.

use ratatui::layout::Rect;

use super::{
    super::{
        actions::{ACTIONS, Action, Effect, Group},
        app::{Access, App, Hit, Target},
        dialog::{ChildPicker, Choice, Confirm, Dialog, ExportForm, Picker, Plan, Whole},
        operator::Operation,
        query::{TERMS, WORDS},
        text,
        theme::Role,
        update::{actions_for, blueprints_for, children_for},
    },
    canvas::{Canvas, Piece},
    explain, forms, letter, words,
};

pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    match &app.dialog {
        None | Some(Dialog::Filter { .. }) => {}
        Some(Dialog::Confirm(confirm)) => draw_confirm(canvas, area, confirm),
        Some(Dialog::Leave(choice)) => draw_leave(app, canvas, area, *choice),
        Some(Dialog::Start(form)) => forms::draw_start(app, canvas, area, form),
        Some(Dialog::Answer(form)) => forms::draw_answer(app, canvas, area, form),
        Some(Dialog::Explain(explaining)) => explain::draw(app, canvas, area, explaining),
        Some(Dialog::ChooseBlueprint(picker)) => draw_blueprints(app, canvas, area, picker),
        Some(Dialog::Palette(picker)) => draw_palette(app, canvas, area, picker),
        Some(Dialog::Letter(view)) => letter::draw(app, canvas, area, view),
        Some(Dialog::ChooseChild(picker)) => draw_children(app, canvas, area, picker),
        Some(Dialog::Export(form)) => draw_export(canvas, area, form),
        Some(Dialog::Whole(whole)) => draw_whole(canvas, area, whole),
        Some(Dialog::Help { scroll }) => draw_help(app, canvas, area, *scroll),
    }
}

/// A place in the middle, as large as wanted and possible.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

fn tall(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Draws lines that may be scrolled, and how far one is.
fn scrollable(canvas: &mut Canvas<'_>, area: Rect, lines: &[Piece<'_>], scroll: usize) {
    let last = lines.len().saturating_sub(usize::from(area.height));
    let first = scroll.min(last);
    canvas.hits.push(Hit { area, target: Target::Text { first } });
    canvas.lines(area, lines, first);
    if last > 0 {
        let text =
            format!(" {}–{} of {} ↑↓ ", first + 1, first + usize::from(area.height), lines.len());
        let edge = Rect { y: area.bottom(), height: 1, ..area };
        canvas.right(edge, &text, canvas.style(Role::TextDim));
    }
}

/// Draws two buttons; the one with the focus is reversed and has brackets of its own.
/// Returns how wide they are.
fn draw_buttons(canvas: &mut Canvas<'_>, line: Rect, yes: &str, no: &str, choice: Choice) -> u16 {
    let button = |text: &str, mine: Choice| {
        if choice == mine {
            (format!("▶{text}◀"), Role::Selected)
        } else {
            (format!("[{text}]"), Role::Text)
        }
    };
    let (no, no_role) = button(no, Choice::No);
    let (yes, yes_role) = button(yes, Choice::Yes);
    let pieces = [(no.into(), no_role), ("   ".into(), Role::Text), (yes.into(), yes_role)];
    canvas.pieces(line, &pieces)
}

/// A plan of more lines than this has each in one line, cut where it is too long: what is in view
/// can be found then without looking at the rest.
const WRAPPED: usize = 200;

/// The lines of a plan: what stands above, the plan itself, what stands below.
struct PlanLines<'a> {
    head: Vec<Piece<'a>>,
    body: Vec<Piece<'a>>,
    many: &'a [String],
    tail: Vec<Piece<'a>>,
}

impl PlanLines<'_> {
    fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.many.len() + self.tail.len()
    }

    /// The lines from one on.
    fn from(&self, first: usize, count: usize) -> Vec<Piece<'_>> {
        let before = self.head.iter().chain(&self.body);
        let piece = |line: &Piece<'_>| (line.0.clone().into_owned().into(), line.1);
        let listed = self.head.len() + self.body.len();
        let skipped = first.saturating_sub(listed).min(self.many.len());
        let many =
            self.many.iter().skip(skipped).map(|line| (format!("  {line}").into(), Role::Text));
        let after = self.tail.iter().skip(first.saturating_sub(listed + self.many.len()));
        let lines = before.skip(first).map(piece).chain(many).chain(after.map(piece));
        lines.take(count).collect()
    }
}

fn draw_confirm(canvas: &mut Canvas<'_>, area: Rect, confirm: &Confirm) {
    let wide = area.width.saturating_sub(4).min(96);
    let lines = plan_lines(confirm, usize::from(wide.saturating_sub(4)));
    let border = if confirm.operation.is_final() { Role::DialogDanger } else { Role::DialogBorder };
    let place = centred(area, wide, tall(lines.len()).saturating_add(4).clamp(7, 22));
    let inside = canvas.dialog(place, &format!("{}?", confirm.operation.title()), border);
    let buttons = u16::from(inside.height > 1);
    let body = Rect { height: inside.height.saturating_sub(2 * buttons), ..inside };
    let height = usize::from(body.height);
    let first = confirm.scroll.min(lines.len().saturating_sub(height));
    canvas.hits.push(Hit { area: body, target: Target::Text { first } });
    canvas.lines(body, &lines.from(first, height), 0);
    let line = Rect { y: inside.bottom().saturating_sub(1), height: buttons, ..inside };
    let can = matches!(&confirm.plan, Plan::Ready(preview) if preview.affects > 0);
    if can {
        let used = draw_buttons(canvas, line, " y: do it ", " n: leave it ", confirm.choice);
        let canary = match confirm.operation {
            _ if confirm.operation.other_canary().is_none() => "",
            Operation::ReplayAtOnce(_) => "c: with a canary  ",
            _ if matches!(&confirm.plan, Plan::Ready(preview) if preview.affects < 2) => "",
            _ => "c: without a canary  ",
        };
        let more = if lines.len() > height { "↑↓ more" } else { "" };
        let hint = format!(" {canary}{more}");
        if text::width(&hint) <= usize::from(line.width.saturating_sub(used)) {
            canvas.right(line, hint.trim_end(), canvas.style(Role::TextDim));
        }
    } else {
        canvas.pieces(line, &[("▶ esc: back ◀".into(), Role::Selected)]);
    }
}

fn plan_lines(confirm: &Confirm, width: usize) -> PlanLines<'_> {
    let mut lines = PlanLines { head: Vec::new(), body: Vec::new(), many: &[], tail: Vec::new() };
    if let Some(moved) = &confirm.moved {
        let text = format!(
            "Something changed meanwhile ({moved}). Nothing was done; this is the new plan:"
        );
        let wrapped = text::wrap(&text, width, 4);
        lines.head.extend(wrapped.into_iter().map(|it| (it.into(), Role::TextError)));
    }
    if confirm.unseen > 0 {
        let text = match confirm.unseen {
            1 => "1 marked run is not among those that the list shows.".to_owned(),
            count => format!("{count} marked runs are not among those that the list shows."),
        };
        let wrapped = text::wrap(&text, width, 2);
        lines.head.extend(wrapped.into_iter().map(|it| (it.into(), Role::TextError)));
    }
    match &confirm.plan {
        Plan::Awaited => lines.body.push(("Making the plan …".into(), Role::TextDim)),
        Plan::Failed(why) => {
            lines.body.push(("This can't be planned:".into(), Role::TextStrong));
            let wrapped = text::wrap(why, width, 12);
            lines.body.extend(wrapped.into_iter().map(|it| (it.into(), Role::TextError)));
        }
        Plan::Ready(preview) => {
            let head = match preview.affects {
                0 => "There is nothing to do.".to_owned(),
                1 => "This is what will be done; it concerns 1:".to_owned(),
                count => format!("This is what will be done; it concerns {count}:"),
            };
            lines.head.push((head.into(), Role::TextStrong));
            if preview.lines.len() > WRAPPED {
                lines.many = &preview.lines;
            } else {
                for line in &preview.lines {
                    let wrapped = text::wrap(line, width.saturating_sub(2), 4).into_iter();
                    lines.body.extend(wrapped.map(|it| (format!("  {it}").into(), Role::Text)));
                }
            }
        }
    }
    if confirm.operation.is_final() {
        lines.tail.push(("".into(), Role::Text));
        lines.tail.push(("This can't be undone.".into(), Role::DialogDanger));
    }
    lines
}

fn draw_leave(app: &App, canvas: &mut Canvas<'_>, area: Rect, choice: Choice) {
    let running = app.worker.map_or(0, |worker| worker.in_flight);
    let key = app.keymap.key(Action::Quit);
    let text = format!(
        "{} still running here. Leaving drains this worker: it takes nothing new, and the program \
         ends once they have finished. Press {key} again then to leave at once; another worker \
         takes them over when their leases have run out.",
        match running {
            1 => "1 node is".to_owned(),
            count => format!("{count} nodes are"),
        }
    );
    let place = centred(area, 64, 9);
    let inside = canvas.dialog(place, "Leave?", Role::DialogBorder);
    let lines: Vec<Piece<'_>> = text::wrap(&text, usize::from(inside.width), 8)
        .into_iter()
        .map(|line| (line.into(), Role::Text))
        .collect();
    canvas.lines(Rect { height: inside.height.saturating_sub(1), ..inside }, &lines, 0);
    let line =
        Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    draw_buttons(canvas, line, " y: drain and leave ", " n: stay ", choice);
}

/// Draws what is typed and the choices it leaves.
fn draw_picker(canvas: &mut Canvas<'_>, inside: Rect, picker: &Picker, rows: &[Vec<Piece<'_>>]) {
    let line = Rect { height: inside.height.min(1), ..inside };
    let used = canvas.pieces(
        line,
        &[("> ".into(), Role::FooterKey), (picker.text.as_str().into(), Role::Input)],
    );
    canvas.text(
        line.x + used,
        line.y,
        line.width.saturating_sub(used),
        " ",
        canvas.style(Role::InputCursor),
    );
    let body = Rect { y: inside.y + line.height, height: inside.height - line.height, ..inside };
    if rows.is_empty() {
        canvas.lines(body, &[("Nothing matches.".into(), Role::TextDim)], 0);
    }
    let height = usize::from(body.height);
    let first = picker.index.saturating_sub(height.saturating_sub(1));
    for (y, (at, row)) in (body.top()..body.bottom()).zip(rows.iter().enumerate().skip(first)) {
        let line = Rect { y, height: 1, ..body };
        let text =
            Rect { x: line.x + 2.min(line.width), width: line.width.saturating_sub(2), ..line };
        canvas.pieces(text, row);
        if at == picker.index {
            canvas.select(line);
        }
    }
}

fn draw_blueprints(app: &App, canvas: &mut Canvas<'_>, area: Rect, picker: &Picker) {
    let choices = blueprints_for(app, &picker.text);
    let place =
        centred(area, 72, tall(app.catalog.blueprints.len()).saturating_add(3).clamp(6, 18));
    let inside = canvas.dialog(place, "Start a run of which blueprint?", Role::DialogBorder);
    let rows: Vec<Vec<Piece<'_>>> = choices
        .iter()
        .map(|at| {
            let entry = &app.catalog.blueprints[*at];
            let nodes = text::count(entry.blueprint.nodes.len(), "node");
            vec![
                (text::fit(&entry.blueprint.id, 44), Role::Text),
                (format!("  {nodes}").into(), Role::TextDim),
            ]
        })
        .collect();
    draw_picker(canvas, inside, picker, &rows);
}

fn draw_palette(app: &App, canvas: &mut Canvas<'_>, area: Rect, picker: &Picker) {
    let place = centred(area, 76, 16);
    let inside = canvas.dialog(place, "Command", Role::DialogBorder);
    let rows: Vec<Vec<Piece<'_>>> = actions_for(app, &picker.text)
        .into_iter()
        .map(|action| {
            let info = action.info();
            vec![
                (format!("{:<14}", info.id).into(), Role::TextStrong),
                (format!("{:<10}", app.keymap.key(action)).into(), Role::FooterKey),
                (info.description.into(), Role::TextDim),
            ]
        })
        .collect();
    draw_picker(canvas, inside, picker, &rows);
}

/// The child runs to choose from, with what is known of each.
fn draw_children(app: &App, canvas: &mut Canvas<'_>, area: Rect, choice: &ChildPicker) {
    let height = tall(choice.children.len()).saturating_add(3).clamp(6, 18);
    let inside =
        canvas.dialog(centred(area, 84, height), "Open which child run?", Role::DialogBorder);
    let runs = &app.shown().runs.data;
    let room = usize::from(inside.width).saturating_sub(38).max(16);
    let children = children_for(choice);
    let wide = children.iter().map(|it| text::width(&it.run)).max().unwrap_or(0).min(room);
    let rows: Vec<Vec<Piece<'_>>> = children
        .into_iter()
        .map(|child| {
            let row = runs.get(&child.run);
            let (symbol, word, role) =
                row.map_or_else(|| words::status(child.status), |row| words::run(row));
            let started = row.and_then(|row| row.item.started_at);
            let age = words::ago(app.now(), started);
            vec![
                (format!("{symbol} {word:<10}").into(), role),
                (padded(text::fit_end(&child.run, room), wide).into(), Role::Text),
                (format!("  {age:<6} node {}", child.node).into(), Role::TextDim),
            ]
        })
        .collect();
    draw_picker(canvas, inside, &choice.picker, &rows);
}

/// A text with spaces up to a width.
fn padded(text: String, width: usize) -> String {
    let missing = width.saturating_sub(text::width(&text));
    text + &" ".repeat(missing)
}

fn draw_export(canvas: &mut Canvas<'_>, area: Rect, form: &ExportForm) {
    let place = centred(area, 76, tall(form.choices.len()).saturating_add(6));
    let inside = canvas.dialog(place, "Export as JSON", Role::DialogBorder);
    let mut rows = inside.rows();
    for (at, choice) in form.choices.iter().enumerate() {
        let Some(line) = rows.next() else { return };
        let (mark, role) =
            if at == form.choice { ("●", Role::TextStrong) } else { ("○", Role::TextDim) };
        canvas.pieces(line, &[(format!("{mark} {}", choice.what).into(), role)]);
    }
    let Some(line) = rows.next() else { return };
    // The end of a long name is what is being typed.
    let name = text::fit_end(&form.name, usize::from(line.width).saturating_sub(8));
    let used =
        canvas.pieces(line, &[("file: ".into(), Role::FooterKey), (name.into(), Role::Input)]);
    let rest = line.width.saturating_sub(used);
    canvas.text(line.x + used, line.y, rest, " ", canvas.style(Role::InputCursor));
    let hints = [
        "In the working folder. No file is written over: a number is added.".to_owned(),
        if form.choices.len() > 1 {
            "enter: write   tab: something else   esc: leave".to_owned()
        } else {
            "enter: write   esc: leave".to_owned()
        },
    ];
    for (line, hint) in rows.zip(hints) {
        canvas.pieces(line, &[(hint.into(), Role::TextDim)]);
    }
}

/// How wide a text that is shown whole gets, on a terminal of this width.
pub(in crate::tui) fn whole_width(terminal: u16) -> u16 {
    /// The frame, and a cell on both sides of the text.
    const FRAME: u16 = 4;
    terminal.saturating_sub(4).min(120).saturating_sub(FRAME)
}

/// Draws a text whole.
fn draw_whole(canvas: &mut Canvas<'_>, area: Rect, whole: &Whole) {
    let wide = whole_width(area.width) + 4;
    let most = area.height.saturating_sub(4);
    let place =
        centred(area, wide, tall(whole.lines.len()).saturating_add(2).clamp(5, most.max(5)));
    let title = text::fit_end(&whole.title, usize::from(wide).saturating_sub(6));
    let inside = canvas.dialog(place, &title, Role::DialogBorder);
    let height = usize::from(inside.height);
    let first = whole.scroll.min(whole.lines.len().saturating_sub(height));
    canvas.hits.push(Hit { area: inside, target: Target::Text { first } });
    let style = canvas.style(Role::Text);
    for (y, line) in (inside.top()..inside.bottom()).zip(whole.lines.iter().skip(first)) {
        canvas.text(inside.x, y, inside.width, line, style);
    }
    let last = (first + height).min(whole.lines.len());
    let of = whole.lines.len();
    let hint = match (of > height, whole.cut) {
        (false, _) => " esc closes ".to_owned(),
        (true, false) => format!(" {}–{last} of {of} ↑↓  esc closes ", first + 1),
        (true, true) => format!(" {}–{last} of {of}, and more ↑↓  esc closes ", first + 1),
    };
    let edge = Rect { y: inside.bottom(), height: 1, ..inside };
    canvas.right(edge, &hint, canvas.style(Role::TextDim));
}

/// The help: every action with its keys, by group.
fn draw_help(app: &App, canvas: &mut Canvas<'_>, area: Rect, scroll: usize) {
    let place = centred(area, 88, area.height.saturating_sub(2));
    let inside = canvas.dialog(place, "Keys  (esc closes)", Role::DialogBorder);
    let lines = help_lines(app, usize::from(inside.width));
    scrollable(canvas, inside, &lines, scroll);
}

fn help_lines(app: &App, width: usize) -> Vec<Piece<'static>> {
    /// Keys and name stand in front of the description.
    const FRONT: usize = 32;
    let mut lines: Vec<Piece<'static>> = Vec::new();
    // In a recording its own keys come first.
    let (mine, others): (Vec<Group>, Vec<Group>) =
        Group::ALL.into_iter().partition(|group| *group == Group::Replay && app.replay.is_some());
    for group in mine.into_iter().chain(others) {
        lines.push((group.title().into(), Role::PaneTitleFocused));
        for info in ACTIONS.iter().filter(|info| info.group == group) {
            let off = app.access != Access::Full && info.effect == Effect::Changes;
            let keys = app.keymap.keys_of(info.action).join(" ");
            let front = format!("  {keys:<14} {:<14} ", info.id);
            let description = match app.access {
                _ if !off => info.description,
                Access::Recording => "(off: this is a recording)",
                _ => "(off: read-only)",
            };
            let role = if off { Role::TextDim } else { Role::Text };
            let wrapped = text::wrap(description, width.saturating_sub(FRONT).max(20), 3);
            for (at, line) in wrapped.into_iter().enumerate() {
                let front = if at == 0 { front.clone() } else { " ".repeat(FRONT - 1) };
                lines.push((format!("{front}{line}").into(), role));
            }
        }
        lines.push(("".into(), Role::Text));
    }
    lines.push(("The filter of the runs".into(), Role::PaneTitleFocused));
    for info in TERMS.iter().chain(&WORDS) {
        let front = format!("  {:<29} ", info.example);
        let wrapped = text::wrap(info.meaning, width.saturating_sub(FRONT).max(20), 3);
        for (at, line) in wrapped.into_iter().enumerate() {
            let front = if at == 0 { front.clone() } else { " ".repeat(FRONT) };
            lines.push((format!("{front}{line}").into(), Role::Text));
        }
    }
    lines.push(("".into(), Role::Text));
    lines.push((
        "Every action that changes the cluster shows its plan and asks first.".into(),
        Role::TextDim,
    ));
    lines.push((
        "The mouse works too: click selects, a second click opens, the wheel scrolls.".into(),
        Role::TextDim,
    ));
    lines
}
