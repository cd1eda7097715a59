#!/bin/bash
# The first generation of the CloudEvents SDK parses text as JSON whatever its content type, and changes it.
#
# Packages:  cloudevents 1.13.0; beside it 2.2.0
# Behaviour: an event in binary mode with `Content-Type: text/plain` (or text/csv, or application/octet-stream) whose
#            body happens to be JSON is held as a number, a list or a dictionary. Sent on, `1.10` has become `1.1`, a
#            number of 21 digits has lost four, `1e400` is `Infinity`, and spaces and repeated keys are gone. `007`,
#            which is no JSON, stays: the type of the data depends on its value.
# Guess:     text stays text. CloudEvents HTTP binding §3.1.2: in binary mode the data is the body as it is, and the
#            content type says how to read it. The second generation does so.
# bandog:    a body is a file of the bytes that came; an adapter for events has to keep to that.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 1.13.0 2.2.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet --disable-pip-version-check "cloudevents==$version"
done

cat >"$work/bodies.py" <<'END'
BODIES = [b"1.10", b"007", b"1234567890123456.54321", b"1e400", b'{"a": 1,  "a": 2}', b"[1,2]"]
HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "/s", "content-type": "text/plain"}
END
cd "$work"
"$work/1.13.0/bin/python" - >"$work/seen" <<'END'
from bodies import BODIES, HEADERS
from cloudevents.conversion import to_binary
from cloudevents.http import from_http

for body in BODIES:
    event = from_http(HEADERS, body)
    print("1.13.0", body, "is", type(event.data).__name__, "and leaves as", to_binary(event)[1])
END
"$work/2.2.0/bin/python" - >>"$work/seen" <<'END'
from bodies import BODIES, HEADERS
from cloudevents.core.bindings.http import HTTPMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat

for body in BODIES:
    event = from_binary(HTTPMessage(HEADERS, body), JSONFormat())
    print("2.2.0", body, "is", type(event.get_data()).__name__, "and leaves as", to_binary(event, JSONFormat()).body)
END

diff -u - "$work/seen" <<'END' || { echo "cloudevents-data-guessed: changed" >&2; exit 1; }
1.13.0 b'1.10' is float and leaves as b'1.1'
1.13.0 b'007' is bytes and leaves as b'007'
1.13.0 b'1234567890123456.54321' is float and leaves as b'1234567890123456.5'
1.13.0 b'1e400' is float and leaves as b'Infinity'
1.13.0 b'{"a": 1,  "a": 2}' is dict and leaves as b'{"a": 2}'
1.13.0 b'[1,2]' is list and leaves as b'[1, 2]'
2.2.0 b'1.10' is str and leaves as b'1.10'
2.2.0 b'007' is str and leaves as b'007'
2.2.0 b'1234567890123456.54321' is str and leaves as b'1234567890123456.54321'
2.2.0 b'1e400' is str and leaves as b'1e400'
2.2.0 b'{"a": 1,  "a": 2}' is str and leaves as b'{"a": 1,  "a": 2}'
2.2.0 b'[1,2]' is str and leaves as b'[1,2]'
END
echo "cloudevents-data-guessed: as described"
