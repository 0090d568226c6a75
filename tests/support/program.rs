//! The real binary, in a folder of its own with a configuration, blueprints and a cluster.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// The kinds of node that `examples/exec_nodes.rs` has.
const KINDS: [&str; 21] = [
    "const",
    "echo",
    "noop",
    "add",
    "double",
    "upper",
    "sum",
    "concat",
    "emit-action",
    "fail-n-times",
    "fail",
    "fail-fatal",
    "fail-if",
    "set-ctx",
    "get-ctx",
    "delete-ctx",
    "incr",
    "incr-check",
    "compare",
    "range",
    "pick",
];

/// A node that takes as long as its parameter says, in seconds, and leaves a line in `began` first.
const SLOW: &str = r#"read -r request
echo x >> began
id=$(printf '%s' "$request" | sed 's/^{"id":"\([^"]*\)".*/\1/')
sleep "$(printf '%s' "$request" | sed 's/.*"seconds":\([0-9.]*\).*/\1/')"
echo "{\"id\":\"$id\",\"output\":\"slept\"}"
"#;

/// A folder, and the program in it.
pub(crate) struct Program {
    folder: TempDir,
}

impl Program {
    /// With this beside the kinds of node in its configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nodes = example().display().to_string();
        let mut text = format!("{config}\n[cluster]\npath = \"cluster.db\"\n");
        for kind in KINDS {
            writeln!(text, "[nodes.{kind}]\nkind = \"exec\"\ncommand = ['{nodes}']").unwrap();
        }
        text.push_str(
            "[nodes.slow]\nkind = \"exec\"\nmode = \"per-job\"\ncommand = [\"sh\", \"slow.sh\"]\n",
        );
        fs::write(folder.path().join("flowcraft.toml"), text).unwrap();
        fs::write(folder.path().join("slow.sh"), SLOW).unwrap();
        fs::create_dir(folder.path().join("blueprints")).unwrap();
        Self { folder }
    }

    pub(crate) fn new() -> Self {
        Self::with_config("")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a blueprint where the configuration looks for them.
    pub(crate) fn blueprint(&self, blueprint: &Value) {
        let id = blueprint["id"].as_str().unwrap();
        let file = self.path("blueprints").join(format!("{id}.json"));
        fs::write(file, blueprint.to_string()).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowcraft-tui"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The JSON that a command prints that ends with `code`.
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        json_of(code, &self.run(&[arguments, &["--json"]].concat()))
    }

    /// What a command that ends well prints for people.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one line on stderr of a command that ends with `code` and prints nothing else.
    pub(crate) fn error(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let line = text.strip_suffix('\n').unwrap_or(&text);
        assert!(line.starts_with("error: ") && !line.contains('\n'), "{arguments:?}: {text}");
        line.to_owned()
    }

    /// Starts a command and leaves it running.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until that many slow nodes have begun.
    pub(crate) fn wait_for_slow_nodes(&self, count: usize) {
        let limit = Instant::now() + Duration::from_secs(20);
        while fs::read_to_string(self.path("began")).unwrap_or_default().lines().count() < count {
            assert!(Instant::now() < limit, "the slow node never began");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The one line of JSON on stdout of something that ended with `code`.
pub(crate) fn json_of(code: i32, output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let text = std::str::from_utf8(&output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{output:?}");
    serde_json::from_str(text).unwrap()
}

/// Waits for a child to end by itself.
pub(crate) fn finish(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

/// Sends a signal to a child that was not waited for yet.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The program of `examples/exec_nodes.rs`, which is built with the tests.
fn example() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_flowcraft-tui")).parent().unwrap();
    let file = folder.join("examples/exec_nodes");
    assert!(file.exists(), "{}: cargo test builds it", file.display());
    file
}
