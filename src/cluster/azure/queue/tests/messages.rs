use std::time::Duration;

use azure_core::Bytes;

use crate::cluster::{
    Fault, MAX_VISIBILITY,
    azure::queue::{
        Unreadable,
        messages::{check, content, deliveries, number, peeked, seconds},
        provision::{clock_ahead, unreadable},
    },
};
use crate::engine::Timestamp;

/// The answer to a receive that holds what was sent.
fn answer_with(body: &str) -> String {
    let sent = Bytes::from(content(body.to_owned()).unwrap().body());
    let sent = std::str::from_utf8(&sent).unwrap();
    let text = sent.split_once("<MessageText").unwrap().1;
    let text = text.strip_suffix("</QueueMessage>").unwrap();
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<QueueMessagesList>\n  <QueueMessage>\
         <MessageId>5974b586</MessageId>\
         <InsertionTime>Fri, 09 Oct 2009 21:04:30 GMT</InsertionTime>\
         <ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime>\
         <PopReceipt>YzQ4Yzg1MDI+Lw==</PopReceipt>\
         <TimeNextVisible>Fri, 09 Oct 2009 23:29:20 GMT</TimeNextVisible>\
         <DequeueCount>3</DequeueCount><MessageText{text}</QueueMessage>\n</QueueMessagesList>"
    )
}

#[test]
fn bodies_survive_the_way_through_xml() {
    let large = "<&>".repeat(21_845);
    for body in [
        "",
        " ",
        "  a \n\n",
        "a\r\nb\rc\t",
        "<![CDATA[x]]>",
        "&amp;&#13;&lt;",
        "\"'`é漢字🦀\u{85}\u{2028}\u{7f}\u{feff}",
        "</MessageText>",
        large.as_str(),
    ] {
        check(body).unwrap();
        let answer = answer_with(body);
        let received = deliveries(answer.as_bytes()).unwrap();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].body, body);
        let peeked = peeked(answer.as_bytes()).unwrap();
        assert_eq!(peeked[0].body, body);
    }
}

#[test]
fn a_received_message_has_its_receipt_its_age_and_its_count() {
    let delivery = deliveries(answer_with("x").as_bytes()).unwrap().remove(0);
    assert_eq!(delivery.receipt.message_id, "5974b586");
    assert_eq!(delivery.receipt.pop_receipt, "YzQ4Yzg1MDI+Lw==");
    assert_eq!(delivery.dequeue_count, 3);
    assert_eq!(Some(delivery.inserted_at), Timestamp::parse_rfc3339("2009-10-09T21:04:30Z"));
}

#[test]
fn an_empty_list_is_one_and_anything_else_is_not() {
    for empty in
        ["<QueueMessagesList />", "<?xml version=\"1.0\"?><QueueMessagesList></QueueMessagesList>"]
    {
        assert_eq!(deliveries(empty.as_bytes()).unwrap(), []);
        assert_eq!(peeked(empty.as_bytes()).unwrap(), []);
    }
    let without_receipt = answer_with("hidden text").replace("PopReceipt", "Receipt");
    for odd in [
        "",
        "<html>sign in, hidden text</html>",
        "<QueueMessagesList><QueueMessage>hidden text",
        "<QueueMessagesList><QueueMessage><MessageText>hidden text</MessageText></QueueMessage></QueueMessagesList>",
        &without_receipt,
    ] {
        let problem = deliveries(odd.as_bytes()).unwrap_err();
        assert_eq!(problem.fault, Fault::Corrupt, "{odd}");
        assert!(!problem.detail.contains("hidden text"), "{}", problem.detail);
    }
}

#[test]
fn bodies_that_the_service_would_refuse_are_not_sent() {
    let limit = 64 * 1024;
    check(&"x".repeat(limit)).unwrap();
    // Bytes count, not characters.
    for body in ["x".repeat(limit + 1), "é".repeat(limit / 2 + 1)] {
        let fault = Fault::TooLarge { bytes: body.len(), limit };
        assert_eq!(check(&body).unwrap_err().fault, fault);
    }
    for c in ["\0", "\u{1}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
        let problem = check(c).unwrap_err();
        assert_eq!(problem.fault, Fault::Refused);
        assert!(problem.detail.contains("base64"), "{}", problem.detail);
    }
    for c in ["\t", "\n", "\r", "\u{7f}", "\u{fffd}", "\u{10000}", "\u{10ffff}"] {
        check(c).unwrap();
    }
}

#[test]
fn times_are_whole_seconds_and_never_shorter_than_asked_for() {
    let week = 7 * 24 * 3600;
    for (asked, given) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(1500), 2),
        (Duration::from_secs(60), 60),
        (MAX_VISIBILITY, week),
        (MAX_VISIBILITY + Duration::from_nanos(1), week),
        (Duration::MAX, week),
    ] {
        assert_eq!(seconds(asked), given, "{asked:?}");
    }
    assert_eq!(
        [0, 1, 32, 33, usize::MAX].map(number),
        [None, Some(1), Some(32), Some(32), Some(32)]
    );
}

#[test]
fn messages_of_other_encodings_are_told_apart() {
    for (body, expected) in [
        ("eyJydW5JZCI6IjEifQ==", None),
        ("{\"runId\":\"1\"}", None),
        (" {} ", None),
        ("hello", Some(Unreadable::Text)),
        ("<xml/>", Some(Unreadable::Text)),
        ("", Some(Unreadable::EncodedText)),
        ("aGVsbG8=", Some(Unreadable::EncodedText)),
        ("gACBCg==", Some(Unreadable::Binary)),
    ] {
        assert_eq!(unreadable(body), expected, "{body:?}");
    }
}

#[test]
fn a_clock_is_compared_with_the_middle_of_the_second_that_the_service_shows() {
    let there = Timestamp::from_seconds(100);
    assert_eq!(clock_ahead(Timestamp::from_millis(100_500), there), 0);
    assert_eq!(clock_ahead(Timestamp::from_millis(130_500), there), 30_000);
    assert_eq!(clock_ahead(Timestamp::from_millis(99_000), there), -1500);
}
