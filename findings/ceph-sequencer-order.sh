#!/bin/bash
# The sequencer in notifications of Ceph does not grow with time.
#
# Packages:  radosgw, ceph-mon, ceph-osd, ceph-common 16.2.15 of Debian 12, unpacked; boto3 1.44.8. It needs Debian 12, and
#            0.3 GB for its time.
# Behaviour: `sequencer` is seconds and nanoseconds in hex, each with its lowest byte first. Of 40 objects stored one after
#            the other, the sequencers in the order of time are not in the order of text; with the bytes turned they are.
# Guess:     they are. Amazon S3 User Guide, "Event message structure": the order of two events of one key follows from
#            comparing their sequencers as text, the shorter padded with zeros; Ceph's documentation of bucket
#            notifications says of it that it is "monotonically increasing".
# bandog:    events of stores; see crates/storage/src/dedupe.rs, which compares sequencers for equality only.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/target/debian-root" "$work/packages"
python3 -m venv "$work/target/venv-storage"
"$work/target/venv-storage/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.8

version=$(apt-cache policy radosgw | sed -n 's/^  Candidate: //p')
case $version in
    16.2.15+*) ;;
    *)
        echo "this needs radosgw 16.2.15, not $version" >&2
        exit 1
        ;;
esac
packages="radosgw=$version ceph-mon=$version ceph-osd=$version ceph-common=$version"
# shellcheck disable=SC2086 # a list of words
needed=$(apt-get install --simulate --no-install-recommends $packages | awk '/^Inst / { print $2 }')
# shellcheck disable=SC2086 # a list of words
(cd "$work/packages" && apt-get download -qq $needed 2>/dev/null)
for file in "$work"/packages/*.deb; do
    dpkg-deb --extract "$file" "$work/target/debian-root"
done
touch "$work/target/debian-root/stamp"

cat >"$work/sequencers.py" <<'END'
import json, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3

events = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        events.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Records"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
notify = f"http://127.0.0.1:{receiver.server_address[1]}/"
# The gateway, without bandog: a user, a bucket, and a topic whose events are posted before the upload is answered.
serve = ["python3", sys.argv[1] + "/fixtures/servers/serve.py", "ceph", "--notify", notify]
server = subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
info = json.loads(server.stdout.readline())
more = dict(endpoint_url=info["endpoint"], region_name="us-east-1")
keys = dict(aws_access_key_id=info["access_key"], aws_secret_access_key=info["secret_key"])
s3 = boto3.client("s3", **more, **keys)
for _ in range(40):
    s3.put_object(Bucket=info["bucket"], Key="key", Body=b"")
server.stdin.close()
server.wait()


def turned(sequencer):
    words = sequencer[:8], sequencer[8:]
    return "".join(bytes.fromhex(word)[::-1].hex() for word in words)


sent = [event["s3"]["object"]["sequencer"] for event in events]
times = [event["eventTime"] for event in events]
print(info["version"], len(events), "events of one key, in the order of time:", times == sorted(times))
print("sequencers in that order:", sent == sorted(sent))
print("sequencers in that order with their bytes turned:", list(map(turned, sent)) == sorted(map(turned, sent)))
END
CARGO_TARGET_DIR="$work/target" "$work/target/venv-storage/bin/python" "$work/sequencers.py" "$repository" >"$work/seen"

if diff - "$work/seen" <<'END'
16.2.15 40 events of one key, in the order of time: True
sequencers in that order: False
sequencers in that order with their bytes turned: True
END
then
    cat "$work/seen"
else
    echo "the behaviour has changed" >&2
    exit 1
fi
