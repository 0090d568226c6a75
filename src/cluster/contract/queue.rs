//! The cases of the job queue.

#![allow(missing_docs)] // The names of the cases say it.

use std::{collections::BTreeSet, time::Duration};

use super::{Subject, assert_fault, seconds};
use crate::cluster::{Delivery, Fault, JobQueue, Lane, MAX_RECEIVE, MAX_VISIBILITY, Receipt};

async fn send(queue: &dyn JobQueue, body: &str) {
    queue.send(Lane::Jobs, body.to_owned(), Duration::ZERO).await.unwrap();
}

/// The one message that is visible.
async fn receive_one(queue: &dyn JobQueue, visibility: Duration) -> Delivery {
    let mut deliveries = queue.receive(Lane::Jobs, MAX_RECEIVE, visibility).await.unwrap();
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

async fn assert_nothing_visible(queue: &dyn JobQueue) {
    assert_eq!(queue.receive(Lane::Jobs, MAX_RECEIVE, seconds(30)).await.unwrap(), []);
}

async fn assert_void(queue: &dyn JobQueue, receipt: &Receipt) {
    assert_fault(queue.renew(Lane::Jobs, receipt, seconds(30)).await, &Fault::ReceiptLost);
    let body = "overwritten".to_owned();
    assert_fault(queue.hide(Lane::Jobs, receipt, body, seconds(30)).await, &Fault::ReceiptLost);
    assert_fault(queue.delete(Lane::Jobs, receipt).await, &Fault::ReceiptLost);
}

pub async fn a_sent_message_is_received_as_it_was_sent(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    let sent_at = subject.cluster.clock.now();
    let large = "x".repeat(64 * 1024);
    for body in ["{\"runId\":\"1\"}", "a <b> & \"c\" 'd' \\ % \n é 漢字 🦀", &large] {
        send(queue, body).await;
        let delivery = receive_one(queue, seconds(30)).await;
        assert_eq!(delivery.body, body);
        assert_eq!(delivery.dequeue_count, 1);
        // A service has its own clock and may show whole seconds.
        assert!(sent_at.since(delivery.inserted_at) < seconds(60));
        assert!(delivery.inserted_at.since(sent_at) < seconds(60));
        queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
    }
}

pub async fn bodies_may_hold_any_character(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    for body in ["", "a\0b\0", "\u{1}\u{7f}\u{feff}\r\n", "'; DROP TABLE messages; --"] {
        send(queue, body).await;
        assert_eq!(queue.peek(Lane::Jobs, 1).await.unwrap()[0].body, body);
        let delivery = receive_one(queue, seconds(30)).await;
        assert_eq!(delivery.body, body);
        queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
    }
}

pub async fn a_received_message_is_hidden_until_its_visibility_ends(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "once").await;
    let first = receive_one(queue, seconds(3)).await;
    assert_nothing_visible(queue).await;
    subject.pass_seconds(1).await;
    assert_nothing_visible(queue).await;
    subject.pass_seconds(3).await;
    let second = receive_one(queue, seconds(3)).await;
    assert_eq!(second.body, "once");
    assert_eq!(second.dequeue_count, 2);
    assert_eq!(second.receipt.message_id, first.receipt.message_id);
    assert_ne!(second.receipt.pop_receipt, first.receipt.pop_receipt);
}

pub async fn a_receipt_is_void_once_somebody_else_has_received(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "taken over").await;
    let first = receive_one(queue, seconds(1)).await;
    subject.pass_seconds(2).await;
    let second = receive_one(queue, seconds(30)).await;
    assert_void(queue, &first.receipt).await;
    queue.delete(Lane::Jobs, &second.receipt).await.unwrap();
    assert_void(queue, &second.receipt).await;
}

pub async fn a_receipt_is_good_after_its_time_while_nobody_else_has_received(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "late").await;
    let delivery = receive_one(queue, seconds(1)).await;
    subject.pass_seconds(2).await;
    let renewed = queue.renew(Lane::Jobs, &delivery.receipt, seconds(30)).await.unwrap();
    assert_nothing_visible(queue).await;
    queue.delete(Lane::Jobs, &renewed).await.unwrap();
}

pub async fn a_receipt_is_void_after_every_update(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "updated").await;
    let received = receive_one(queue, seconds(30)).await.receipt;
    let renewed = queue.renew(Lane::Jobs, &received, seconds(30)).await.unwrap();
    assert_void(queue, &received).await;
    let body = "again".to_owned();
    let hidden = queue.hide(Lane::Jobs, &renewed, body, seconds(30)).await.unwrap();
    assert_void(queue, &renewed).await;
    queue.delete(Lane::Jobs, &hidden).await.unwrap();
    assert_void(queue, &hidden).await;
}

