//! Runs that our workers share with JavaScript workers: real ones, each a Node.js process on the
//! `flowcraft` package, with their client, reconciler and what they do wrong.
//!
//! What is promised: every shared run ends, no output of ours is lost while one of our workers that
//! knows it lives, and each node runs once but for those whose outputs nobody has any more. The
//! outputs are right, but for a node that the JavaScript worker runs while an output before it is
//! gone because a JavaScript write went over it: what that node gives can't be told from a right
//! result. A JavaScript worker does that to its own outputs whenever it does two jobs of a run at
//! once; these tests have it do one at a time, and its log says where it ran a node so.

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
