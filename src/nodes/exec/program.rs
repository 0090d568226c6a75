//! Which program is run, and where it is found.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::nodes::secret::{Mask, Secret};

/// A program that can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no such program.
    #[error("there is no program {program:?}: looked for {searched}")]
    Missing {
        /// As the configuration says it.
        program: String,
        /// The places, in words.
        searched: String,
    },
    /// There is a file, but it can't be executed.
    #[error("{} can't be executed: it is a folder, or has no execute permission (chmod +x)", .0.display())]
    NotExecutable(PathBuf),
}

/// A program with its arguments, variables and working folder.
pub(crate) struct Program {
    /// Name of the kind of node.
    pub(super) name: String,
    file: String,
    arguments: Vec<String>,
    env: BTreeMap<String, Secret>,
    folder: PathBuf,
    pub(super) mask: Mask,
}

impl Program {
    /// A program by its command. `base` is the folder of the configuration file. An error says what
    /// is wrong with the command.
    pub(crate) fn new(
        name: &str,
        command: &[String],
        env: BTreeMap<String, Secret>,
        base: &Path,
        mask: Mask,
    ) -> Result<Self, String> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| "no program is given".to_owned())?;
        let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
        let folder = std::path::absolute(base)
            .map_err(|error| format!("the working folder can't be told: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            file: program.clone(),
            arguments: arguments.to_vec(),
            env,
            folder,
            mask,
        })
    }

    /// Finds the program's file.
    pub(crate) fn locate(&self) -> Result<PathBuf, ProgramError> {
        let (path, shown) = if let Some(path) = self.env.get("PATH") {
            (OsString::from(path.expose()), "the one that env sets".to_owned())
        } else {
            let path = env::var_os("PATH").unwrap_or_default();
            let shown = path.display().to_string();
            (path, shown)
        };
        let on_path = !self.file.contains('/');
        let mut unusable = None;
        let folders = env::split_paths(&path)
            .filter(|folder| on_path && !folder.as_os_str().is_empty())
            .chain([self.folder.clone()]);
        for folder in folders {
            let file = folder.join(&self.file);
            match file.metadata() {
                Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => {
                    return Ok(file);
                }
                Ok(_) => unusable = unusable.or(Some(file)),
                Err(_) => {}
            }
        }
        let here = self.folder.join(&self.file);
        Err(match unusable {
            Some(file) => ProgramError::NotExecutable(file),
            None => ProgramError::Missing {
                program: self.file.clone(),
                searched: if on_path {
                    format!("it on PATH ({shown}) and as {}", here.display())
                } else {
                    here.display().to_string()
                },
            },
        })
    }

    /// The command to be started: in a process group of its own, with pipes.
    pub(super) fn command(&self) -> Result<Command, ProgramError> {
        let mut command = Command::new(self.locate()?);
        command
            .args(&self.arguments)
            .envs(self.env.iter().map(|(key, value)| (key, value.expose())))
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("file", &self.file)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn program(command: &str, base: &Path) -> Program {
        Program::new("n", &[command.to_owned()], BTreeMap::new(), base, Mask::default()).unwrap()
    }

    #[test]
    fn programs_are_found_on_path_and_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("only-here");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let unusable = program("only-here", folder.path()).locate().unwrap_err();
        assert_eq!(unusable, ProgramError::NotExecutable(file.clone()));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(program("only-here", folder.path()).locate().unwrap(), file);
        assert_eq!(
            program("./only-here", folder.path()).locate().unwrap(),
            folder.path().join("./only-here")
        );
        assert!(program("sh", folder.path()).locate().unwrap().ends_with("sh"));
        assert!(program("./sh", folder.path()).locate().is_err());
    }

    #[test]
    fn a_missing_program_is_named_with_the_places_searched() {
        let folder = tempfile::tempdir().unwrap();
        let error = program("no-such-program", folder.path()).locate().unwrap_err().to_string();
        assert!(error.contains("there is no program \"no-such-program\""), "{error}");
        assert!(error.contains("on PATH (/"), "{error}");
        assert!(
            error.contains(&*folder.path().join("no-such-program").to_string_lossy()),
            "{error}"
        );
        let error = program("bin/x", folder.path()).locate().unwrap_err().to_string();
        assert!(!error.contains("PATH"), "{error}");
    }
}
