#!/bin/bash
# Three static file servers answer 416 to ranges that can be satisfied.
#
# Packages:  Werkzeug 3.1.9 (send_file), aiohttp 3.14.5 (add_static), Starlette 1.10.0 (StaticFiles); bottle 0.13.4 beside
#            them. Each serves a file of ten bytes.
# Behaviour: Werkzeug refuses the last 100 bytes of a shorter file. Werkzeug and aiohttp refuse every set of two ranges,
#            with `Content-Range: bytes */10`, which says that no range fits. Starlette refuses a set if one of its
#            ranges lies behind the end. An unknown unit is refused by all, by Starlette with 400.
# Guess:     206, or 200 with the whole file, which is always allowed. RFC 9110 §14.1.2: a suffix longer than the
#            representation means all of it; §14.1.1: a set is satisfiable if one of its ranges is; §14.2: a range in
#            an unknown unit is ignored. `curl -r -100`, download managers and tails of logs send these.
# bandog:    `--mode static`; see crates/service/src/executor/files/conditions.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    Werkzeug==3.1.9 aiohttp==3.14.5 starlette==1.10.0 bottle==0.13.4 httpx==0.28.1

mkdir "$work/files"
printf 0123456789 >"$work/files/digits.txt"
cd "$work"
"$work/venv/bin/python" - >"$work/seen" <<'END'
import asyncio, os

import bottle, httpx
from aiohttp import ClientSession, web
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from werkzeug.utils import send_file
from werkzeug.wrappers import Request

RANGES = ["bytes=2-3", "bytes=-100", "bytes=0-0,-1", "bytes=0-0,20-30", "lines=1-2"]


@Request.application
def with_werkzeug(request):
    return send_file(os.path.abspath("files/digits.txt"), request.environ, conditional=True)


with_bottle = bottle.Bottle()
with_bottle.route("/digits.txt")(lambda: bottle.static_file("digits.txt", root="files"))
with_starlette = Starlette(routes=[Mount("/", StaticFiles(directory="files"))])


def shown(name, range_, status, headers, body):
    of = headers.get("Content-Range") or ("parts" if "multipart" in headers.get("Content-Type", "") else "-")
    print(f"{range_:16} {name:9} {status} {of}", "all" if body == b"0123456789" else "")


async def main():
    application = web.Application()
    application.router.add_static("/", "files")
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    for range_ in RANGES:
        headers = {"Range": range_, "Accept-Encoding": "identity"}
        for name, app in ("Werkzeug", with_werkzeug), ("bottle", with_bottle):
            with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://127.0.0.1") as client:
                response = client.get("/digits.txt", headers=headers)
                shown(name, range_, response.status_code, response.headers, response.content)
        transport = httpx.ASGITransport(with_starlette)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            response = await client.get("/digits.txt", headers=headers)
            shown("Starlette", range_, response.status_code, response.headers, response.content)
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/digits.txt", headers=headers) as response:
                shown("aiohttp", range_, response.status, response.headers, await response.read())
    await runner.cleanup()


asyncio.run(main())
END

sed -i 's/ *$//' "$work/seen"
diff -u - "$work/seen" <<'END' || { echo "ranges-refused: changed" >&2; exit 1; }
bytes=2-3        Werkzeug  206 bytes 2-3/10
bytes=2-3        bottle    206 bytes 2-3/10
bytes=2-3        Starlette 206 bytes 2-3/10
bytes=2-3        aiohttp   206 bytes 2-3/10
bytes=-100       Werkzeug  416 bytes */10
bytes=-100       bottle    206 bytes 0-9/10 all
bytes=-100       Starlette 206 bytes 0-9/10 all
bytes=-100       aiohttp   206 bytes 0-9/10 all
bytes=0-0,-1     Werkzeug  416 bytes */10
bytes=0-0,-1     bottle    206 bytes 0-0/10
bytes=0-0,-1     Starlette 206 parts
bytes=0-0,-1     aiohttp   416 bytes */10
bytes=0-0,20-30  Werkzeug  416 bytes */10
bytes=0-0,20-30  bottle    206 bytes 0-0/10
bytes=0-0,20-30  Starlette 416 bytes */10
bytes=0-0,20-30  aiohttp   416 bytes */10
lines=1-2        Werkzeug  416 bytes */10
lines=1-2        bottle    416 -
lines=1-2        Starlette 400 -
lines=1-2        aiohttp   416 bytes */10
END
echo "ranges-refused: as described"
