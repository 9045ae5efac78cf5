"""boto3 as it comes: CRC32 checksums on every upload, path style on an IP address."""

import concurrent.futures
import io

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from common import *

BUCKET = "by-boto3"


def client(**more):
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        verify=CA,
        **more,
    )


s3 = client()


def body(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


with step("create a bucket, find it in the list"):
    s3.create_bucket(Bucket=BUCKET)
    s3.head_bucket(Bucket=BUCKET)
    expect(BUCKET in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]], True, "listed")
    expect(code(s3.head_bucket, Bucket="by-nobody"), "404", "a bucket that is not there")

with step("put and get, with metadata"):
    data = blob(100_000)
    headers = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="x.txt"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de",
        "Metadata": {"colour": "blue", "mixed-case": "Value With  Spaces"},
    }
    put = s3.put_object(Bucket=BUCKET, Key="plain", Body=data, **headers)
    expect("ChecksumCRC32" in put, True, "the checksum that was sent is confirmed")
    for found in [s3.head_object(Bucket=BUCKET, Key="plain"), s3.get_object(Bucket=BUCKET, Key="plain")]:
        expect_members(found, {**headers, "ContentLength": len(data), "ETag": put["ETag"]}, "metadata")
    expect_bytes(body("plain"), data, "bytes")
    expect(s3.get_object(Bucket=BUCKET, Key="plain", ChecksumMode="ENABLED")["ChecksumCRC32"], put["ChecksumCRC32"], "checksum")
    expect(code(s3.get_object, Bucket=BUCKET, Key="missing"), "NoSuchKey", "a key that is not there")
    expect(code(s3.head_object, Bucket=BUCKET, Key="missing"), "404", "a key that is not there")

with step("every checksum algorithm that the SDK knows without its native library"):
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=BUCKET, Key="summed", Body=data, ChecksumAlgorithm=algorithm)
        expect_bytes(body("summed", ChecksumMode="ENABLED"), data, algorithm)
    # A body that cannot be read twice is sent with a trailing checksum where that is possible.
    s3.upload_fileobj(io.BytesIO(data), BUCKET, "summed")
    expect_bytes(body("summed"), data, "file object")

with step("conditions"):
    etag = s3.head_object(Bucket=BUCKET, Key="plain")["ETag"]
    expect(code(s3.get_object, Bucket=BUCKET, Key="plain", IfNoneMatch=etag), "304", "if-none-match")
    expect(code(s3.get_object, Bucket=BUCKET, Key="plain", IfMatch='"x"'), "PreconditionFailed", "if-match")
    expect(code(s3.put_object, Bucket=BUCKET, Key="plain", Body=b"", IfNoneMatch="*"), "PreconditionFailed", "put if none")
    s3.put_object(Bucket=BUCKET, Key="fresh", Body=b"1", IfNoneMatch="*")

with step("an empty object"):
    s3.put_object(Bucket=BUCKET, Key="empty")
    expect(s3.head_object(Bucket=BUCKET, Key="empty")["ContentLength"], 0, "length")
    expect(body("empty"), b"", "bytes")

with step("64 MiB in parts"):
    large = blob(64 * MIB, seed=2)
    s3.upload_fileobj(io.BytesIO(large), BUCKET, "large", ExtraArgs={"Metadata": {"part": "y"}, "ContentType": "x/y"})
    head = s3.head_object(Bucket=BUCKET, Key="large")
    expect_members(head, {"ContentLength": len(large), "ContentType": "x/y", "Metadata": {"part": "y"}}, "metadata")
    expect(head["ETag"].endswith('-8"'), True, f"an etag of eight parts: {head['ETag']}")
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", back)
    expect_bytes(back.getvalue(), large, "bytes")

with step("ranges"):
    for wanted, first, last in [
        ("bytes=0-0", 0, 0),
        ("bytes=5-4999", 5, 4999),
        ("bytes=8388600-8388615", 8388600, 8388615),
        ("bytes=-7", len(large) - 7, len(large) - 1),
        (f"bytes={len(large) - 3}-", len(large) - 3, len(large) - 1),
    ]:
        found = s3.get_object(Bucket=BUCKET, Key="large", Range=wanted)
        expect(found["ContentRange"], f"bytes {first}-{last}/{len(large)}", wanted)
        expect_bytes(found["Body"].read(), large[first : last + 1], wanted)
    expect(code(s3.get_object, Bucket=BUCKET, Key="large", Range=f"bytes={len(large)}-"), "InvalidRange", "beyond the end")

