#!/bin/bash
# Shows the whole of it: builds bandog, serves a real function, sends it a real picture, saves what comes back under
# target/demo/, and stops.
set -euo pipefail
cd "$(dirname "$0")/.."

function=fixtures/functions/thumbnails.sh
demo=target/demo

scripts/setup.sh file gcc imagemagick libc6-dev unzip
echo "demo: building bandog (the first time takes a minute or two)"
scripts/build.sh

rm -rf "$demo"
mkdir -p "$demo"
# ImageMagick's built-in photograph, enlarged. A `convert` elsewhere on the PATH may be some other program.
convert=/usr/bin/convert
[ -x "$convert" ] || convert=convert
"$convert" rose: -resize 400% "$demo/picture.png"

dist/bandog serve --listen 127.0.0.1:0 --address-file "$demo/address" --script "$function" 2>"$demo/listener.log" &
listener=$!
stop() {
    kill -TERM "$listener" 2>/dev/null || true
    wait "$listener" || true
}
trap stop EXIT

for _ in $(seq 100); do
    [ ! -s "$demo/address" ] || break
    kill -0 "$listener" 2>/dev/null || { cat "$demo/listener.log" >&2; exit 1; }
    sleep 0.1
done
address=$(cat "$demo/address")
echo "demo: $function listens on http://$address; sending $demo/picture.png"
dist/bandog call "http://$address/" --input "$demo/picture.png" --output "$demo/response.zip"

# The function made several files, which come as one zip.
unzip -q "$demo/response.zip" -d "$demo/response"
echo "demo: the response is $demo/response.zip, unpacked in $demo/response:"
find "$demo/response" -type f -exec file {} +
echo "demo: done; the listener stops now"
