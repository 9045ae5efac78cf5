"""MinIO's own Python client: signs chunks of the body over http, SHA-256 over https."""

import datetime
import io

from minio import Minio
from minio.commonconfig import ENABLED, REPLACE, ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from common import *

BUCKET = "by-minio"

# Without a region it asks every bucket for its ?location first.
client = Minio(HOST, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=ENDPOINT.startswith("https"))


def put(key, data, **more):
    return client.put_object(BUCKET, key, io.BytesIO(data), len(data), **more)


def get(key, **more):
    response = client.get_object(BUCKET, key, **more)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def code(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except S3Error as error:
        return error.code
    return None


with step("create a bucket, find it in the list"):
    client.make_bucket(BUCKET)
    expect(client.bucket_exists(BUCKET), True, "exists")
    expect(client.bucket_exists("by-nobody"), False, "exists")
    expect(BUCKET in [bucket.name for bucket in client.list_buckets()], True, "listed")

with step("put and get, with metadata"):
    data = blob(100_000)
    result = put("plain", data, content_type="text/plain", metadata={"colour": "blue", "cache-control": "max-age=60"})
    stat = client.stat_object(BUCKET, "plain")
    expect((stat.size, stat.etag, stat.content_type), (len(data), result.etag, "text/plain"), "stat")
    expect_members(stat.metadata, {"x-amz-meta-colour": "blue", "cache-control": "max-age=60"}, "metadata")
    expect_bytes(get("plain"), data, "bytes")
    expect(code(client.stat_object, BUCKET, "missing"), "NoSuchKey", "a key that is not there")

with step("an empty object"):
    put("empty", b"")
    expect(client.stat_object(BUCKET, "empty").size, 0, "length")
    expect(get("empty"), b"", "bytes")

with step("64 MiB in parts"):
    # Left alone it would send 64 MiB as one request.
    large = blob(64 * MIB, seed=3)
    put("large", large, part_size=16 * MIB)
    expect(client.stat_object(BUCKET, "large").etag[-2:], "-4", "parts in the etag")
    expect_bytes(get("large"), large, "bytes")

with step("64 MiB of unknown length, in parts"):
    client.put_object(BUCKET, "stream", io.BytesIO(large), -1, part_size=16 * MIB)
    expect_bytes(get("stream"), large, "bytes")

with step("ranges"):
    for offset, length in [(0, 1), (5, 4995), (16 * MIB - 8, 16), (len(large) - 3, 3)]:
        expect_bytes(get("large", offset=offset, length=length), large[offset : offset + length], f"{offset}+{length}")

with step("copy: small, with other metadata, and composed of parts"):
    client.copy_object(BUCKET, "copied", CopySource(BUCKET, "plain"))
    expect_bytes(get("copied"), data, "bytes")
    expect(client.stat_object(BUCKET, "copied").metadata["x-amz-meta-colour"], "blue", "metadata is copied")
    client.copy_object(BUCKET, "copied", CopySource(BUCKET, "plain"), metadata={"new": "1"}, metadata_directive=REPLACE)
    expect(client.stat_object(BUCKET, "copied").metadata.get("x-amz-meta-new"), "1", "metadata is replaced")
    client.compose_object(BUCKET, "composed", [ComposeSource(BUCKET, "large"), ComposeSource(BUCKET, "plain")])
    expect_bytes(get("composed"), large + data, "composed")

with step("presigned get and put"):
    url = client.presigned_get_object(BUCKET, "plain", response_headers={"response-content-type": "x/presigned"})
    status, found, got = http("GET", url)
    expect((status, found["Content-Type"]), (200, "x/presigned"), "get")
    expect_bytes(got, data, "get")
    url = client.presigned_put_object(BUCKET, "pre signed+%", expires=datetime.timedelta(minutes=5))
    expect(http("PUT", url, b"by url")[0], 200, "put")
    expect(get("pre signed+%"), b"by url", "put")

with step("awkward keys"):
    keys = keys_except(lambda key: {".", ".."} & set(key.split("/")), "refused by the client")
    for key in keys:
        put(key, key.encode())
        expect(get(key), key.encode(), key)
    listed = {found.object_name for found in client.list_objects(BUCKET, recursive=True)}
    expect(sorted(set(keys) - listed), [], "keys that are not listed")

with step("list 2,500 keys in pages, both versions"):
    for version_1 in [False, True]:
        found = [found.object_name for found in client.list_objects(LISTED_BUCKET, recursive=True, use_api_v1=version_1)]
        expect(found, LISTED_KEYS, f"version 1: {version_1}")
    found = [found.object_name for found in client.list_objects(LISTED_BUCKET) if found.is_dir]
    expect(found, sorted(filter(None, LISTED_PREFIXES), key=str.encode), "folders")

with step("versions: kept, listed, deleted and brought back"):
    bucket = f"{BUCKET}-versions"
    client.make_bucket(bucket)
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    expect(client.get_bucket_versioning(bucket).status, ENABLED, "status")
    ids = [client.put_object(bucket, "k", io.BytesIO(body), len(body)).version_id for body in [b"one", b"two"]]
    client.remove_object(bucket, "k")
    expect(list(client.list_objects(bucket)), [], "behind a marker")
    found = list(client.list_objects(bucket, include_version=True))
    markers = [version.version_id for version in found if version.is_delete_marker]
    expect([version.version_id for version in found if not version.is_delete_marker], ids[::-1], "versions")
    old = client.get_object(bucket, "k", version_id=ids[0])
    expect(old.read(), b"one", "an old version")
    old.close()
    old.release_conn()
    client.copy_object(bucket, "back", CopySource(bucket, "k", version_id=ids[0]))
    expect(client.stat_object(bucket, "back").size, 3, "copied from an old version")
    client.remove_object(bucket, "k", version_id=markers[0])
    expect(client.stat_object(bucket, "k").version_id, ids[1], "brought back")
    client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
    everything = [DeleteObject(found.object_name, found.version_id) for found in client.list_objects(bucket, include_version=True)]
    expect([str(error) for error in client.remove_objects(bucket, everything)], [], "errors")
    client.remove_bucket(bucket)

with step("tags of buckets and objects"):
    tags = Tags.new_bucket_tags()
    tags["team"] = "storage"
    client.set_bucket_tags(BUCKET, tags)
    expect(dict(client.get_bucket_tags(BUCKET)), {"team": "storage"}, "of the bucket")
    client.delete_bucket_tags(BUCKET)
    expect(client.get_bucket_tags(BUCKET), None, "deleted")
    tags = Tags.new_object_tags()
    tags["a b"] = "ü"
    put("tagged", b"", tags=tags)
    expect(dict(client.get_object_tags(BUCKET, "tagged")), {"a b": "ü"}, "with an upload")
    tags["c"] = "d"
    client.set_object_tags(BUCKET, "tagged", tags)
    expect(dict(client.get_object_tags(BUCKET, "tagged")), {"a b": "ü", "c": "d"}, "of the object")
    client.delete_object_tags(BUCKET, "tagged")
    expect(client.get_object_tags(BUCKET, "tagged"), None, "deleted")

for thing in ["access control lists", "rules for pages of other origins", "who pays", "attributes of objects"]:
    cannot(thing, "this client has no call for it")

with step("delete one, delete many"):
    client.remove_object(BUCKET, "plain")
    everything = [DeleteObject(found.object_name) for found in client.list_objects(BUCKET, recursive=True)]
    expect([str(error) for error in client.remove_objects(BUCKET, everything)], [], "errors")
    expect(list(client.list_objects(BUCKET, recursive=True)), [], "left over")
    client.remove_bucket(BUCKET)
    expect(client.bucket_exists(BUCKET), False, "gone")
