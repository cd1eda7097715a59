#!/bin/bash
# Shows the whole of it: serves a real function with bandog, sends it a real picture, saves what comes back under
# target/demo/; then drops the picture into a directory that bandog watches, and stops. It takes dist/bandog if that is there and no source is newer; else it builds a binary of its
# own, without the link-time optimisation that takes most of the time of a release.
set -euo pipefail
cd "$(dirname "$0")/.."

function=fixtures/functions/thumbnails.sh
demo=target/demo

scripts/setup.sh file gcc imagemagick libc6-dev unzip

bandog=dist/bandog
if [ -x "$bandog" ] && [ -z "$(find src crates Cargo.toml Cargo.lock -newer "$bandog" -type f -print -quit)" ]; then
    echo "demo: taking $bandog, which is ready"
else
    # A directory of its own: the results are in target/demo, where cargo would put this profile.
    built=target/demo-build
    bandog=$built/demo/bandog
    if [ ! -x "$bandog" ]; then
        # Measured: 215 seconds of CPU time. The last crates wait for each other, so that many cores do not help them.
        cores=$(nproc)
        minutes=$(((4 + cores - 1) / cores))
        echo "demo: building bandog; once, about $minutes to $((minutes + 1)) minutes with $cores idle cores, after the download"
    fi
    cargo build --locked --profile demo --target-dir "$built" --package bandog --bin bandog
fi

rm -rf "$demo"
mkdir -p "$demo"
# ImageMagick's built-in photograph, enlarged. A `convert` elsewhere on the PATH may be some other program.
convert=/usr/bin/convert
[ -x "$convert" ] || convert=convert
"$convert" rose: -resize 400% "$demo/picture.png"

"$bandog" serve --listen 127.0.0.1:0 --address-file "$demo/address" --script "$function" 2>"$demo/listener.log" &
listener=$!
started=("$listener")
stop() {
    kill -TERM "${started[@]}" 2>/dev/null || true
    wait "${started[@]}" || true
}
trap stop EXIT

for _ in $(seq 100); do
    [ ! -s "$demo/address" ] || break
    kill -0 "$listener" 2>/dev/null || { cat "$demo/listener.log" >&2; exit 1; }
    sleep 0.1
done
address=$(cat "$demo/address")
echo "demo: $function listens on http://$address; sending $demo/picture.png"
"$bandog" call "http://$address/" --input "$demo/picture.png" --output "$demo/response.zip"

# The function made several files, which come as one zip.
unzip -q "$demo/response.zip" -d "$demo/response"
echo "demo: the response is $demo/response.zip, unpacked in $demo/response:"
find "$demo/response" -type f -exec file {} +

# The same without a request: a file that is dropped into one directory, its result in another.
mkdir -p "$demo/in" "$demo/out"
"$bandog" watch --from "$demo/in" --to "$demo/out" "$function" 2>"$demo/watch.log" &
watcher=$!
started+=("$watcher")
for _ in $(seq 100); do
    ! grep -q watching "$demo/watch.log" || break
    kill -0 "$watcher" 2>/dev/null || { cat "$demo/watch.log" >&2; exit 1; }
    sleep 0.1
done
echo "demo: bandog watches $demo/in; dropping the picture there"
cp "$demo/picture.png" "$demo/in/dropped.png"
for _ in $(seq 100); do
    ! grep -q 'status 200' "$demo/watch.log" || break
    kill -0 "$watcher" 2>/dev/null || { cat "$demo/watch.log" >&2; exit 1; }
    sleep 0.1
done
echo "demo: the results are in $demo/out:"
find "$demo/out" -type f -exec file {} + | grep . || { cat "$demo/watch.log" >&2; exit 1; }
echo "demo: done; both stop now"
