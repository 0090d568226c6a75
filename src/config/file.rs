//! Reads a configuration file into settings, each with its line.

use std::{fs, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    environment::Environment,
    error::ConfigError,
    model::{Config, KeyBinding, NodeSettings},
    nearest::nearest,
    origin::Origin,
    setting::{SETTINGS, Setting, keys_of},
    value::{Raw, Written, Wrong},
};

/// The sections of a file, beside those that hold names of the user's own.
const SECTIONS: [&str; 4] = ["cluster", "worker", "reconciler", "ui"];

/// What may stand at the top of a file.
const TOP: [&str; 7] = ["blueprints", "cluster", "worker", "reconciler", "ui", "keys", "nodes"];

/// Puts everything that a file says into force.
pub(super) fn apply(
    config: &mut Config,
    path: &Path,
    environment: &Environment,
) -> Result<(), ConfigError> {
    let shown = path.strip_prefix(&environment.working_folder).unwrap_or(path);
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: shown.to_owned(), source })?;
    let reader = Reader {
        text: &text,
        shown,
        folder: path.parent().unwrap_or(&environment.working_folder),
        environment,
    };
    reader.apply(config)
}

struct Reader<'a> {
    text: &'a str,
    shown: &'a Path,
    folder: &'a Path,
    environment: &'a Environment,
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl Reader<'_> {
    fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        // Parsed twice: once for the places, once for the values.
        let places =
            DeTable::parse(self.text).map_err(|error| self.syntax(&error, error.message()))?;
        // What parses but has no value is a number that does not fit.
        let values: toml::Table = toml::from_str(self.text)
            .map_err(|error| self.syntax(&error, "a number out of range"))?;
        for (key, place) in places.get_ref() {
            let name = key.get_ref().as_ref();
            let Some(value) = values.get(name) else { continue };
            if let Some(setting) = Setting::find(name) {
                self.set(config, setting, key, value)?;
            } else if TOP.contains(&name) {
                let (DeValue::Table(places), toml::Value::Table(values)) = (place.get_ref(), value)
                else {
                    return Err(self.wrong(key, name, "a table", describe(value)));
                };
                self.section(config, name, places, values)?;
            } else {
                return Err(self.unknown(key, name.to_owned(), suggest_top(name)));
            }
        }
        Ok(())
    }

    fn section(
        &self,
        config: &mut Config,
        section: &str,
        places: &DeTable<'_>,
        values: &toml::Table,
    ) -> Result<(), ConfigError> {
        for key in places.keys() {
            let name = key.get_ref().as_ref();
            let Some(value) = values.get(name) else { continue };
            let full = format!("{section}.{name}");
            match (section, value) {
                ("keys", toml::Value::String(bound)) => {
                    let binding = KeyBinding { key: bound.clone(), origin: self.place(key) };
                    config.keys.insert(name.to_owned(), binding);
                }
                ("keys", other) => {
                    let expected = "the name of a key, such as \"R\" or \"ctrl-r\"";
                    return Err(self.wrong(key, &full, expected, describe(other)));
                }
                ("nodes", toml::Value::Table(table)) => {
                    let node = NodeSettings {
                        table: table.clone(),
                        folder: self.folder.to_owned(),
                        origin: self.place(key),
                    };
                    config.nodes.insert(name.to_owned(), node);
                }
                ("nodes", other) => {
                    let expected = "a table with a kind, such as { kind = \"exec\", … }";
                    return Err(self.wrong(key, &full, expected, describe(other)));
                }
                _ => match Setting::find(&full) {
                    Some(setting) => self.set(config, setting, key, value)?,
                    None => return Err(self.unknown(key, full, suggest_in(section, name))),
                },
            }
        }
        Ok(())
    }

    fn set(
        &self,
        config: &mut Config,
        setting: &Setting,
        key: &Key<'_>,
        value: &toml::Value,
    ) -> Result<(), ConfigError> {
        let written =
            Written { raw: Raw::Toml(value), folder: self.folder, environment: self.environment };
        (setting.set)(config, &written)
            .map_err(|Wrong { expected, found }| self.wrong(key, setting.key, &expected, found))?;
        config.origins.insert(setting.key, self.place(key));
        Ok(())
    }

    fn place(&self, key: &Key<'_>) -> Origin {
        self.place_at(key.span().start)
    }

    fn place_at(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line = before.split(|byte| *byte == b'\n').count();
        Origin::File { path: self.shown.to_owned(), line }
    }

    fn syntax(&self, error: &toml::de::Error, message: &str) -> ConfigError {
        ConfigError::Syntax {
            place: self.place_at(error.span().map_or(0, |span| span.start)),
            message: message.lines().collect::<Vec<_>>().join(", "),
        }
    }

    fn unknown(&self, key: &Key<'_>, name: String, suggestion: String) -> ConfigError {
        ConfigError::Unknown { place: self.place(key), kind: "key", key: name, suggestion }
    }

    fn wrong(&self, key: &Key<'_>, name: &str, expected: &str, found: String) -> ConfigError {
        ConfigError::Wrong {
            place: self.place(key),
            key: name.to_owned(),
            expected: expected.to_owned(),
            found,
        }
    }
}

fn describe(value: &toml::Value) -> String {
    match value {
        toml::Value::Array(_) => "a list".to_owned(),
        toml::Value::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// What an unknown key at the top of a file may have been meant to be.
fn suggest_top(name: &str) -> String {
    if let Some(near) = nearest(name, TOP) {
        return format!("did you mean \"{near}\"?");
    }
    let in_section = SECTIONS.iter().find(|section| keys_of(section).any(|key| key == name));
    match in_section {
        Some(section) => format!("did you mean \"{name}\" in [{section}]?"),
        None => format!("the known ones are {}", TOP.join(", ")),
    }
}

/// What an unknown key in a section may have been meant to be.
fn suggest_in(section: &str, name: &str) -> String {
    if let Some(near) = nearest(name, keys_of(section)) {
        return format!("did you mean \"{section}.{near}\"?");
    }
    let elsewhere = SETTINGS.iter().find(|setting| setting.key.rsplit('.').next() == Some(name));
    if let Some(setting) = elsewhere {
        return format!("did you mean \"{}\"?", setting.key);
    }
    let known: Vec<&str> = keys_of(section).collect();
    format!("the known ones in [{section}] are {}", known.join(", "))
}
