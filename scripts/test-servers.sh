#!/bin/bash
# Runs the tests of bandog-storage with every storage server: SeaweedFS, WsgiDAV, Apache, Ceph and Rucio beside rclone and
# moto, with which `make test` runs. The first time it downloads 0.2 GB, and unpacks 0.7 GB under target/.
#
# With arguments those go to `cargo test` instead. Tests whose server is not installed are named at the end with the
# reason; with CI=true they fail.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
scripts/setup.sh --servers
reasons=${CARGO_TARGET_DIR:-target}/tmp/did-not-run.txt
rm -f "$reasons"
[ $# -gt 0 ] || set -- -p bandog-storage
result=0
BANDOG_TEST_SERVERS=all cargo test --locked --no-fail-fast "$@" || result=$?
if [ -s "$reasons" ]; then
    sort -u "$reasons" | sed 's/^\([^:]*\): /\1: did not run: /'
fi
exit "$result"
