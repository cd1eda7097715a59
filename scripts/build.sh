#!/bin/sh
# Builds the static release binary into dist/bandog: the one that goes into images, whatever C library they have.
# Quick when nothing changed, so that whoever needs the binary just calls this.
#
# The gnu target with crt-static is what every Rust installation has. Where the musl target is installed,
# STATIC_TARGET=x86_64-unknown-linux-musl builds with that.
set -eu
cd "$(dirname "$0")/.."

# What cargo tells a test about its package would tell the build scripts of dependencies that their package has changed,
# and a test that calls this would build all of it again.
for name in $(env | sed -n 's/^\(CARGO_PKG_[A-Z_]*\|CARGO_MANIFEST_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

target=${STATIC_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
# Frame pointers take a fifth off the tables that unwinding needs, and let `perf` find callers.
flags="-C target-feature=+crt-static -C force-frame-pointers=yes"
# A position-independent binary relocates itself at each start. In the packed form (DT_RELR) that table takes 4 KiB
# instead of 300; the C library has to know the form, glibc does from 2.36 on (its NEWS).
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p') || true
case $target in
    *-linux-gnu)
        if [ -n "$glibc" ] && [ "$(printf '%s\n' 2.36 "$glibc" | sort -V | head -n 1)" = 2.36 ]; then
            flags="$flags -C link-arg=-Wl,-z,pack-relative-relocs"
        fi
        ;;
esac
# An explicit --target keeps the flags away from build scripts and procedural macros, which can't be static.
RUSTFLAGS="$flags" cargo build --quiet --locked --release --target "$target" --bin bandog
built=${CARGO_TARGET_DIR:-target}/$target/release/bandog

mkdir -p dist
if ! cmp -s "$built" dist/bandog; then
    # Renamed into place: a container or a test may be starting the old one right now.
    cp "$built" "dist/bandog.$$"
    mv "dist/bandog.$$" dist/bandog
fi
