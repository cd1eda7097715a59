#!/bin/bash
# Rucio answers 201 when a file is registered under the name of another one, and keeps the facts of that.
#
# Packages:  rucio 41.5.1 with its REST server, on sqlite.
# Behaviour: `POST /replicas/` with a name that is taken, another size and other checksums is answered `201 Created`. The
#            catalogue still has the first size and the first checksums, and now describes content that it has not.
# Guess:     409, as with a dataset of a name that is taken. The description of the request has 409, "Replica or DID
#            already exists".
# bandog:    it looks the name up before a file is sent and again after it is registered; see
#            crates/storage/src/provider/rucio/send.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rucio==41.5.1
cd "$work"

cat >rucio.cfg <<END
[common]
logdir = $work
[database]
default = sqlite:///$work/rucio.db
[bootstrap]
userpass_identity = login
userpass_pwd = password
userpass_email = login@example.org
[cache]
url = 127.0.0.1:1
[policy]
permission = generic
schema = generic
END
cat >ask.py <<'END'
from rucio.db.sqla import models, session, util

models.register_models(session.get_engine())
util.create_base_vo()
util.create_root_account()

from rucio.web.rest.main import application

client = application.test_client()
login = {"X-Rucio-Account": "root", "X-Rucio-Username": "login", "X-Rucio-Password": "password"}
token = {"X-Rucio-Auth-Token": client.get("/auth/userpass", headers=login).headers["X-Rucio-Auth-Token"]}


def file(bytes, adler32):
    return {"scope": "scope", "name": "name", "bytes": bytes, "adler32": adler32, "state": "A"}


def post(path, document=None):
    return client.post(path, headers=token, json=document).status_code


def known():
    facts = client.get("/dids/scope/name", headers=token).get_json()
    return facts["bytes"], facts["adler32"]


print("scope", post("/accounts/root/scopes/scope"))
print("storage", post("/rses/DISK", {"deterministic": True}))
protocol = {"hostname": "127.0.0.1", "port": 1, "prefix": "/", "impl": "rucio.rse.protocols.webdav.Default"}
domains = {"wan": {"read": 1, "write": 1, "delete": 1, "third_party_copy_read": 1, "third_party_copy_write": 1}}
print("protocol", post("/rses/DISK/protocols/http", protocol | {"domains": domains}))
print("first", post("/replicas/", {"rse": "DISK", "files": [file(5, "062c0215")]}), *known())
print("other", post("/replicas/", {"rse": "DISK", "files": [file(3, "02910143")]}), *known())
dataset = {"type": "DATASET", "statuses": {}, "meta": {}, "rules": [], "lifetime": None, "dids": [], "rse": None}
print("dataset", post("/dids/scope/name", dataset))
END
RUCIO_CONFIG=$work/rucio.cfg "$work/venv/bin/python" -W ignore ask.py 2>log >all || { tail -5 log >&2; exit 1; }
# Without the lines of its log.
sed "/^[0-9]/d" all >seen

diff -u - seen <<'END' || { echo "rucio-register-other-size: changed" >&2; exit 1; }
scope 201
storage 201
protocol 201
first 201 5 062c0215
other 201 5 062c0215
dataset 409
END
echo "rucio-register-other-size: as described"
