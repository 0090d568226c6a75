//! Which key stands for which action.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

use crokey::{KeyCombination, KeyCombinationFormat};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::actions::{ACTIONS, Action, Effect, Group};

/// Why keys can't be configured as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// There is no such action.
    #[error("keys.{id}: there is no such action{}", .nearest.as_ref().map_or("; `?` in the dashboard shows them all".to_owned(), |it| format!("; did you mean `{it}`?")))]
    UnknownAction {
        /// What was written.
        id: String,
        /// The action with the most similar name.
        nearest: Option<String>,
    },
    /// A key that can't be understood.
    #[error(
        "keys.{id}: `{key}` is not a key; write for example `r`, `R`, `f5`, `alt-x` or `ctrl-r`"
    )]
    BadKey {
        /// The action.
        id: String,
        /// What was written.
        key: String,
    },
    /// One key for two actions.
    #[error("keys: `{key}` stands for both `{first}` and `{second}`; give one of them another key")]
    Clash {
        /// The key.
        key: String,
        /// One action.
        first: Action,
        /// The other.
        second: Action,
    },
}

/// Which key stands for which action.
#[derive(Debug, Clone)]
pub struct Keymap {
    actions: HashMap<KeyCombination, Action>,
    keys: HashMap<Action, Vec<KeyCombination>>,
    format: KeyCombinationFormat,
}

impl Keymap {
    /// The keys of the table, with those of the configuration in place of the table's: action name
    /// to key, or to several keys with commas between them.
    pub fn from_overrides(overrides: &BTreeMap<String, String>) -> Result<Self, KeymapError> {
        for id in overrides.keys() {
            if Action::from_id(id).is_none() {
                return Err(KeymapError::UnknownAction { id: id.clone(), nearest: nearest(id) });
            }
        }
        let mut actions = HashMap::new();
        let mut keys = HashMap::new();
        for info in &ACTIONS {
            let written: Vec<&str> = match overrides.get(info.id) {
                Some(text) if text.trim() == "," => vec![","],
                Some(text) => text.split(',').map(str::trim).collect(),
                None => info.keys.to_vec(),
            };
            for text in written {
                let key = parse(text).ok_or_else(|| KeymapError::BadKey {
                    id: info.id.to_owned(),
                    key: text.to_owned(),
                })?;
                if let Some(first) = actions.insert(key, info.action)
                    && first != info.action
                {
                    let key = text.to_owned();
                    return Err(KeymapError::Clash { key, first, second: info.action });
                }
                keys.entry(info.action).or_insert_with(Vec::new).push(key);
            }
        }
        let format =
            KeyCombinationFormat::default().with_implicit_shift().with_lowercase_modifiers();
        Ok(Self { actions, keys, format })
    }

    /// The action of a key.
    pub fn action(&self, key: KeyEvent) -> Option<Action> {
        self.actions.get(&combination(key)).copied()
    }

    /// The main key of an action, as it is shown.
    pub fn key(&self, action: Action) -> String {
        self.keys_of(action).into_iter().next().unwrap_or_default()
    }

    /// All keys of an action, as they are shown.
    pub fn keys_of(&self, action: Action) -> Vec<String> {
        self.keys.get(&action).into_iter().flatten().map(|key| self.shown(*key)).collect()
    }

    fn shown(&self, key: KeyCombination) -> String {
        match self.format.to_string(key).as_str() {
            "BackTab" => "shift-tab".to_owned(),
            name @ ("Space" | "Enter" | "Esc" | "Tab" | "Backspace" | "Home" | "End" | "PageUp"
            | "PageDown") => name.to_lowercase(),
            "Hyphen" => "-".to_owned(),
            "Up" => "↑".to_owned(),
            "Down" => "↓".to_owned(),
            "Left" => "←".to_owned(),
            "Right" => "→".to_owned(),
            text => text.to_owned(),
        }
    }
}

impl Default for Keymap {
    /// The keys of the table.
    fn default() -> Self {
        // A test builds it: the table has no clash.
        Self::from_overrides(&BTreeMap::new()).unwrap_or_else(|_| Self {
            actions: HashMap::new(),
            keys: HashMap::new(),
            format: KeyCombinationFormat::default(),
        })
    }
}

fn parse(text: &str) -> Option<KeyCombination> {
    let mut chars = text.chars();
    // A single character is itself: `R` is shift-r, which the parser would take for `r`.
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control()).then(|| combination(KeyCode::Char(c).into()));
    }
    let key = crokey::parse(text).ok()?;
    let first = *key.codes.first();
    Some(combination(KeyEvent::new(first, key.modifiers)))
}

