#!/bin/sh
# Proves that a static binary needs no file but itself: `file` and `ldd` call it static, and it starts in a root
# directory that holds nothing else. One that is too large fails: it is copied into every image, and pulled with it.
#
#     scripts/check-static.sh            dist/bandog, of at most 12 MiB
#     scripts/check-static.sh minimal    dist/bandog-minimal, without default features, of at most 6.5 MiB
#
# A capability that needs more than a few KiB is a Cargo feature of the package bandog, on by default: its name stands in
# `default`, and it enables the optional crates and the features of crates that it takes
# (`jobs = ["dep:bandog-jobs", "bandog-service/jobs"]`). The minimal binary stays as small as it is.
set -eu
cd "$(dirname "$0")/.."

# CONTRIBUTING.md says how to find the crates and functions that a change added.
case ${1:-default} in
    default)
        binary=dist/bandog
        limit=$((12 * 1024 * 1024)) # bytes
        ;;
    minimal)
        binary=dist/bandog-minimal
        limit=$((13 * 512 * 1024)) # bytes
        ;;
    *)
        echo "check-static: unknown kind $1; it is default or minimal" >&2
        exit 2
        ;;
esac

fail() {
    echo "$binary: $*" >&2
    exit 1
}

kind=$(file -b "$binary")
case $kind in
    *static-pie\ linked* | *statically\ linked*) ;;
    *) fail "file says: $kind" ;;
esac
# ldd says "statically linked" (glibc 2.27 and later) or fails with "not a dynamic executable".
libraries=$(ldd "$binary" 2>&1) || true
case $libraries in
    *statically\ linked* | *not\ a\ dynamic\ executable*) ;;
    *) fail "ldd says: $libraries" ;;
esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp "$binary" "$root/bandog"
in_empty_root() {
    if [ "$(id -u)" = 0 ]; then
        chroot "$root" /bandog "$@"
    else
        unshare --map-root-user chroot "$root" /bandog "$@"
    fi
}
version=$(in_empty_root --version) || fail "--version fails in an empty root directory"
case $version in
    bandog\ *) ;;
    *) fail "--version in an empty root directory says: $version" ;;
esac
in_empty_root --help >/dev/null || fail "--help fails in an empty root directory"

size=$(stat -c %s "$binary")
mebibytes=$(awk "BEGIN { printf \"%.2f\", $size / 1048576 }")
echo "$binary: $version, static, starts in an empty root directory"
echo "$binary: $size bytes ($mebibytes MiB) of at most $limit"
[ "$size" -le "$limit" ] || fail "too large; cargo bloat shows which crates and functions it is made of"