pub async fn a_forged_receipt_is_void(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "mine").await;
    let message_id = queue.peek(Lane::Jobs, 1).await.unwrap().remove(0).message_id;
    for pop_receipt in ["", "0", "1", "AgAAAAMAAAAAAAAA", "\u{1F980}"] {
        let receipt =
            Receipt { message_id: message_id.clone(), pop_receipt: pop_receipt.to_owned() };
        assert_fault(queue.delete(Lane::Jobs, &receipt).await, &Fault::ReceiptLost);
    }
    let elsewhere = receive_one(queue, seconds(30)).await.receipt;
    assert_fault(queue.delete(Lane::Poison, &elsewhere).await, &Fault::ReceiptLost);
    queue.delete(Lane::Jobs, &elsewhere).await.unwrap();
}

pub async fn a_deleted_message_never_comes_back(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "gone").await;
    let delivery = receive_one(queue, seconds(1)).await;
    queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
    subject.pass_seconds(3).await;
    assert_nothing_visible(queue).await;
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 0);
}

pub async fn a_renewed_message_stays_hidden(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "long").await;
    let mut receipt = receive_one(queue, seconds(4)).await.receipt;
    for _ in 0..3 {
        subject.pass_seconds(2).await;
        receipt = queue.renew(Lane::Jobs, &receipt, seconds(4)).await.unwrap();
        assert_nothing_visible(queue).await;
    }
    subject.pass_seconds(5).await;
    // Renewing does not count as receiving.
    assert_eq!(receive_one(queue, seconds(4)).await.dequeue_count, 2);
}

