//! Exec nodes whose program is a shell script.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use flowcraft_tui::nodes::{Node, NodeContext, NodeDefinition, NodeError, NodeOutput};
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use crate::contexts::Given;

/// `ask` reads a request into `line` and its id into `id`, and fails at the end; `say MEMBERS`
/// answers it.
const PRELUDE: &str = r#"
ask() { IFS= read -r line || return 1; id=${line#'{"id":"'}; id=${id%%'"'*}; }
say() { printf '{"id":"%s"%s}\n' "$id" "${1:+,$1}"; }
"#;

/// A node and the folder its program runs in.
pub(crate) struct Script {
    node: Arc<dyn Node>,
    folder: TempDir,
}

impl Script {
    pub(crate) async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        self.node.run(context).await
    }

    /// A file in the program's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn into_parts(self) -> (Arc<dyn Node>, TempDir) {
        (self.node, self.folder)
    }
}

/// A node that runs a shell script, with more lines for its table.
pub(crate) fn script(table: &str, program: &str) -> Script {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("program"), format!("{PRELUDE}{program}\n")).unwrap();
    let table = format!("kind = 'exec'\ncommand = ['sh', 'program']\n{table}");
    Script { node: node(&table, folder.path()), folder }
}

/// A definition by its table.
pub(crate) fn definition(table: &str) -> NodeDefinition {
    toml::from_str(table).unwrap()
}

/// A node called `test` by its table.
pub(crate) fn node(table: &str, base: &Path) -> Arc<dyn Node> {
    definition(table).build("test", base).unwrap()
}

/// Runs a node with nothing in particular.
pub(crate) async fn run(script: &Script) -> Result<NodeOutput, NodeError> {
    script.run(&mut Given::default().context()).await
}

/// The text of the error that a node gives.
pub(crate) async fn error_of(script: &Script) -> String {
    run(script).await.unwrap_err().message
}

/// Waits until the process whose number is in a file is gone. A child whose parent died first may
/// be left to init as a zombie; one of ours may not.
pub(crate) async fn until_gone(file: &Path) {
    let id = fs::read_to_string(file).unwrap();
    let id = id.trim();
    let own = file.ends_with("self");
    let gone = async {
        loop {
            match fs::read_to_string(format!("/proc/{id}/stat")) {
                Err(_) => break,
                Ok(stat) if !own && stat.contains(") Z ") => break,
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), gone).await;
    assert!(waited.is_ok(), "process {id} is still there");
}

/// Log lines, kept.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
