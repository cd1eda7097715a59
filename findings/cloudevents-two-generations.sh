#!/bin/bash
# An attribute of an event that one generation of the CloudEvents SDK writes is read as another by the other.
#
# Packages:  cloudevents 1.13.0 and 2.2.0, the same package
# Behaviour: the subject `50%25 off` written by 1.13.0 reaches 2.2.0 as `50% off`; `two words` written by 2.2.0 reaches
#            1.13.0 as `two%20words`. Each reads what it wrote itself. Both write and read specversion 1.0.
# Guess:     two releases of one SDK exchange events. CloudEvents HTTP binding 1.0.2 §3.1.3.2: spaces, quotes, per cent
#            signs and all beyond ASCII are percent-encoded in headers; 1.13.0 does neither half.
# bandog:    header values reach a function as they came (`Http_Ce_Subject`); the documentation has to say which side
#            decodes them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 1.13.0 2.2.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet --disable-pip-version-check "cloudevents==$version"
done
cd "$work"

cat >old.py <<'END'
from cloudevents.conversion import to_binary
from cloudevents.http import CloudEvent, from_http


def write(subject):
    return to_binary(CloudEvent({"type": "t", "source": "/s", "id": "1", "subject": subject}, {}))[0]


def read(headers):
    return from_http(headers, b"{}")["subject"]
END
cat >new.py <<'END'
from cloudevents.core.bindings.http import HTTPMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent


def write(subject):
    event = CloudEvent({"type": "t", "source": "/s", "id": "1", "subject": subject}, {})
    return to_binary(event, JSONFormat()).headers


def read(headers):
    return from_binary(HTTPMessage(headers, b"{}"), JSONFormat()).get_subject()
END

# writer, reader, subject
for row in "old new 50%25 off" "new old two words" "old old 50%25 off" "new new two words"; do
    read -r writer reader subject <<<"$row"
    version() { [ "$1" = old ] && echo 1.13.0 || echo 2.2.0; }
    "$work/$(version "$writer")/bin/python" -c \
        "import json, sys, $writer; json.dump($writer.write(sys.argv[1]), sys.stdout)" "$subject" >headers.json
    "$work/$(version "$reader")/bin/python" -c \
        "import json, sys, $reader; print(*sys.argv[1:], '->', $reader.read(json.load(sys.stdin)))" \
        "$(version "$writer")" "$(version "$reader")" "$subject" <headers.json >>seen
done

diff -u - seen <<'END' || { echo "cloudevents-two-generations: changed" >&2; exit 1; }
1.13.0 2.2.0 50%25 off -> 50% off
2.2.0 1.13.0 two words -> two%20words
1.13.0 1.13.0 50%25 off -> 50%25 off
2.2.0 2.2.0 two words -> two words
END
echo "cloudevents-two-generations: as described"
