#!/bin/sh
# Fuzzes every target below fuzz/fuzz_targets for FUZZ_SECONDS (60), stopping at the first crash. That takes cargo-fuzz
# and a nightly toolchain; without them the committed corpus is replayed by plain tests, as every `make test` does.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}

replay() {
    echo "fuzz: $1, so only the committed corpus is replayed"
    exec cargo test --locked --lib -- corpus no_configuration_input
}

cargo fuzz --version >/dev/null 2>&1 || replay "cargo-fuzz is not installed (cargo install cargo-fuzz)"
cargo +nightly --version >/dev/null 2>&1 || replay "there is no nightly toolchain (rustup toolchain install nightly)"

for target in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$target" .rs)
    echo "fuzz: $target for $seconds s"
    # What the fuzzer finds goes into the first directory; the committed corpus is only read.
    found=${CARGO_TARGET_DIR:-target}/fuzz/$target
    mkdir -p "$found"
    cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- -max_total_time="$seconds"
done
