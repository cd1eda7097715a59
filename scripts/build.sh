#!/bin/sh
# Builds the static release binary that goes into images, whatever C library they have. Quick when nothing changed, so
# that a script that needs the binary just calls this.
#
#     scripts/build.sh            dist/bandog, with all default features
#     scripts/build.sh minimal    dist/bandog-minimal, without them, in a target directory of its own
#
# The gnu target with crt-static is what every Rust installation has. Where the musl target is installed,
# STATIC_TARGET=x86_64-unknown-linux-musl builds with that.
set -eu
cd "$(dirname "$0")/.."

kind=${1:-default}
case $kind in
    default | minimal) ;;
    *)
        echo "build: unknown kind $kind; it is default or minimal" >&2
        exit 2
        ;;
esac

# What cargo tells a test about its package would tell the build scripts of dependencies that their package has changed,
# and a test that calls this would build all of it again.
for name in $(env | sed -n 's/^\(CARGO_PKG_[A-Z_]*\|CARGO_MANIFEST_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

triple=${STATIC_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
# Frame pointers take a fifth off the tables that unwinding needs, and let `perf` find callers.
flags="-C target-feature=+crt-static -C force-frame-pointers=yes"
# A position-independent binary relocates itself at each start. In the packed form (DT_RELR) that table takes 4 KiB
# instead of 300; the C library has to know the form, glibc does from 2.36 on (its NEWS).
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p') || true
case $triple in
    *-linux-gnu)
        if [ -n "$glibc" ] && [ "$(printf '%s\n' 2.36 "$glibc" | sort -V | head -n 1)" = 2.36 ]; then
            flags="$flags -C link-arg=-Wl,-z,pack-relative-relocs"
        fi
        ;;
esac

target=${CARGO_TARGET_DIR:-target}
if [ "$kind" = minimal ]; then
    # Dependencies that are the same with and without default features are taken from the default build: a copy is
    # fresh for cargo, and only crates that a feature changes are built again.
    if [ ! -d "$target/minimal/$triple/release" ] && [ -d "$target/$triple/release" ]; then
        mkdir -p "$target/minimal/$triple"
        cp -a --reflink=auto "$target/$triple/release" "$target/minimal/$triple/release"
        # Build scripts and procedural macros, which are for the host.
        [ ! -d "$target/release" ] || cp -a --reflink=auto "$target/release" "$target/minimal/release"
    fi
    set -- --no-default-features --target-dir "$target/minimal"
    built=$target/minimal/$triple/release/bandog
    binary=dist/bandog-minimal
else
    set --
    # The size of this binary does not matter as much: these are on the way of each request.
    for crate in bandog-http bandog-process bandog-runtime bandog-service regex-lite; do
        set -- "$@" --config "profile.release.package.$crate.opt-level='s'"
    done
    set -- "$@" --config profile.release.package.zlib-rs.opt-level=3
    built=$target/$triple/release/bandog
    binary=dist/bandog
fi
# An explicit --target keeps the flags away from build scripts and procedural macros, which can't be static.
RUSTFLAGS="$flags" cargo build --quiet --locked --release --target "$triple" --package bandog --bin bandog "$@"

mkdir -p dist
if ! cmp -s "$built" "$binary"; then
    # Renamed into place: a container or a test may be starting the old one right now.
    cp "$built" "$binary.$$"
    mv "$binary.$$" "$binary"
fi
