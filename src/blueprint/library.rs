//! The blueprints that are loaded, kept up with the files they come from.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    thread,
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

use super::{
    id::BlueprintId,
    lint::{Issue, LintContext, lint},
    load::{LoadError, LoadedFile, first_of_each, list, load_file},
    model::Blueprint,
};

/// How long files must have been left alone before they are read again: saving takes several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// A set of blueprints. Cloning is cheap, and all clones see the same.
#[derive(Clone)]
pub struct Library {
    shared: Arc<Shared>,
}

struct Shared {
    state: watch::Sender<Arc<LibraryState>>,
    /// Dropped with the last clone, which ends the thread that reads files again.
    watcher: Mutex<Option<RecommendedWatcher>>,
}

/// What a library holds at one moment.
#[derive(Debug, Default)]
pub struct LibraryState {
    blueprints: BTreeMap<BlueprintId, Arc<Blueprint>>,
    files: HashMap<BlueprintId, PathBuf>,
    issues: HashMap<BlueprintId, Vec<Issue>>,
    errors: Vec<LoadError>,
}

impl LibraryState {
    /// A blueprint by its id.
    pub fn get(&self, id: &str) -> Option<&Arc<Blueprint>> {
        self.blueprints.get(id)
    }

    /// All blueprints, by id.
    pub fn blueprints(&self) -> &BTreeMap<BlueprintId, Arc<Blueprint>> {
        &self.blueprints
    }

    /// The file that a blueprint comes from, if it comes from one.
    pub fn file(&self, id: &str) -> Option<&Path> {
        self.files.get(id).map(PathBuf::as_path)
    }

    /// What lint found in a blueprint; nothing for an unknown one.
    pub fn issues(&self, id: &str) -> &[Issue] {
        self.issues.get(id).map_or(&[], Vec::as_slice)
    }

    /// The files that could not be loaded. Where an earlier version of a file could, that one is
    /// still there.
    pub fn errors(&self) -> &[LoadError] {
        &self.errors
    }

    fn new(
        loaded: Vec<LoadedFile>,
        errors: Vec<LoadError>,
        implementations: Option<&BTreeSet<String>>,
    ) -> Self {
        let mut state = Self { errors, ..Self::default() };
        for LoadedFile { file, blueprint } in loaded {
            state.files.insert(blueprint.id.clone(), file);
            state.blueprints.insert(blueprint.id.clone(), blueprint);
        }
        state.check(implementations);
        state
    }

    fn check(&mut self, implementations: Option<&BTreeSet<String>>) {
        let context = LintContext { implementations, blueprints: Some(&self.blueprints) };
        self.issues = self
            .blueprints
            .iter()
            .map(|(id, blueprint)| (id.clone(), lint(blueprint, &context)))
            .collect();
    }

    /// Whether a reader could tell the two apart.
    fn differs(&self, other: &Self) -> bool {
        let texts = |state: &Self| state.errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.blueprints != other.blueprints
            || self.files != other.files
            || texts(self) != texts(other)
    }
}

impl Library {
    /// A library of given blueprints, which never changes. Of two with one id the first counts.
    pub fn fixed(blueprints: Vec<Blueprint>) -> Self {
        let mut state = LibraryState::default();
        for blueprint in blueprints {
            state.blueprints.entry(blueprint.id.clone()).or_insert_with(|| Arc::new(blueprint));
        }
        state.check(None);
        Self::of(state)
    }

    /// Loads files and folders once. `implementations` is what nodes may use beside the built-in
    /// kinds, if that is known. Blocks while it reads.
    pub fn load(paths: &[PathBuf], implementations: Option<BTreeSet<String>>) -> Self {
        Self::of(Source::new(paths, implementations).read())
    }

    /// Loads files and folders, and again whenever something in them changes, until the last clone
    /// is dropped. Where files can't be watched, that is logged and they are loaded only once.
    /// Blocks while it reads.
    pub fn watch(paths: &[PathBuf], implementations: Option<BTreeSet<String>>) -> Self {
        let mut source = Source::new(paths, implementations);
        let library = Self::of(LibraryState::default());
        // Watching begins before reading, so that no change falls between the two.
        let started = library.start(&source);
        library.shared.state.send_replace(Arc::new(source.read()));
        let result = started.and_then(|changes| {
            let shared = Arc::downgrade(&library.shared);
            thread::Builder::new()
                .name("blueprints".to_owned())
                .spawn(move || follow(&mut source, &changes, &shared))
                .map_err(notify::Error::io)
        });
        if let Err(error) = result {
            tracing::warn!(%error, "blueprint files can't be watched: restart to load changes");
        }
        library
    }

    /// The library as it is now.
    pub fn state(&self) -> Arc<LibraryState> {
        self.shared.state.borrow().clone()
    }

