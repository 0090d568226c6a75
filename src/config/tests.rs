#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Duration};

use serde_json::json;

use super::*;

/// A place with nothing in it but what the test puts there.
fn surroundings(folder: &Path) -> Environment {
    Environment {
        working_folder: folder.join("work"),
        home: Some(folder.join("home")),
        config_folder: Some(folder.join("home/.config")),
        data_folder: Some(folder.join("home/.local/share")),
        host: "host".to_owned(),
        pid: 7,
        ..Environment::default()
    }
}

struct Place {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = surroundings(folder.path());
        fs::create_dir_all(&environment.working_folder).unwrap();
        Self { folder, environment }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.environment, &Overrides::default())
    }

    fn load_with(&self, assignments: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let assignments = assignments
            .iter()
            .map(|(key, value)| Assignment {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
                flag: format!("--set {key}"),
            })
            .collect();
        Config::load(&self.environment, &Overrides { file: None, assignments })
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

#[test]
fn the_sample_says_exactly_the_defaults() {
    let place = Place::new().file("work/flowcraft.toml", SAMPLE);
    let sampled = place.load().unwrap();
    let defaults = Config::defaults(&place.environment);
    let values = |config: &Config| -> Vec<_> {
        config.listing().into_iter().map(|l| (l.section, l.name, l.value)).collect()
    };
    assert_eq!(values(&sampled), values(&defaults));
    for listed in sampled.listing() {
        let named = SAMPLE.lines().any(|line| {
            line.trim_start_matches("# ")
                .strip_prefix(listed.name.as_str())
                .is_some_and(|rest| rest.starts_with(" = "))
        });
        assert!(named, "the sample says nothing about {}", listed.name);
    }
}

#[test]
fn later_layers_win_and_every_value_remembers_its_own() {
    let place = Place::new()
        .file("work/flowcraft.toml", "[worker]\nslots = 2\nmax_dequeue_count = 7\nname = \"f\"\n")
        .variable("FLOWCRAFT_WORKER_SLOTS", "3")
        .variable("FLOWCRAFT_WORKER_NAME", "v");
    let config = place.load_with(&[("worker.slots", "4"), ("worker.slots", "5")]).unwrap();
    assert_eq!(config.worker.slots, 5);
    assert_eq!(config.worker.name.as_str(), "v");
    assert_eq!(config.worker.max_dequeue_count, 7);
    assert_eq!(config.worker.lease, Duration::from_mins(1));
    let origins: Vec<String> = ["slots", "name", "max_dequeue_count", "lease_seconds"]
        .map(|name| config.origin(&format!("worker.{name}")).to_string())
        .into();
    let expected = ["--set worker.slots", "FLOWCRAFT_WORKER_NAME", "flowcraft.toml:3", "default"];
    assert_eq!(origins, expected);
}

#[test]
fn the_working_folder_comes_before_the_users() {
    let place = Place::new().file("home/.config/flowcraft.toml", "[worker]\nslots = 1\n");
    assert_eq!(place.load().unwrap().worker.slots, 1);
    let place = place.file("home/.config/flowcraft-tui/flowcraft.toml", "[worker]\nslots = 2\n");
    assert_eq!(place.load().unwrap().worker.slots, 2);
    let place = place.file("work/flowcraft.toml", "[worker]\nslots = 3\n");
    assert_eq!(place.load().unwrap().worker.slots, 3);
    let place = place.file("work/other.toml", "[worker]\nslots = 4\n");
    let other = Overrides { file: Some("other.toml".into()), assignments: Vec::new() };
    assert_eq!(Config::load(&place.environment, &other).unwrap().worker.slots, 4);
}

#[test]
fn a_named_file_must_be_there() {
    let place = Place::new();
    let other = Overrides { file: Some("other.toml".into()), assignments: Vec::new() };
    let error = Config::load(&place.environment, &other).unwrap_err().to_string();
    assert!(error.starts_with("other.toml: can't read the configuration: "), "{error}");
}

#[test]
fn paths_start_at_their_file_or_at_home() {
    let text = "blueprints = [\"b\", \"/abs\", \"~/mine\"]\n[cluster]\npath = \"c.db\"\n\
                [nodes.n]\nkind = \"exec\"\n";
    let place = Place::new().file("home/.config/flowcraft.toml", text);
    let config = place.load().unwrap();
    let home = place.folder.path().join("home");
    assert_eq!(config.blueprints, [home.join(".config/b"), "/abs".into(), home.join("mine")]);
    assert_eq!(config.cluster.path, Some(home.join(".config/c.db")));
    assert_eq!(config.nodes["n"].folder, home.join(".config"));
    let place =
        place.variable("FLOWCRAFT_BLUEPRINTS", "x:y").variable("FLOWCRAFT_CLUSTER_PATH", "d");
    let config = place.load().unwrap();
    let work = &place.environment.working_folder;
    assert_eq!(config.blueprints, [work.join("x"), work.join("y")]);
    assert_eq!(config.cluster.path, Some(work.join("d")));
}

#[test]
fn seconds_can_be_written_as_text() {
    let text = "[worker]\nlease_seconds = \"2m\"\n[reconciler]\nevery_seconds = 5\n";
    let place = Place::new()
        .file("work/flowcraft.toml", text)
        .variable("FLOWCRAFT_RECONCILER_STALLED_AFTER_SECONDS", "1h");
    let config = place.load().unwrap();
    assert_eq!(config.worker.lease, Duration::from_mins(2));
    assert_eq!(config.reconciler.every, Duration::from_secs(5));
    assert_eq!(config.reconciler.stalled_after, Duration::from_hours(1));
}

#[test]
fn switches_in_variables() {
    for (text, mode) in [("false", Reconciling::Disabled), ("1", Reconciling::Enabled)] {
        let place = Place::new().variable("FLOWCRAFT_RECONCILER_ENABLED", text);
        assert_eq!(place.load().unwrap().reconciler.mode, mode);
    }
}

#[test]
fn an_empty_variable_says_nothing() {
    let config = Place::new().variable("FLOWCRAFT_WORKER_SLOTS", "").load().unwrap();
    assert_eq!((config.worker.slots, config.origin("worker.slots")), (16, Origin::Default));
}

#[test]
fn keys_and_nodes_are_kept_with_their_place() {
    let text = "[keys]\nreconcile = \"R\"\n\n[nodes.extract]\nkind = \"exec\"\nprocesses = 4\n";
    let place = Place::new().file("work/flowcraft.toml", text);
    let config = place.load().unwrap();
    assert_eq!(config.keys["reconcile"].key, "R");
    assert_eq!(config.keys["reconcile"].origin.to_string(), "flowcraft.toml:2");
    let node = &config.nodes["extract"];
    assert_eq!(node.table["processes"].as_integer(), Some(4));
    assert_eq!(node.origin.to_string(), "flowcraft.toml:4");
    assert_eq!(node.folder, place.environment.working_folder);
}

const AZURE: [(&str, &str); 3] = [
    ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=hidden"),
    ("COSMOS_DB_CONNECTION_STRING", "AccountEndpoint=https://c/;AccountKey=hidden;"),
    ("REDIS_CONNECTION_STRING", "redis://:hidden@r:6379"),
];

#[test]
fn azure_is_chosen_when_all_its_variables_are_set() {
    let mut place = Place::new();
    assert_eq!(place.load().unwrap().cluster.backend, Backend::Sqlite);
    for (name, value) in &AZURE[..2] {
        place = place.variable(name, value);
    }
    let config = place.load().unwrap();
    assert_eq!(config.cluster.backend, Backend::Sqlite);
    let note = "the embedded cluster is used: AZURE_STORAGE_CONNECTION_STRING, \
                COSMOS_DB_CONNECTION_STRING set, but not REDIS_CONNECTION_STRING";
    assert_eq!(config.notes, [note]);
    place = place.variable(AZURE[2].0, AZURE[2].1);
    let config = place.load().unwrap();
    assert_eq!(config.cluster.backend, Backend::Azure);
    let error = config.storage().unwrap_err().to_string();
    assert!(error.starts_with("AZURE_STORAGE_CONNECTION_STRING "), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    place = place.variable(AZURE[0].0, "AccountName=abc;AccountKey=aGlkZGVu");
    place = place.variable(AZURE[1].0, "AccountEndpoint=https://c.x/;AccountKey=aGlkZGVu");
    assert!(matches!(place.load().unwrap().storage().unwrap(), Storage::Azure(_)));
    place = place.file("work/flowcraft.toml", "[cluster]\nbackend = \"sqlite\"\n");
    let config = place.load().unwrap();
    let path = place.folder.path().join("home/.local/share/flowcraft-tui/flowcraft.db");
    assert!(matches!(config.storage().unwrap(), Storage::Sqlite(found) if found == path));
    assert!(config.notes.is_empty());
}

#[test]
fn without_a_home_the_file_must_be_named() {
    let mut place = Place::new();
    place.environment.home = None;
    place.environment.data_folder = None;
    place.environment.config_folder = None;
    let error = place.load().unwrap().storage().unwrap_err();
    assert!(error.to_string().contains("FLOWCRAFT_CLUSTER_PATH"), "{error}");
    let memory = place.variable("FLOWCRAFT_CLUSTER_BACKEND", "memory");
    assert!(matches!(memory.load().unwrap().storage().unwrap(), Storage::Memory));
}

#[test]
fn secrets_show_nowhere() {
    let text = "[nodes.n]\nurl = \"https://u:hidden@x/p?sig=hidden\"\napi_key = \"hidden\"\n\
                env = { A = \"hidden\" }\nheaders = { B = \"hidden\" }\n\
                [[nodes.n.more]]\npassword = \"hidden\"\n";
    let mut place = Place::new().file("work/flowcraft.toml", text);
    for (name, value) in AZURE {
        place = place.variable(name, value);
    }
    let config = place.load().unwrap();
    let shown = format!("{:?} {config:?}", config.listing());
    assert!(!shown.contains("hidden"), "{shown}");
    let node = config.listing().into_iter().find(|listed| listed.name == "n").unwrap();
    let expected = json!({
        "url": "https://***@x/p?***", "api_key": "***", "env": { "A": "***" },
        "headers": { "B": "***" }, "more": [{ "password": "***" }],
    });
    assert_eq!(node.value, expected);
}

#[test]
fn wrong_variables_are_named() {
    let wrong = |name: &str, value: &str| Place::new().variable(name, value).error();
    assert_eq!(
        wrong("FLOWCRAFT_WORKER_SLOTS", "many"),
        "FLOWCRAFT_WORKER_SLOTS: worker.slots must be a whole number from 1 to 1024, not \"many\""
    );
    assert_eq!(
        wrong("FLOWCRAFT_UI_READ_ONLY", "yes"),
        "FLOWCRAFT_UI_READ_ONLY: ui.read_only must be true or false, not \"yes\""
    );
    assert_eq!(
        wrong("FLOWCRAFT_WORKER_SLOT", "3"),
        "environment: unknown variable \"FLOWCRAFT_WORKER_SLOT\"; \
         did you mean FLOWCRAFT_WORKER_SLOTS?"
    );
    assert_eq!(
        wrong("FLOWCRAFT_BLUEPRINT", "x"),
        "environment: unknown variable \"FLOWCRAFT_BLUEPRINT\"; \
         did you mean FLOWCRAFT_BLUEPRINTS?"
    );
    assert!(Place::new().variable("FLOWCRAFT_MODEL_FOLDER", "x").load().is_ok());
    assert!(Place::new().variable("FLOWCRAFT_LOG", "debug").load().is_ok());
    let mut place = Place::new();
    place.environment.variables.insert("FLOWCRAFT_WORKER_NAME".to_owned(), None);
    assert_eq!(place.error(), "FLOWCRAFT_WORKER_NAME: the value is not Unicode text");
}

#[test]
fn wrong_flags_are_named() {
    let place = Place::new();
    let wrong = |key, value| place.load_with(&[(key, value)]).unwrap_err().to_string();
    assert_eq!(
        wrong("worker.slots", "0"),
        "--set worker.slots: worker.slots must be a whole number from 1 to 1024, not \"0\""
    );
    assert_eq!(
        wrong("worker.lease", "5s"),
        "--set worker.lease: unknown key \"worker.lease\"; did you mean \"worker.lease_seconds\"?"
    );
    assert_eq!(
        wrong("colour", "red"),
        "--set colour: unknown key \"colour\"; `config print` lists the known ones"
    );
}

#[test]
fn limits_are_what_they_say() {
    let place = Place::new();
    let accepted = |key, value| place.load_with(&[(key, value)]).is_ok();
    let cases = [
        ("worker.slots", ["1", "1024"], ["0", "1025"]),
        ("worker.max_dequeue_count", ["1", "1000"], ["0", "1001"]),
        ("worker.lease_seconds", ["5", "1h"], ["4s", "3601"]),
        ("reconciler.every_seconds", ["1s", "1d"], ["0", "86401"]),
        ("reconciler.stalled_after_seconds", ["1", "7d"], ["500ms", "8d"]),
        ("cluster.queue", ["abc", "flowcraft-jobs-2"], ["ab", "Jobs"]),
        ("cluster.queue", ["0a-b", "a1b"], ["a--b", "-ab"]),
        ("cluster.database", ["x", "My db"], ["a/b", "a "]),
        ("cluster.backend", ["sqlite", "memory"], ["Sqlite", ""]),
        ("worker.name", ["a#b", "wörker"], ["a b", ""]),
        ("ui.theme", ["nord", "my theme"], ["../x", ""]),
    ];
    for (key, good, bad) in cases {
        for value in good {
            assert!(accepted(key, value), "{key} = {value}");
        }
        for value in bad {
            assert!(!accepted(key, value), "{key} = {value}");
        }
    }
}

#[test]
fn a_long_wrong_value_is_cut() {
    let long = "x".repeat(10_000);
    let error = Place::new().variable("FLOWCRAFT_WORKER_SLOTS", &long).error();
    assert!(error.len() < 200 && error.ends_with("x…\""), "{error}");
}
