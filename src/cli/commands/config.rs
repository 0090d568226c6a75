//! `config print`: the configuration in force, and where it came from.

use serde_json::{Map, Value, json};

use crate::{
    cli::{
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    config::{Config, Origin, SAMPLE},
};

/// Prints the configuration in force.
pub(in crate::cli) fn print(config: &Config, output: &mut Output) -> Result<Exit, CliError> {
    output.report(&as_json(config), |output| {
        let mut table =
            Table::new([Column::left("SETTING"), Column::left("VALUE"), Column::left("FROM")]);
        for listed in config.listing() {
            let key = match listed.section {
                Some(section) => format!("{section}.{}", listed.name),
                None => listed.name,
            };
            let value = match listed.value {
                Value::String(text) => text,
                Value::Null => "-".to_owned(),
                other => other.to_string(),
            };
            let tone = if listed.origin == Origin::Default { Tone::Dim } else { Tone::Plain };
            let from = Cell::toned(listed.origin.to_string(), tone);
            table.row([key.into(), value.into(), from]);
        }
        output.table(&table)?;
        config.notes.iter().try_for_each(|note| output.line(&format!("note: {note}")))
    })?;
    Ok(Exit::Done)
}

/// Prints a file with every setting at its default.
pub(in crate::cli) fn print_sample(output: &mut Output) -> Result<Exit, CliError> {
    output.write(SAMPLE)?;
    Ok(Exit::Done)
}

/// The configuration by section, each value as `{"value", "source"}`.
fn as_json(config: &Config) -> Value {
    let mut root = Map::new();
    for listed in config.listing() {
        let entry = json!({ "value": listed.value, "source": listed.origin.to_string() });
        match listed.section {
            None => {
                root.insert(listed.name, entry);
            }
            Some(section) => {
                let place = root.entry(section).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(section) = place {
                    section.insert(listed.name, entry);
                }
            }
        }
    }
    Value::Object(root)
}
