#!/bin/sh
# Proves that dist/bandog needs no file but itself: `file` and `ldd` call it static, and it starts in a root directory
# that holds nothing else. One of more than 6.5 MiB fails: it is copied into every image, and pulled with it.
set -eu
cd "$(dirname "$0")/.."

binary=dist/bandog
limit=$((13 * 512 * 1024)) # bytes; CONTRIBUTING.md says how to find what a change added

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
