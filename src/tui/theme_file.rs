//! Reading a theme file.
//!
//! A file has a table `[palette]` with names for colours, if it wants, and a style for each role:
//! `run.stalled = "bold red on black"`. A style is a list of words: a colour, `on` and a colour for
//! the background, and any of `bold`, `dim`, `italic`, `underlined`, `reversed`. A colour is one of
//! the terminal's sixteen (`red`, `bright-red`, …), `default`, `#rrggbb`, or a name of the palette.

use std::{collections::HashMap, ops::Range};

use ratatui::style::{Color, Modifier, Style};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::theme::{Role, ThemeError};

/// The styles in a theme file's text. `file` is for the error.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<(Role, Style)>, ThemeError> {
    let reader = Reader { file, text };
    let table = DeTable::parse(text).map_err(|error| {
        reader.error(error.span().unwrap_or_default(), error.message().to_owned())
    })?;
    let mut palette = HashMap::new();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        if key.get_ref() == "palette" {
            palette = reader.palette(value)?;
        } else {
            Reader::flatten(key.get_ref().to_string(), key.span(), value, &mut entries)?;
        }
    }
    let mut styles = Vec::new();
    for (name, span, value) in entries {
        let role = Role::ALL.iter().find(|role| role.name() == name).ok_or_else(|| {
            let nearest = Role::ALL
                .iter()
                .map(|role| role.name())
                .min_by_key(|role| strsim::damerau_levenshtein(role, &name))
                .unwrap_or_default();
            reader.error(span, format!("there is no role `{name}`; the nearest is `{nearest}`"))
        })?;
        let words = reader.text_of(value)?;
        let style = style(words, &palette)
            .map_err(|problem| reader.error(value.span(), format!("`{name}`: {problem}")))?;
        styles.push((*role, style));
    }
    Ok(styles)
}

/// A key with dots in it, where the key is, and its value.
type Entry<'a> = (String, Range<usize>, &'a Spanned<DeValue<'a>>);

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, span: Range<usize>, problem: String) -> ThemeError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        ThemeError { file: self.file.to_owned(), line: before.matches('\n').count() + 1, problem }
    }

    fn text_of<'v>(&self, value: &'v Spanned<DeValue<'_>>) -> Result<&'v str, ThemeError> {
        value.get_ref().as_str().ok_or_else(|| {
            let found = value.get_ref().type_str();
            self.error(
                value.span(),
                format!("expected a style in quotes, such as \"bold red\", found {found}"),
            )
        })
    }

    fn flatten<'v>(
        name: String,
        span: Range<usize>,
        value: &'v Spanned<DeValue<'v>>,
        entries: &mut Vec<Entry<'v>>,
    ) -> Result<(), ThemeError> {
        let Some(table) = value.get_ref().as_table() else {
            entries.push((name, span, value));
            return Ok(());
        };
        for (key, value) in table {
            Self::flatten(format!("{name}.{}", key.get_ref()), key.span(), value, entries)?;
        }
        Ok(())
    }

    fn palette(&self, value: &Spanned<DeValue<'_>>) -> Result<HashMap<String, Color>, ThemeError> {
        let table = value.get_ref().as_table().ok_or_else(|| {
            self.error(value.span(), "`palette` must be a table of colours".to_owned())
        })?;
        let mut palette = HashMap::new();
        for (key, value) in table {
            let text = self.text_of(value)?;
            let colour = colour(text, &palette)
                .ok_or_else(|| self.error(value.span(), not_a_colour(text)))?;
            palette.insert(key.get_ref().to_string(), colour);
        }
        Ok(palette)
    }
}

fn style(words: &str, palette: &HashMap<String, Color>) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        let modifier = match word {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reversed" => Modifier::REVERSED,
            "on" => {
                let name = words.next().ok_or("`on` must be followed by a colour")?;
                style = style.bg(colour(name, palette).ok_or_else(|| not_a_colour(name))?);
                continue;
            }
            name => {
                style = style.fg(colour(name, palette).ok_or_else(|| not_a_colour(name))?);
                continue;
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

fn not_a_colour(word: &str) -> String {
    format!(
        "`{word}` is neither a colour (red, bright-red, default, #rrggbb, a name of [palette]) \
         nor one of bold, dim, italic, underlined, reversed"
    )
}

fn colour(name: &str, palette: &HashMap<String, Color>) -> Option<Color> {
    if let Some(hex) = name.strip_prefix('#') {
        let value = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6)?;
        let [_, r, g, b] = value.to_be_bytes();
        return Some(Color::Rgb(r, g, b));
    }
    // A palette may give the terminal's names other colours.
    if let Some(colour) = palette.get(name) {
        return Some(*colour);
    }
    Some(match name {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    fn problem(text: &str) -> String {
        read("my.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_style_is_read_from_words() {
        let text = "[palette]\nrose = \"#ff0080\"\n[run]\nstalled = \"bold rose on black\"\n";
        let expected = Style::new().fg(Color::Rgb(255, 0, 128)).bg(Color::Black);
        let expected = expected.add_modifier(Modifier::BOLD);
        assert_eq!(read("my.toml", text).unwrap(), [(Role::RunStalled, expected)]);
    }

    #[test]
    fn a_palette_comes_before_the_terminals_names() {
        let text = "[palette]\nred = \"#ff0080\"\n[run]\nfailed = \"red\"\n";
        let expected = Style::new().fg(Color::Rgb(255, 0, 128));
        assert_eq!(read("my.toml", text).unwrap(), [(Role::RunFailed, expected)]);
    }

    #[test]
    fn each_mistake_names_file_and_line() {
        let unknown = problem("\n[run]\nstaled = \"red\"\n");
        assert!(
            unknown.starts_with("my.toml:3:") && unknown.contains("`run.stalled`"),
            "{unknown}"
        );
        let colour = problem("[run]\nrunning = \"green\"\nstalled = \"bold rde\"\n");
        assert!(colour.starts_with("my.toml:3:") && colour.contains("`rde`"), "{colour}");
        let kind = problem("[run]\nstalled = 3\n");
        assert!(kind.starts_with("my.toml:2:") && kind.contains("integer"), "{kind}");
        let syntax = problem("[run]\n\nstalled = \"red\n");
        assert!(syntax.starts_with("my.toml:3:"), "{syntax}");
        let palette = problem("[palette]\nrose = \"#ff00\"\n");
        assert!(palette.starts_with("my.toml:2:"), "{palette}");
        let on = problem("[run]\nstalled = \"red on\"\n");
        assert!(on.starts_with("my.toml:2:") && on.contains("`on`"), "{on}");
    }
}
