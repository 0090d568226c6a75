//! Files that the dashboard writes: whole or not at all, for their owner alone, and never over
//! another one.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// How many names are tried before it is given up.
const NAMES: u32 = 1_000;

/// Writes a file. Where there is one of that name already, `name-2.json` is tried, and so on.
/// Returns the name that it got, and its size.
pub(super) fn write_new(
    wanted: &Path,
    content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<(PathBuf, u64)> {
    if wanted.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not the name of a file"));
    }
    let folder = match wanted.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Beside the file it becomes, since only there it can be renamed; made for its owner alone.
    let file = Builder::new().prefix(".flowcraft-tui-").suffix(".part").tempfile_in(folder)?;
    let mut buffer = io::BufWriter::new(file);
    content(&mut buffer)?;
    buffer.write_all(b"\n")?;
    let file = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    let size = file.as_file().metadata()?.len();
    Ok((settle(file, wanted)?, size))
}

/// Gives a file the first name that is free.
fn settle(mut file: NamedTempFile, wanted: &Path) -> io::Result<PathBuf> {
    for number in 1..=NAMES {
        let name = numbered(wanted, number);
        match file.persist_noclobber(&name) {
            Ok(_) => return Ok(name),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "this name and all after it are taken"))
}

fn numbered(wanted: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return wanted.to_owned();
    }
    let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
    let name = match wanted.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    wanted.with_file_name(name)
}

/// A name for a file: only what every file system takes, and not too long.
pub(super) fn file_name(parts: &[&str]) -> String {
    /// Some file systems take 255 bytes; a number may be added.
    const LONGEST: usize = 120;
    let mut name = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        for c in part.chars() {
            let plain = c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if plain {
                name.push(c);
            } else if !name.ends_with('_') {
                name.push('_');
            }
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_matches(['.', '_', '-']);
    format!("{}.json", if name.is_empty() { "export" } else { name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    fn write(path: &Path, text: &str) -> PathBuf {
        write_new(path, |out| out.write_all(text.as_bytes())).unwrap().0
    }

    #[test]
    fn nothing_is_written_over_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        assert_eq!(write(&path, "1"), path);
        assert_eq!(write(&path, "2"), folder.path().join("run-2.json"));
        assert_eq!(write(&path, "3"), folder.path().join("run-3.json"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let failed = write_new(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(write_new(&folder.path().join("gone/run.json"), |_| Ok(())).is_err());
        assert!(write_new(Path::new(".."), |_| Ok(())).is_err());
    }

    #[test]
    fn names_are_harmless() {
        assert_eq!(
            file_name(&["order-4711", "outputs.check[0]"]),
            "order-4711-outputs.check_0.json"
        );
        assert_eq!(file_name(&["../../etc/passwd"]), "etc_passwd.json");
        assert_eq!(file_name(&["日本\u{1b}[2J"]), "2J.json");
        assert_eq!(file_name(&["", "..."]), "export.json");
        assert!(file_name(&[&"x".repeat(999)]).len() < 130);
    }
}
