//! The terminal dashboard: model, message, update, view.
//!
//! All state is in one `App`; `update` turns a message into a change of it and a list of commands;
//! `view` draws it. [`run_dashboard`] carries the commands out, through an [`Operator`] where they
//! concern the cluster, and feeds back what came of them.

mod actions;
mod app;
mod catalog;
mod chart;
mod dashboard;
mod dialog;
mod filter;
mod graph;
mod headless;
mod json_lines;
mod keymap;
mod list;
mod log;
mod message;
mod operator;
mod prepare;
mod rows;
mod terminal;
mod text;
mod theme;
mod theme_file;
mod timeline;
mod update;
mod view;

pub use actions::{ACTIONS, Action, ActionInfo, Effect, Group};
pub use app::Access;
pub use catalog::{Catalog, CatalogEntry, Finding};
pub use chart::{ChartMade, ChartRequest};
pub use dashboard::{DashboardDeps, run_dashboard};
pub use headless::Headless;
pub use keymap::{Keymap, KeymapError, key_table_markdown};
pub use log::start_log;
pub use message::{Command, ExitReason, Message, WorkerStatus};
pub use operator::{Letters, Operation, Operator, OperatorError, Outcome, Preview, Runs};
pub use terminal::restore_terminal_on_panic;
pub use theme::{Colours, Role, Theme, ThemeError};
