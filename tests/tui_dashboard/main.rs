//! The dashboard as an operator sees it: rendered screens, journeys key by key, hostile input.
#![allow(clippy::unwrap_used)] // Tests.

mod fixture;
mod graphs;
mod hostile;
mod journeys;
mod screens;
mod styles;
