//! `replay`: the dashboard on a recording.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::tz::TimeZone;

use super::{
    args::RecordingArgs,
    context::{Ended, in_background},
    dashboard::{Looks, needs_terminal},
    exit::{CliError, Exit},
};
use crate::{
    blueprint::RunId,
    cluster::SystemClock,
    config::Config,
    engine::Timestamp,
    recording::{Player, Recording, RecordingError, Replay, Scrub},
    tui::{
        Access, Colours, DashboardDeps, Operation, Operator, OperatorError, Outcome, Oversight,
        Preview, Reason, run_dashboard,
    },
};

/// How long opening may take before it says how far it is.
const PATIENCE: Duration = Duration::from_millis(400);

/// Shows a recording until it is left.
pub(super) async fn run(config: &Config, args: RecordingArgs) -> Ended {
    let looks = Looks::of(config)?;
    let file = args.file.clone();
    let recording = in_background(move || open(&file)).await??;
    let zone = TimeZone::system();
    let mut player = Player::new(recording, zone.clone());
    if let Some(speed) = args.speed {
        player.set_speed(speed);
    }
    let (start, end) = player.span();
    match &args.at {
        None => player.scrub(Scrub::Toggle),
        Some(at) => {
            let at = at.within(start, end, &zone).map(|at| snapped(at, start, end));
            let at = at
                .filter(|at| (start..=end).contains(at))
                .ok_or_else(|| outside(start, end, &zone))?;
            player.scrub(Scrub::To(at));
        }
    }
    needs_terminal()?;
    let replay = Replay::start(player).await?;
    let deps = DashboardDeps {
        monitor: replay.monitor,
        operator: Arc::new(Nobody),
        worker: None,
        library: replay.library,
        clock: Arc::new(SystemClock),
        themes: looks.themes,
        theme: config.ui.theme.clone(),
        colours: Colours::detect(),
        keymap: looks.keymap,
        access: Access::Recording,
        recorder: None,
        replay: Some(replay.controls),
    };
    run_dashboard(deps)
        .await
        .map_err(|error| CliError::failed("the terminal failed").because(error))?;
    Ok(Exit::Done)
}

/// A moment less than a minute before the start means the start, and likewise at the end: times are
/// written without seconds.
fn snapped(at: Timestamp, start: Timestamp, end: Timestamp) -> Timestamp {
    const NEAR: Duration = Duration::from_secs(60);
    if at.until(start) < NEAR && at.since(end) < NEAR { at.clamp(start, end) } else { at }
}

fn outside(start: Timestamp, end: Timestamp, zone: &TimeZone) -> CliError {
    let shown = |at: Timestamp| {
        jiff::Timestamp::from_millisecond(at.millis()).map_or_else(
            |_| at.to_string(),
            |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
    };
    CliError::usage("--at: this moment is not in the recording").hint(format!(
        "it goes from {} to {}",
        shown(start),
        shown(end)
    ))
}

/// Opens a recording; says how far it is where that takes a while.
fn open(path: &Path) -> Result<Recording, RecordingError> {
    let began = Instant::now();
    let mut shown = began;
    let mut said = false;
    let terminal = std::io::stderr().is_terminal();
    let recording = Recording::open_with(path, &mut |read, total| {
        if terminal && began.elapsed() > PATIENCE && shown.elapsed() > PATIENCE / 4 {
            shown = Instant::now();
            said = true;
            let percent = read * 100 / total.max(1);
            // Nobody needs to know where it can't be written.
            let _ = write!(std::io::stderr(), "\rreading the recording: {percent} %");
        }
    });
    if said {
        let _ = write!(std::io::stderr(), "\r{:40}\r", "");
    }
    recording
}

/// Nobody can do anything in a recording.
struct Nobody;

#[async_trait]
impl Operator for Nobody {
    async fn preview(&self, _: &Operation) -> Result<Preview, OperatorError> {
        Err(OperatorError::Failed("this is a recording: nothing can be changed in it".to_owned()))
    }

    async fn explain(&self, _: &RunId) -> Result<Vec<Reason>, OperatorError> {
        Err(OperatorError::Failed(
            "this is a recording: the services it was made from can't be asked".to_owned(),
        ))
    }

    async fn apply(
        &self,
        _: &Operation,
        _: &Preview,
        _: &Oversight,
    ) -> Result<Outcome, OperatorError> {
        Err(OperatorError::Failed("this is a recording: nothing can be changed in it".to_owned()))
    }
}
