#!/bin/bash
# Makes sure that the image the Docker tests build upon is there, and prints its name.
#
# CI has an engine but no registry to pull from, so the image is a small Debian made with debootstrap from the mirror
# that apt on this machine is configured with. It takes a minute or two; the result is kept as an image and as a
# tarball under the user's cache directory. To be rid of both:
#     docker rmi bandog-base:CODENAME && rm -r "${XDG_CACHE_HOME:-$HOME/.cache}/bandog"
# BASE_IMAGE=NAME uses an image of your own instead (Debian-like: sh, coreutils, util-linux).
# Who may not debootstrap (it needs root) gets the public Debian image by `docker pull`.
set -euo pipefail

say() { echo "base image: $*" >&2; }
is_there() { docker image inspect "$1" >/dev/null 2>&1; }

if [ -n "${BASE_IMAGE:-}" ]; then
    is_there "$BASE_IMAGE" || docker pull -q "$BASE_IMAGE" >&2
    echo "$BASE_IMAGE"
    exit
fi

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
image=bandog-base:$codename
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bandog
tarball=$cache/base-$codename.tar
mkdir -p "$cache"

# Two test runs at once must not both make it.
exec 9>"$cache/lock"
flock 9

# The first repository apt knows for this release; its format (sources.list or deb822) is apt's own business.
mirror() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$codename" '$2 == release && $3 == "main" { print $1; exit }'
}

bootstrap() {
    local mirror proxy work
    mirror=$(mirror)
    [ -n "$mirror" ] || { say "apt knows no repository for $codename"; return 1; }
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy 2>/dev/null || true)
    [ -z "$proxy" ] || export http_proxy=$proxy
    work=$(mktemp -d "$cache/bootstrap.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now, not of then
    trap "rm -rf '$work'" EXIT
    say "running debootstrap for $codename (once; then it is cached in $tarball)"
    debootstrap --variant=minbase "$codename" "$work/root" "$mirror" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        say "debootstrap failed"
        return 1
    }
    # What only a package manager reads is half of the size.
    rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/{doc,man,locale}/*
    tar --numeric-owner --one-file-system -C "$work/root" -cf "$work/base.tar" .
    mv "$work/base.tar" "$tarball"
}

if ! is_there "$image"; then
    if [ ! -f "$tarball" ] && [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
        bootstrap
    fi
    if [ -f "$tarball" ]; then
        say "importing $tarball"
        docker import --change 'CMD ["/bin/sh"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            "$tarball" "$image" >/dev/null
    else
        say "not root, so no debootstrap; pulling Debian instead"
        docker pull -q debian:bookworm-slim >&2
        docker tag debian:bookworm-slim "$image"
    fi
fi
echo "$image"
