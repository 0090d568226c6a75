//! A recording in the place of a monitor: whoever shows it need not know the difference.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior},
};

use super::{
    error::RecordingError,
    player::{Moment, Playback, Player, Scrub},
};
use crate::{
    blueprint::{Library, LibraryState, RunId},
    monitor::{MonitorHandle, Snapshot},
};

/// How often a recording that is played moves.
const MOVES: Duration = Duration::from_millis(100);

/// How many wishes may wait.
const WISHES: usize = 64;

/// A recording that is shown.
pub struct Replay {
    /// What it shows, as if it were the monitor.
    pub monitor: MonitorHandle,
    /// The blueprints that were loaded.
    pub library: watch::Receiver<Arc<LibraryState>>,
    /// Where it is, and how to move it.
    pub controls: ReplayControls,
}

/// Where a recording is, and how to move it.
pub struct ReplayControls {
    /// Where it is.
    pub moments: watch::Receiver<Arc<Moment>>,
    /// What could not be read, when something could not.
    pub problems: mpsc::Receiver<String>,
    /// Takes wishes.
    pub scrub: mpsc::Sender<Scrub>,
}

impl Replay {
    /// Shows what a player plays, from now on until nobody looks any more. The first moment is
    /// there when this returns. Must be called within a tokio runtime.
    pub async fn start(player: Player) -> Result<Self, RecordingError> {
        let (player, first) = look(player, Vec::new(), Duration::ZERO).await;
        let first = first?;
        let (snapshots, receiver) = watch::channel(first.snapshot);
        let (library, libraries) = watch::channel(library(&first.blueprints));
        let (moments, moment) = watch::channel(Arc::new(first.moment));
        let (scrub, wishes) = mpsc::channel(WISHES);
        let (problems, complaints) = mpsc::channel(4);
        let (monitor, watched) = MonitorHandle::of(receiver);
        let stage = Stage { snapshots, library, moments, problems, blueprints: first.blueprints };
        tokio::spawn(play(player, stage, wishes, watched));
        let controls = ReplayControls { moments: moment, problems: complaints, scrub };
        Ok(Self { monitor, library: libraries, controls })
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

/// Where it is all shown.
struct Stage {
    snapshots: watch::Sender<Arc<Snapshot>>,
    library: watch::Sender<Arc<LibraryState>>,
    moments: watch::Sender<Arc<Moment>>,
    problems: mpsc::Sender<String>,
    blueprints: Arc<[serde_json::Value]>,
}

impl Stage {
    fn show(&mut self, look: Look) {
        // The time first: what is read off the snapshot depends on it.
        self.moments.send_replace(Arc::new(look.moment));
        if !Arc::ptr_eq(&self.blueprints, &look.blueprints) && self.blueprints != look.blueprints {
            self.library.send_replace(library(&look.blueprints));
        }
        self.blueprints = look.blueprints;
        self.snapshots.send_replace(look.snapshot);
    }
}

/// What there is to see at a moment.
struct Look {
    moment: Moment,
    snapshot: Arc<Snapshot>,
    blueprints: Arc<[serde_json::Value]>,
}

/// What the player is told.
enum Told {
    Scrub(Scrub),
    Watch(Option<RunId>),
}

async fn play(
    mut player: Player,
    mut stage: Stage,
    mut wishes: mpsc::Receiver<Scrub>,
    mut watched: watch::Receiver<Option<RunId>>,
) {
    let mut moves = tokio::time::interval(MOVES);
    moves.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moved = Instant::now();
    loop {
        let is_playing = player.playback() == Playback::Playing;
        let mut told = Vec::new();
        tokio::select! {
            wish = wishes.recv() => match wish {
                Some(wish) => told.push(Told::Scrub(wish)),
                None => return,
            },
            changed = watched.changed() => match changed {
                Ok(()) => told.push(Told::Watch(watched.borrow_and_update().clone())),
                Err(_) => return,
            },
            _ = moves.tick(), if is_playing => {}
        }
        // Several wishes at once, of a key that is held down, are one look.
        while let Ok(wish) = wishes.try_recv() {
            told.push(Told::Scrub(wish));
        }
        let now = Instant::now();
        let elapsed = if is_playing { now - moved } else { Duration::ZERO };
        moved = now;
        let (same, look) = look(player, told, elapsed).await;
        player = same;
        match look {
            Ok(look) => stage.show(look),
            Err(error) => {
                if player.playback() == Playback::Playing {
                    player.scrub(Scrub::Toggle);
                }
                // Where nobody has taken in the last one yet, this one says the same.
                let _ = stage.problems.try_send(error.to_string());
            }
        }
    }
}

/// Moves and looks, where reading may block.
async fn look(
    player: Player,
    told: Vec<Told>,
    elapsed: Duration,
) -> (Player, Result<Look, RecordingError>) {
    let work = move || {
        let mut player = player;
        player.advance(elapsed);
        for told in told {
            match told {
                Told::Scrub(scrub) => player.scrub(scrub),
                Told::Watch(run) => player.watch(run),
            }
        }
        let look = seen(&mut player);
        (player, look)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // A defect: there is no player any more, and the dashboard says that it panicked.
        Err(error) => std::panic::resume_unwind(Box::new(error)),
    }
}

fn seen(player: &mut Player) -> Result<Look, RecordingError> {
    Ok(Look {
        moment: player.moment()?,
        snapshot: player.snapshot()?,
        blueprints: player.blueprints_json()?,
    })
}

fn library(blueprints: &[serde_json::Value]) -> Arc<LibraryState> {
    Library::fixed(super::blueprints::read(blueprints)).state()
}
