//! The dashboard as an operator sees it: rendered screens, key by key journeys, hostile input.
#![allow(clippy::unwrap_used)] // Tests.

mod fixture;
mod show;
