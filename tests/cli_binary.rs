//! The real binary: exit codes, error lines, JSON, colours, pipes.
#![allow(clippy::unwrap_used)]

use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    process::{Command, Output},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_flowcraft-tui");

/// A user with an empty home and an empty working folder.
struct User {
    folder: TempDir,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "work"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn with_config(text: &str) -> Self {
        let user = Self::new();
        fs::write(user.folder.path().join("work/flowcraft.toml"), text).unwrap();
        user
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .current_dir(self.folder.path().join("work"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The one line on stderr of a command that ends with `code` and prints nothing else.
    fn error(&self, code: i32, arguments: &[&str]) -> String {
        error_of(code, &self.run(arguments))
    }
}

fn error_of(code: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, b"");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    line.to_owned()
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    let user = User::new();
    let cases: [(&[&str], &str); 16] = [
        (&["--colour"], "error: unexpected argument '--colour' found"),
        (&["runs", "--limt", "3"], "a similar argument exists: '--limit'"),
        (&["rnus"], "error: unrecognized subcommand 'rnus'"),
        (&["runs", "--status", "done"], "use running, awaiting, completed, failed or cancelled"),
        (&["runs", "--limit", "0"], "0 is not in 1..=100000"),
        (&["queue", "peek", "-n", "33"], "33 is not in 1..=32"),
        (&["show"], "the following required arguments were not provided: <RUN>"),
        (&["show", "a/b"], "a run id can't contain '/'"),
        (&["cancel"], "were not provided: <RUN>..."),
        (&["start", "b", "--input", "{"], "not valid JSON"),
        (&["start", "b", "--timeout", "3s"], "were not provided: --wait"),
        (&["reconcile", "--stalled-after", "soon"], "such as 500ms, 30s, 5m"),
        (&["dead-letters", "purge"], "<ID>..."),
        (&["--until-idle"], "--no-ui"),
        (&["--no-ui", "--watch-only"], "cannot be used with"),
        (&["--no-ui", "runs"], "can't be used with a command"),
    ];
    for (arguments, expected) in cases {
        let line = user.error(2, arguments);
        assert!(line.starts_with("error: "), "{arguments:?}: {line}");
        assert!(line.contains(expected), "{arguments:?}: {line}");
        assert!(line.ends_with("; see --help"), "{arguments:?}: {line}");
    }
}

#[test]
fn arguments_that_are_not_unicode_are_refused() {
    let output = User::new().command(&["show"]).arg(OsStr::from_bytes(b"a\xff")).output().unwrap();
    let line = error_of(2, &output);
    assert!(line.starts_with("error: invalid UTF-8"), "{line}");
}

#[test]
fn bad_configuration_is_one_line_and_exit_code_2() {
    let user = User::with_config("[worker]\nslot = 4\n");
    let expected = "error: flowcraft.toml:2: unknown key \"worker.slot\"; \
                    did you mean \"worker.slots\"?";
    for arguments in [&["config", "print"][..], &["runs"], &["--no-ui"], &[]] {
        assert_eq!(user.error(2, arguments), expected);
    }
}

#[test]
fn a_missing_configuration_file_tells_its_cause_when_asked() {
    let user = User::new();
    let line = user.error(2, &["config", "print", "--config", "nowhere.toml"]);
    assert!(line.starts_with("error: nowhere.toml: can't read the configuration"), "{line}");
    let output = user.run(&["config", "print", "--config", "nowhere.toml", "-v"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("\n  caused by: No such file"), "{text}");
}

#[test]
fn bad_variables_and_flags_are_exit_code_2() {
    let user = User::new();
    let output = user.command(&["config"]).env("FLOWCRAFT_WORKER_SLOTS", "x").output().unwrap();
    let line = error_of(2, &output);
    assert!(line.starts_with("error: FLOWCRAFT_WORKER_SLOTS: worker.slots must be"), "{line}");
    let line = user.error(2, &["config", "--set", "worker.slots=x"]);
    assert!(line.starts_with("error: --set worker.slots: worker.slots must be"), "{line}");
    let line = user.error(2, &["config", "--log-level", "a=loud"]);
    assert!(line.starts_with("error: --log-level: \"a=loud\" is not a log level"), "{line}");
    let output = user.command(&["config"]).env("FLOWCRAFT_LOG", "a=loud").output().unwrap();
    assert!(error_of(2, &output).contains("FLOWCRAFT_LOG"));
}

#[test]
fn an_azure_backend_without_its_variables_is_exit_code_2() {
    let user = User::with_config("[cluster]\nbackend = \"azure\"\n");
    let line = user.error(2, &["queue"]);
    let expected = "error: flowcraft.toml:2: the azure backend needs \
                    AZURE_STORAGE_CONNECTION_STRING, COSMOS_DB_CONNECTION_STRING, \
                    REDIS_CONNECTION_STRING: set it";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(user.json(&["config", "--json"])["cluster"]["backend"]["value"], "azure");
}

#[test]
fn config_print_tells_values_and_sources() {
    let user = User::with_config("[worker]\nslots = 4\n\n[keys]\nreconcile = \"R\"\n");
    let output = user
        .command(&["config", "print", "--json", "--set", "ui.theme=nord"])
        .env("FLOWCRAFT_WORKER_NAME", "w1")
        .env("REDIS_CONNECTION_STRING", "rediss://:hidden@cache:6380")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains("hidden"), "{text}");
    let config: Value = serde_json::from_str(&text).unwrap();
    let cases = [
        ("/worker/slots", json!({ "value": 4, "source": "flowcraft.toml:2" })),
        ("/worker/name", json!({ "value": "w1", "source": "FLOWCRAFT_WORKER_NAME" })),
        ("/worker/lease_seconds", json!({ "value": 60, "source": "default" })),
        ("/ui/theme", json!({ "value": "nord", "source": "--set ui.theme" })),
        ("/keys/reconcile", json!({ "value": "R", "source": "flowcraft.toml:5" })),
        (
            "/services/REDIS_CONNECTION_STRING",
            json!({ "value": "rediss://***@cache:6380", "source": "REDIS_CONNECTION_STRING" }),
        ),
    ];
    for (pointer, expected) in cases {
        assert_eq!(config.pointer(pointer), Some(&expected), "{pointer}");
    }
    let path = config.pointer("/cluster/path/value").unwrap().as_str().unwrap();
    assert!(path.ends_with("home/.local/share/flowcraft-tui/flowcraft.db"), "{path}");
}

#[test]
fn xdg_folders_are_honoured() {
    let user = User::new();
    let folder = user.folder.path().join("elsewhere");
    fs::create_dir_all(folder.join("flowcraft-tui")).unwrap();
    fs::write(folder.join("flowcraft-tui/flowcraft.toml"), "[worker]\nslots = 9\n").unwrap();
    let output = user
        .command(&["config", "--json"])
        .env("XDG_CONFIG_HOME", &folder)
        .env("XDG_DATA_HOME", &folder)
        .output()
        .unwrap();
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(config["worker"]["slots"]["value"], 9);
    let path = folder.join("flowcraft-tui/flowcraft.db");
    assert_eq!(config["cluster"]["path"]["value"], json!(path));
}

#[test]
fn the_sample_can_be_used_as_it_is() {
    let user = User::new();
    let sample = user.run(&["config", "print", "--sample"]).stdout;
    let text = String::from_utf8_lossy(&sample);
    let line = 1 + text.lines().position(|line| line.starts_with("slots")).unwrap();
    fs::write(user.folder.path().join("work/flowcraft.toml"), &sample).unwrap();
    let config = user.json(&["config", "--json"]);
    assert_eq!(config["worker"]["slots"]["source"], format!("flowcraft.toml:{line}"));
}

#[test]
fn help_and_version_need_no_configuration() {
    let user = User::with_config("nonsense");
    for arguments in [&["--help"][..], &["--version"], &["man"], &["completions", "zsh"]] {
        let output = user.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
    let version = user.run(&["--version"]).stdout;
    assert_eq!(version, format!("flowcraft-tui {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[test]
fn nobody_reading_is_no_error() {
    let user = User::new();
    for arguments in [&["man"][..], &["config"], &["--help"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = user.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = User::new().command(&["config"]).stdout(full).output().unwrap();
    let line = error_of(1, &output);
    assert!(line.starts_with("error: can't write the result: No space left"), "{line}");
}

/// What a command writes to a terminal of 60 columns.
fn on_a_terminal(user: &User, variables: &[(&str, &str)]) -> String {
    let size = PtySize { rows: 24, cols: 60, ..PtySize::default() };
    let terminal = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(BINARY);
    command.args(["config", "print"]);
    command.env_clear();
    command.env("HOME", user.folder.path().join("home"));
    command.env("TERM", "xterm");
    for (name, value) in variables {
        command.env(name, value);
    }
    command.cwd(user.folder.path().join("work"));
    let mut child = terminal.slave.spawn_command(command).unwrap();
    drop(terminal.slave);
    let mut reader = terminal.master.try_clone_reader().unwrap();
    let mut bytes = Vec::new();
    // The end of a pseudo-terminal is an error on Linux; what came before it counts.
    let _ = reader.read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn colours_only_on_a_terminal_that_wants_them() {
    let user = User::new();
    assert!(!user.run(&["config"]).stdout.contains(&0x1b));
    assert!(on_a_terminal(&user, &[]).contains("\u{1b}[1mSETTING"));
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_a_terminal(&user, &[variable]);
        assert!(text.contains("SETTING") && !text.contains('\u{1b}'), "{variable:?}: {text}");
    }
}

#[test]
fn lines_fit_the_terminal() {
    let user = User::new();
    let text = on_a_terminal(&user, &[("NO_COLOR", "1")]);
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!((40..=60).contains(&widest), "{widest}: {text}");
    let piped = String::from_utf8(user.run(&["config"]).stdout).unwrap();
    assert!(piped.contains("home/.local/share/flowcraft-tui/flowcraft.db"), "{piped}");
}
