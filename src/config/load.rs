//! Puts the layers over each other: defaults, file, variables, flags.

use std::path::PathBuf;

use super::{
    environment::Environment,
    error::ConfigError,
    file,
    model::{Backend, Config, Services},
    nearest::nearest,
    origin::Origin,
    secret::Secret,
    setting::{SETTINGS, Setting},
    value::{Raw, Written, Wrong},
};

/// Variables that begin like settings but are read elsewhere.
const OTHER_VARIABLES: [&str; 1] = ["FLOWCRAFT_LOG"];

/// Variables with these beginnings are settings or mistakes.
const SECTION_PREFIXES: [&str; 4] =
    ["FLOWCRAFT_CLUSTER_", "FLOWCRAFT_WORKER_", "FLOWCRAFT_RECONCILER_", "FLOWCRAFT_UI_"];

/// How many letters may be wrong in a variable that is taken for a mistyped setting.
const TYPING_ERRORS: usize = 2;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The file to read, in place of those in the usual places.
    pub file: Option<PathBuf>,
    /// Settings, later ones over earlier ones.
    pub assignments: Vec<Assignment>,
}

/// A setting on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its key, such as `worker.slots`.
    pub key: String,
    /// Its value, as text.
    pub value: String,
    /// The flag that says so, for messages.
    pub flag: String,
}

impl Config {
    /// Loads the configuration: defaults, file, variables, flags, each over the one before.
    ///
    /// The file is the one that the flags name, or `flowcraft.toml` in the working folder, or else
    /// the one in the user's configuration folder. Reads at most one file, which blocks, and writes
    /// nothing.
    pub fn load(environment: &Environment, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut config = Self::defaults(environment);
        config.file = match &overrides.file {
            Some(file) => Some(environment.working_folder.join(file)),
            None => environment
                .default_files()
                .into_iter()
                .find(|file| file.try_exists().unwrap_or(true)),
        };
        if let Some(path) = config.file.clone() {
            file::apply(&mut config, &path, environment)?;
        }
        apply_variables(&mut config, environment)?;
        for assignment in &overrides.assignments {
            apply_assignment(&mut config, assignment, environment)?;
        }
        choose_backend(&mut config);
        Ok(config)
    }
}

fn apply_variables(config: &mut Config, environment: &Environment) -> Result<(), ConfigError> {
    for setting in &SETTINGS {
        let variable = setting.variable();
        if let Some(text) = variable_text(environment, &variable)? {
            apply_text(config, setting, text, Origin::Variable(variable), environment)?;
        }
    }
    let [storage, cosmos, redis] = Services::VARIABLES;
    let secret = |variable| {
        variable_text(environment, variable).map(|text: Option<&str>| text.map(Secret::new))
    };
    config.services =
        Services { storage: secret(storage)?, cosmos: secret(cosmos)?, redis: secret(redis)? };
    refuse_mistyped(environment)
}

/// A variable's value. An empty one counts as not set.
fn variable_text<'a>(
    environment: &'a Environment,
    variable: &str,
) -> Result<Option<&'a str>, ConfigError> {
    match environment.variables.get(variable) {
        None => Ok(None),
        Some(None) => Err(ConfigError::NotText { variable: variable.to_owned() }),
        Some(Some(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
    }
}

/// Refuses variables that were probably meant to be settings. Others that begin with `FLOWCRAFT_`
/// may belong to the user's own programs.
fn refuse_mistyped(environment: &Environment) -> Result<(), ConfigError> {
    let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    for name in environment.variables.keys().filter(|name| name.starts_with("FLOWCRAFT_")) {
        if known.contains(name) || OTHER_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let of_section = SECTION_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let mistyped =
            known.iter().any(|known| strsim::damerau_levenshtein(known, name) <= TYPING_ERRORS);
        if of_section || mistyped {
            let lower: Vec<String> = known.iter().map(|known| known.to_lowercase()).collect();
            let suggestion = match nearest(name, lower.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {}?", near.to_uppercase()),
                None => "unset it".to_owned(),
            };
            return Err(ConfigError::Unknown {
                place: Origin::Variable("environment".to_owned()),
                kind: "variable",
                key: name.clone(),
                suggestion,
            });
        }
    }
    Ok(())
}

fn apply_assignment(
    config: &mut Config,
    assignment: &Assignment,
    environment: &Environment,
) -> Result<(), ConfigError> {
    let place = Origin::Flag(assignment.flag.clone());
    let Some(setting) = Setting::find(&assignment.key) else {
        let suggestion = match nearest(&assignment.key, SETTINGS.iter().map(|s| s.key)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`config print` lists the known ones".to_owned(),
        };
        let key = assignment.key.clone();
        return Err(ConfigError::Unknown { place, kind: "key", key, suggestion });
    };
    apply_text(config, setting, &assignment.value, place, environment)
}

fn apply_text(
    config: &mut Config,
    setting: &Setting,
    text: &str,
    place: Origin,
    environment: &Environment,
) -> Result<(), ConfigError> {
    let written =
        Written { raw: Raw::Text(text), folder: &environment.working_folder, environment };
    match (setting.set)(config, &written) {
        Ok(()) => {
            config.origins.insert(setting.key, place);
            Ok(())
        }
        Err(Wrong { expected, found }) => {
            Err(ConfigError::Wrong { place, key: setting.key.to_owned(), expected, found })
        }
    }
}

/// Azure if nobody chose and all its variables are set; a note if only some are.
fn choose_backend(config: &mut Config) {
    if config.origin("cluster.backend") != Origin::Default {
        return;
    }
    let services = config.services.by_variable();
    let (set, missing): (Vec<_>, Vec<_>) =
        services.into_iter().partition(|(_, value)| value.is_some());
    let names = |list: &[(&str, Option<&Secret>)]| {
        list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    if missing.is_empty() {
        let origin = Origin::Variable(names(&set));
        config.cluster.backend = Backend::Azure;
        config.origins.insert("cluster.backend", origin);
    } else if !set.is_empty() {
        let note = format!(
            "the embedded cluster is used: {} set, but not {}",
            names(&set),
            names(&missing)
        );
        config.notes.push(note);
    }
}
