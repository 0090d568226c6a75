#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn table(text: &str) -> Result<NodeDefinition, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
}

fn exec(text: &str) -> ExecDefinition {
    match table(&format!("kind = 'exec'\ncommand = ['sh']\n{text}")) {
        Ok(NodeDefinition::Exec(definition)) => definition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tables_of_the_documentation_are_read() {
    let definition = table(
        "kind = 'exec'
        command = ['python3', 'extract.py']
        mode = 'persistent'
        processes = 4
        env = { MODEL = 'small' }
        timeout = '30s'",
    );
    let expected = ExecDefinition {
        command: vec!["python3".to_owned(), "extract.py".to_owned()],
        mode: Mode::Persistent,
        processes: Some(4),
        env: BTreeMap::from([("MODEL".to_owned(), Secret::new("small"))]),
        timeout: Some(Duration::from_secs(30)),
        send: Part::ALL.to_vec(),
    };
    assert_eq!(definition, Ok(NodeDefinition::Exec(expected)));
    let definition = table(
        "kind = 'http'
        method = 'POST'
        url = 'https://example.com/hooks/{{ params.channel }}'
        headers = { Authorization = 'Bearer ${NOTIFY_TOKEN}' }
        timeout = '10s'",
    );
    let expected = HttpDefinition {
        method: Method::Post,
        url: UrlTemplate::parse("https://example.com/hooks/{{ params.channel }}").unwrap(),
        headers: BTreeMap::from([(
            "Authorization".to_owned(),
            Secret::new("Bearer ${NOTIFY_TOKEN}"),
        )]),
        timeout: Some(Duration::from_secs(10)),
        send: Part::ALL.to_vec(),
    };
    assert_eq!(definition, Ok(NodeDefinition::Http(expected)));
}

#[test]
fn what_is_left_out_has_a_default() {
    let definition = exec("");
    assert_eq!((definition.mode, definition.processes), (Mode::Persistent, None));
    assert_eq!((definition.timeout, &definition.send[..]), (None, &Part::ALL[..]));
    assert_eq!(exec("mode = 'per-job'").mode, Mode::PerJob);
    assert_eq!(exec("send = ['input']").send, [Part::Input]);
    assert_eq!(exec("timeout = '1m 30s'").timeout, Some(Duration::from_secs(90)));
    let Ok(NodeDefinition::Http(definition)) = table("kind = 'http'\nurl = 'http://h'") else {
        panic!("a url is enough")
    };
    assert_eq!(definition.method, Method::Post);
}

#[test]
fn a_wrong_table_is_refused_with_a_reason() {
    for (text, reason) in [
        ("command = ['a']", "missing field `kind`"),
        ("kind = 'shell'", "unknown variant `shell`, expected `exec` or `http`"),
        ("kind = 'exec'", "a node of kind exec needs `command`"),
        ("kind = 'http'", "a node of kind http needs `url`"),
        (
            "kind = 'exec'\ncomand = ['a']",
            "unknown key `comand` in a node of kind exec: did you mean `command`?",
        ),
        (
            "kind = 'exec'\ncommand = ['a']\nzzz = 1",
            "unknown key `zzz` in a node of kind exec: it has kind, command, mode, processes, env, \
             timeout, send",
        ),
        (
            "kind = 'http'\nurl = 'http://h'\nprocesses = 2",
            "unknown key `processes` in a node of kind http: it has kind, method, url, headers, \
             timeout, send",
        ),
        (
            "kind = 'exec'\ncommand = []",
            "`command` is empty: give the program and its arguments, as [\"program\", \"argument\"]",
        ),
        (
            "kind = 'exec'\ncommand = ['a']\nprocesses = 0",
            "`processes` must be from 1 to 1024, not 0",
        ),
        ("kind = 'exec'\ncommand = ['a']\ntimeout = '0s'", "a timeout must be longer than nothing"),
        (
            "kind = 'exec'\ncommand = ['a']\nmode = 'once'",
            "unknown variant `once`, expected `persistent` or `per-job`",
        ),
        (
            "kind = 'exec'\ncommand = ['a']\nsend = ['everything']",
            "unknown variant `everything`, expected one of `input`, `context`, `outputs`",
        ),
        (
            "kind = 'http'\nurl = 'ftp://h'",
            "`url`: ftp:// can't be called: use http:// or https://",
        ),
        (
            "kind = 'http'\nurl = 'http://h/{{ channel }}'",
            "`url`: write a parameter as {{ params.NAME }}",
        ),
    ] {
        assert_eq!(table(text).unwrap_err(), reason, "{text}");
    }
    let error = table("kind = 'exec'\ncommand = ['a']\ntimeout = 'soon'").unwrap_err();
    assert!(error.starts_with("\"soon\" is not a time: write it as \"30s\""), "{error}");
}

#[test]
fn neither_debug_nor_what_is_printed_shows_secrets() {
    let definition = table(
        "kind = 'http'
        url = 'https://me:private@h/p?key=private'
        headers = { X = 'private' }
        timeout = '90s'",
    )
    .unwrap();
    assert!(!format!("{definition:?}").contains("private"));
    assert_eq!(
        serde_json::to_value(&definition).unwrap(),
        json!({
            "kind": "http", "method": "POST", "url": "https://***@h/p?***",
            "headers": {"X": "***"}, "timeout": "1m 30s", "send": ["input", "context", "outputs"],
        })
    );
    assert!(!format!("{:?}", exec("env = { X = 'private' }")).contains("private"));
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_place() {
    let environment = BTreeMap::from([("SET", "value-of-it")]);
    let error = |text: &str| {
        let built = table(text).unwrap().build_in("n", Path::new("."), &environment);
        built.err().map(|error| match std::error::Error::source(&error) {
            Some(_) => error.to_string(),
            None => format!("without a source: {error}"),
        })
    };
    let text = "kind = 'exec'\ncommand = ['sh']\nenv = { A = '${SET}', B = '${MISSING}' }";
    assert_eq!(
        error(text).unwrap(),
        "[nodes.n] env.B: the environment variable MISSING is not set: set it, or take ${MISSING} \
         out"
    );
    let text = "kind = 'http'\nurl = 'http://h'\nheaders = { A = '${SET}${MISSING}' }";
    assert!(
        error(text).unwrap().starts_with("[nodes.n] headers.A: the environment variable MISSING")
    );
    assert_eq!(error("kind = 'http'\nurl = 'http://h'\nheaders = { A = '${SET}' }"), None);
}

#[test]
fn headers_that_can_not_be_sent_are_refused_without_their_value() {
    let error = |headers: &str| {
        let text = format!("kind = 'http'\nurl = 'http://h'\nheaders = {headers}");
        table(&text).unwrap().build("n", Path::new(".")).err().unwrap().to_string()
    };
    assert_eq!(error("{ 'a b' = 'private' }"), "[nodes.n] headers.a b: not a header's name");
    let value = error("{ A = \"private\\n\" }");
    assert!(value.starts_with("[nodes.n] headers.A: the value has characters"), "{value}");
    assert!(!value.contains("private"));
}
