"""Fills the bucket that all client scripts list: 2,500 keys under five prefixes.

Knows nothing but Python's own library, so that it also runs where no client
could be installed.
"""

import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import ssl
import threading
import urllib.parse

import common

WORKERS = 8


def sign(method, path):
    """The headers of a SigV4 request without query and with an unsigned body."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {
        "host": common.HOST,
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-amz-date": stamp,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    scope = f"{day}/{common.REGION}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{common.SECRET_KEY}".encode()
    for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"]:
        key = hmac.digest(key, part.encode(), "sha256")
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={common.ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return headers


def connect():
    if common.ENDPOINT.startswith("https"):
        context = ssl.create_default_context(cafile=common.CA)
        return http.client.HTTPSConnection(common.HOST, timeout=60, context=context)
    return http.client.HTTPConnection(common.HOST, timeout=60)


local = threading.local()


def put(key):
    if not hasattr(local, "connection"):
        local.connection = connect()
    path = "/" + urllib.parse.quote(f"{common.LISTED_BUCKET}/{key}" if key else common.LISTED_BUCKET, safe="/-_.~")
    local.connection.request("PUT", path, body=key.encode(), headers=sign("PUT", path))
    response = local.connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"PUT {path} -> {response.status} {body.decode(errors='replace')}")


put("")
with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
    for _ in pool.map(put, common.LISTED_KEYS):
        pass
print(f"{len(common.LISTED_KEYS)} keys in {common.LISTED_BUCKET}")