/// A key in the one form it has here: terminals differ in whether they report shift for a capital
/// letter or a symbol, so a symbol goes without it and a capital letter always with it.
fn combination(mut key: KeyEvent) -> KeyCombination {
    match key.code {
        KeyCode::Char(c) if c.is_alphabetic() && key.modifiers.contains(KeyModifiers::SHIFT) => {
            key.code = KeyCode::Char(c.to_uppercase().next().unwrap_or(c));
        }
        KeyCode::Char(c) if c.is_alphabetic() => {}
        KeyCode::Char(_) | KeyCode::BackTab => key.modifiers.remove(KeyModifiers::SHIFT),
        _ => {}
    }
    KeyCombination::new(key.code, key.modifiers).normalized()
}

/// The action with the most similar name, if one is similar enough to be meant.
fn nearest(id: &str) -> Option<String> {
    ACTIONS
        .iter()
        .map(|info| (strsim::damerau_levenshtein(id, info.id), info.id))
        .min()
        .filter(|(distance, nearest)| *distance <= nearest.len().max(3) / 2)
        .map(|(_, nearest)| nearest.to_owned())
}

/// The table of keys for the README, in Markdown.
pub fn key_table_markdown() -> String {
    let keymap = Keymap::default();
    let mut table = String::from("| key | action | does |\n| --- | --- | --- |\n");
    for group in Group::ALL {
        for info in ACTIONS.iter().filter(|info| info.group == group) {
            // A bar would end the cell, in code too.
            let keys = keymap.keys_of(info.action).join("` `").replace('|', "\\|");
            let mark = if info.effect == Effect::Changes { " (asks first)" } else { "" };
            // Writing to a string can't fail.
            let _ = writeln!(table, "| `{keys}` | `{}` | {}{mark} |", info.id, info.description);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    fn overrides(pairs: &[(&str, &str)]) -> Result<Keymap, KeymapError> {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Keymap::from_overrides(&owned.collect())
    }

    fn press(keymap: &Keymap, c: char, modifiers: KeyModifiers) -> Option<Action> {
        keymap.action(KeyEvent::new(KeyCode::Char(c), modifiers))
    }

    #[test]
    fn the_table_has_no_clash_and_every_action_is_reached() {
        let keymap = overrides(&[]).unwrap();
        for info in &ACTIONS {
            assert_eq!(keymap.keys_of(info.action).len(), info.keys.len(), "{}", info.id);
        }
    }

    #[test]
    fn capitals_differ_from_small_letters_however_the_terminal_reports_them() {
        let keymap = Keymap::default();
        assert_eq!(press(&keymap, 'r', KeyModifiers::NONE), Some(Action::Requeue));
        assert_eq!(press(&keymap, 'R', KeyModifiers::SHIFT), Some(Action::Reconcile));
        assert_eq!(press(&keymap, 'R', KeyModifiers::NONE), Some(Action::Reconcile));
        assert_eq!(press(&keymap, '?', KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(press(&keymap, '?', KeyModifiers::NONE), Some(Action::Help));
        assert_eq!(press(&keymap, ':', KeyModifiers::SHIFT), Some(Action::Palette));
        let shift_tab = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(keymap.action(shift_tab), Some(Action::PreviousPane));
    }

    #[test]
    fn a_key_can_be_moved_and_the_old_one_is_free_then() {
        let keymap = overrides(&[("reconcile", "ctrl-r, f9"), ("requeue", "R")]).unwrap();
        assert_eq!(press(&keymap, 'r', KeyModifiers::CONTROL), Some(Action::Reconcile));
        assert_eq!(press(&keymap, 'R', KeyModifiers::SHIFT), Some(Action::Requeue));
        assert_eq!(press(&keymap, 'r', KeyModifiers::NONE), None);
        assert_eq!(keymap.keys_of(Action::Reconcile), ["ctrl-r", "F9"]);
    }

    #[test]
    fn a_clash_names_both_actions() {
        let error = overrides(&[("freeze", "x")]).unwrap_err().to_string();
        assert!(error.contains("`cancel`") && error.contains("`freeze`") && error.contains("`x`"));
    }

    #[test]
    fn an_unknown_action_comes_with_the_nearest_and_a_bad_key_with_examples() {
        let error = overrides(&[("reconsile", "x")]).unwrap_err().to_string();
        assert!(error.contains("reconsile") && error.contains("`reconcile`"), "{error}");
        let error = overrides(&[("zzzzzzzzzz", "x")]).unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
        let error = overrides(&[("help", "hyper-banana")]).unwrap_err().to_string();
        assert!(error.contains("keys.help") && error.contains("hyper-banana"), "{error}");
    }

    #[test]
    fn the_readme_table_has_every_action() {
        let table = key_table_markdown();
        for info in &ACTIONS {
            assert!(table.contains(&format!("| `{}` |", info.id)), "{}", info.id);
        }
    }
}
