#!/bin/bash
# openapi-python-client writes a module that is not Python for a path with a default in its first parameter.
#
# Packages:  openapi-python-client 0.29.1
# Behaviour: for `/a/{x}/{y}`, of which the schema of `x` has a `default`, the client is generated without a warning, with
#            `x: int = 3, y: int` as the parameters of its function: importing the module is a SyntaxError.
# Guess:     OpenAPI 3.1.1 §4.8.12.2: a parameter in a path is required, so that its default is never used; §4.8.24.1: a
#            schema may have one. A generated client can be imported.
# bandog:    an argument in a path may have a default, for calls at `POST /run/ACTION`. The description of the action's own
#            path leaves it out, see crates/actions/src/openapi/request.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openapi-python-client==0.29.1
cd "$work"
cat >openapi.json <<'END'
{"openapi": "3.1.1", "info": {"title": "t", "version": "1"}, "paths": {"/a/{x}/{y}": {"get": {
    "operationId": "show", "responses": {"204": {"description": "Done."}},
    "parameters": [
        {"name": "x", "in": "path", "required": true, "schema": {"type": "integer", "default": 3}},
        {"name": "y", "in": "path", "required": true, "schema": {"type": "integer"}}
    ]
}}}}
END
echo 'post_hooks: []' >settings.yml
"$work/venv/bin/openapi-python-client" generate --path openapi.json --meta none --output-path client \
    --config settings.yml --fail-on-warning >seen 2>&1
"$work/venv/bin/python" -c 'from client.api.default import show' 2>&1 | tail -n 1 >>seen || true

diff -u - seen <<'END' || { echo "openapi-python-client-path-default: changed" >&2; exit 1; }
Generating client
SyntaxError: non-default argument follows default argument
END
echo "openapi-python-client-path-default: as described"
