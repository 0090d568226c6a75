//! The terminal dashboard: model, message, update, view.
//!
//! All state is in one `App`; `update` turns a message into a change of it and a list of commands;
//! `view` draws it. [`run_dashboard`] carries the commands out, through an [`Operator`] where they
//! concern the cluster, and feeds back what came of them.

mod actions;
mod app;
mod catalog;
mod dashboard;
mod dialog;
mod filter;
mod headless;
mod json_lines;
mod keymap;
mod list;
mod log;
mod log_book;
mod marks;
mod message;
mod operator;
mod order;
mod query;
mod quiet;
mod rows;
mod run_list;
mod terminal;
mod text;
mod theme;
mod theme_file;
mod update;
mod view;

pub use actions::{ACTIONS, Action, ActionInfo, Effect, Group};
pub use app::Access;
pub use catalog::{Catalog, CatalogEntry, Finding};
pub use dashboard::{DashboardDeps, run_dashboard};
pub use headless::Headless;
pub use keymap::{Keymap, KeymapError, key_table_markdown};
pub use log::{LogLine, fetch_log_lines, log_layer};
pub use message::{Command, ExitReason, Message, WorkerStatus};
pub use operator::{Letters, Operation, Operator, OperatorError, Outcome, Preview, Runs};
pub use query::filter_table_markdown;
pub use run_list::{ListJob, Listed};
pub use terminal::restore_terminal_on_panic;
pub use theme::{Colours, Role, Theme, ThemeError};
