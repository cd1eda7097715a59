#!/bin/bash
# A form that Python's own email package writes arrives as three different contents, or is refused.
#
# Packages:  aiohttp 3.14.5, Django 5.2.19, Werkzeug 3.1.9, Starlette 1.10.0 with python-multipart 0.0.34, falcon 4.4.0
# Behaviour: of a file part with `Content-Transfer-Encoding: base64` aiohttp and Django give the decoded bytes, Werkzeug
#            and Starlette the letters of base64, and falcon answers 400. With `quoted-printable` aiohttp alone decodes:
#            Django, which decodes the one, leaves the other as it is.
# Guess:     that all do the same, or that one framework treats both encodings alike. RFC 7578 §4.7 advises senders not
#            to use the field and leaves its meaning to RFC 2045 if they do; email.mime writes it by default.
# bandog:    the reader of forms has to choose one of the three; see crates/runtime/src/input/tests.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5 Django==5.2.19 Werkzeug==3.1.9 \
    starlette==1.10.0 python-multipart==0.0.34 falcon==4.4.0

"$work/venv/bin/python" - >"$work/seen" <<'END'
import asyncio, email.policy, io
from email.encoders import encode_base64, encode_quopri
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from unittest import mock

import aiohttp, django, falcon
from django.conf import settings
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser as StarletteParser
from werkzeug.formparser import parse_form_data

settings.configure()
django.setup()


def form(encode):
    part = MIMEApplication(b"a=b", _encoder=encode)
    part.add_header("Content-Disposition", "form-data", name="f", filename="a.bin")
    whole = MIMEMultipart("form-data", boundary="edge")
    whole.attach(part)
    head, _, body = whole.as_bytes(policy=email.policy.HTTP).partition(b"\r\n\r\n")
    return 'multipart/form-data; boundary="edge"', body


async def with_aiohttp(kind, body):
    stream = aiohttp.StreamReader(mock.Mock(_reading_paused=False), 65536, loop=asyncio.get_running_loop())
    stream.feed_data(body)
    stream.feed_eof()
    part = await aiohttp.MultipartReader({"Content-Type": kind}, stream).next()
    return bytes(await part.read(decode=True))


async def with_starlette(kind, body):
    async def pieces():
        yield body

    form = await StarletteParser(Headers({"content-type": kind}), pieces()).parse()
    return await form["f"].read()


def with_django(kind, body):
    handler = MemoryFileUploadHandler()
    handler.activated = True
    meta = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": len(body)}
    return MultiPartParser(meta, io.BytesIO(body), [handler]).parse()[1]["f"].read()


def with_werkzeug(kind, body):
    environ = {"wsgi.input": io.BytesIO(body), "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    return parse_form_data(environ, silent=False)[2]["f"].read()


def with_falcon(kind, body):
    try:
        parts = falcon.media.MultipartFormHandler().deserialize(io.BytesIO(body), kind, len(body))
        return [part.stream.read() for part in parts][0]
    except falcon.media.multipart.MultipartParseError as error:
        return error.status


for name, encode in ("base64", encode_base64), ("quoted-printable", encode_quopri):
    kind, body = form(encode)
    print(name, "aiohttp", asyncio.run(with_aiohttp(kind, body)))
    print(name, "Django", with_django(kind, body))
    print(name, "Werkzeug", with_werkzeug(kind, body))
    print(name, "Starlette", asyncio.run(with_starlette(kind, body)))
    print(name, "falcon", with_falcon(kind, body))
END

diff -u - "$work/seen" <<'END' || { echo "multipart-base64-parts: changed" >&2; exit 1; }
base64 aiohttp b'a=b'
base64 Django b'a=b'
base64 Werkzeug b'YT1i\r\n'
base64 Starlette b'YT1i\r\n'
base64 falcon 400 Bad Request
quoted-printable aiohttp b'a=b'
quoted-printable Django b'a=3Db'
quoted-printable Werkzeug b'a=3Db'
quoted-printable Starlette b'a=3Db'
quoted-printable falcon 400 Bad Request
END
echo "multipart-base64-parts: as described"
