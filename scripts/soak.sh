#!/bin/sh
# The chaos soak (tests/soak/main.rs) against the release binary: SOAK_SECONDS of traffic (120), and a quarter of that
# before it to warm up. The driver is built as tests are, since only bandog's own speed and memory matter.
set -eu
cd "$(dirname "$0")/.."

if [ -z "${SOAK_BINARY:-}" ]; then
    scripts/build.sh
    SOAK_BINARY=$PWD/dist/bandog
fi
export SOAK_BINARY
exec cargo test --quiet --locked --test soak
