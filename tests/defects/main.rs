//! What the JavaScript workers got wrong, each with a test that says what is right. The names carry
//! the rows of the list of defects.
//!
//! Left out because they are about services that the embedded cluster does not have: C3 (a missing
//! container of Cosmos DB), C4 except for plain JSON messages (its items as a JavaScript client
//! writes them), D-1 (how its queries compare times). B1 to B3 (writes that race) are what the
//! simulation is about.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/registry.rs"]
mod registry;
// Each of the programs that share it uses a part of it.
#[allow(dead_code)]
#[path = "../support/stage.rs"]
mod stage;
// Likewise.
#[allow(dead_code)]
#[path = "../support/tampered.rs"]
mod tampered;

mod delivery;
mod failing;
mod flow;
mod reconciler;
mod values;
mod waiting;
