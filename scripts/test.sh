#!/bin/bash
# Sets the machine up, runs every test, and ends with a summary that tells what did not run, and why.
#
# A test that can't run here (no Docker engine, say) writes its reason to target/tmp/did-not-run.txt and passes; with
# CI=true it fails instead, and so does a test that is ignored. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
# Cargo tells the tests this directory as CARGO_TARGET_TMPDIR.
reasons=$target/tmp/did-not-run.txt
log=$target/test.log

scripts/setup.sh
mkdir -p "$target/tmp"
rm -f "$reasons"

# Made before the clock of any test runs, since the image tests need both.
if docker info >/dev/null 2>&1; then
    scripts/build.sh
    scripts/base-image.sh >/dev/null
fi

result=0
cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || result=$?

count() { awk -v what="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" what) n += $(i - 1) } END { print n + 0 }' "$log"; }
images() { grep -c "^test images::.* \.\.\. $1" "$log" || true; }

echo
echo "summary"
echo "  tests: $(count passed) passed, $(count failed) failed, $(count ignored) ignored"
if grep -q '^image tests: ' "$reasons" 2>/dev/null; then
    sed -n 's/^image tests: /  image tests: did not run: /p' "$reasons" | sort -u
elif [ "$(images FAILED)" != 0 ]; then
    echo "  image tests: ran ($(images ok) passed, $(images FAILED) failed)"
elif [ "$(images ok)" != 0 ]; then
    echo "  image tests: ran ($(images ok) passed)"
else
    echo "  image tests: did not run: not among the tests of this run"
fi
if [ -s "$reasons" ]; then
    grep -v '^image tests: ' "$reasons" | sort -u | sed 's/^\([^:]*\): /  \1: did not run: /' || true
fi
if [ "$(count ignored)" != 0 ]; then
    sed -n 's/^test \(.*\) \.\.\. ignored\(.*\)/  ignored: \1\2/p' "$log"
    [ "${CI:-}" != true ] || [ "$result" != 0 ] || result=1
fi
if [ "$result" = 0 ]; then
    echo "  everything that ran passed"
elif [ "$(count failed)" = 0 ] && [ "$(count ignored)" = 0 ]; then
    echo "  cargo test failed with status $result: see above"
else
    sed -n 's/^test \(.*\) \.\.\. FAILED$/  failed: \1/p' "$log"
fi
exit "$result"