with step("copy: small, with other metadata, and in parts"):
    source = {"Bucket": BUCKET, "Key": "plain"}
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource=source)
    expect_members(s3.head_object(Bucket=BUCKET, Key="copied"), {**headers, "ETag": etag}, "metadata is copied")
    expect_bytes(body("copied"), data, "bytes")
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"})
    expect(s3.head_object(Bucket=BUCKET, Key="copied")["Metadata"], {"new": "1"}, "metadata is replaced")
    expect(code(s3.copy_object, Bucket=BUCKET, Key="plain", CopySource=source), "InvalidRequest", "onto itself, unchanged")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="copied in parts")["UploadId"]
    parts = []
    for number, span in [(1, "bytes=0-33554431"), (2, "bytes=33554432-67108863")]:
        part = s3.upload_part_copy(
            Bucket=BUCKET, Key="copied in parts", UploadId=upload, PartNumber=number,
            CopySource={"Bucket": BUCKET, "Key": "large"}, CopySourceRange=span,
        )
        parts.append({"PartNumber": number, "ETag": part["CopyPartResult"]["ETag"]})
    expect([part["Size"] for part in s3.list_parts(Bucket=BUCKET, Key="copied in parts", UploadId=upload)["Parts"]], [32 * MIB] * 2, "parts")
    expect([found["Key"] for found in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]], ["copied in parts"], "uploads")
    s3.complete_multipart_upload(Bucket=BUCKET, Key="copied in parts", UploadId=upload, MultipartUpload={"Parts": parts})
    expect_bytes(body("copied in parts"), large, "bytes")

with step("an upload that is given up"):
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="given up")["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key="given up", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="given up", UploadId=upload)
    expect(code(s3.list_parts, Bucket=BUCKET, Key="given up", UploadId=upload), "NoSuchUpload", "afterwards")
    expect("Uploads" in s3.list_multipart_uploads(Bucket=BUCKET), False, "uploads")

with step("presigned get and put"):
    # Left alone it still signs URLs of us-east-1 with version 2 of the algorithm.
    for signer, version in [(s3, "as it comes"), (client(config=Config(signature_version="s3v4")), "version 4")]:
        url = signer.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "plain", "ResponseContentType": "x/presigned"})
        status, found, got = http("GET", url)
        expect((status, found["Content-Type"]), (200, "x/presigned"), f"get, {version}")
        expect_bytes(got, data, f"get, {version}")
        url = signer.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "pre signed+%", "ContentType": "application/octet-stream"})
        expect(http("PUT", url, version.encode())[0], 200, f"put, {version}")
        expect(body("pre signed+%"), version.encode(), f"put, {version}")

with step("awkward keys"):
    for key in AWKWARD_KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        expect(body(key), key.encode(), key)
        s3.copy_object(Bucket=BUCKET, Key="copy of awkward", CopySource={"Bucket": BUCKET, "Key": key})
        expect(body("copy of awkward"), key.encode(), f"copy of {key}")
    listed = [found["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET) for found in page["Contents"]]
    expect(sorted(set(AWKWARD_KEYS) - set(listed)), [], "keys that are not listed")
    expect(listed, sorted(listed, key=str.encode), "order")
    expect(code(s3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b""), "KeyTooLongError", "1,025 bytes")

with step("list 2,500 keys in pages, both versions"):
    for operation, size in [("list_objects_v2", 1000), ("list_objects", 1000), ("list_objects_v2", 777)]:
        pages = list(s3.get_paginator(operation).paginate(Bucket=LISTED_BUCKET, PaginationConfig={"PageSize": size}))
        expect(len(pages), -(-2500 // size), f"{operation}: pages")
        expect([found["Key"] for page in pages for found in page["Contents"]], LISTED_KEYS, operation)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LISTED_BUCKET, Delimiter="/", PaginationConfig={"PageSize": 100})
    prefixes = [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]
    expect(prefixes, sorted(filter(None, LISTED_PREFIXES), key=str.encode), "common prefixes")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=LISTED_BUCKET, Prefix="x+y/", Delimiter="/")
    expect(sum(len(page["Contents"]) for page in pages), 500, "below a prefix")

with step("delete one, delete many"):
    s3.delete_object(Bucket=BUCKET, Key="plain")
    s3.delete_object(Bucket=BUCKET, Key="plain")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=BUCKET, Key=f"many/{n}", Body=b""), range(200)))
    # A thousand keys in one request; most of them do not exist, which is no error.
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"many/{n}"} for n in range(1000)]})
    expect((len(answer["Deleted"]), answer.get("Errors")), (1000, None), "deleted")
    expect("Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix="many/"), False, "left over")
    expect(code(s3.delete_objects, Bucket=BUCKET, Delete={"Objects": [{"Key": f"{n}"} for n in range(1001)]}), "MalformedXML", "1,001 keys")
    expect(code(s3.delete_bucket, Bucket=BUCKET), "BucketNotEmpty", "a bucket with objects")
    left = [{"Key": found["Key"]} for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": left, "Quiet": True})
    expect((answer.get("Deleted"), answer.get("Errors")), (None, None), "quietly deleted")
    s3.delete_bucket(Bucket=BUCKET)
    expect(code(s3.head_bucket, Bucket=BUCKET), "404", "gone")