    /// The library as it is now and as it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<LibraryState>> {
        self.shared.state.subscribe()
    }

    /// A blueprint by its id.
    pub fn get(&self, id: &BlueprintId) -> Option<Arc<Blueprint>> {
        self.shared.state.borrow().get(id).cloned()
    }

    /// All blueprints, in order of their ids.
    pub fn list(&self) -> Vec<Arc<Blueprint>> {
        self.shared.state.borrow().blueprints.values().cloned().collect()
    }

    fn of(state: LibraryState) -> Self {
        let state = watch::Sender::new(Arc::new(state));
        Self { shared: Arc::new(Shared { state, watcher: Mutex::new(None) }) }
    }

    /// Starts to watch the places of a source. What comes out stands for "something changed".
    fn start(&self, source: &Source) -> notify::Result<mpsc::Receiver<()>> {
        // One pending change is as good as many.
        let (signal, changes) = mpsc::sync_channel(1);
        let places = Places::of(&source.paths);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| places.concern(&event)) {
                let _ = signal.try_send(());
            }
        })?;
        *self.shared.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        self.shared.watch_all(source);
        Ok(changes)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.state().blueprints.keys()).finish()
    }
}

impl Shared {
    /// Watches each path, and the folder it is in, which tells of a path that comes back. A folder
    /// that was replaced must be watched anew, so this is done after each change.
    fn watch_all(&self, source: &Source) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watcher) = watcher.as_mut() else { return };
        for path in &source.paths {
            let folder = Some(path.as_path()).filter(|path| path.is_dir());
            let around = path.ancestors().skip(1).find(|path| path.is_dir());
            for place in folder.into_iter().chain(around) {
                if let Err(error) = watcher.watch(place, RecursiveMode::NonRecursive) {
                    tracing::warn!(%error, folder = %place.display(), "can't be watched for changes");
                }
            }
        }
    }
}

/// Reads files again when they change, until the library is gone.
fn follow(source: &mut Source, changes: &mpsc::Receiver<()>, shared: &Weak<Shared>) {
    while changes.recv().is_ok() {
        thread::sleep(SETTLE);
        while changes.try_recv().is_ok() {}
        match shared.upgrade() {
            Some(shared) => shared.watch_all(source),
            None => return,
        }
        let state = source.read();
        let Some(shared) = shared.upgrade() else { return };
        shared.state.send_if_modified(|current| {
            let differs = state.differs(current);
            if differs {
                tell(current, &state);
                *current = Arc::new(state);
            }
            differs
        });
    }
}

/// Logs what a change of the files comes to.
fn tell(before: &LibraryState, now: &LibraryState) {
    let said: HashSet<String> = before.errors.iter().map(ToString::to_string).collect();
    for error in &now.errors {
        let error = error.to_string();
        if !said.contains(&error) {
            tracing::warn!(%error, "a blueprint can't be loaded: what was loaded before stays in force");
        }
    }
    for (id, blueprint) in &now.blueprints {
        match before.blueprints.get(id) {
            None => tracing::info!(blueprint = %id, "a blueprint was added"),
            Some(known) if known != blueprint => {
                tracing::info!(blueprint = %id, "a blueprint was changed");
            }
            Some(_) => {}
        }
    }
    for id in before.blueprints.keys().filter(|id| !now.blueprints.contains_key(*id)) {
        tracing::info!(blueprint = %id, "a blueprint was removed");
    }
}

/// Which changes matter.
struct Places {
    paths: Vec<PathBuf>,
}

impl Places {
    /// Paths as they are given and as some systems report them, with links resolved.
    fn of(paths: &[PathBuf]) -> Self {
        let resolved = paths.iter().filter_map(|path| path.canonicalize().ok());
        Self { paths: paths.iter().cloned().chain(resolved).collect() }
    }

    fn concern(&self, event: &notify::Event) -> bool {
        // Reading is an event too.
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        event.paths.is_empty()
            || event.paths.iter().any(|changed| {
                self.paths
                    .iter()
                    .any(|path| path.starts_with(changed) || changed.parent() == Some(path))
            })
    }
}

/// The files of a library, and what was last read from each.
struct Source {
    paths: Vec<PathBuf>,
    implementations: Option<BTreeSet<String>>,
    last_good: HashMap<PathBuf, Arc<Blueprint>>,
}

impl Source {
    fn new(paths: &[PathBuf], implementations: Option<BTreeSet<String>>) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Self {
            paths: paths.iter().map(absolute).collect(),
            implementations,
            last_good: HashMap::new(),
        }
    }

    fn read(&mut self) -> LibraryState {
        let (mut files, mut errors) = list(&self.paths);
        for error in &errors {
            // A folder that can't be read: what was in it stays.
            let known = self.last_good.keys();
            let mut within: Vec<_> =
                known.filter(|file| file.parent() == Some(error.file())).cloned().collect();
            within.sort();
            files.extend(within);
        }
        let mut loaded = Vec::with_capacity(files.len());
        let mut good = HashMap::with_capacity(files.len());
        for file in files {
            let last = self.last_good.remove(&file);
            let blueprint = match load_file(&file) {
                Ok(new) => Some(match last {
                    Some(last) if *last == new => last,
                    _ => Arc::new(new),
                }),
                Err(error) => {
                    let is_gone = matches!(&error, LoadError::Read { reason, .. }
                        if reason.kind() == io::ErrorKind::NotFound);
                    errors.push(error);
                    last.filter(|_| !is_gone)
                }
            };
            if let Some(blueprint) = blueprint {
                good.insert(file.clone(), blueprint.clone());
                loaded.push(LoadedFile { file, blueprint });
            }
        }
        self.last_good = good;
        let (loaded, duplicates) = first_of_each(loaded);
        errors.extend(duplicates);
        LibraryState::new(loaded, errors, self.implementations.as_ref())
    }
}
