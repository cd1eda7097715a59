#!/bin/bash
# Sets the machine up and runs every test of the workspace, stage by stage with its seconds: set-up, builds, the unit
# tests of each crate, the integration tests of each suite, the examples in documentation. Ends with a summary that says
# which tests did not run, and why.
#
# A stage prints one line; the output of its tests goes to target/test.log, and to the terminal if it fails.
#
# A test that can't run here (no Docker engine, say) writes its reason to target/tmp/did-not-run.txt and passes; with
# CI=true it fails instead, and so does a test that is ignored. With arguments there is one stage of tests: they go to
# `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
# Cargo tells the tests this directory as CARGO_TARGET_TMPDIR.
reasons=$target/tmp/did-not-run.txt
log=$target/test.log
output=$target/test-stage.log
mkdir -p "$target/tmp"
rm -f "$reasons"
: >"$log"

# How many tests a log has in a state: passed, failed or ignored.
count() { awk -v state="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" state) n += $(i - 1) } END { print n + 0 }' "$2"; }

result=0
stages_failed=()

# stage NAME COMMAND…: prints the name, then the tests and seconds that it took; shows its output if it fails.
stage() {
    local name=$1 began=$SECONDS status=0 tests=
    shift
    printf '  %-46s' "$name"
    "$@" >"$output" 2>&1 </dev/null || status=$?
    cat "$output" >>"$log"
    if grep -q '^test result:' "$output"; then
        tests="$(count passed "$output") passed"
        [ "$(count failed "$output")" = 0 ] || tests="$tests, $(count failed "$output") failed"
    fi
    printf '%5d s  %s\n' $((SECONDS - began)) "$tests"
    if [ "$status" != 0 ]; then
        cat "$output"
        printf '  %s: FAILED with status %d\n' "$name" "$status"
        stages_failed+=("$name")
        result=$status
    fi
    return "$status"
}

# Ends here: the stages that follow need this one.
needed() { stage "$@" || exit "$result"; }

echo "stages"
needed "set-up" scripts/setup.sh
# Made before the clock of any test runs, since the image tests need both.
if docker info >/dev/null 2>&1; then
    needed "static binary" scripts/build.sh
    needed "base image" scripts/base-image.sh
fi

cargo_test() { cargo test --locked --no-fail-fast "$@"; }

# One line for each group of test targets: a name, a tab, the arguments that select it.
targets() {
    cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    name, units = package["name"], []
    for target in package["targets"]:
        kinds = target["kind"]
        if target["test"] and "test" in kinds:
            print("{}\t-p {} --test {}".format(target["name"], name, target["name"]))
        elif target["test"] and "bin" in kinds:
            units.append("--bin " + target["name"])
        elif target["test"] and ("lib" in kinds or "proc-macro" in kinds):
            units.append("--lib")
    if units:
        print("unit tests of {}\t-p {} {}".format(name, name, " ".join(units)))
' | sort --reverse
}

# How many tests the log has so far, whatever became of them.
ran() { echo $(($(count passed "$log") + $(count failed "$log") + $(count ignored "$log"))); }

# suites NAME SELECTION…: every suite of one binary of tests, which is a module at its top; tests outside of one together.
# A binary whose tests do not all run fails, so that none is ever lost by its selection.
suites() {
    local name=$1 all suite tests before listed
    shift
    before=$(ran)
    all=$(cargo_test --quiet "$@" -- --list --format terse 2>>"$log" | sed -n 's/: test$//p')
    while read -r suite; do
        if [ "$suite" = "$name" ]; then
            mapfile -t tests < <(grep -v :: <<<"$all")
        else
            mapfile -t tests < <(grep "^$suite::" <<<"$all")
        fi
        stage "$name: $suite" cargo_test "$@" -- --exact "${tests[@]}" || true
    done < <(awk -F :: -v name="$name" '{ print (NF > 1 ? $1 : name) }' <<<"$all" | sort -u)
    listed=$(grep -c . <<<"$all" || true)
    if [ "$listed" = 0 ] || [ $(($(ran) - before)) != "$listed" ]; then
        printf '  %s: %d of %d tests ran\n' "$name" $(($(ran) - before)) "$listed"
        stages_failed+=("$name: $(($(ran) - before)) of $listed tests ran")
        [ "$result" != 0 ] || result=1
    fi
}

if [ $# -gt 0 ]; then
    stage "cargo test $*" cargo_test "$@" || true
else
    needed "build of the tests" cargo_test --workspace --no-run
    groups=$(targets)
    while IFS=$'\t' read -r name selection; do
        read -ra selection <<<"$selection"
        case $name in
            "unit tests"*) stage "$name" cargo_test "${selection[@]}" || true ;;
            *) suites "$name" "${selection[@]}" ;;
        esac
    done <<<"$groups"
    stage "examples in documentation" cargo_test --workspace --doc || true
fi

images() { grep -c "^test images::.* \.\.\. $1" "$log" || true; }

echo
echo "summary"
if grep -q '^image tests: ' "$reasons" 2>/dev/null; then
    sed -n 's/^image tests: /  image tests: did not run: /p' "$reasons" | sort -u
elif [ "$(images FAILED)" != 0 ]; then
    echo "  image tests: ran ($(images ok) passed, $(images FAILED) failed)"
elif [ "$(images ok)" != 0 ]; then
    echo "  image tests: ran ($(images ok) passed)"
else
    echo "  image tests: did not run: not among the tests of this run"
    if [ $# = 0 ] && [ "${CI:-}" = true ] && [ "$result" = 0 ]; then
        result=1
    fi
fi
if [ -s "$reasons" ]; then
    grep -v '^image tests: ' "$reasons" | sort -u | sed 's/^\([^:]*\): /  \1: did not run: /' || true
fi
if [ "$(count ignored "$log")" != 0 ]; then
    sed -n 's/^test \(.*\) \.\.\. ignored\(.*\)/  ignored: \1\2/p' "$log"
    [ "${CI:-}" != true ] || [ "$result" != 0 ] || result=1
fi
sed -n 's/^test \(.*\) \.\.\. FAILED$/  failed: \1/p' "$log"
for name in "${stages_failed[@]}"; do
    echo "  failed stage: $name"
done
[ "$result" != 0 ] || echo "  everything that ran passed"
echo "  took $SECONDS s; every test's line is in $log"
echo "tests: $(count passed "$log") passed, $(count failed "$log") failed"
exit "$result"
