//! The real servers that these tests talk to.

use std::{io::Write as _, sync::OnceLock};

use serde_json::Value;

/// The variable by which the test command says where the servers are, as JSON.
const VARIABLE: &str = "FLOWCRAFT_TEST_SERVICES";

/// Where the servers are; nothing if this run of the tests has none, which is said once.
pub(crate) fn services() -> Option<&'static Value> {
    static SERVICES: OnceLock<Option<Value>> = OnceLock::new();
    SERVICES
        .get_or_init(|| {
            let Ok(text) = std::env::var(VARIABLE) else {
                // Past the test runner, which keeps what passing tests print to itself.
                let _ = writeln!(
                    std::io::stderr(),
                    "left out: everything on real servers. tests/run.sh starts them; it needs Node.js and Redis"
                );
                return None;
            };
            let services = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{VARIABLE} is not JSON: {error}"));
            Some(services)
        })
        .as_ref()
}

/// A text in what is known of the servers, such as `/cosmos/endpoint`.
pub(crate) fn text(services: &'static Value, pointer: &str) -> &'static str {
    services
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("the servers' description has no {pointer}"))
}
