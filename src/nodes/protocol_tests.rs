#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::nodes::{Execution, Write};

fn from_line(line: &str) -> Result<Answer, String> {
    Answer::from_line(line.as_bytes(), "7", &Mask::default()).map_err(|error| error.to_string())
}

fn context() -> NodeContext {
    let head = serde_json::from_value(json!({
        "blueprintId": "flow", "rev": 1, "status": "running", "startedAt": 0,
    }));
    let execution = Execution {
        run_id: "r".into(),
        blueprint_id: "flow".into(),
        node_id: "n".into(),
        uses: "u".to_owned(),
        attempt: 1,
        iteration: 1,
        idempotency_key: "k".to_owned(),
    };
    let document = crate::engine::RunDocument::new(head.unwrap());
    NodeContext::new(execution, std::sync::Arc::default(), None, document, Vec::new())
}

fn result(line: &str) -> Result<NodeOutput, NodeError> {
    from_line(line).unwrap().apply(&mut context(), &Mask::default())
}

#[test]
fn a_request_is_one_line_and_has_no_input_where_there_is_none() {
    let line = String::from_utf8(request("7", &context(), &Part::ALL)).unwrap();
    assert_eq!(
        line,
        r#"{"id":"7","runId":"r","blueprintId":"flow","nodeId":"n","uses":"u","attempt":1,"iteration":1,"idempotencyKey":"k","params":{},"context":{},"outputs":{}}"#
    );
    let mut context = context();
    context.set("text", "one\ntwo");
    assert!(!request("7", &context, &Part::ALL).contains(&b'\n'));
}

#[test]
fn no_output_is_not_null() {
    assert_eq!(result(r#"{"id":"7"}"#), Ok(NodeOutput::none()));
    assert_eq!(result(r#"{"id":"7","output":null}"#), Ok(NodeOutput::value(Value::Null)));
}

#[test]
fn other_members_may_be_null_or_empty() {
    let line = r#"{"id":"7","action":null,"context":null,"dynamicNodes":null,"error":null}"#;
    assert_eq!(result(line), Ok(NodeOutput::none()));
    let line = r#"{"id":"7","action":"","context":{"set":null,"delete":null},"dynamicNodes":[]}"#;
    assert_eq!(result(line), Ok(NodeOutput::none()));
}

#[test]
fn the_order_of_members_means_nothing() {
    let mut context = context();
    let line = r#"{"error":{"fatal":true,"message":"m"},"context":{"delete":["a"],"set":{"b":1}},"id":"7"}"#;
    let answer = from_line(line).unwrap();
    assert!(answer.is_error());
    assert_eq!(answer.apply(&mut context, &Mask::default()), Err(NodeError::fatal("m")));
    let writes = [Write::Set("b".to_owned(), json!(1)), Write::Delete("a".to_owned())];
    assert_eq!(context.into_writes(), writes);
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    for (members, text) in [
        (r#""action":1"#, "has a number as `action` where text belongs"),
        (r#""context":[]"#, "has an array as `context` where an object belongs"),
        (r#""context":{"set":"x"}"#, "has text as `context.set` where an object belongs"),
        (r#""context":{"delete":{}}"#, "has an object as `context.delete` where an array belongs"),
        (
            r#""context":{"delete":["a",1]}"#,
            "has a number as `context.delete[1]` where text belongs",
        ),
        (r#""dynamicNodes":{}"#, "has an object as `dynamicNodes` where an array belongs"),
        (r#""error":"x""#, "has text as `error` where an object belongs"),
        (r#""error":true"#, "has true or false as `error` where an object belongs"),
        (r#""error":{}"#, "has nothing as `error.message` where text belongs"),
        (
            r#""error":{"message":"m","fatal":1}"#,
            "has a number as `error.fatal` where true or false belongs",
        ),
        (
            r#""context":{"set":{"k":1},"delete":["k"]}"#,
            "both sets and deletes the context key \"k\"",
        ),
    ] {
        assert_eq!(from_line(&format!(r#"{{"id":"7",{members}}}"#)).unwrap_err(), text);
    }
    let error =
        from_line(r#"{"id":"7","dynamicNodes":[{"id":"a","uses":"u"},{"id":"b"}]}"#).unwrap_err();
    assert_eq!(error, "has a `dynamicNodes[1]` that is not a node: missing field `uses`");
}

#[test]
fn unknown_members_are_passed_over_and_named() {
    let answer = from_line(r#"{"id":"7","output":1,"outptu":2,"context":{"get":3}}"#).unwrap();
    assert_eq!(answer.unknown_members(), ["outptu", "context.get"]);
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let line = format!(r#"{{"id":"7","output":{}}}"#, "[".repeat(100_000));
    assert!(from_line(&line).unwrap_err().starts_with("is not JSON (recursion limit exceeded"));
}

#[test]
fn secrets_that_come_back_are_masked() {
    let mut mask = Mask::default();
    mask.add("hunter2-hunter2");
    let error = Answer::from_line(b"key hunter2-hunter2", "7", &mask).unwrap_err();
    assert!(error.to_string().ends_with(": key ***"), "{error}");
    let answer = from_line(r#"{"id":"7","error":{"message":"hunter2-hunter2?"}}"#).unwrap();
    assert_eq!(answer.apply(&mut context(), &mask), Err(NodeError::ordinary("***?")));
}

#[tokio::test]
async fn large_texts_are_read_aside_with_the_same_result() {
    let here = std::thread::current().id();
    let thread = |size| read_aside(size, || std::thread::current().id());
    assert_eq!(thread(10).await, here);
    assert_ne!(thread(READ_ASIDE).await, here);
}
