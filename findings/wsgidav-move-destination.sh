#!/bin/bash
# WsgiDAV renames a file to the part of the new name before its first `?` or `;`, over another file of that name.
#
# Packages:  wsgidav 4.4.0 on cheroot 11.1.2.
# Behaviour: `MOVE /a`, `Destination: http://…/question%3Fmark` is answered 201, and the file is `/question`. A file that
#            was there is overwritten (204); with `Overwrite: F` it is 412, though nothing has the new name. The same with
#            `%3B`. PUT, GET and DELETE of `/question%3Fmark` are right. The escapes of `Destination` are removed before
#            the address is taken apart.
# Guess:     the new name is `question?mark`. RFC 4918 §10.3: `Destination` holds an absolute URI; RFC 3986 §2.4: a URI is
#            taken apart before its escapes are removed.
# bandog:    a name with such a sign is tried out on a name of its own, and where that goes wrong the file is sent under
#            its own name; see crates/storage/src/provider/webdav/escapes.rs.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check wsgidav==4.4.0 cheroot==11.1.2
mkdir "$work/root"
cd "$work"

port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$work/venv/bin/wsgidav" --host 127.0.0.1 --port "$port" --root "$work/root" --auth anonymous --quiet >log 2>&1 &
server=$!

cat >ask.py <<'END'
import http.client, os, sys, time

PORT = int(sys.argv[1])


def ask(method, path, body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    connection.request(method, path, body, {name.title(): value for name, value in fields.items()})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def ready():
    for _ in range(100):
        try:
            return ask("OPTIONS", "/")
        except OSError:
            time.sleep(0.1)
    sys.exit("no server")


def files():
    return {name: open(f"root/{name}").read() for name in sorted(os.listdir("root"))}


ready()
print("PUT", ask("PUT", "/direct%3Fmark", "1"), files())
for overwrite in ("F", "T"):
    for name in ("question%3Fmark", "semi%3Bcolon", "question%3Fmark"):
        ask("PUT", "/a", name)
        status = ask("MOVE", "/a", destination=f"http://127.0.0.1:{PORT}/{name}", overwrite=overwrite)
        print("MOVE", overwrite, name, status)
    print(files())
END
python3 ask.py "$port" >seen

diff -u - seen <<'END' || { echo "wsgidav-move-destination: changed" >&2; exit 1; }
PUT 201 {'direct?mark': '1'}
MOVE F question%3Fmark 201
MOVE F semi%3Bcolon 201
MOVE F question%3Fmark 412
{'a': 'question%3Fmark', 'direct?mark': '1', 'question': 'question%3Fmark', 'semi': 'semi%3Bcolon'}
MOVE T question%3Fmark 204
MOVE T semi%3Bcolon 204
MOVE T question%3Fmark 204
{'direct?mark': '1', 'question': 'question%3Fmark', 'semi': 'semi%3Bcolon'}
END
echo "wsgidav-move-destination: as described"
