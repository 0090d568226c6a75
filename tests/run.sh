#!/usr/bin/env bash
# Runs all tests. Needs Cargo and a C compiler (for the bundled SQLite), nothing else; Python is
# used where it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n==> %s\n' "$*"
    "$@"
}

if ! command -v cargo >/dev/null; then
    echo "cargo is not installed: see https://rustup.rs" >&2
    exit 2
fi
if ! command -v cc >/dev/null; then
    echo "there is no C compiler (cc): install gcc or clang" >&2
    exit 2
fi

# Unit tests, integration tests, documentation tests; examples are compiled.
step cargo test --locked
step cargo run --locked --quiet --example minimal
# Each benchmark once, without measuring.
if compgen -G 'benches/*.rs' >/dev/null; then
    step cargo test --locked --bench '*'
fi
printf '\nAll tests passed.\n'
