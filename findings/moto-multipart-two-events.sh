#!/bin/bash
# moto reports one multipart upload twice, and posts notifications without the headers of SNS.
#
# Packages:  moto[server] 5.2.5, boto3 1.44.8.
# Behaviour: the end of a multipart upload is `ObjectCreated:Put`, then `ObjectCreated:CompleteMultipartUpload`, with the
#            same key and eTag and times some milliseconds apart. SNS posts both to an http endpoint without the header
#            x-amz-sns-message-type. `/` in a key is `%2F`.
# Guess:     one event, CompleteMultipartUpload: the Amazon S3 User Guide, "Supported event types", names one for each
#            API by which an object came. The header: Amazon SNS Developer Guide, "HTTP/HTTPS headers". That an event has
#            its key URL-encoded is in "Event message structure"; the slash of AWS is as it is.
# bandog:    events of stores; see crates/storage/src/dedupe.rs, which takes both for one run.
set -euo pipefail
work=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.44.8
cd "$work"
PYTHONUNBUFFERED=1 venv/bin/moto_server -H 127.0.0.1 -p 0 >server.log 2>&1 &
server=$!
for _ in $(seq 300); do
    url=$(sed -n 's/^ \* Running on //p' server.log)
    [ -z "$url" ] || break
    sleep 0.1
done

venv/bin/python - "$url" >seen <<'END'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3

posts = []


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        posts.append((self.headers, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


receiver = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
more = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
s3, sns = boto3.client("s3", **more), boto3.client("sns", **more)
topic = sns.create_topic(Name="topic")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{receiver.server_address[1]}/")
s3.create_bucket(Bucket="bucket")
configuration = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
s3.put_bucket_notification_configuration(Bucket="bucket", NotificationConfiguration=configuration)
at = {"Bucket": "bucket", "Key": "folder/file"}
upload = s3.create_multipart_upload(**at)["UploadId"]
part = s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"content")
parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts)
for headers, post in posts:
    message = json.loads(post["Message"])
    for record in message.get("Records", []):
        of = record["s3"]["object"]
        print(record["eventName"], of["key"], of["eTag"], "header:", headers.get("x-amz-sns-message-type"))
END

if diff - seen <<'END'
ObjectCreated:Put folder%2Ffile 73ad9750e8d5fcf7936433620b4baa21-1 header: None
ObjectCreated:CompleteMultipartUpload folder%2Ffile 73ad9750e8d5fcf7936433620b4baa21-1 header: None
END
then
    cat seen
else
    echo "the behaviour has changed" >&2
    exit 1
fi
