//! The secrets of this process: what must not be in a file that is given away.

use std::collections::BTreeMap;

use crate::{config::Config, recording::says_secret};

/// What is configured as a secret, what the configuration takes from the environment, and every
/// variable whose name says that it is one.
pub(super) fn secrets(
    config: &Config,
    variables: &BTreeMap<String, Option<String>>,
) -> Vec<String> {
    let services = &config.services;
    let mut secrets: Vec<String> = [&services.storage, &services.cosmos, &services.redis]
        .into_iter()
        .flatten()
        .map(|secret| secret.expose().to_owned())
        .collect();
    let named = variables.iter().filter(|(name, _)| says_secret(name));
    secrets.extend(named.filter_map(|(_, value)| value.clone()));
    for node in config.nodes.values() {
        of_table(&node.table, variables, &mut secrets);
    }
    secrets
}

fn of_table(
    table: &toml::Table,
    variables: &BTreeMap<String, Option<String>>,
    secrets: &mut Vec<String>,
) {
    for (name, value) in table {
        match value {
            toml::Value::Table(table) => of_table(table, variables, secrets),
            toml::Value::Array(items) => {
                let texts = items.iter().filter_map(toml::Value::as_str);
                texts.for_each(|text| of_text(text, variables, secrets));
            }
            toml::Value::String(text) => {
                of_text(text, variables, secrets);
                if says_secret(name) && !text.contains("${") {
                    secrets.push(text.clone());
                    // Of `Bearer x`, the x.
                    secrets.extend(text.split_once(' ').map(|(_, value)| value.to_owned()));
                }
            }
            _ => {}
        }
    }
}

/// The values of the variables in a text.
fn of_text(text: &str, variables: &BTreeMap<String, Option<String>>, secrets: &mut Vec<String>) {
    for rest in text.split("${").skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        secrets.extend(variables.get(name).cloned().flatten());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;
    use crate::config::{Environment, NodeSettings, Origin, Secret};

    #[test]
    fn secrets_come_from_services_variables_and_nodes() {
        let mut config = Config::defaults(&Environment::default());
        config.services.redis = Some(Secret::new("redis://:pw@h"));
        let table = "url = 'https://x/${PLACE}'\ncommand = ['a', '${ARG}']\n\
                     headers = { Authorization = 'Bearer abc', Accept = 'json' }";
        let node = NodeSettings {
            table: toml::from_str(table).unwrap(),
            folder: "/".into(),
            origin: Origin::Default,
        };
        config.nodes.insert("n".to_owned(), node);
        let pairs = [("PLACE", "p1"), ("ARG", "a1"), ("MY_TOKEN", "t1"), ("HOME", "/home/me")];
        let variables = pairs.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        let mut found = secrets(&config, &variables.into());
        found.sort();
        assert_eq!(found, ["Bearer abc", "a1", "abc", "p1", "redis://:pw@h", "t1"]);
    }
}
