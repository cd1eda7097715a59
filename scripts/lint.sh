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
# The benchmark is a crate of its own; its tests are few and quick.
benches="--manifest-path benches/Cargo.toml"
target=${CARGO_TARGET_DIR:-target}/bench-build
# shellcheck disable=SC2086 # two words
{
    cargo fmt $benches -- --check
    cargo clippy --locked $benches --target-dir "$target" --all-targets -- -D warnings
    cargo test --quiet --locked $benches --target-dir "$target"
}
if have shellcheck; then
    shellcheck scripts/*.sh .ci/run
fi
if have cargo-deny; then
    cargo deny --locked check bans licenses sources
    # Their database is never fetched here; deny.toml says how to have it without a network.
    if ls -d "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/advisory-db-* >/dev/null 2>&1; then
        cargo deny --locked --offline check advisories
    else
        echo "lint: there is no advisory database, so known holes were not looked for (see deny.toml)"
    fi
fi

# Cargo says so itself when it packages: which versions were withdrawn is in the registry's index.
said=$(cargo package --workspace --locked --no-verify --allow-dirty 2>&1) || {
    echo "$said" >&2
    exit 1
}
if echo "$said" | grep 'is yanked'; then
    echo "lint: Cargo.lock names a withdrawn version; cargo update -p NAME takes another" >&2
    exit 1
fi
if have cargo-machete; then
    cargo machete
fi
