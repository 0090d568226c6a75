use std::time::Duration;

use azure_core::http::{RawResponse, StatusCode, check_success, headers::Headers};

use super::{KEY, NOW, with_entra, with_key, with_signature};
use crate::{
    cluster::{
        Fault,
        azure::queue::{
            StorageConnection,
            fault::{Called, Problem},
        },
    },
    engine::Timestamp,
};

/// What the service answers.
#[derive(Default)]
struct Answer<'a> {
    status: u16,
    code: &'a str,
    headers: &'a [(&'static str, &'a str)],
    body: &'a str,
}

async fn classify(connection: &StorageConnection, now: Timestamp, answer: Answer<'_>) -> Problem {
    let mut headers = Headers::new();
    if !answer.code.is_empty() {
        headers.insert("x-ms-error-code", answer.code.to_owned());
    }
    for (name, value) in answer.headers {
        headers.insert(*name, (*value).to_owned());
    }
    let status = StatusCode::from(answer.status);
    let response = RawResponse::from_bytes(status, headers, answer.body.to_owned());
    let error = check_success(response, None).await.unwrap_err();
    Called { connection, queue: "flowcraft-jobs", now }.problem(&error)
}

async fn coded(connection: &StorageConnection, status: u16, code: &str) -> Problem {
    classify(connection, NOW, Answer { status, code, ..Answer::default() }).await
}

#[tokio::test]
async fn every_answer_has_its_fault_and_says_what_to_do() {
    let slow = Fault::Throttled { retry_after: None };
    let cases = [
        (404, "QueueNotFound", Fault::Refused, "flowcraft-tui provision"),
        (404, "MessageNotFound", Fault::ReceiptLost, "somebody else"),
        (400, "PopReceiptMismatch", Fault::ReceiptLost, "somebody else"),
        (404, "", Fault::Refused, "check that the endpoint"),
        (
            400,
            "OutOfRangeQueryParameterValue",
            Fault::Refused,
            "(400, OutOfRangeQueryParameterValue)",
        ),
        (302, "", Fault::Refused, "check that the endpoint"),
        (409, "QueueBeingDeleted", Fault::Unavailable, "still being deleted"),
        (429, "", slow.clone(), "wants fewer requests (429)"),
        (503, "ServerBusy", slow, "wants fewer requests (503, ServerBusy)"),
        (408, "", Fault::Unavailable, "(408)"),
        (500, "InternalError", Fault::Unavailable, "(500, InternalError)"),
        (500, "OperationTimedOut", Fault::Unavailable, "(500, OperationTimedOut)"),
        (502, "", Fault::Unavailable, "(502)"),
        (504, "", Fault::Unavailable, "(504)"),
    ];
    for (status, code, fault, part) in cases {
        let problem = coded(&with_key(), status, code).await;
        assert_eq!(problem.fault, fault, "{status} {code}");
        assert!(problem.detail.contains(part), "{status} {code}: {}", problem.detail);
    }
    let missing = coded(&with_key(), 404, "QueueNotFound").await.detail;
    assert!(missing.contains("\"shop\"") && missing.contains("\"flowcraft-jobs\""), "{missing}");
}

#[tokio::test]
async fn who_is_kept_out_is_told_why() {
    let cases = [
        (with_key(), 403, "AuthenticationFailed", "does not accept the key"),
        (with_key(), 403, "KeyBasedAuthenticationNotPermitted", "leave AccountKey out"),
        (with_key(), 403, "AuthorizationFailure", "network rules"),
        (with_key(), 403, "AccountIsDisabled", "is disabled"),
        (with_key(), 400, "AccountRequiresHttps", "check that the endpoint"),
        (with_signature(), 403, "AuthenticationFailed", "key behind it may have changed"),
        (with_signature(), 403, "AuthorizationPermissionMismatch", "does not allow this"),
        (with_signature(), 403, "AuthorizationProtocolMismatch", "wants https"),
        (with_signature(), 403, "AuthorizationSourceIPMismatch", "this machine's address"),
        (with_entra(), 403, "AuthorizationPermissionMismatch", "Storage Queue Data Contributor"),
        (with_entra(), 401, "InvalidAuthenticationInfo", "same tenant"),
        (with_entra(), 400, "InvalidAuthenticationInfo", "same tenant"),
        (with_entra(), 403, "", "does not accept the token"),
    ];
    for (connection, status, code, part) in cases {
        let problem = coded(&connection, status, code).await;
        assert_eq!(problem.fault, Fault::Refused, "{status} {code}");
        assert!(problem.detail.contains(part), "{status} {code}: {}", problem.detail);
    }
}

