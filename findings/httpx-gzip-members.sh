#!/bin/bash
# httpx returns the first member of a gzip body as if it were all of it.
#
# Packages:  httpx 0.28.1; beside it requests 2.34.2 and aiohttp 3.14.5
# Behaviour: a response with `Content-Encoding: gzip` and two gzip members yields the content of the first. The status
#            is 200, no exception is raised, and `Content-Length` was honoured.
# Guess:     both members, as from the other clients. RFC 1952 §2.2: a gzip file is a series of members; servers that
#            concatenate compressed pieces (log shippers, `cat a.gz b.gz`, bgzip) send such bodies.
# bandog:    `Content-Encoding: gzip` of requests is read member by member; see tests/integration/decode.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.34.2 aiohttp==3.14.5

"$work/venv/bin/python" - >"$work/seen" <<'END'
import asyncio, gzip, http.server, threading

import aiohttp, httpx, requests

BODY = gzip.compress(b"first;") + gzip.compress(b"second;")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"


async def with_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.read()


print("httpx", httpx.get(url).status_code, httpx.get(url).content)
print("requests", requests.get(url).content)
print("aiohttp", asyncio.run(with_aiohttp()))
END

diff -u - "$work/seen" <<'END' || { echo "httpx-gzip-members: changed" >&2; exit 1; }
httpx 200 b'first;'
requests b'first;second;'
aiohttp b'first;second;'
END
echo "httpx-gzip-members: as described"
