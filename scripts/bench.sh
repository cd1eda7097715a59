#!/bin/sh
# Measures bandog beside the limit and beside what a user could pick instead; see benches/README.md. Writes report.md,
# report.json and the plots to target/bench/.
#
#     BENCH_SHORT=1        a minute of everything, to see that it works; its figures mean nothing
#     BENCH_ONLY=A,B       only these kinds of work
#     BENCH_ROUNDS=N       counted rounds (9)
#     BENCH_README=1       also puts the table and the plots into docs/performance.md, and four figures into README.md
set -eu
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
if [ -z "${BANDOG:-}" ]; then
    scripts/build.sh
    BANDOG=dist/bandog
fi
# What the report calls absent is named here, too.
case ,${BENCH_ONLY:-peers}, in
    *,peers,*) scripts/peers.sh ;;
    *,storage,*) scripts/peers.sh supervisor ;;
esac
cargo build --quiet --locked --release --manifest-path benches/Cargo.toml --target-dir "$target/bench-build"

export BANDOG BENCH_OUTPUT="${BENCH_OUTPUT:-$target/bench}" BENCH_DISK="${BENCH_DISK:-$target/bench}" \
    BENCH_PEERS="${BENCH_PEERS:-$target/peers}"
exec "$target/bench-build/release/bandog-bench"
