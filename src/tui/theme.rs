//! Themes: a style for each role, from a TOML file.

use std::path::Path;

use ratatui::style::{Color, Modifier, Style};

use super::theme_file;

/// Declares the roles: the variant, its name in theme files.
macro_rules! roles {
    ($($role:ident = $name:literal),* $(,)?) => {
        /// What a style is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)] // The names say it.
        pub enum Role { $($role),* }

        impl Role {
            /// All roles.
            pub const ALL: &[Self] = &[$(Self::$role),*];

            /// Its name in a theme file: the table and the key in it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$role => $name),* }
            }
        }
    };
}

roles! {
    Text = "text.normal",
    TextDim = "text.dim",
    TextStrong = "text.strong",
    TextError = "text.error",
    Header = "header.bar",
    HeaderKey = "header.label",
    Footer = "footer.bar",
    FooterKey = "footer.key",
    PaneBorder = "pane.border.normal",
    PaneBorderFocused = "pane.border.focused",
    PaneTitle = "pane.title.normal",
    PaneTitleFocused = "pane.title.focused",
    TableHead = "table.head",
    Selected = "selection.focused",
    SelectedFaint = "selection.unfocused",
    Marked = "selection.marked",
    RunRunning = "run.running",
    RunStalled = "run.stalled",
    RunAwaiting = "run.awaiting",
    RunCompleted = "run.completed",
    RunFailed = "run.failed",
    RunCancelled = "run.cancelled",
    NodePending = "node.pending",
    NodeReady = "node.ready",
    NodeSkipped = "node.skipped",
    EdgeTaken = "edge.taken",
    EdgeOpen = "edge.open",
    EdgeUntaken = "edge.untaken",
    TimelineAxis = "timeline.axis",
    TimelineNow = "timeline.now",
    TimelineCritical = "timeline.critical",
    SourceLive = "source.live",
    SourceStale = "source.stale",
    SourceLoading = "source.loading",
    WorkerRunning = "worker.running",
    WorkerPaused = "worker.paused",
    WorkerDraining = "worker.draining",
    LockAlive = "lock.alive",
    LockGone = "lock.gone",
    LockForeign = "lock.foreign",
    QueueSpark = "queue.sparkline",
    QueuePoison = "queue.poison",
    WarningUrgent = "warning.urgent",
    WarningMild = "warning.mild",
    LogError = "log.error",
    LogWarn = "log.warn",
    LogInfo = "log.info",
    LogDebug = "log.debug",
    LogTrace = "log.trace",
    ToastGood = "toast.good",
    ToastBad = "toast.bad",
    DialogBorder = "dialog.border",
    DialogDanger = "dialog.danger",
    Input = "input.text",
    InputCursor = "input.cursor",
    InputError = "input.error",
    InputGood = "input.good",
    ValueKey = "value.key",
    ValueText = "value.text",
    ValueNumber = "value.number",
    ValueWord = "value.word",
    ValueMatch = "value.match",
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// None, or none wanted (`NO_COLOR`).
    None,
    /// The sixteen that every terminal has.
    Sixteen,
    /// All.
    True,
}

impl Colours {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn detect() -> Self {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        if !var("NO_COLOR").is_empty() || var("TERM") == "dumb" {
            Self::None
        } else if matches!(var("COLORTERM").as_str(), "truecolor" | "24bit")
            || var("TERM").ends_with("-direct")
            || var("TERM").contains("256color")
        {
            // With 256 colours, terminals take RGB and show the nearest.
            Self::True
        } else {
            Self::Sixteen
        }
    }
}

/// A style for each role.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// What it is called.
    pub name: String,
    styles: Vec<Style>,
}

/// A theme file that can't be used: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct ThemeError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what was expected.
    pub problem: String,
}

/// The themes that come with the program: name and file.
const BUILT_IN: [(&str, &str); 8] = [
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind-safe", include_str!("../../themes/colour-blind-safe.toml")),
    ("catppuccin-mocha", include_str!("../../themes/catppuccin-mocha.toml")),
    ("gruvbox-dark", include_str!("../../themes/gruvbox-dark.toml")),
    ("nord", include_str!("../../themes/nord.toml")),
    ("solarized-dark", include_str!("../../themes/solarized-dark.toml")),
];

impl Theme {
    /// The themes that come with the program, `default` first.
    pub fn built_in() -> Vec<Self> {
        let parsed = BUILT_IN.iter().map(|(name, text)| Self::parse(name, name, text));
        // A test reads each of them.
        parsed.filter_map(Result::ok).collect()
    }