#[tokio::test]
async fn a_signature_that_expired_meanwhile_and_a_wrong_clock_are_recognised() {
    let kept_out = |headers: &'static [(&'static str, &'static str)]| Answer {
        status: 403,
        code: "AuthenticationFailed",
        headers,
        ..Answer::default()
    };
    let expired = Timestamp::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
    let problem = classify(&with_signature(), expired, kept_out(&[])).await;
    assert!(
        problem.detail.contains("expired at 2030-01-01T00:00:00.000Z; make a new one and restart"),
        "{}",
        problem.detail
    );
    // The service's clock decides, which is ten minutes ahead of ours here.
    let date = &[("date", "Tue, 01 Jan 2030 00:05:00 GMT")];
    let before = Timestamp::from_seconds(expired.seconds() - 300);
    let problem = classify(&with_signature(), before, kept_out(date)).await;
    assert!(problem.detail.contains("expired at"), "{}", problem.detail);

    for (seconds, part) in [
        (3600, "this machine's clock is 1h ahead of the service's"),
        (-1200, "this machine's clock is 20m behind the service's"),
        (600, "does not accept the key"),
    ] {
        let there = Timestamp::parse_rfc3339("2030-01-01T00:05:00Z").unwrap();
        let now = Timestamp::from_seconds(there.seconds() + seconds);
        let problem = classify(&with_key(), now, kept_out(date)).await;
        assert_eq!(problem.fault, Fault::Refused);
        assert!(problem.detail.contains(part), "{}", problem.detail);
    }
}

#[tokio::test]
async fn the_service_says_when_to_ask_again() {
    for (headers, expected) in [
        (&[("retry-after", "7")], Some(Duration::from_secs(7))),
        (&[("retry-after-ms", "250")], Some(Duration::from_millis(250))),
        (&[("x-ms-retry-after-ms", "90")], Some(Duration::from_millis(90))),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "-3")], None),
        (&[("retry-after", "Fri, 09 Oct 2009 21:04:30 GMT")], Some(Duration::ZERO)),
    ] {
        for status in [429, 503] {
            let answer = Answer { status, headers, ..Answer::default() };
            let problem = classify(&with_key(), NOW, answer).await;
            assert_eq!(problem.fault, Fault::Throttled { retry_after: expected }, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_receipt_of_a_wrong_form_is_one_that_is_lost() {
    let body = "<?xml version=\"1.0\"?><Error><Code>InvalidQueryParameterValue</Code>\
                <QueryParameterName>popreceipt</QueryParameterName></Error>";
    let answer = |body| Answer {
        status: 400,
        code: "InvalidQueryParameterValue",
        body,
        ..Answer::default()
    };
    let problem = classify(&with_key(), NOW, answer(body)).await;
    assert_eq!(problem.fault, Fault::ReceiptLost);
    let other = body.replace("popreceipt", "visibilitytimeout");
    let problem = classify(&with_key(), NOW, answer(&other)).await;
    assert_eq!(problem.fault, Fault::Refused);
}

#[tokio::test]
async fn what_the_service_says_in_words_is_not_repeated() {
    let body = format!(
        "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>The MAC signature found in \
         the HTTP request 'c2VjcmV0' is not the same as any computed signature: {KEY}\
         </AuthenticationErrorDetail></Error>"
    );
    for status in [400, 403, 404, 409, 429, 500, 503] {
        for code in ["", "AuthenticationFailed", "not a code c2VjcmV0"] {
            let answer = Answer { status, code, body: &body, ..Answer::default() };
            let problem = classify(&with_signature(), NOW, answer).await;
            for secret in ["c2Vj", KEY, "MAC"] {
                assert!(!problem.detail.contains(secret), "{status} {code}: {}", problem.detail);
            }
        }
    }
}
