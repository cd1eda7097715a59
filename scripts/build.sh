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
# An explicit --target keeps the flags away from build scripts and procedural macros, which can't be static.
RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --locked --release --target "$target" --bin bandog
built=${CARGO_TARGET_DIR:-target}/$target/release/bandog

mkdir -p dist
if ! cmp -s "$built" dist/bandog; then
    # Renamed into place: a container or a test may be starting the old one right now.
    cp "$built" "dist/bandog.$$"
    mv "dist/bandog.$$" dist/bandog
fi
