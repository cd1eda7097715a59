#!/bin/bash
# Two Rust crates for media types that do not fit together: the type of one leads to another extension in the other.
#
# Packages:  mime_guess 2.0.5 (extension → media type) and mime2ext 0.1.54 (media type → extension)
# Behaviour: mime_guess calls `.tgz` application/x-compressed, and for that mime2ext knows `.rar`. `.eps` comes back as
#            `.ai`, `.mov` as `.qt`, `.aac` as `.adts`, `.mp3` as `.mpga`, `.deb` as `.bin`; `.flac`, `.m4a` and `.yaml`
#            come back as nothing.
# Guess:     both are made from the public lists of media types, so that common extensions survive the way there and
#            back, or at least stay within their format.
# bandog:    the first names the type of a file that a function leaves, the second the input file of a request; so the
#            output of one function is the input of the next. A table in `filename.rs` corrects the usual ones.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "round-trip"
version = "0.0.0"
edition = "2021"

[dependencies]
mime_guess = { version = "=2.0.5", default-features = false }
mime2ext = "=0.1.54"

[workspace]
END
cat >"$work/src/main.rs" <<'END'
fn main() {
    for extension in ["png", "pdf", "zip", "tgz", "eps", "mov", "aac", "mp3", "deb", "flac", "m4a", "yaml"] {
        let media_type = mime_guess::from_ext(extension).first_raw().unwrap_or("-");
        println!("{extension} {media_type} {}", mime2ext::mime2ext(media_type).unwrap_or("-"));
    }
}
END
(cd "$work" && CARGO_TARGET_DIR="$work/target" cargo run --quiet) >"$work/seen"

diff -u - "$work/seen" <<'END' || { echo "mime-crates-round-trip: changed" >&2; exit 1; }
png image/png png
pdf application/pdf pdf
zip application/zip zip
tgz application/x-compressed rar
eps application/postscript ai
mov video/quicktime qt
aac audio/aac adts
mp3 audio/mpeg mpga
deb application/octet-stream bin
flac audio/flac -
m4a audio/m4a -
yaml text/x-yaml -
END
echo "mime-crates-round-trip: as described"
