//! A drawn screen as text that can be compared: what stands there, and in which styles.

use std::fmt::Write as _;

use flowcraft_tui::tui::{Colours, Headless, Theme};
use ratatui::{
    buffer::{Buffer, Cell},
    style::Style,
};

/// An old terminal, and a comfortable one.
const SIZES: [(u16, u16); 2] = [(80, 24), (160, 48)];

/// The themes in which styles are looked at: one has the terminal's own colours, the other millions.
const THEMES: [(&str, Colours); 2] =
    [("default", Colours::Sixteen), ("high-contrast", Colours::True)];

/// Holds what a dashboard shows after some steps against the stored picture: at both sizes the text,
/// and the styles in both themes.
pub(crate) fn check(
    name: &str,
    open: impl Fn((u16, u16)) -> Headless,
    steps: impl Fn(&mut Headless),
) {
    for size in SIZES {
        let mut dashboard = open(size);
        steps(&mut dashboard);
        let mut picture = dashboard.text();
        for (name, colours) in THEMES {
            dashboard.set_theme(&theme(name), colours);
            let buffer = dashboard.draw();
            write!(picture, "\n-- {name}\n{}", styles(&buffer)).unwrap();
        }
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture);
    }
}

/// A built-in theme.
pub(crate) fn theme(name: &str) -> Theme {
    Theme::built_in().into_iter().find(|theme| theme.name == name).unwrap()
}

/// The styles of a screen: a letter for each, how many cells of each line have it one after
/// another, and what the letters mean. Lines like the one before are counted.
fn styles(buffer: &Buffer) -> String {
    let mut known: Vec<Style> = Vec::new();
    let mut lines: Vec<(String, usize)> = Vec::new();
    for row in buffer.content().chunks(usize::from(buffer.area.width)) {
        let line = line(row, &mut known);
        match lines.last_mut() {
            Some((last, times)) if *last == line => *times += 1,
            _ => lines.push((line, 1)),
        }
    }
    let mut text = String::new();
    for (line, times) in lines {
        let times = if times > 1 { format!("  x{times}") } else { String::new() };
        writeln!(text, "{line}{times}").unwrap();
    }
    for (at, style) in known.iter().enumerate() {
        writeln!(text, "{} {}", letter(at), describe(style)).unwrap();
    }
    text
}

fn line(row: &[Cell], known: &mut Vec<Style>) -> String {
    let mut runs: Vec<(Style, usize)> = Vec::new();
    for cell in row {
        let style = shown(cell);
        match runs.last_mut() {
            // A gap goes with what stands before it.
            Some((last, length)) if *last == style || (is_gap(cell) && last.bg == style.bg) => {
                *length += 1;
            }
            _ => runs.push((style, 1)),
        }
    }
    let mut line = String::new();
    for (style, length) in runs {
        let at = known.iter().position(|it| *it == style).unwrap_or_else(|| {
            known.push(style);
            known.len() - 1
        });
        write!(line, "{length}{}", letter(at)).unwrap();
    }
    line
}

/// Whether there is nothing in a cell, not even a line or a reversed background.
fn is_gap(cell: &Cell) -> bool {
    cell.symbol().trim().is_empty() && cell.modifier.is_empty()
}

/// What can be seen of a cell's style: the colour of the ink of an empty one can't.
fn shown(cell: &Cell) -> Style {
    if is_gap(cell) { Style::new().bg(cell.bg) } else { cell.style() }
}

fn letter(at: usize) -> String {
    let (turn, at) = (at / 26, at % 26);
    let letter = char::from(b'a' + u8::try_from(at).unwrap());
    if turn == 0 { letter.to_string() } else { format!("{letter}{turn}") }
}

fn describe(style: &Style) -> String {
    let colour = |name: &str, colour: Option<ratatui::style::Color>| {
        colour.map(|it| format!("{name}={it}")).filter(|it| !it.ends_with("=Reset"))
    };
    let modifiers = Some(format!("{:?}", style.add_modifier)).filter(|it| it != "NONE");
    let parts: Vec<String> =
        [colour("fg", style.fg), colour("bg", style.bg), modifiers].into_iter().flatten().collect();
    if parts.is_empty() { "plain".to_owned() } else { parts.join(" ") }
}
