#!/bin/bash
# streaming-form-data loses the content of a file, or adds to it, if an epilogue follows the last boundary.
#
# Packages:  streaming-form-data 2.1.0; beside it multipart 2.0.1 and Werkzeug 3.1.9
# Behaviour: text behind the closing delimiter of a form empties a short file that was complete before it. A longer file
#            keeps the start of its content and has the closing delimiter and the epilogue as its last bytes. Neither is
#            an error. The same bytes given one at a time are read correctly.
# Guess:     the epilogue is ignored. RFC 2046 §5.1.1: text after the closing delimiter is to be discarded by receivers;
#            gateways between mail and HTTP write such text.
# Output:    streaming-form-data, the same byte by byte, multipart, Werkzeug.
# bandog:    its multipart reader skips preamble and epilogue in whatever pieces they arrive.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    streaming-form-data==2.1.0 multipart==2.0.1 Werkzeug==3.1.9

"$work/venv/bin/python" - >"$work/seen" <<'END'
import io

import multipart
from streaming_form_data import StreamingFormDataParser
from streaming_form_data.targets import ValueTarget
from werkzeug.formparser import parse_form_data

BOUNDARY = "----edge7MA4YWxkTrZu0gW"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(content, epilogue):
    head = 'Content-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    return f"--{BOUNDARY}\r\n{head}{content}\r\n--{BOUNDARY}--\r\n{epilogue}".encode()


def streaming(body, step):
    parser, target = StreamingFormDataParser(headers={"Content-Type": TYPE}), ValueTarget()
    parser.register("f", target)
    for at in range(0, len(body), step):
        parser.data_received(body[at : at + step])
    return target.value


def others(body):
    environ = {"CONTENT_TYPE": TYPE, "CONTENT_LENGTH": str(len(body)), "REQUEST_METHOD": "POST"}
    _, files = multipart.parse_form_data({**environ, "wsgi.input": io.BytesIO(body)}, ignore_errors=False)
    _, _, stored = parse_form_data({**environ, "wsgi.input": io.BytesIO(body)}, silent=False)
    return files["f"].raw, stored["f"].read()


def shown(value, content):
    if value == content.encode():
        return "the content"
    if value.startswith(content.encode()):
        return f"the content and {value[len(content):]!r}"
    return repr(value[:40])


for length in 10, 1000:
    for epilogue in "", "This is the epilogue.\r\n":
        content = ("0123456789" * 100)[:length]
        body = form(content, epilogue)
        results = [streaming(body, len(body)), streaming(body, 1), *others(body)]
        print(length, "bytes,", "with" if epilogue else "without", "an epilogue:", end=" ")
        print(" | ".join(shown(value, content) for value in results))
END

diff -u - "$work/seen" <<'END' || { echo "streaming-form-data-epilogue: changed" >&2; exit 1; }
10 bytes, without an epilogue: the content | the content | the content | the content
10 bytes, with an epilogue: b'' | the content | the content | the content
1000 bytes, without an epilogue: the content | the content | the content | the content
1000 bytes, with an epilogue: the content and b'\r\n------edge7MA4YWxkTrZu0gW--\r\nThis is the epilogue.' | the content | the content | the content
END
echo "streaming-form-data-epilogue: as described"
