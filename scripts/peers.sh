#!/bin/sh
# Fetches what `make bench` measures bandog beside, into target/peers/: servers from Debian's packages, unpacked and not
# installed, so that nothing is started, nothing starts with the machine, and nobody has to be root; and OSCAR's
# faas-supervisor in a Python environment. Quick when they are there. What can't be had is named and left out: the report
# says that it is absent.
#
#     scripts/peers.sh               all of them
#     scripts/peers.sh supervisor    faas-supervisor alone, which object storage is compared with, too
set -eu
cd "$(dirname "$0")/.."

packages='webhook lighttpd fcgiwrap nginx-light'
# Its own list of what it needs has a mistake ("webdavclient3==3.14.6requests"), so they are named here.
supervisor='faas-supervisor==1.5.8'
needs='webdavclient3==3.14.6 requests==2.34.2 boto3==1.44.8 setuptools==80.9.0 pyyaml==6.0.4'
peers=${CARGO_TARGET_DIR:-target}/peers

say() { echo "peers: $*" >&2; }

missing_programs() {
    for program in usr/bin/webhook usr/sbin/lighttpd usr/sbin/fcgiwrap usr/sbin/nginx; do
        [ -x "$peers/root/$program" ] || [ -x "/$program" ] || printf '%s ' "${program##*/}"
    done
}

# apt-get chooses the libraries that this machine lacks, too.
fetch_packages() {
    missing=$(missing_programs)
    [ -z "$missing" ] && return
    if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
        say "this is neither Debian nor Ubuntu; please install these programs: $missing"
        return
    fi
    say "fetching $packages"
    mkdir -p "$peers/archives/partial" "$peers/root"
    archives=$(cd "$peers/archives" && pwd)
    for package in $packages; do
        apt-get install --download-only --yes --quiet --no-install-recommends -o Debug::NoLocking=1 \
            -o "Dir::Cache::archives=$archives" "$package" >"$peers/log" 2>&1 ||
            say "apt-get has no $package: $(tail -n 1 "$peers/log")"
    done
    for archive in "$archives"/*.deb; do
        [ ! -e "$archive" ] || dpkg-deb --extract "$archive" "$peers/root"
    done
    missing=$(missing_programs)
    [ -z "$missing" ] || say "these are missing: $missing"
}

fetch_supervisor() {
    venv=$peers/venv
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$supervisor $needs" ] && "$venv/bin/python" -c 'import faassupervisor' && return
    # Debian's own interpreter comes first: it is the one python3-venv belongs to.
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    say "installing $supervisor under $venv"
    rm -rf "$venv"
    # shellcheck disable=SC2086 # a list of words
    if "$python" -m venv "$venv" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 $needs >&2 &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$supervisor" >&2; then
        # Compiled once, as its users have it.
        "$venv/bin/python" -m compileall -q "$venv/lib" >/dev/null || true
        echo "$supervisor $needs" > "$venv/stamp"
    else
        say "$supervisor could not be installed"
    fi
}

[ "${1:-}" = supervisor ] || fetch_packages
fetch_supervisor
