//! What a workflow is: its model, and how it is loaded and checked.
//!
//! [`load`] and [`Library`] read blueprints from files, [`sanitize`] from JSON in hand; [`analyze`]
//! and [`lint`] look at what was read, [`mermaid`] draws it.

mod analysis;
mod duration;
mod graph;
mod id;
mod kind;
mod library;
mod lint;
mod load;
mod locate;
mod mermaid;
mod model;
mod sanitize;

pub use analysis::{Analysis, analyze, start_nodes};
pub use duration::{BadDuration, parse_duration};
pub use id::{BadRunId, BlueprintId, NodeId, RunId, WorkerName};
pub use library::{Library, LibraryState};
pub use lint::{Code, Issue, LintContext, Severity, lint};
pub use load::{LoadError, LoadedFile, load, load_file};
pub use mermaid::{Mark, Progress, mermaid, mermaid_with};
pub use model::{Blueprint, Edge, Inputs, JoinStrategy, Node, NodeConfig, Treatment, WrongType};
// For nodes that are created while a run is under way, which is the engine's business.
pub(crate) use sanitize::node_from_parts;
pub use sanitize::{List, Place, SanitizeError, sanitize};
