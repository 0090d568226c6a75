//! The configuration in force, for showing: every value with where it came from, secrets masked.

use serde_json::{Value, json};

use super::{
    model::Config,
    origin::Origin,
    secret::{MASK, mask_url},
    setting::SETTINGS,
};

/// A value of the configuration, for showing.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its section; nothing at the top.
    pub section: Option<&'static str>,
    /// Its name within the section.
    pub name: String,
    /// Its value, without secrets.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// Parts of names that hint at a secret value.
const TELLTALE: [&str; 6] = ["key", "token", "secret", "password", "auth", "credential"];

impl Config {
    /// Every value with where it came from, secrets masked.
    pub fn listing(&self) -> Vec<Listed> {
        let settings = SETTINGS.iter().map(|setting| {
            let (section, name) = match setting.key.split_once('.') {
                Some((section, name)) => (Some(section), name),
                None => (None, setting.key),
            };
            Listed {
                section,
                name: name.to_owned(),
                value: (setting.get)(self),
                origin: self.origin(setting.key),
            }
        });
        let services = self.services.by_variable().into_iter().filter_map(|(variable, value)| {
            Some(Listed {
                section: Some("services"),
                name: variable.to_owned(),
                value: json!(value?.to_string()),
                origin: Origin::Variable(variable.to_owned()),
            })
        });
        let keys = self.keys.iter().map(|(action, binding)| Listed {
            section: Some("keys"),
            name: action.clone(),
            value: json!(binding.key),
            origin: binding.origin.clone(),
        });
        let nodes = self.nodes.iter().map(|(name, node)| Listed {
            section: Some("nodes"),
            name: name.clone(),
            value: node.table.iter().map(|(key, value)| (key.clone(), mask(key, value))).collect(),
            origin: node.origin.clone(),
        });
        settings.chain(services).chain(keys).chain(nodes).collect()
    }
}

/// A node's setting as JSON, with everything masked that may be a secret.
fn mask(name: &str, value: &toml::Value) -> Value {
    let lower = name.to_lowercase();
    if TELLTALE.iter().any(|part| lower.contains(part)) {
        return json!(MASK);
    }
    match value {
        // Environments and headers are where secrets are passed.
        toml::Value::Table(table) if matches!(name, "env" | "headers") => {
            table.keys().map(|key| (key.clone(), json!(MASK))).collect()
        }
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| (key.clone(), mask(key, value))).collect()
        }
        toml::Value::Array(items) => items.iter().map(|item| mask("", item)).collect(),
        toml::Value::String(text) if text.contains("://") => json!(mask_url(text)),
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(number) => json!(number),
        toml::Value::Float(number) => json!(number),
        toml::Value::Boolean(switch) => json!(switch),
        toml::Value::Datetime(time) => json!(time.to_string()),
    }
}
