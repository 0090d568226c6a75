//! The dashboard as an operator sees it: rendered screens, journeys key by key, hostile input.
#![allow(clippy::unwrap_used)] // Tests.

mod explaining;
mod faces;
mod fixture;
mod forms;
mod graphs;
mod hostile;
mod journeys;
mod kin;
mod letters;
mod lists;
mod picture;
mod replay;
mod screens;
mod styles;
mod warnings;
