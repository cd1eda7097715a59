#!/bin/bash
# Two frameworks choose a media type that the client has excluded with q=0, if a wildcard stands beside it.
#
# Packages:  Django 5.2.19 (accepts, get_preferred_type), sanic 25.12.1 (request.accept.match); beside them Werkzeug 3.1.9,
#            WebOb 1.8.11 and falcon 4.4.0
# Behaviour: for `Accept: application/json;q=0, */*` Django accepts application/json and prefers it; so does sanic. With
#            `text/*, text/csv;q=0` both choose text/csv.
# Guess:     "anything but JSON" is not answered with JSON. RFC 9110 §12.4.2: a weight of 0 means "not acceptable";
#            §12.5.1: the most specific range that matches counts.
# bandog:    the form of a response is chosen by `Accept`; see crates/runtime/src/reply/accept/tests.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    Django==5.2.19 sanic==25.12.1 Werkzeug==3.1.9 WebOb==1.8.11 falcon==4.4.0

"$work/venv/bin/python" - >"$work/seen" <<'END'
import django, falcon
from django.conf import settings
from django.http import HttpRequest
from sanic.headers import parse_accept
from webob.acceptparse import create_accept_header
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

settings.configure()
django.setup()

for accept, offers in (
    ("application/json;q=0, */*", ["application/json", "text/plain"]),
    ("text/*, text/csv;q=0", ["text/csv", "text/plain"]),
):
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = accept
    print(accept)
    print("  Django", request.accepts(offers[0]), request.get_preferred_type(offers))
    print("  sanic", parse_accept(accept).match(*offers))
    print("  Werkzeug", parse_accept_header(accept, MIMEAccept).best_match(offers))
    print("  WebOb", create_accept_header(accept).acceptable_offers(offers)[0][0])
    print("  falcon", falcon.mediatypes.best_match(offers, accept))
END

diff -u - "$work/seen" <<'END' || { echo "accept-quality-zero: changed" >&2; exit 1; }
application/json;q=0, */*
  Django True application/json
  sanic application/json
  Werkzeug text/plain
  WebOb text/plain
  falcon text/plain
text/*, text/csv;q=0
  Django True text/csv
  sanic text/csv
  Werkzeug text/plain
  WebOb text/plain
  falcon text/plain
END
echo "accept-quality-zero: as described"