pub async fn a_hidden_message_has_its_new_body(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    send(queue, "before").await;
    let delivery = receive_one(queue, seconds(30)).await;
    let body = "after, and longer than before".to_owned();
    queue.hide(Lane::Jobs, &delivery.receipt, body.clone(), seconds(2)).await.unwrap();
    assert_nothing_visible(queue).await;
    subject.pass_seconds(3).await;
    let again = receive_one(queue, seconds(30)).await;
    assert_eq!((again.body, again.dequeue_count), (body, 2));
    queue
        .hide(Lane::Jobs, &again.receipt, "visible at once".to_owned(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(receive_one(queue, seconds(30)).await.body, "visible at once");
}

pub async fn a_delayed_message_is_not_received_before_its_time(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    queue.send(Lane::Jobs, "later".to_owned(), seconds(3)).await.unwrap();
    assert_nothing_visible(queue).await;
    assert_eq!(queue.peek(Lane::Jobs, MAX_RECEIVE).await.unwrap(), []);
    subject.pass_seconds(4).await;
    let delivery = receive_one(queue, seconds(30)).await;
    assert_eq!((delivery.body.as_str(), delivery.dequeue_count), ("later", 1));
}

pub async fn a_delay_is_cut_to_seven_days(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    queue.send(Lane::Jobs, "much later".to_owned(), Duration::MAX).await.unwrap();
    subject.time.pass(MAX_VISIBILITY.saturating_sub(seconds(1))).await;
    assert_nothing_visible(queue).await;
    subject.pass_seconds(2).await;
    let delivery = receive_one(queue, Duration::MAX).await;
    subject.time.pass(MAX_VISIBILITY.saturating_sub(seconds(1))).await;
    assert_nothing_visible(queue).await;
    queue.renew(Lane::Jobs, &delivery.receipt, Duration::MAX).await.unwrap();
    subject.time.pass(MAX_VISIBILITY + seconds(1)).await;
    assert_eq!(receive_one(queue, seconds(1)).await.dequeue_count, 2);
}

pub async fn peek_leaves_messages(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    for number in 0..40 {
        send(queue, &number.to_string()).await;
    }
    assert_eq!(queue.peek(Lane::Jobs, 0).await.unwrap(), []);
    assert_eq!(queue.peek(Lane::Jobs, 5).await.unwrap().len(), 5);
    let peeked = queue.peek(Lane::Jobs, 100).await.unwrap();
    assert_eq!(peeked.len(), MAX_RECEIVE);
    assert!(peeked.iter().all(|message| message.dequeue_count == 0));
    let ids: BTreeSet<_> = peeked.iter().map(|message| &message.message_id).collect();
    assert_eq!(ids.len(), MAX_RECEIVE, "each once");
    let received = queue.receive(Lane::Jobs, MAX_RECEIVE, seconds(30)).await.unwrap();
    assert!(received.iter().all(|delivery| delivery.dequeue_count == 1));
    assert_eq!(queue.peek(Lane::Jobs, 100).await.unwrap().len(), 40 - MAX_RECEIVE);
}

pub async fn depth_counts_all_and_dates_the_visible(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    let empty = queue.depth(Lane::Jobs).await.unwrap();
    assert_eq!((empty.messages, empty.oldest), (0, None));
    send(queue, "first").await;
    let first_sent = queue.peek(Lane::Jobs, 1).await.unwrap()[0].inserted_at;
    subject.pass_seconds(2).await;
    send(queue, "second").await;
    queue.send(Lane::Jobs, "delayed".to_owned(), seconds(600)).await.unwrap();
    let depth = queue.depth(Lane::Jobs).await.unwrap();
    assert_eq!((depth.messages, depth.oldest), (3, Some(first_sent)));
    let mut first = queue.receive(Lane::Jobs, 1, seconds(600)).await.unwrap().remove(0);
    if first.body == "first" {
        let depth = queue.depth(Lane::Jobs).await.unwrap();
        assert_eq!(depth.messages, 3);
        assert!(depth.oldest.unwrap() > first_sent);
        receive_one(queue, seconds(600)).await;
    } else {
        // Any order is allowed.
        first = receive_one(queue, seconds(600)).await;
    }
    let depth = queue.depth(Lane::Jobs).await.unwrap();
    assert_eq!((depth.messages, depth.oldest), (3, None));
    queue.delete(Lane::Jobs, &first.receipt).await.unwrap();
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 2);
}

pub async fn receive_gives_no_more_than_asked_for(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    for number in 0..40 {
        send(queue, &number.to_string()).await;
    }
    assert_eq!(queue.receive(Lane::Jobs, 0, seconds(30)).await.unwrap(), []);
    assert_eq!(queue.receive(Lane::Jobs, 3, seconds(30)).await.unwrap().len(), 3);
    assert_eq!(queue.receive(Lane::Jobs, 1000, seconds(30)).await.unwrap().len(), MAX_RECEIVE);
    assert_eq!(queue.receive(Lane::Jobs, 1000, seconds(30)).await.unwrap().len(), 5);
    assert_nothing_visible(queue).await;
}

pub async fn the_lanes_are_apart(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    queue.send(Lane::Poison, "bad".to_owned(), Duration::ZERO).await.unwrap();
    assert_nothing_visible(queue).await;
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 0);
    assert_eq!(queue.depth(Lane::Poison).await.unwrap().messages, 1);
    let delivery = queue.receive(Lane::Poison, 1, seconds(30)).await.unwrap().remove(0);
    assert_eq!(delivery.body, "bad");
    queue.delete(Lane::Poison, &delivery.receipt).await.unwrap();
    assert_eq!(queue.depth(Lane::Poison).await.unwrap().messages, 0);
}

pub async fn receivers_at_once_share_the_messages(subject: &Subject) {
    let queue = &subject.cluster.queue;
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    queue.send_all(Lane::Jobs, bodies.clone()).await.unwrap();
    let receivers: Vec<_> = (0..20)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let deliveries = queue.receive(Lane::Jobs, 7, seconds(300)).await.unwrap();
                    if deliveries.is_empty() {
                        return mine;
                    }
                    for delivery in deliveries {
                        queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
                        mine.push(delivery.body);
                    }
                }
            })
        })
        .collect();
    let mut received = Vec::new();
    for receiver in receivers {
        received.extend(receiver.await.unwrap());
    }
    assert_eq!(received.len(), bodies.len(), "none twice");
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), bodies.into_iter().collect());
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 0);
}

pub async fn send_all_sends_all(subject: &Subject) {
    let queue = &*subject.cluster.queue;
    queue.send_all(Lane::Jobs, Vec::new()).await.unwrap();
    assert_nothing_visible(queue).await;
    let bodies: BTreeSet<String> = (0..30).map(|number| format!("body {number}")).collect();
    queue.send_all(Lane::Jobs, bodies.iter().cloned().collect()).await.unwrap();
    let received = queue.receive(Lane::Jobs, MAX_RECEIVE, seconds(30)).await.unwrap();
    assert_eq!(received.into_iter().map(|delivery| delivery.body).collect::<BTreeSet<_>>(), bodies);
}
