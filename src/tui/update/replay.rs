//! Recordings: the one that is shown, and the one that is made.

use std::sync::Arc;

use super::super::{
    actions::{Action, Group},
    app::{App, Done, Tone},
    message::{Command, WorkerStatus},
    replaying::Replaying,
};
use crate::recording::{Direction, Event, Moment, RecorderState, Scrub};

/// How many of the things that were done are listed.
const DONE: usize = 200;

/// What an action is in a recording; nothing if it is what it always is.
pub(super) fn perform(app: &mut App, action: Action) -> Option<Vec<Command>> {
    use Direction::{Back, Forward};
    if app.replay.is_none() {
        if action.info().group != Group::Replay {
            return None;
        }
        let hint = format!("`{action}` is for recordings: flowcraft-tui replay FILE");
        app.notify(Tone::Bad, hint);
        return Some(Vec::new());
    }
    let scrub = match action {
        // Nothing can be done to what is marked, and time can be held itself.
        Action::Play | Action::Mark | Action::Freeze => Scrub::Toggle,
        Action::StepBack => Scrub::Step(Back),
        Action::StepForward => Scrub::Step(Forward),
        Action::MinuteBack => Scrub::Minute(Back),
        Action::MinuteForward => Scrub::Minute(Forward),
        Action::EventBack => Scrub::Event(Back),
        Action::EventForward => Scrub::Event(Forward),
        Action::ToStart => Scrub::Start,
        Action::ToEnd => Scrub::End,
        Action::Slower => Scrub::Slower,
        Action::Faster => Scrub::Faster,
        Action::MarkAll | Action::Refresh => {
            app.notify(Tone::Bad, format!("this is a recording: `{action}` does nothing"));
            return Some(Vec::new());
        }
        _ => return None,
    };
    Some(vec![Command::Scrub(scrub)])
}

/// Takes in where the recording is.
pub(super) fn moved(app: &mut App, moment: Arc<Moment>) -> Vec<Command> {
    app.worker = moment.worker.map(|worker| WorkerStatus {
        mode: worker.mode,
        slots: worker.slots,
        in_flight: worker.in_flight,
        done: worker.done,
    });
    let done =
        moment.happened.until(moment.at).iter().rev().filter_map(|(at, event)| match event {
            Event::Operation { title, result, ok } => Some(Done {
                number: 0,
                at: *at,
                what: title.clone(),
                runs: Vec::new(),
                result: result.clone(),
                problems: Vec::new(),
                tone: if *ok { Tone::Good } else { Tone::Bad },
            }),
            _ => None,
        });
    app.done = done.take(DONE).collect();
    app.done.make_contiguous().reverse();
    for (number, done) in (1..).zip(&mut app.done) {
        done.number = number;
    }
    let is_first = app.replay.is_none();
    match &mut app.replay {
        Some(replay) => {
            replay.log_back = replay.log_back.min(moment.logs.len().saturating_sub(1));
            replay.moment = moment;
        }
        None => app.replay = Some(Replaying::new(moment)),
    }
    app.relist();
    if is_first {
        let note = app.replay.as_ref().map(|replay| replay.moment.note.clone()).unwrap_or_default();
        if !note.is_empty() {
            app.notify(Tone::Bad, format!("of this recording {note}"));
        }
    }
    Vec::new()
}

/// A place of the recording can't be read: it stays where it is.
pub(super) fn unreadable(app: &mut App, problem: String) -> Vec<Command> {
    app.notify(Tone::Bad, problem);
    Vec::new()
}

/// Takes in how the recording that is made goes.
pub(super) fn recorder(app: &mut App, state: RecorderState) -> Vec<Command> {
    if let RecorderState::Stopped(why) = &state {
        // The recorder has logged it itself.
        let why = why.to_string();
        app.notify(Tone::Bad, why);
    }
    app.recorder = Some(state);
    Vec::new()
}
