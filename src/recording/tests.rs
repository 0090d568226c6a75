//! Recordings written and read again.
#![allow(clippy::unwrap_used)] // Tests.

mod bounds;
mod masking;
mod round_trip;
mod stage;
