#!/usr/bin/env bash
# Runs all tests: installs what they need (npm packages under tests/services, Redis by apt), starts
# the servers that stand in for Azure, and stops them again. Needs Cargo, a C compiler and Node.js;
# Python is used where it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n==> %s\n' "$*"
    "$@"
}

needs() {
    if ! command -v "$1" >/dev/null; then
        echo "$1 is not installed: $2" >&2
        exit 2
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

needs cargo "see https://rustup.rs"
needs cc "install gcc or clang"
needs node "install Node.js 20 or later"
needs npm "install Node.js 20 or later, with npm"

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -gt 0 ]; then
    needs apt-get "install ${missing[*]} by your system's package manager"
    step as_root apt-get update -qq
    step as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
fi
if [ tests/services/package-lock.json -nt tests/services/node_modules/.package-lock.json ]; then
    step npm ci --prefix tests/services --no-audit --no-fund
fi

with_servers=(node tests/services/start.mjs --redis-cluster --redis-tls --)

# The stand-ins behave as the services do.
step node --test tests/services/test/
# Unit tests, integration tests, documentation tests; examples are compiled.
step cargo test --locked
# Everything on real servers. These tests wait more than they work.
step "${with_servers[@]}" cargo test --locked --test azure -- --test-threads=4
# The state store once more, on a Cosmos DB server that others wrote.
step node tests/services/start.mjs --cosmos package -- cargo test --locked --test azure -- --test-threads=4 state:: conformance::
step cargo run --locked --quiet --example minimal
step node tests/services/start.mjs --variables -- cargo run --locked --quiet --example azure
# Each benchmark once, without measuring.
step "${with_servers[@]}" cargo test --locked --bench '*'
printf '\nAll tests passed.\n'
