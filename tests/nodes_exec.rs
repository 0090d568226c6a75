//! Exec nodes with programs that behave, and with programs that don't.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/contexts.rs"]
mod contexts;
#[path = "support/scripts.rs"]
mod scripts;

use std::{fs, path::Path, sync::Arc, time::Duration};

use contexts::Given;
use flowcraft_tui::nodes::{NodeError, NodeOutput, Severity, Write};
use scripts::{error_of, node, run, script, until_gone};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Answers each request with what the program says after `ask`.
async fn answer(program: &str) -> (Result<NodeOutput, NodeError>, Vec<Write>) {
    let mut context = Given::default().context();
    let result = script("", &format!("ask; {program}")).run(&mut context).await;
    (result, context.into_writes())
}

async fn fault(program: &str) -> String {
    let error = answer(program).await.0.unwrap_err();
    assert_eq!(error.severity, Severity::Ordinary, "{error}");
    error.message
}

#[tokio::test]
async fn the_request_says_everything() {
    let node = script("mode = 'per-job'", r#"ask; say "\"output\":$line""#);
    let given = || Given {
        uses: "extract",
        params: json!({"p": [1]}),
        input: Some(Value::Null),
        context: json!({"k": 1, "_reserved": 2, "b": "hidden by an output"}),
        outputs: json!({"b": null}),
    };
    assert_eq!(
        node.run(&mut given().context()).await.unwrap().output.unwrap(),
        json!({
            "id": "1", "runId": "run-1", "blueprintId": "flow", "nodeId": "b", "uses": "extract",
            "attempt": 2, "iteration": 3, "idempotencyKey": "run-1/b/3", "params": {"p": [1]},
            "input": null, "context": {"k": 1}, "outputs": {"b": null},
        })
    );
    let mut context = given().context();
    context.set("k", 2);
    context.set("_mine", 3);
    context.delete("gone");
    let request = node.run(&mut context).await.unwrap().output.unwrap();
    assert_eq!(request["context"], json!({"k": 2}));
    assert_eq!(request["id"], "2");
    let request = run(&node).await.unwrap().output.unwrap();
    assert_eq!(request.get("input"), None);
    assert_eq!((&request["params"], &request["context"]), (&json!({}), &json!({})));
}

#[tokio::test]
async fn parts_of_the_request_can_be_switched_off() {
    for (send, expected) in [
        ("[]", vec![]),
        ("['input']", vec!["input"]),
        ("['outputs', 'context']", vec!["context", "outputs"]),
    ] {
        let node = script(&format!("send = {send}"), r#"ask; say "\"output\":$line""#);
        let mut context = Given { input: Some(json!(1)), ..Given::default() }.context();
        let request = node.run(&mut context).await.unwrap().output.unwrap();
        let sent: Vec<_> = ["input", "context", "outputs"]
            .into_iter()
            .filter(|part| request.get(part).is_some())
            .collect();
        assert_eq!(sent, expected);
        assert_eq!(request["params"], json!({}));
    }
}

#[tokio::test]
async fn an_answer_may_say_everything_or_nothing() {
    let (result, writes) = answer("say").await;
    assert_eq!((result, writes), (Ok(NodeOutput::none()), vec![]));
    let (result, _) = answer(r#"say '"output":null'"#).await;
    assert_eq!(result, Ok(NodeOutput::value(Value::Null)));
    let (result, writes) = answer(
        r#"say '"output":[1],"action":"go","context":{"set":{"k":null},"delete":["old"]},
            "dynamicNodes":[{"id":"d","uses":"echo"}],"surprise":1'"#
            .replace('\n', "")
            .as_str(),
    )
    .await;
    let result = result.unwrap();
    assert_eq!((result.output, result.action.as_deref()), (Some(json!([1])), Some("go")));
    assert_eq!(&*result.dynamic_nodes[0].id, "d");
    let set = Write::Set("k".to_owned(), Value::Null);
    assert_eq!(writes, [set, Write::Delete("old".to_owned())]);
}

#[tokio::test]
async fn an_answered_error_keeps_its_words_and_writes() {
    let (result, writes) =
        answer(r#"say '"error":{"message":"no such file"},"context":{"set":{"k":1}}'"#).await;
    assert_eq!(result, Err(NodeError::ordinary("no such file")));
    assert_eq!(writes, [Write::Set("k".to_owned(), json!(1))]);
    let (result, _) = answer(r#"say '"error":{"message":"never","fatal":true}'"#).await;
    assert_eq!(result, Err(NodeError::fatal("never")));
}

#[tokio::test]
async fn a_process_answers_one_request_after_the_other() {
    let node = script("", r#"while ask; do n=$((n + 1)); say "\"output\":[$$,$n]"; done"#);
    let mut outputs = Vec::new();
    for _ in 0..3 {
        outputs.push(run(&node).await.unwrap().output.unwrap());
    }
    assert!(outputs.iter().all(|output| output[0] == outputs[0][0]), "{outputs:?}");
    assert_eq!((&outputs[0][1], &outputs[2][1]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn processes_work_side_by_side_and_no_more_than_allowed() {
    // Each process waits for the other one: neither could answer alone.
    let side_by_side = "mkfifo pipe 2>/dev/null; while ask; do case $line in
        *'\"input\":1'*) echo met >pipe; say \"\\\"output\\\":$$\";;
        *'\"input\":2'*) read -r met <pipe; say \"\\\"output\\\":$$\";;
        *) say \"\\\"output\\\":$$\";; esac; done";
    let node = script("processes = 2", side_by_side);
    let ask = async |input: u32| {
        let mut context = Given { input: Some(json!(input)), ..Given::default() }.context();
        node.run(&mut context).await.unwrap().output.unwrap()
    };
    let (first, second, third) = tokio::join!(ask(1), ask(2), ask(3));
    assert_ne!(first, second);
    assert!(third == first || third == second, "a third process answered");
}

#[tokio::test]
async fn requests_and_answers_larger_than_a_pipe_pass_each_other() {
    let node = script("", "cat");
    // An answer that begins before the request is written: the request itself, which has our id.
    let input = "x".repeat(3 << 20);
    let mut context = Given { input: Some(json!(input)), ..Given::default() }.context();
    let result = tokio::time::timeout(Duration::from_secs(10), node.run(&mut context)).await;
    assert_eq!(result.unwrap(), Ok(NodeOutput::none()));
}

#[tokio::test]
async fn an_exit_fails_the_request_in_hand_and_the_next_gets_a_new_process() {
    let program = r#"while ask; do
        case $line in *'"input":"die"'*) echo 'first line' >&2; echo 'disk full' >&2; exit 3;; esac
        say "\"output\":$$"; done"#;
    let node = script("", program);
    let before = run(&node).await.unwrap();
    let mut context = Given { input: Some(json!("die")), ..Given::default() }.context();
    let error = node.run(&mut context).await.unwrap_err();
    assert_eq!(
        error,
        NodeError::ordinary(
            "the program of test exited with code 3 before it answered; its stderr: first line | \
             disk full"
        )
    );
    let after = run(&node).await.unwrap();
    assert_ne!(before, after);
}

#[tokio::test]
async fn restarts_after_failures_wait_longer_each_time() {
    let node = script("", "exit 1");
    let began = Instant::now();
    for _ in 0..3 {
        error_of(&node).await;
    }
    // At least half of 100 and of 200 milliseconds.
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_makes_up_for_earlier_failures() {
    let program = r#"ask; case $line in *'"input":"die"'*) exit 1;; esac; say; ask; exit 1"#;
    let node = script("", program);
    let began = Instant::now();
    for _ in 0..4 {
        let mut context = Given { input: Some(json!("die")), ..Given::default() }.context();
        node.run(&mut context).await.unwrap_err();
        assert_eq!(run(&node).await, Ok(NodeOutput::none()));
        error_of(&node).await;
        assert_eq!(run(&node).await, Ok(NodeOutput::none()));
        error_of(&node).await;
    }
    // Without that the last restarts alone would wait for ten seconds each.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_process_that_answers_without_listening_is_used_once() {
    // Larger than a pipe, so that it is still being written when stdin is closed.
    let input = json!("x".repeat(1 << 20));
    let node = script(
        "",
        r#"echo $$ >>all; exec 0<&-; n=$(wc -l <all); say() { printf '{"id":"%s","output":"unread"}\n' $((n)); }; say; exec sleep 1000"#,
    );
    for _ in 0..2 {
        let mut context = Given { input: Some(input.clone()), ..Given::default() }.context();
        assert_eq!(node.run(&mut context).await, Ok(NodeOutput::value("unread")));
    }
    assert_eq!(fs::read_to_string(node.path("all")).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn the_end_of_a_process_is_told_by_code_or_signal() {
    assert!(fault("exit 0").await.contains("exited with code 0 before it answered"));
    assert!(fault("kill -9 $$").await.contains("ended by signal 9"));
    let error = error_of(&script("", "exit 7")).await;
    assert!(error.contains("exited with code 7 before it answered"), "{error}");
}

#[tokio::test]
async fn what_is_not_an_answer_is_told() {
    for (program, text) in [
        ("echo", "it is empty"),
        ("echo '   '", "it is empty"),
        ("echo Loading model", "it is not JSON (expected value at line 1 column 1): Loading model"),
        (r"printf '\033[31mred\n'", r"\u{1b}[31mred"),
        (r#"printf '{"id":"1","output":"\377"}\n'"#, "it is not UTF-8"),
        ("echo '[1]'", "it is not a JSON object: [1]"),
        ("echo '{}'", "it has no `id`: it must repeat the request's, \"1\""),
        (r#"echo '{"id":1}'"#, "it has the `id` 1, but the request's was \"1\""),
        (r#"echo '{"id":"0"}'"#, "it has the `id` \"0\", but the request's was \"1\""),
        (r#"say '"action":5'"#, "it has a number as `action` where text belongs"),
        (r#"say '"output":1'; say"#, ""),
    ] {
        match (answer(program).await.0, text) {
            (Err(error), text) if !text.is_empty() => {
                assert!(error.message.contains(text), "{program}: {error}");
            }
            (Ok(_), "") => {}
            (other, _) => panic!("{program}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_last_line_needs_no_line_break() {
    let (result, _) = answer(r#"printf '{"id":"%s","output":1}' "$id""#).await;
    assert_eq!(result, Ok(NodeOutput::value(1)));
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let error = fault("yes | tr -d '\\n'").await;
    assert!(error.contains("more than 16 MB"), "{error}");
}

#[tokio::test]
async fn a_second_answer_is_not_taken_for_the_next_requests() {
    // Both lines in one write: the second is there when the next request comes.
    let program = r#"while ask; do
        printf '{"id":"%s","output":"first"}\n{"id":"2","output":"stale"}\n' "$id"; done"#;
    let node = script("", program);
    assert_eq!(run(&node).await.unwrap(), NodeOutput::value("first"));
    assert_eq!(run(&node).await.unwrap(), NodeOutput::value("first"));
    let per_job = script("mode = 'per-job'", "ask; say; say");
    let error = error_of(&per_job).await;
    assert!(error.contains("wrote more than one line for one request"), "{error}");
}

#[tokio::test]
async fn an_answer_to_nothing_does_not_answer_the_next_request() {
    let program = r#"echo '{"id":"none yet"}'; while ask; do say '"output":1'; done"#;
    let error = error_of(&script("", program)).await;
    assert!(error.contains("has the `id` \"none yet\""), "{error}");
}

#[tokio::test]
async fn a_flood_on_stderr_blocks_nothing() {
    let flood = "head -c 4000000 /dev/zero | tr '\\0' x >&2; yes no | head -n 20000 >&2";
    let (result, _) = answer(&format!("{flood}; say '\"output\":1'")).await;
    assert_eq!(result, Ok(NodeOutput::value(1)));
    let error = fault(&format!("{flood}; exit 1")).await;
    assert!(error.ends_with("its stderr: no | no | no | no | no"), "{error}");
}

#[tokio::test]
async fn a_hanging_process_is_killed_with_its_children() {
    let program = "sleep 1000 & echo $! >child; echo $$ >self; ask; wait";
    let node = script("timeout = '200ms'", program);
    let error = error_of(&node).await;
    assert!(error.contains("gave no answer within 200ms and was killed"), "{error}");
    until_gone(&node.path("child")).await;
    until_gone(&node.path("self")).await;
}

#[tokio::test]
async fn a_process_that_ignores_the_signal_is_killed_all_the_same() {
    let program = "trap '' TERM; (trap '' TERM; sleep 1000) & echo $! >child; echo $$ >self
        ask; while :; do wait; done";
    let node = script("timeout = '200ms'", program);
    error_of(&node).await;
    until_gone(&node.path("self")).await;
    until_gone(&node.path("child")).await;
}

#[tokio::test]
async fn a_cancelled_request_kills_its_process_and_its_answer_is_never_seen() {
    for mode in ["persistent", "per-job"] {
        let program = r#"mkfifo begun go 2>/dev/null
            while ask; do
                case $line in *'"input":"slow"'*)
                    sleep 1000 & echo $! >child; echo $$ >self; echo x >begun; read -r x <go
                esac
                say "\"output\":$$"; [ MODE = per-job ] && exit
            done"#;
        let node = script(&format!("mode = '{mode}'"), &program.replace("MODE", mode));
        let mut context = Given { input: Some(json!("slow")), ..Given::default() }.context();
        let begun = {
            let path = node.path("begun");
            tokio::task::spawn_blocking(move || {
                while !path.exists() {
                    std::thread::yield_now();
                }
                fs::read(path)
            })
        };
        tokio::select! {
            result = node.run(&mut context) => panic!("{mode}: {result:?}"),
            begun = begun => assert_eq!(begun.unwrap().unwrap(), b"x\n"),
        }
        let old: Value = fs::read_to_string(node.path("self")).unwrap().trim().parse().unwrap();
        let next = run(&node).await.unwrap();
        assert_ne!(next, NodeOutput::value(old), "{mode}");
        until_gone(&node.path("child")).await;
        until_gone(&node.path("self")).await;
    }
}

#[tokio::test]
async fn a_process_that_closes_its_pipes_and_lives_on_is_ended() {
    let node = script("", "echo $$ >self; ask; exec 1>&-; exec sleep 1000");
    let error = error_of(&node).await;
    assert!(error.contains("closed its stdout without an answer"), "{error}");
    until_gone(&node.path("self")).await;
    let node = script("", "echo $$ >self; exec 0<&-; exec sleep 1000");
    // Larger than a pipe, so that it can't be written before stdin is closed.
    let mut context =
        Given { input: Some(json!("x".repeat(1 << 20))), ..Given::default() }.context();
    let error = node.run(&mut context).await.unwrap_err();
    assert!(error.message.contains("closed its stdin before"), "{error}");
    until_gone(&node.path("self")).await;
}

#[tokio::test]
async fn children_that_hold_the_pipes_hold_nothing_up() {
    for mode in ["persistent", "per-job"] {
        let table = format!("mode = '{mode}'");
        let node = script(&table, "ask; sleep 1000 & echo $! >child; exit 4");
        let error = error_of(&node).await;
        assert!(error.contains("exited with code 4 before it answered"), "{error}");
        until_gone(&node.path("child")).await;
    }
    let node = script("mode = 'per-job'", "ask; sleep 1000 & echo $! >child; say '\"output\":1'");
    assert_eq!(run(&node).await, Ok(NodeOutput::value(1)));
    until_gone(&node.path("child")).await;
}

#[tokio::test]
async fn a_child_that_left_the_group_holds_nothing_up() {
    // It ends by itself, as nobody knows of it any more, when the test's folder goes.
    let stray = "setsid sh -c 'while [ -e stay ]; do sleep 0.1; done' & touch stay";
    let node = script("mode = 'per-job'", &format!("touch stay; {stray}; ask; say '\"output\":1'"));
    let began = Instant::now();
    assert_eq!(run(&node).await, Ok(NodeOutput::value(1)));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_job_is_one_request_one_answer_and_an_exit() {
    let node = script("mode = 'per-job'", r#"ask; ask && exit 9; say "\"output\":$$""#);
    assert_ne!(run(&node).await.unwrap(), run(&node).await.unwrap());
    let node = script("mode = 'per-job'", r#"echo '{"id":"1","output":"unread"}'"#);
    let mut context =
        Given { input: Some(json!("x".repeat(1 << 20))), ..Given::default() }.context();
    assert_eq!(node.run(&mut context).await, Ok(NodeOutput::value("unread")));
}

#[tokio::test]
async fn a_jobs_exit_code_counts() {
    let job = async |program: &str| {
        let mut context = Given::default().context();
        let result = script("mode = 'per-job'", program).run(&mut context).await;
        (result.unwrap_err(), context.into_writes())
    };
    let written = [Write::Set("k".to_owned(), json!(1))];
    let (error, writes) =
        job(r#"ask; say '"context":{"set":{"k":1}}'; echo late >&2; exit 2"#).await;
    let text = "the program of test answered, but exited with code 2; its stderr: late";
    assert_eq!((error, &writes[..]), (NodeError::ordinary(text), &written[..]));
    let (error, writes) = job(
        r#"ask; say '"error":{"message":"mine","fatal":true},"context":{"set":{"k":1}}'; exit 2"#,
    )
    .await;
    assert_eq!((error, &writes[..]), (NodeError::fatal("mine"), &written[..]));
    let (error, _) = job("ask; exit 0").await;
    assert!(error.message.contains("exited with code 0 before it answered"), "{error}");
}

#[tokio::test]
async fn idle_processes_end_with_the_node() {
    for stubborn in ["", "trap '' TERM;"] {
        let program = format!("{stubborn} echo $$ >self; while :; do ask && say; done");
        let (node, folder) = script("", &program).into_parts();
        node.run(&mut Given::default().context()).await.unwrap();
        drop(node);
        until_gone(&folder.path().join("self")).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_while_idle_is_reaped_and_replaced() {
    let node = script("", "while ask; do echo $$ >self; say; done");
    run(&node).await.unwrap();
    let first = fs::read_to_string(node.path("self")).unwrap();
    let killed = std::process::Command::new("kill").arg(first.trim()).status().unwrap();
    assert!(killed.success());
    until_gone(&node.path("self")).await;
    assert_eq!(run(&node).await, Ok(NodeOutput::none()));
    assert_ne!(fs::read_to_string(node.path("self")).unwrap(), first);
}

#[test]
fn nothing_lives_on_when_the_runtime_goes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let node =
        script("", "trap '' TERM; sleep 1000 & echo $! >child; ask; say; while :; do wait; done");
    runtime.block_on(async { run(&node).await.unwrap() });
    runtime.shutdown_background();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(until_gone(&node.path("child")));
}

#[tokio::test]
async fn a_missing_program_is_an_ordinary_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = node("kind = 'exec'\ncommand = ['no-such-program']", folder.path());
    let error = missing.run(&mut Given::default().context()).await.unwrap_err();
    assert_eq!(error.severity, Severity::Ordinary);
    assert!(error.message.contains("no program \"no-such-program\""), "{error}");
    assert!(error.message.contains(&*folder.path().to_string_lossy()), "{error}");
}

#[tokio::test]
async fn variables_reach_the_program_but_no_error_and_no_answer() {
    // Cargo sets this one for tests.
    let value = env!("CARGO_PKG_NAME");
    let table = "env = { KEY = 'x${CARGO_PKG_NAME}x', PLAIN = 'small' }";
    let echo = script(table, r#"ask; say "\"output\":\"$KEY $PLAIN\"""#);
    assert_eq!(run(&echo).await, Ok(NodeOutput::value(format!("x{value}x small"))));
    for program in [
        r#"echo "$KEY"; exit 1"#,
        r#"echo "$KEY" >&2; exit 1"#,
        r#"ask; say "\"error\":{\"message\":\"$KEY\"}""#,
    ] {
        let error = error_of(&script(table, program)).await;
        assert!(!error.contains(value) && error.contains("***"), "{error}");
    }
}

#[tokio::test]
async fn stderr_goes_to_the_log_under_the_nodes_name() {
    let logged = scripts::Logged::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(logged.clone())
        .with_ansi(false)
        .with_env_filter("node::test=info")
        .finish();
    // The runtime of the test has one thread, so this is seen by its tasks, too.
    let _guard = tracing::subscriber::set_default(subscriber);
    let table = "mode = 'per-job'\nenv = { KEY = '${CARGO_PKG_NAME}' }";
    let node = script(table, "ask; printf 'a\\033[2Jb\\n' >&2; echo \"key $KEY\" >&2; say");
    run(&node).await.unwrap();
    let text = logged.text();
    assert!(text.contains("INFO node::test: key ***"), "{text}");
    assert!(text.contains("INFO node::test: a\\u{1b}[2Jb"), "{text}");
}

#[tokio::test]
async fn many_requests_get_their_own_answers() {
    let node = Arc::new(script("processes = 3", r#"while ask; do say "\"output\":$line"; done"#));
    let tasks = (0..60).map(|n| {
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            let mut context = Given { input: Some(json!(n)), ..Given::default() }.context();
            assert_eq!(node.run(&mut context).await.unwrap().output.unwrap()["input"], n);
        })
    });
    futures::future::try_join_all(tasks).await.unwrap();
}

#[test]
fn a_check_finds_the_program_or_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let definition = scripts::definition("kind = 'exec'\ncommand = ['bin/tool']");
    let error = definition.check("t", folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("[nodes.t] command: there is no program \"bin/tool\""), "{error}");
    let sh = scripts::definition("kind = 'exec'\ncommand = ['sh']");
    assert!(Path::new(&sh.check("t", folder.path()).unwrap()).is_absolute());
}
