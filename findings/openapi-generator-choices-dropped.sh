#!/bin/bash
# openapi-generator leaves choices out of a client, and makes a module that cannot be imported of a property named `int`.
#
# Packages:  openapi-generator-cli 7.26.0 (generator `python`), with its client's pydantic 2.14.4; needs Java
# Behaviour: of `anyOf: [{type: string, enum: [a]}, {const: true}, {const: 2.5}]` the alternatives without a type are left
#            out without a warning, and the client refuses to send `true` and `2.5`; with `type` beside `const` it
#            sends them. An optional property `int` is an attribute `int` of the model, whose annotation then means the
#            attribute: importing the client fails. `float` and `str` are renamed.
# Guess:     OpenAPI 3.1 takes JSON Schema 2020-12, where `const` needs no `type` (Validation §6.1.3); what a generator does
#            not know it names. A property may have any name, as those of other types show.
# bandog:    the description of actions has the type beside each `const`, see crates/actions/src/schema/json_schema.rs. An
#            argument cannot be renamed; docs/actions.md names the one that prevents such a client.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openapi-generator-cli==7.26.0 \
    pydantic==2.14.4 python-dateutil==4.0.0 typing-extensions==4.16.0 urllib3==2.8.0
cd "$work"

# generate NAME SCHEMA: a client in the directory NAME, with one operation that takes the schema.
generate() {
    cat >"$1.json" <<END
{"openapi": "3.1.1", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"post": {
    "operationId": "send", "responses": {"204": {"description": "Done."}},
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": $2}}}}
}}}}
END
    "$work/venv/bin/openapi-generator-cli" generate -g python -i "$1.json" -o "$1" >"$1.log" 2>&1
}

generate untyped '{"choice": {"anyOf": [{"type": "string", "enum": ["a"]}, {"const": true}, {"const": 2.5}]}}'
generate typed '{"choice": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "boolean", "const": true},
    {"type": "number", "const": 2.5}]}}'
generate int '{"int": {"type": ["integer", "null"], "minimum": 0}}'
generate float '{"float": {"type": ["number", "null"], "minimum": 0}}'

cat >choose.py <<'END'
import sys
from openapi_client import SendRequest

for choice in ("a", True, 2.5):
    try:
        print(sys.argv[1], choice, SendRequest.from_dict({"choice": choice}).to_dict())
    except ValueError as error:
        print(sys.argv[1], choice, type(error).__name__)
END
{
    PYTHONPATH=untyped "$work/venv/bin/python" choose.py untyped
    PYTHONPATH=typed "$work/venv/bin/python" choose.py typed
    for name in int float; do
        echo "$name $(PYTHONPATH=$name "$work/venv/bin/python" -c 'import openapi_client; print("imported")' 2>&1 | tail -n 1)"
    done
} >seen

diff -u - seen <<'END' || { echo "openapi-generator-choices-dropped: changed" >&2; exit 1; }
untyped a {'choice': 'a'}
untyped True ValidationError
untyped 2.5 ValidationError
typed a {'choice': 'a'}
typed True {'choice': True}
typed 2.5 {'choice': 2.5}
int RuntimeError: Unable to apply constraint 'strict' to schema of type 'none'
float imported
END
echo "openapi-generator-choices-dropped: as described"
