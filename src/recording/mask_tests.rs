//! What is masked, and what is not.
#![allow(clippy::unwrap_used)] // Tests.

use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;

fn masked(text: &str) -> String {
    Masker::default().text(text).into_owned()
}

#[test]
fn secrets_in_texts_are_masked() {
    let cases = [
        ("AccountName=shop;AccountKey=c2VjcmV0==;X=1", "AccountName=shop;AccountKey=***;X=1"),
        ("Endpoint=sb://x/;SharedAccessKey=abc+/=;", "Endpoint=sb://x/;SharedAccessKey=***;"),
        ("https://x.net/q?sv=1&sig=se%2Bcret&se=2", "https://x.net/q?sv=1&sig=***&se=2"),
        ("https://x.net/f?code=hunter2hunter2", "https://x.net/f?code=***"),
        ("SharedAccessSignature=sv=1&sig=abc", "SharedAccessSignature=***"),
        ("can't reach redis://:pa/ss@cache:6380/0 now", "can't reach redis://***@cache:6380/0 now"),
        ("rediss://me:secret@cache:6380", "rediss://***@cache:6380"),
        ("cache:6380,password=secret=,ssl=True", "cache:6380,password=***,ssl=True"),
        ("https://me:secret@example.com/a@b", "https://***@example.com/a@b"),
        ("got Bearer abcdefgh.ij-kl, sorry", "got Bearer ***, sorry"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
        ("curl -H 'Authorization: Bearer x y' http://a", "curl -H 'Authorization: ***' http://a"),
        ("auth basic dXNlcjpwYXNz ok", "auth basic *** ok"),
        ("a eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl b", "a *** b"),
        ("password: hunter2 and more", "password: *** and more"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("{bad json, \"api_key\": \"a\\\"b\", 1}", "{bad json, \"api_key\": \"***\", 1}"),
        (r#"sent {\"token\":\"abc\",\"a\":1}"#, r#"sent {\"token\":\"***\",\"a\":1}"#),
        ("tool --api-key hunter2 --fast", "tool --api-key *** --fast"),
        ("Set-Cookie: sid=1; Path=/\nnext", "Set-Cookie: ***\nnext"),
        ("key ghp_0123456789abcdefghij.", "key ***."),
        ("api key = hunter2", "api key = ***"),
        ("error=password: hunter2", "error=password: ***"),
        (r#"{"user":"me","password":"x"}"#, r#"{"user":"me","password":"***"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(masked(text), expected, "{text}");
        assert_eq!(masked(expected), expected, "masked twice: {text}");
    }
    let pem = "k: -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----.";
    assert_eq!(masked(pem), "k: ***.");
    assert_eq!(masked("-----BEGIN PRIVATE KEY-----\nMIIE"), "***", "a torn one");
    let key = STANDARD.encode([0xf3_u8; 64]);
    assert_eq!(masked(&format!("the key {key} is wrong")), "the key *** is wrong");
}

#[test]
fn everyday_texts_are_left_as_they_are() {
    for text in [
        "order-1234",
        "flowcraft:nodelock:order-4711:get-token",
        "worker:host-1#00000000000000ff",
        "basic validation failed: 3 of 5",
        "expected value at line 1 column 2",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "node \"charge\": no answer within 10s; will be tried again at 12:00:05",
        "https://example.com/users/@me?page=2&sort=name",
        "{\"a\": 1,   \"b\": [true]}",
        "SGVsbG8sIHdvcmxkISBIZWxsbyE=",
        "a-node-with-quite-a-long-name/and-more_of_it",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn values_are_masked_by_their_names() {
    let mut value = json!({
        "user": "me",
        "clientSecret": {"a": 1},
        "pin_token": 1234,
        "max_tokens": 4000,
        "has_token": true,
        "password": null,
        "list": [{"api-key": "x"}, "Bearer abcdefgh"],
        "Bearer abcdefgh": 1,
    });
    Masker::default().value(&mut value);
    let expected = json!({
        "user": "me",
        "clientSecret": "***",
        "pin_token": "***",
        "max_tokens": 4000,
        "has_token": true,
        "password": null,
        "list": [{"api-key": "***"}, "Bearer ***"],
        "Bearer ***": "***",
    });
    assert_eq!(value, expected);
}

#[test]
fn bodies_in_base64_are_masked_inside() {
    let body = STANDARD.encode(r#"{"runId":"r","password":"hunter2"}"#);
    let inside = STANDARD.decode(masked(&body)).unwrap();
    assert_eq!(inside, br#"{"runId":"r","password":"***"}"#);
    let twice = STANDARD.encode(format!(r#"{{"body":"{body}"}}"#));
    let outer: Value = serde_json::from_slice(&STANDARD.decode(masked(&twice)).unwrap()).unwrap();
    let inner = STANDARD.decode(outer["body"].as_str().unwrap()).unwrap();
    assert_eq!(inner, br#"{"runId":"r","password":"***"}"#);
    // Cut in the middle, and in the middle of a line.
    let torn = format!("a message {} was cut", &body[..body.len() - 7]);
    let shown = masked(&torn);
    let inside = shown.split(' ').nth(2).unwrap();
    let plain = unpack(inside).map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
    assert!(!plain.unwrap_or_default().contains("hunt"), "{shown}");
}

#[test]
fn configured_secrets_are_masked_wherever_they_are() {
    let masker = Masker::new([
        "AccountEndpoint=https://c.x/;AccountKey=zZ9-unusual;".to_owned(),
        "rediss://:p@ss/w0rd!@cache:6380".to_owned(),
        "tiny".to_owned(),
        "abc".to_owned(),
        "two\nlines-of-it".to_owned(),
    ]);
    let shown =
        masker.text("x zZ9-unusual y p@ss/w0rd! z p%40ss%2Fw0rd%21 tiny destiny abc lines-of-it");
    assert_eq!(shown, "x *** y *** z *** *** destiny abc ***");
    assert!(!format!("{masker:?}").contains("tiny"));
    let hidden = STANDARD.encode("here is zZ9-unusual in a text");
    let inside = STANDARD.decode(masker.text(&hidden).as_bytes()).unwrap();
    assert_eq!(inside, b"here is *** in a text");
}

#[test]
fn long_texts_are_cut_after_they_were_masked() {
    let mut value = json!(format!("{}password=hunter2 {}", "ü".repeat(2_040), "x".repeat(90_000)));
    Masker::default().value(&mut value);
    let text = value.as_str().unwrap();
    assert!(text.len() < TEXT_LIMIT + 40 && text.ends_with("bytes)"), "{}", text.len());
    assert!(!text.contains("hunter2"));
}
