//! Runs that our workers share with JavaScript workers: real ones, each a Node.js process on the
//! `flowcraft` package, with their client, reconciler and what they do wrong.
//!
//! What is promised, whenever a JavaScript worker does one job of a run at a time: every run ends; no
//! output is lost while one of our workers that knows it lives, and where none does, the nodes run
//! again; each node runs once otherwise. The outputs are right, but for what a JavaScript worker makes
//! of a node that it runs in the seconds between its own write over an output of ours and our putting
//! that back: nobody can tell it from a right result. Its log says where it did so.
//!
//! Where it does two jobs of a run at a time it loses its own outputs, and can say that a run has
//! completed of which it lost one: nobody else knew that output, and such a run is only mended when
//! somebody reconciles it by name.
//!
//! The servers' Redis is shared by all tests: ids of runs are those of one test alone.

mod alone;
mod cost;
mod flavours;
mod joins;
mod overwrites;
mod process;
mod reconcilers;
mod scene;
mod shared;
mod split;
mod statuses;
