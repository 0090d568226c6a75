//! The terminal dashboard: model, message, update, view.
//!
//! All state is in one `App`; `update` turns a message into a change of it and a list of commands;
//! `view` draws it. [`run_dashboard`] carries the commands out, through an [`Operator`] where they
//! concern the cluster, and feeds back what came of them.

mod actions;
mod app;
mod catalog;
mod chart;
mod clipboard;
mod dashboard;
mod dialog;
mod explaining;
mod export;
mod export_file;
mod filter;
mod graph;
mod headless;
mod json_lines;
mod keymap;
mod letters;
mod list;
mod log;
mod log_book;
mod marks;
mod message;
mod operator;
mod order;
mod prepare;
mod query;
mod quiet;
mod reason;
mod replaying;
mod rows;
mod run_list;
mod run_log;
mod run_logs;
mod screen;
mod signals;
mod terminal;
mod text;
mod theme;
mod theme_file;
mod timeline;
mod under_way;
mod update;
mod values;
mod view;
mod visits;
mod work;

pub use actions::{ACTIONS, Action, ActionInfo, Effect, Group};
pub use app::Access;
pub use catalog::{Catalog, CatalogEntry, Finding};
pub use chart::{ChartMade, ChartRequest};
pub use dashboard::{DashboardDeps, run_dashboard};
pub use headless::Headless;
pub use keymap::{Keymap, KeymapError, key_table_markdown};
pub use log::{LogLine, fetch_log_lines, log_layer};
pub use message::{Command, ExitReason, Export, Message, WorkerStatus};
pub use operator::{
    Fingerprint, Letters, Operation, Operator, OperatorError, Outcome, Oversight, Preview,
    Progress, Runs,
};
pub use query::filter_table_markdown;
pub use reason::{Reason, Step, Weight};
pub use run_list::{ListJob, Listed};
pub use terminal::restore_terminal_on_panic;
pub use theme::{Colours, Role, Theme, ThemeError};
pub use work::{Work, Worked};
