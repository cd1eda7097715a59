#!/bin/sh
# Formatting and lints. Tools that may be missing on a developer's machine are named when they are, not demanded.
set -eu
cd "$(dirname "$0")/.."

have() {
    command -v "$1" >/dev/null 2>&1 || {
        echo "lint: $1 is not installed, so its checks did not run"
        return 1
    }
}

cargo fmt --all -- --check
cargo clippy --locked --all-targets -- -D warnings
if have shellcheck; then
    shellcheck scripts/*.sh .ci/run
fi
if have cargo-deny; then
    # Without the advisories: their database may be out of reach, and a new advisory is no fault of the commit.
    cargo deny --locked check bans licenses sources
fi
if have cargo-machete; then
    cargo machete
fi
