//! The `flowcraft-tui` program.

fn main() {}
