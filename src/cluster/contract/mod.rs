//! What every cluster must do, as tests: each guarantee in the documentation of the three traits
//! is a case here, and every implementation passes them all.
//!
//! [`cluster_contract!`](crate::cluster_contract) makes a test of each case. The cases fail by
//! panicking, as tests do. They wait whole seconds, few of them, so that they also suit services
//! whose time can't be moved by hand; and they use fresh ids, so that several can share a service
//! (only the queues must be theirs alone).

// These are tests, though they are compiled for the library: they may panic, and need no list of
// when they do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod coordination;
pub mod documents;
mod manual_clock;
pub mod queue;
mod random;
pub mod statuses;

use std::{any::Any, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::{manual_clock::ManualClock, random::empty_document};
use super::{Cluster, Fault, Result};

/// Lets time pass for a cluster.
#[async_trait]
pub trait PassTime: Send + Sync {
    /// Returns once the cluster's clock has gone on by `duration`.
    async fn pass(&self, duration: Duration);
}

/// Passes time by sleeping: real time, or tokio's where that is paused.
#[derive(Debug, Clone, Copy)]
pub struct Sleeping;

#[async_trait]
impl PassTime for Sleeping {
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A cluster under test.
pub struct Subject {
    /// The cluster, its queues empty.
    pub cluster: Cluster,
    /// Lets its time pass.
    pub time: Arc<dyn PassTime>,
    /// Whatever must live as long as the cluster, such as its folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl Subject {
    async fn pass_seconds(&self, seconds: u64) {
        self.time.pass(Duration::from_secs(seconds)).await;
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// An id that no other case has.
fn fresh(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn assert_fault<T: fmt::Debug>(result: Result<T>, fault: &Fault) {
    match result {
        Ok(value) => panic!("expected {fault:?}, but it succeeded: {value:?}"),
        Err(error) => assert_eq!(error.fault, *fault, "{error}"),
    }
}

/// Makes a test of each case of the contract.
///
/// `cluster_contract!(#[tokio::test] setup)`, where `setup` is an `async fn() -> Subject`, or
/// `-> Option<Subject>` where it may lack what it needs. Before it, `on_one_machine:` adds the cases
/// that no remote service can pass or that take days. `only queue:` (or `state:`, `coordination:`)
/// makes those of one service.
#[doc(hidden)]
#[macro_export]
macro_rules! cluster_contract {
    (on_one_machine: #[$test:meta] $setup:path) => {
        $crate::cluster_contract!(#[$test] $setup);
        $crate::cluster_contract! { @tests #[$test] $setup,
            queue: a_delay_is_cut_to_seven_days, bodies_may_hold_any_character;
        }
        $crate::cluster_contract! { @tests #[$test] $setup,
            documents: numbers_of_64_bits_are_kept;
        }
        $crate::cluster_contract! { @tests #[$test] $setup,
            statuses: small_pages_of_changes_miss_nothing;
        }
    };
    (#[$test:meta] $setup:path) => {
        $crate::cluster_contract!(only queue: #[$test] $setup);
        $crate::cluster_contract!(only state: #[$test] $setup);
        $crate::cluster_contract!(only coordination: #[$test] $setup);
    };
    (only queue: #[$test:meta] $setup:path) => {
        $crate::cluster_contract! { @tests #[$test] $setup,
            queue:
                a_sent_message_is_received_as_it_was_sent,
                a_received_message_is_hidden_until_its_visibility_ends,
                a_receipt_is_void_once_somebody_else_has_received,
                a_receipt_is_good_after_its_time_while_nobody_else_has_received,
                a_receipt_is_void_after_every_update,
                a_forged_receipt_is_void,
                a_deleted_message_never_comes_back,
                a_renewed_message_stays_hidden,
                a_hidden_message_has_its_new_body,
                a_delayed_message_is_not_received_before_its_time,
                peek_leaves_messages,
                depth_counts_all_and_dates_the_visible,
                receive_gives_no_more_than_asked_for,
                the_lanes_are_apart,
                receivers_at_once_share_the_messages,
                send_all_sends_all;
        }
    };
    (only state: #[$test:meta] $setup:path) => {
        $crate::cluster_contract! { @tests #[$test] $setup,
            documents:
                a_document_is_read_as_it_was_created,
                a_document_is_created_once,
                a_commit_needs_the_current_version,
                a_known_version_is_answered_by_unchanged,
                an_unknown_version_is_answered_by_the_whole,
                of_writers_at_once_one_wins,
                no_commit_is_lost_among_writers_that_try_again,
                changes_lead_to_the_whole,
                what_is_removed_is_gone_and_may_return,
                a_document_that_is_too_large_changes_nothing,
                names_and_values_may_hold_any_character;
        }
        $crate::cluster_contract! { @tests #[$test] $setup,
            statuses:
                a_status_is_read_as_it_was_written,
                a_status_is_created_once,
                a_replacement_needs_the_current_version,
                of_status_writers_at_once_one_wins,
                lists_begin_with_the_newest_start,
                lists_hold_what_the_query_asks_for,
                changes_are_listed_oldest_first,
                marks_never_miss_a_change;
        }
    };
    (only coordination: #[$test:meta] $setup:path) => {
        $crate::cluster_contract! { @tests #[$test] $setup,
            coordination:
                a_lease_has_one_holder,
                a_lease_ends_unless_renewed,
                a_renewed_lease_goes_on,
                a_lost_lease_is_neither_renewed_nor_released,
                a_mark_that_is_no_workers_gives_way,
                a_lock_is_broken_only_with_its_value,
                of_workers_at_once_one_gets_the_lease,
                a_key_is_set_once_in_its_time,
                counters_count_exactly,
                a_counter_lives_from_its_last_increment,
                removed_keys_are_gone,
                locks_are_listed_soonest_first,
                heartbeats_end,
                keys_and_values_may_hold_any_character;
        }
    };
    (@tests #[$test:meta] $setup:path, $area:ident: $($case:ident),+;) => {
        $(
            #[$test]
            async fn $case() {
                let subject = Option::<$crate::cluster::contract::Subject>::from($setup().await);
                if let Some(subject) = subject {
                    $crate::cluster::contract::$area::$case(&subject).await;
                }
            }
        )+
    };
}
