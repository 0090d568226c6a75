//! The blueprints that are loaded, as the dashboard shows them.

use std::sync::Arc;

use crate::blueprint::{Blueprint, LibraryState, Severity};

/// What a library holds, as the dashboard shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// The blueprints, by id.
    pub blueprints: Vec<CatalogEntry>,
    /// The files that could not be loaded: which, where in it, and why.
    pub broken: Vec<String>,
}

/// A blueprint that is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogEntry {
    /// The blueprint.
    pub blueprint: Arc<Blueprint>,
    /// The file it was read from, if it was read from one.
    pub source: String,
    /// What lint found, errors first.
    pub findings: Vec<Finding>,
}

/// Something that lint found in a blueprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and where.
    pub text: String,
}

impl From<&LibraryState> for Catalog {
    fn from(library: &LibraryState) -> Self {
        let entry = |blueprint: &Arc<Blueprint>| {
            let finding = |issue: &crate::blueprint::Issue| Finding {
                severity: issue.severity,
                text: format!("{}: {}", issue.code, issue.message),
            };
            let mut findings: Vec<Finding> =
                library.issues(&blueprint.id).iter().map(finding).collect();
            findings.sort_by_key(|finding| finding.severity != Severity::Error);
            let file = library.file(&blueprint.id);
            CatalogEntry {
                blueprint: blueprint.clone(),
                source: file.map(|file| file.display().to_string()).unwrap_or_default(),
                findings,
            }
        };
        Self {
            blueprints: library.blueprints().values().map(entry).collect(),
            broken: library.errors().iter().map(ToString::to_string).collect(),
        }
    }
}
