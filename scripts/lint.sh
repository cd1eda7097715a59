#!/bin/sh
# Formatting, lints and the rules of the house. Every check runs, whatever the others find; those that failed are named
# at the end. Tools that may be missing on a developer's machine are named when they are, not demanded.
set -eu
cd "$(dirname "$0")/.."

failed=

# check NAME COMMAND…
check() {
    name=$1
    shift
    "$@" || failed="$failed${failed:+, }$name"
}

have() {
    command -v "$1" >/dev/null 2>&1 || {
        echo "lint: $1 is not installed, so its checks did not run"
        return 1
    }
}

# The benchmark is a crate of its own; its tests are few and quick.
benches="--manifest-path benches/Cargo.toml"
benches_target=${CARGO_TARGET_DIR:-target}/bench-build

# Cargo says so itself when it packages: which versions were withdrawn is in the registry's index.
withdrawn_versions() {
    said=$(cargo package --workspace --locked --no-verify --allow-dirty 2>&1) || {
        echo "$said" >&2
        return 1
    }
    if echo "$said" | grep 'is yanked'; then
        echo "lint: Cargo.lock names a withdrawn version; cargo update -p NAME takes another" >&2
        return 1
    fi
}

check "format" cargo fmt --all -- --check
check "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
# shellcheck disable=SC2086 # two words
{
    check "format of benches" cargo fmt $benches -- --check
    check "clippy of benches" cargo clippy --locked $benches --target-dir "$benches_target" --all-targets -- -D warnings
    check "tests of benches" cargo test --quiet --locked $benches --target-dir "$benches_target"
}
# The rules that no compiler checks: circles of imports, words, sizes, layers, tests that documents name.
if have python3; then
    said=$(scripts/house.py --all) || failed="$failed${failed:+, }house ($(echo "$said" | sed -n 's/^house: failed: //p'))"
    echo "$said"
    check "tests of house.py" python3 -B -m unittest discover --quiet -s scripts -t scripts
fi
if have shellcheck; then
    check "shellcheck" shellcheck scripts/*.sh findings/*.sh .ci/run
fi
if have cargo-deny; then
    check "cargo-deny" cargo deny --locked --workspace check bans licenses sources
    # Their database is never fetched here; deny.toml says how to have it without a network.
    if ls -d "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/advisory-db-* >/dev/null 2>&1; then
        check "advisories" cargo deny --locked --offline --workspace check advisories
    else
        echo "lint: there is no advisory database, so known holes were not looked for (see deny.toml)"
    fi
fi
check "withdrawn versions" withdrawn_versions
if have cargo-machete; then
    check "cargo-machete" cargo machete
fi

if [ -n "$failed" ]; then
    echo "lint: FAILED: $failed" >&2
    exit 1
fi
echo "lint: passed"
