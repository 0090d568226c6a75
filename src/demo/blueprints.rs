//! The sample blueprints.

use serde_json::Value;

use super::DemoError;
use crate::blueprint::{Blueprint, Library, sanitize};

/// The files, in the order in which a newcomer best reads them.
const FILES: [(&str, &str); 9] = [
    ("order-fulfilment", include_str!("blueprints/order-fulfilment.json")),
    ("charge-card", include_str!("blueprints/charge-card.json")),
    ("image-pipeline", include_str!("blueprints/image-pipeline.json")),
    ("nightly-report", include_str!("blueprints/nightly-report.json")),
    ("invoice-mailing", include_str!("blueprints/invoice-mailing.json")),
    ("expense-approval", include_str!("blueprints/expense-approval.json")),
    ("trial-reminder", include_str!("blueprints/trial-reminder.json")),
    ("price-import", include_str!("blueprints/price-import.json")),
    ("database-backup", include_str!("blueprints/database-backup.json")),
];

/// The sample blueprints as a library.
pub(super) fn library() -> Result<Library, DemoError> {
    FILES.into_iter().map(read).collect::<Result<_, _>>().map(Library::fixed)
}

fn read((name, text): (&str, &str)) -> Result<Blueprint, DemoError> {
    let broken = |reason: String| DemoError::Blueprint { name: name.to_owned(), reason };
    let json: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    sanitize(json).map_err(|error| broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        blueprint::{LintContext, lint},
        demo::{
            dice::Dice,
            nodes::registry,
            order::Line,
            pace::{Pace, Speed},
        },
        nodes::BUILT_IN,
    };

    #[test]
    fn lint_finds_nothing() {
        let library = library().unwrap();
        let kinds: BTreeSet<String> =
            registry(1, &Pace::real(Speed(1))).names().map(str::to_owned).collect();
        let state = library.state();
        let context =
            LintContext { implementations: Some(&kinds), blueprints: Some(state.blueprints()) };
        for blueprint in library.list() {
            assert_eq!(lint(&blueprint, &context), [], "{}", blueprint.id);
        }
        assert_eq!(library.list().len(), FILES.len());
    }

    #[test]
    fn every_kind_of_node_is_used_and_every_feature_shown() {
        let library = library().unwrap();
        let mut used = BTreeSet::new();
        for blueprint in library.list() {
            for node in &blueprint.nodes {
                used.insert(node.uses.clone());
                used.extend(
                    node.params.get("workerUsesKey").and_then(Value::as_str).map(str::to_owned),
                );
            }
        }
        let registry = registry(1, &Pace::real(Speed(1)));
        for kind in registry.names() {
            assert!(used.contains(kind), "no blueprint uses {kind}");
        }
        // The other name of a subflow, and what this program refuses to run.
        let left_out = ["SubflowNode", "webhook"];
        for kind in BUILT_IN.into_iter().filter(|kind| !left_out.contains(kind)) {
            assert!(used.contains(kind), "no blueprint uses {kind}");
        }
    }

    #[test]
    fn every_blueprint_has_a_version_and_an_example_like_the_inputs_of_its_runs() {
        for blueprint in library().unwrap().list() {
            assert_eq!(blueprint.version(), Some("1"), "{}", blueprint.id);
            let example = blueprint.example().and_then(Value::as_object).unwrap();
            if let Some(line) = Line::of(&blueprint.id) {
                let input = line.input(&mut Dice::new(1, "example"));
                assert_eq!(
                    input.keys().collect::<Vec<_>>(),
                    example.keys().collect::<Vec<_>>(),
                    "{}",
                    blueprint.id
                );
            }
        }
    }
}
