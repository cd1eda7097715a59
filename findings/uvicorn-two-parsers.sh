#!/bin/bash
# uvicorn gives an application another request once the package httptools is installed beside it.
#
# Packages:  uvicorn 0.54.0 with h11 0.16.0, and the same with httptools 0.9.0. `pip install uvicorn` brings the first,
#            `uvicorn[standard]` the second; the choice is made silently at start (`--http auto`).
# Behaviour: four valid requests. A target in absolute form is the path `/a` with httptools and `http://h/a`, which no
#            router knows, with h11. White space behind a field's value is part of the value with httptools. An empty
#            line before the request is ignored by httptools and is a 400 with h11. A method of the letters that RFC
#            9110 allows is a 400 with httptools and passes with h11.
# Guess:     one server, one meaning. RFC 9112 §3.2.2: a server must accept the absolute form; §5: white space around a
#            value is not part of it; §2.2: a server should ignore at least one empty line; RFC 9110 §9.1: a method is a
#            token.
# bandog:    the head check accepts or refuses these forms before its parser sees them; see tests/integration/wire.rs. A
#            function behind `--mode http` may well be a uvicorn.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0
cd "$work"

cat >application.py <<'END'
async def show(scope, receive, send):
    assert scope["type"] == "http"
    fields = dict(scope["headers"])
    line = f"{scope['method']} {scope['path']} {fields.get(b'x-a')}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(line))]})
    await send({"type": "http.response.body", "body": line})
END
cat >ask.py <<'END'
import socket, sys, time

REQUESTS = {
    "absolute form": b"GET http://h/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "trailing space": b"GET /a HTTP/1.1\r\nHost: h\r\nX-A: b \t \r\nConnection: close\r\n\r\n",
    "empty line": b"\r\nGET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "method X-do_it!": b"X-do_it! /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
}


def connected():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
        except OSError:
            time.sleep(0.1)
    sys.exit("no server")


connected().close()
for name, request in REQUESTS.items():
    with connected() as connection:
        connection.sendall(request)
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    print(f"{sys.argv[2]:9} {name:15} {head.split()[1].decode()} {body.decode()}")
END

ask() {
    local port
    port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$work/venv/bin/uvicorn" --lifespan off --log-level critical --port "$port" application:show &
    server=$!
    python3 ask.py "$port" "$1" >>seen
    kill "$server"
    wait "$server" || true
    server=
}

ask h11
"$work/venv/bin/pip" install --quiet --disable-pip-version-check httptools==0.9.0
ask httptools

diff -u - seen <<'END' || { echo "uvicorn-two-parsers: changed" >&2; exit 1; }
h11       absolute form   200 GET http://h/a None
h11       trailing space  200 GET /a b'b'
h11       empty line      400 Invalid HTTP request received.
h11       method X-do_it! 200 X-do_it! /a None
httptools absolute form   200 GET /a None
httptools trailing space  200 GET /a b'b \t '
httptools empty line      200 GET /a None
httptools method X-do_it! 400 Invalid HTTP request received.
END
echo "uvicorn-two-parsers: as described"