    /// The themes that come with the program and those in a folder (`*.toml`, the file's name is the
    /// theme's); one of the same name takes the place of ours. A folder that is not there is empty.
    pub fn with_folder(folder: &Path) -> Result<Vec<Self>, ThemeError> {
        let mut themes = Self::built_in();
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        for path in files {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|error| ThemeError {
                file: file.clone(),
                line: 1,
                problem: format!("can't be read: {error}"),
            })?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let theme = Self::parse(&name, &file, &text)?;
            match themes.iter_mut().find(|known| known.name == theme.name) {
                Some(known) => *known = theme,
                None => themes.push(theme),
            }
        }
        Ok(themes)
    }

    /// A theme from a file's text. Roles that the file leaves out look as in `default`.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ThemeError> {
        let base = if text == BUILT_IN[0].1 {
            vec![Style::new(); Role::ALL.len()]
        } else {
            Self::parse("default", "default", BUILT_IN[0].1)?.styles
        };
        let mut theme = Self { name: name.to_owned(), styles: base };
        for (role, style) in theme_file::read(file, text)? {
            theme.styles[role as usize] = style;
        }
        Ok(theme)
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The theme as a terminal with fewer colours shows it. What is selected stays visible: it is
    /// reversed.
    #[must_use]
    pub fn on(&self, colours: Colours) -> Self {
        let styles = Role::ALL.iter().map(|role| {
            let style = self.style(*role);
            let selection = matches!(role, Role::Selected | Role::InputCursor);
            let reversed = |style: Style| {
                if selection { style.add_modifier(Modifier::REVERSED) } else { style }
            };
            match colours {
                Colours::True => style,
                Colours::Sixteen => {
                    let fg = style.fg.map(nearest_of_sixteen);
                    // A background that was chosen from millions has no like among sixteen: the
                    // terminal's own is always readable.
                    let rgb = |colour: Option<Color>| matches!(colour, Some(Color::Rgb(..)));
                    let themed = rgb(style.bg) || rgb(style.fg);
                    let style = Style { fg, bg: style.bg.filter(|_| !themed), ..style };
                    if !themed {
                        style
                    } else if selection {
                        reversed(Style { fg: None, ..style })
                    } else {
                        style
                    }
                }
                Colours::None => {
                    reversed(Style { fg: None, bg: None, underline_color: None, ..style })
                }
            }
        });
        Self { name: self.name.clone(), styles: styles.collect() }
    }
}

/// The most similar of the sixteen colours, by hue; greys stay the terminal's own.
fn nearest_of_sixteen(colour: Color) -> Color {
    let Color::Rgb(r, g, b) = colour else { return colour };
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max - min < 48 {
        return if max < 0x90 { Color::DarkGray } else { Color::Reset };
    }
    let strong = |channel: u8| u16::from(channel - min) * 2 > u16::from(max - min);
    match (strong(r), strong(g), strong(b)) {
        (true, true, _) => Color::Yellow,
        (true, _, true) => Color::Magenta,
        (true, ..) => Color::Red,
        (_, true, true) => Color::Cyan,
        (_, true, _) => Color::Green,
        _ => Color::Blue,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    #[test]
    fn every_built_in_theme_can_be_read() {
        for (name, text) in BUILT_IN {
            Theme::parse(name, name, text).unwrap();
        }
        assert_eq!(Theme::built_in().len(), BUILT_IN.len());
    }

    #[test]
    fn a_folder_adds_and_replaces_themes_and_names_the_bad_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("nord.toml"), "run.stalled = \"blue\"\n").unwrap();
        std::fs::write(folder.path().join("mine.toml"), "run.stalled = \"green\"\n").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not a theme").unwrap();
        let themes = Theme::with_folder(folder.path()).unwrap();
        let style = |name: &str| {
            let theme = themes.iter().find(|theme| theme.name == name).unwrap();
            theme.style(Role::RunStalled).fg
        };
        assert_eq!(themes.len(), BUILT_IN.len() + 1);
        assert_eq!((style("nord"), style("mine")), (Some(Color::Blue), Some(Color::Green)));
        std::fs::write(folder.path().join("bad.toml"), "\nrun.stalled = 1\n").unwrap();
        let error = Theme::with_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bad.toml:2:"), "{error}");
        assert_eq!(Theme::with_folder(&folder.path().join("gone")).unwrap().len(), BUILT_IN.len());
    }

    #[test]
    fn the_default_theme_uses_only_the_terminals_own_colours() {
        let theme = &Theme::built_in()[0];
        for role in Role::ALL {
            let style = theme.style(*role);
            for colour in [style.fg, style.bg].into_iter().flatten() {
                assert!(!matches!(colour, Color::Rgb(..)), "{}", role.name());
            }
        }
    }

    #[test]
    fn every_theme_names_every_role() {
        for (name, text) in BUILT_IN {
            let named: Vec<_> =
                theme_file::read(name, text).unwrap().into_iter().map(|(role, _)| role).collect();
            for role in Role::ALL {
                assert!(named.contains(role), "{name} lacks {}", role.name());
            }
        }
    }

    #[test]
    fn the_selection_shows_without_colours_and_with_sixteen() {
        for theme in Theme::built_in() {
            for colours in [Colours::None, Colours::Sixteen] {
                let theme = theme.on(colours);
                let style = theme.style(Role::Selected);
                assert!(
                    style.add_modifier.contains(Modifier::REVERSED) || style.bg.is_some(),
                    "{} on {colours:?}",
                    theme.name
                );
                for role in Role::ALL {
                    let style = theme.style(*role);
                    assert!(!matches!(style.fg, Some(Color::Rgb(..))));
                    assert!(colours != Colours::None || (style.fg.is_none() && style.bg.is_none()));
                }
            }
        }
    }

    #[test]
    fn true_colour_themes_are_readable() {
        for theme in Theme::built_in() {
            let page = theme.style(Role::Text).bg;
            for role in Role::ALL {
                let style = theme.style(*role);
                let (Some(ink), Some(paper)) =
                    (style.fg.and_then(luminance), style.bg.or(page).and_then(luminance))
                else {
                    continue;
                };
                let contrast = (ink.max(paper) + 0.05) / (ink.min(paper) + 0.05);
                // Lines may be fainter than text.
                let least = if role.name().contains("border") { 1.5 } else { 3.0 };
                assert!(contrast >= least, "{} {}: {contrast:.2}", theme.name, role.name());
            }
        }
    }

    /// Relative luminance by the definition of WCAG.
    fn luminance(colour: Color) -> Option<f64> {
        let Color::Rgb(r, g, b) = colour else { return None };
        let [r, g, b] = [r, g, b].map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.03928 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        Some(0.2126 * r + 0.7152 * g + 0.0722 * b)
    }
}
