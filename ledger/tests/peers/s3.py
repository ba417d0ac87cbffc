"""An S3-compatible store in memory (moto), with a bucket; says what lies in it as boto3 sees it.

Prints the store's address; then, for every line read, one line `KEY SHA256 ...` of all objects, until input ends.
"""

import hashlib
import sys

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="eu-central-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
s3.create_bucket(Bucket="batches", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
print(endpoint, flush=True)
for _ in sys.stdin:
    found = []
    for item in s3.list_objects_v2(Bucket="batches").get("Contents", []):
        body = s3.get_object(Bucket="batches", Key=item["Key"])["Body"].read()
        found += [item["Key"], hashlib.sha256(body).hexdigest()]
    print(*found, flush=True)
server.stop()
