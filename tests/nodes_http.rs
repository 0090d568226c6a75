//! Http nodes with servers that behave, and with servers that don't.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/contexts.rs"]
mod contexts;
#[path = "support/server.rs"]
mod server;

use std::{path::Path, sync::Arc, time::Duration};

use contexts::Given;
use flowcraft_tui::nodes::{Node, NodeDefinition, NodeError, NodeOutput, Severity, Write};
use serde_json::{Value, json};
use server::{Received, Reply, Server, reply};
use tokio::{net::TcpListener, time::Instant};

/// A node with this address and more lines for its table.
fn node(url: &str, table: &str) -> Arc<dyn Node> {
    let definition: NodeDefinition =
        toml::from_str(&format!("kind = 'http'\nurl = '{url}'\n{table}")).unwrap();
    definition.build("notify", Path::new(".")).unwrap()
}

async fn run(node: &Arc<dyn Node>) -> Result<NodeOutput, NodeError> {
    node.run(&mut Given::default().context()).await
}

/// The result of a node whose server answers like this.
async fn answered(
    table: &str,
    answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> Result<NodeOutput, NodeError> {
    let server = Server::start(answer).await;
    run(&node(&server.address, table)).await
}

async fn answered_with(status: &'static str, body: &'static str) -> Result<NodeOutput, NodeError> {
    answered("", move |_| reply(status, "", body)).await
}

#[tokio::test]
async fn the_request_is_the_body_and_its_key_a_header() {
    let server = Server::start(|_| reply("200 OK", "", "")).await;
    let url = format!("{}/hooks/{{{{ params.channel }}}}?n={{{{params.n}}}}", server.address);
    let table = "headers = { Authorization = 'Bearer ${CARGO_PKG_NAME}', X-Plain = 'yes', Idempotency-Key = 'x' }";
    let mut context = Given {
        uses: "notify",
        params: json!({"channel": "a/b", "n": 1}),
        input: Some(json!([1])),
        context: json!({"k": 1}),
        outputs: json!({"a": 2}),
    }
    .context();
    assert_eq!(node(&url, table).run(&mut context).await, Ok(NodeOutput::none()));
    let request = server.received().remove(0);
    assert_eq!(request.path, "/hooks/a%2Fb?n=1");
    assert!(request.head.starts_with("post "));
    assert_eq!(request.header("idempotency-key"), Some("run-1/b/3"));
    assert_eq!(request.head.matches("idempotency-key").count(), 1);
    assert_eq!(request.header("authorization"), Some("bearer flowcraft-tui"));
    assert_eq!(request.header("x-plain"), Some("yes"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&request.body).unwrap(),
        json!({
            "id": "1", "runId": "run-1", "blueprintId": "flow", "nodeId": "b", "uses": "notify",
            "attempt": 2, "iteration": 3, "idempotencyKey": "run-1/b/3",
            "params": {"channel": "a/b", "n": 1}, "input": [1], "context": {"k": 1},
            "outputs": {"a": 2},
        })
    );
}

#[tokio::test]
async fn only_some_methods_have_a_body() {
    for (method, has_body) in
        [("GET", false), ("DELETE", false), ("POST", true), ("PUT", true), ("PATCH", true)]
    {
        let server = Server::start(|_| reply("200 OK", "", "1")).await;
        let table = format!("method = '{method}'\nsend = []");
        assert_eq!(run(&node(&server.address, &table)).await, Ok(NodeOutput::value(1)));
        let request = server.received().remove(0);
        assert!(request.head.starts_with(&method.to_lowercase()), "{}", request.head);
        assert_eq!(!request.body.is_empty(), has_body, "{method}");
        assert!(request.header("idempotency-key").is_some());
        assert!(!request.body.contains("\"context\""));
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(|_| reply("200 OK", "", "1")).await;
    let node = node(&server.address, "");
    for _ in 0..3 {
        run(&node).await.unwrap();
    }
    assert_eq!((server.received().len(), server.connections()), (3, 1));
}

#[tokio::test]
async fn an_answer_is_told_from_an_output() {
    for (body, output) in [
        ("5", json!(5)),
        ("null", Value::Null),
        ("\"x\"", json!("x")),
        ("{}", json!({})),
        (r#"{"id": "abc"}"#, json!({"id": "abc"})),
        (r#"{"output": 1, "total": 2}"#, json!({"output": 1, "total": 2})),
        (r#"{"output": 1}"#, json!(1)),
        (r#"{"id": "any", "output": {"error": "mine"}}"#, json!({"error": "mine"})),
        (r#"{"output": null}"#, Value::Null),
    ] {
        assert_eq!(answered_with("200 OK", body).await, Ok(NodeOutput::value(output)), "{body}");
    }
    for body in ["", " \n", r#"{"id": "1"}"#, r#"{"action": null}"#] {
        assert_eq!(answered_with("200 OK", body).await, Ok(NodeOutput::none()), "{body}");
    }
    let no_content = answered("", |_| Reply::Text("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
    assert_eq!(no_content.await, Ok(NodeOutput::none()));
    let result = answered_with("201 Created", r#"{"output": 1, "action": "go"}"#).await;
    assert_eq!(result, Ok(NodeOutput::value(1).with_action("go")));
}

#[tokio::test]
async fn writes_of_an_answered_error_are_kept() {
    let body = r#"{"error": {"message": "no", "fatal": true}, "context": {"set": {"k": 1}}}"#;
    let server = Server::start(move |_| reply("200 OK", "", body)).await;
    let mut context = Given::default().context();
    let result = node(&server.address, "").run(&mut context).await;
    assert_eq!(result, Err(NodeError::fatal("no")));
    assert_eq!(context.into_writes(), [Write::Set("k".to_owned(), json!(1))]);
}

#[tokio::test]
async fn what_is_no_answer_is_fatal() {
    for (body, text) in [
        ("<html>", "answered 200, but what it sent is not JSON"),
        ("{\"a\":", "is not JSON"),
        ("\u{1b}[31m", "\\u{1b}[31m"),
        (r#"{"error": "no"}"#, "has text as `error` where an object belongs"),
        (r#"{"context": {"set": 1}}"#, "has a number as `context.set` where an object belongs"),
    ] {
        let error = answered_with("200 OK", body).await.unwrap_err();
        assert_eq!(error.severity, Severity::Fatal);
        assert!(error.message.contains(text), "{error}");
    }
}

#[tokio::test]
async fn the_code_decides_whether_to_try_again() {
    for (status, severity) in [
        ("408 Request Timeout", Severity::Ordinary),
        ("429 Too Many Requests", Severity::Ordinary),
        ("500 Internal Server Error", Severity::Ordinary),
        ("503 Service Unavailable", Severity::Ordinary),
        ("400 Bad Request", Severity::Fatal),
        ("401 Unauthorized", Severity::Fatal),
        ("404 Not Found", Severity::Fatal),
        ("304 Not Modified", Severity::Fatal),
    ] {
        let error = answered_with(status, "").await.unwrap_err();
        assert_eq!(error.severity, severity, "{status}");
        assert!(error.message.contains(&format!("answered {status}")), "{error}");
    }
    let error = answered("", |_| reply("429 Too Many Requests", "retry-after: 7\r\n", "slow down"));
    let text = error.await.unwrap_err().message;
    assert!(text.ends_with("429 Too Many Requests (Retry-After: 7): slow down"), "{text}");
}

#[tokio::test]
async fn an_error_is_told_though_its_body_never_ends() {
    let head = "HTTP/1.1 404 Not Found\r\ncontent-length: 100\r\n\r\nhalf";
    let error = answered("", move |_| Reply::ThenSilence(head.to_owned())).await.unwrap_err();
    assert!(error.message.ends_with("404 Not Found: half"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_down_is_an_ordinary_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = run(&node(&format!("{address}/secret-path"), "")).await.unwrap_err();
    assert_eq!(error.severity, Severity::Ordinary);
    assert!(error.message.starts_with(&format!("POST {address} can't be reached: ")), "{error}");
    assert!(!error.message.contains("secret-path"), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_too_long_is_an_ordinary_error() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1,";
    for text in ["", "HTTP/1.1 200", half] {
        let silence = move |_: &Received| Reply::ThenSilence(text.to_owned());
        let error = answered("timeout = '100ms'", silence).await.unwrap_err();
        assert_eq!(error.severity, Severity::Ordinary);
        assert!(error.message.ends_with("took longer than 100ms"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_ordinary_error() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1,";
    for text in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH\r\n\r\n", half] {
        let close = move |_: &Received| Reply::ThenClose(text.to_owned());
        let error = answered("", close).await.unwrap_err();
        assert_eq!(error.severity, Severity::Ordinary, "{text}: {error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = Server::start(move |_| Reply::Endless(head.to_owned())).await;
    let error = run(&node(&server.address, "")).await.unwrap_err();
    assert_eq!(error.severity, Severity::Fatal);
    assert!(error.message.contains("sent more than 16 MB"), "{error}");
    // What the sockets hold comes on top of what was read.
    assert!(server.megabytes() < 64, "{} MB were sent", server.megabytes());
}

#[tokio::test]
async fn an_answer_announced_as_too_large_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 500000000\r\n\r\n";
    let began = Instant::now();
    let silence = move |_: &Received| Reply::ThenSilence(head.to_owned());
    let error = answered("timeout = '20s'", silence).await.unwrap_err();
    assert!(error.message.contains("sent more than 16 MB"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// A server that sends on from `/n` to `/n+1`, up to `/last`.
async fn redirecting(last: usize) -> Server {
    Server::start(move |request| {
        let at: usize = request.path.trim_start_matches('/').parse().unwrap();
        if at == last {
            return reply("200 OK", "", "\"there\"");
        }
        reply("302 Found", &format!("location: /{}\r\n", at + 1), "")
    })
    .await
}

#[tokio::test]
async fn get_follows_a_few_redirects_and_nothing_else_does() {
    let server = redirecting(5).await;
    let get = |server: &Server| node(&format!("{}/0", server.address), "method = 'GET'");
    assert_eq!(run(&get(&server)).await, Ok(NodeOutput::value("there")));
    let server = redirecting(6).await;
    let error = run(&get(&server)).await.unwrap_err();
    assert_eq!((error.severity, server.received().len()), (Severity::Fatal, 6));
    assert!(error.message.contains("302 Found: this redirect to http://127.0.0.1"), "{error}");
    let server = redirecting(1).await;
    let error = run(&node(&format!("{}/0", server.address), "")).await.unwrap_err();
    assert_eq!((error.severity, server.received().len()), (Severity::Fatal, 1));
}

#[tokio::test]
async fn headers_are_not_taken_to_another_server() {
    let other = Server::start(|_| reply("200 OK", "", "\"there\"")).await;
    let location = format!("location: {}/?key=private\r\n", other.address);
    let server = Server::start(move |_| reply("307 Temporary Redirect", &location, "")).await;
    let secret = node(&server.address, "method = 'GET'\nheaders = { X-Key = 'abc' }");
    let error = run(&secret).await.unwrap_err();
    assert!(other.received().is_empty());
    assert!(error.message.contains(&format!("this redirect to {} is", other.address)), "{error}");
    let open = node(&server.address, "method = 'GET'");
    assert_eq!(run(&open).await, Ok(NodeOutput::value("there")));
}

#[tokio::test]
async fn errors_give_no_secret_away() {
    let repeat = |request: &Received| {
        let said = request.header("authorization").unwrap_or_default().to_owned();
        match request.path.as_str() {
            "/bad?key=query-secret" => reply("403 Forbidden", "", &format!("no right: {said}")),
            _ => reply("200 OK", "", &format!("<p>{said} {}", "x".repeat(1000))),
        }
    };
    let server = Server::start(repeat).await;
    let table = "headers = { Authorization = 'bearer ${CARGO_PKG_NAME}' }";
    for path in ["/bad?key=query-secret", "/junk?key=query-secret"] {
        let url = server.address.replace("//", "//me:user-secret@");
        let error = run(&node(&format!("{url}{path}"), table)).await.unwrap_err();
        for secret in ["flowcraft-tui", "query-secret", "user-secret", "me:"] {
            assert!(!error.message.contains(secret), "{error}");
        }
        assert!(error.message.contains("***"), "{error}");
        assert!(error.message.contains("POST http://127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_parameter_is_fatal_and_nothing_is_sent() {
    let server = Server::start(|_| reply("200 OK", "", "")).await;
    let node = node(&format!("{}/{{{{ params.channel }}}}", server.address), "");
    let error = run(&node).await.unwrap_err();
    assert_eq!(error.severity, Severity::Fatal);
    assert!(error.message.contains("params.channel"), "{error}");
    assert!(server.received().is_empty());
}
