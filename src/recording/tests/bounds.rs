//! The file: its size, its owner, what is at its place, and what is wrong with one.

use std::{fs, sync::Arc};

use super::stage::{Stage, assert_same, at, item, live, row, runs, start, stopped, workers};
use crate::{
    engine::RunStatus,
    monitor::{Snapshot, WorkersView},
    recording::{Event, LogLevel, LogLine, Masker, RecorderState, Recording, RecordingError},
};

/// A snapshot with runs that all change with every number.
fn busy(number: i64, count: i64) -> Snapshot {
    let rows = (0..count).map(|run| {
        let mut item = item(&format!("run-{run}"), RunStatus::Running, number);
        item.error = Some(format!("{number} {}", "x".repeat(200)));
        row(item)
    });
    Snapshot {
        runs: live(runs(rows), at(number)),
        workers: workers(1, at(0)),
        ..Snapshot::empty("shop")
    }
}

#[tokio::test]
async fn the_oldest_part_goes_and_the_newest_stays() {
    const LIMIT: u64 = 1_000_000;
    let stage = Stage::new(LIMIT);
    let file = stage.file();
    let mut largest = 0;
    for number in 0..600 {
        stage.snapshot(at(number), &busy(number, 20)).await;
        stage.recorder.event(Event::Operation {
            title: format!("Cancel run {number}"),
            result: String::new(),
            ok: true,
        });
        if number % 20 == 0 {
            // At every moment there is a recording, and it is not too large.
            largest = largest.max(fs::metadata(&file).unwrap().len());
            // The first snapshot takes a moment until it is there.
            while number == 0 && Recording::open(&file).is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            let opened = Recording::open(&file);
            assert!(opened.is_ok(), "{number}: {opened:?}");
        }
    }
    let (folder, mut recording) = stage.read().await;
    let length = fs::metadata(&file).unwrap().len();
    assert!(length.max(largest) <= LIMIT && length > LIMIT / 3, "{length} {largest}");
    assert!(recording.start() > at(100) && recording.end() == at(599), "{:?}", recording.start());
    assert_same(&recording.snapshot(at(599)).unwrap(), &busy(599, 20));
    let start = recording.start();
    let number = start.seconds() - at(0).seconds();
    assert_same(&recording.snapshot(start).unwrap(), &busy(number, 20));
    let last = recording.happened().until(at(9_999)).last().unwrap().1.text();
    assert_eq!(last, "Cancel run 599: ");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn more_runs_than_there_is_room_for_leave_the_oldest_finished_out() {
    let stage = Stage::new(1_000_000);
    let rows = (0..5_000).map(|run| {
        let status = if run % 50 == 0 { RunStatus::Running } else { RunStatus::Completed };
        let mut item = item(&format!("run-{run}"), status, 0);
        item.started_at = Some(at(run));
        row(item)
    });
    let snapshot = Snapshot { runs: live(runs(rows), at(0)), ..Snapshot::empty("shop") };
    stage.snapshot(at(0), &snapshot).await;
    let (_folder, mut recording) = stage.read().await;
    let read = recording.snapshot(at(0)).unwrap();
    let left_out = recording.left_out(at(0)).unwrap();
    assert!(left_out > 1_000 && left_out + read.runs.data.len() == 5_000, "{left_out}");
    assert_eq!(read.runs.data.counts().running, 100, "the unfinished ones are all there");
    assert!(read.runs.data.get("run-4999").is_some() && read.runs.data.get("run-1").is_none());
}

#[tokio::test]
async fn only_rows_that_changed_are_written() {
    let stage = Stage::new(64_000_000);
    let file = stage.file();
    let mut view =
        runs((0..4_000).map(|run| row(item(&format!("run-{run}"), RunStatus::Running, 0))));
    for number in 0..50_u32 {
        view.put(row(item(&format!("run-{number}"), RunStatus::Failed, 1)));
        let runs = live(view.clone(), at(number.into()));
        stage.snapshot(at(number.into()), &Snapshot { runs, ..Snapshot::empty("shop") }).await;
    }
    let (_folder, mut recording) = stage.read().await;
    let text = fs::read_to_string(&file).unwrap();
    let longest = text.lines().filter(|line| line.contains("\"change\"")).map(str::len).max();
    assert!(longest.unwrap() < 500, "{longest:?}");
    assert_eq!(recording.snapshot(at(30)).unwrap().runs.data.counts().failed, 31);
}

#[tokio::test]
async fn a_large_part_is_written_less_often_but_last_of_all_again() {
    let stage = Stage::new(64_000_000);
    let file = stage.file();
    let many = |done| {
        let workers =
            (0..1_500).map(|at| super::stage::worker(&format!("worker-{at}"), done)).collect();
        live(WorkersView { workers, ..WorkersView::default() }, at(0))
    };
    for number in 0..20 {
        let snapshot = Snapshot { workers: many(number), ..Snapshot::empty("shop") };
        stage.snapshot(at(i64::try_from(number).unwrap()), &snapshot).await;
    }
    let (_folder, mut recording) = stage.read().await;
    let text = fs::read_to_string(&file).unwrap();
    let written = text.matches("\"worker-7\"").count();
    assert!((3..12).contains(&written), "{written} times");
    let last = recording.snapshot(at(19)).unwrap();
    assert_eq!(*last.workers.data, *many(19).data);
}

#[tokio::test]
async fn a_flood_of_lines_is_thinned_out_and_said_to_be() {
    let stage = Stage::new(1_000_000);
    stage.snapshot(at(0), &busy(0, 1)).await;
    for number in 0..1_900 {
        let line = LogLine {
            level: LogLevel::Debug,
            target: String::new(),
            text: format!("line {number}"),
        };
        stage.recorder.log(line);
    }
    stage.snapshot(at(1), &busy(1, 1)).await;
    stage.snapshot(at(2), &busy(2, 1)).await;
    let (_folder, recording) = stage.read().await;
    let lost: u64 = recording
        .happened()
        .until(at(9))
        .iter()
        .map(|(_, event)| if let Event::Lost { count } = event { *count } else { 0 })
        .sum();
    assert!((500..=900).contains(&lost), "{lost}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::new(1_000_000);
    let file = stage.file();
    for number in 0..200 {
        stage.snapshot(at(number), &busy(number, 40)).await;
    }
    let (_folder, recording) = stage.read().await;
    assert!(recording.start() > at(0), "it was cut");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_recording_is_continued_and_anything_else_is_left_alone() {
    let stage = Stage::new(1_000_000);
    let file = stage.file();
    stage.snapshot(at(0), &busy(0, 2)).await;
    let clock = stopped(at(100));
    let again = |file: &std::path::Path| start(file, 1_000_000, Masker::default(), clock.clone());
    assert!(matches!(again(&file), Err(RecordingError::InUse { .. })), "it is being written");
    let (folder, _) = stage.read().await;
    // Torn by a kill in the middle of a line.
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{whole}{{\"t\":18000000")).unwrap();
    assert!(Recording::open(&file).unwrap().is_torn());

    let recorder = again(&file).unwrap();
    recorder.snapshot(Arc::new(busy(7, 3))).await;
    recorder.finish().await;
    let mut recording = Recording::open(&file).unwrap();
    assert!(!recording.is_torn());
    assert_eq!(recording.snapshot(at(0)).unwrap().runs.data.len(), 2);
    assert_eq!(recording.snapshot(recording.end()).unwrap().runs.data.len(), 3);
    let began = |(_, event): &&(_, Event)| matches!(event, Event::Began { .. });
    assert_eq!(recording.happened().until(recording.end()).iter().filter(began).count(), 2);

    let other = folder.path().join("notes.txt");
    for content in ["my notes\n", "{\"format\":\"else\"}\n", "no line end"] {
        fs::write(&other, content).unwrap();
        let error = again(&other).unwrap_err().to_string();
        assert!(error.contains("notes.txt") && error.contains("not a recording"), "{error}");
        assert_eq!(fs::read_to_string(&other).unwrap(), content);
    }
    assert!(matches!(again(folder.path()), Err(RecordingError::Occupied { .. })));
    let of_others = whole.replace("\"cluster\":\"shop\"", "\"cluster\":\"bank\"");
    fs::write(&other, &of_others).unwrap();
    let error = again(&other).unwrap_err().to_string();
    assert!(error.contains("bank") && error.contains("shop"), "{error}");
    fs::write(&other, "").unwrap();
    again(&other).unwrap().finish().await;
    let error = again(&folder.path().join("none/there.rec")).unwrap_err().to_string();
    assert!(error.contains("can't write it"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let stage = Stage::new(1_000_000);
    for number in 0..3 {
        stage.snapshot(at(number), &busy(number, 1)).await;
    }
    let file = stage.file();
    let (folder, _) = stage.read().await;
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let broken = folder.path().join("b.rec");
    let open = |content: &[u8]| {
        fs::write(&broken, content).unwrap();
        Recording::open(&broken)
    };
    let problem = |content: &str| open(content.as_bytes()).unwrap_err().to_string();
    assert!(problem("").contains("b.rec: the file is empty; a recording is made with --record"));
    assert!(problem("hello\n").contains("line 1: this is not a recording"));
    assert!(problem("{\"a\":1}\n").contains("line 1: this is not a recording"));
    assert!(open(&[0xff, 0, 3]).unwrap_err().to_string().contains("not a recording"));
    let newer = good.replacen("\"version\":1", "\"version\":7", 1).replacen(
        "\"program\":\"",
        "\"program\":\"9.",
        1,
    );
    let text = problem(&newer);
    assert!(
        text.contains("version 7")
            && text.contains("flowcraft-tui 9.")
            && text.contains("use a newer"),
        "{text}"
    );
    let cut = format!("{}\n", lines[0]);
    assert!(
        problem(&cut).contains("cut off before its first snapshot, after 1 line"),
        "{}",
        problem(&cut)
    );
    assert!(problem(&lines[0][..40]).contains("cut off"), "{}", problem(&lines[0][..40]));
    let garbled = good.replacen("\"runs\":", "\"runs\";", 1);
    let place = garbled.lines().position(|line| line.contains("\"runs\";")).unwrap() + 1;
    let text = problem(&garbled);
    assert!(
        text.contains(&format!("b.rec: line {place}: the recording is damaged here")),
        "{text}"
    );
    assert!(!text.contains('\n') && text.contains("take this line out"), "{text}");
    // A line of the right form with something else in it shows when one gets there.
    let odd = good.replacen("\"state\":\"live\"", "\"state\":5", 1);
    let mut recording = open(odd.as_bytes()).unwrap();
    let text = recording.snapshot(at(0)).unwrap_err().to_string();
    assert!(text.contains(": line 3: the recording is damaged here"), "{text}");
    // Wherever it is torn, what is whole can be read.
    for end in lines[0].len() + lines[1].len() + lines[2].len() + 3..good.len() {
        assert!(open(&good.as_bytes()[..end]).is_ok(), "torn after {end} bytes");
    }
    let missing = Recording::open(folder.path().join("none.rec")).unwrap_err().to_string();
    assert!(missing.contains("none.rec: can't read it"), "{missing}");
    assert!(Recording::open(folder.path()).is_err());
}

#[tokio::test]
async fn a_disk_that_fails_ends_the_recording_and_nothing_else() {
    let stage = Stage::new(1_000_000);
    let mut state = stage.recorder.state();
    // Without its folder the file can't be cut.
    fs::remove_dir_all(stage.folder.path()).unwrap();
    for number in 0..200 {
        stage.snapshot(at(number), &busy(number, 40)).await;
    }
    let stopped = state.wait_for(|state| *state != RecorderState::Recording).await.unwrap().clone();
    let RecorderState::Stopped(why) = stopped else { panic!("{stopped:?}") };
    assert!(why.contains("recording stopped") && why.contains("it.rec"), "{why}");
    // Everything that comes after is taken and dropped.
    stage.snapshot(at(300), &busy(300, 1)).await;
    stage.recorder.finish().await;
}
