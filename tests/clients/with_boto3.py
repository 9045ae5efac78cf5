"""boto3 as it comes: CRC32 checksums on every upload, path style on an IP address."""

import base64
import concurrent.futures
import io

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from common import *

BUCKET = "by-boto3"


def client(access_key=ACCESS_KEY, secret_key=SECRET_KEY, **more):
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=REGION,
        verify=CA,
        **more,
    )


s3 = client()
other = client(OTHER_ACCESS_KEY, OTHER_SECRET_KEY)


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

with step("every checksum algorithm"):
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        put = s3.put_object(Bucket=BUCKET, Key="summed", Body=data, ChecksumAlgorithm=algorithm)
        expect(f"Checksum{algorithm}" in put, True, algorithm)
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

with step("all attributes of an object"):
    asked = {"ObjectAttributes": ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]}
    s3.put_object(Bucket=BUCKET, Key="summed", Body=data, ChecksumAlgorithm="SHA256")
    found = s3.get_object_attributes(Bucket=BUCKET, Key="summed", **asked)
    digest_of_data = base64.b64encode(hashlib.sha256(data).digest()).decode()
    expect_members(found, {"ETag": hashlib.md5(data).hexdigest(), "ObjectSize": len(data), "StorageClass": "STANDARD"}, "attributes")
    expect_members(found["Checksum"], {"ChecksumSHA256": digest_of_data, "ChecksumType": "FULL_OBJECT"}, "checksum")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="summed in parts", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, piece in [(1, large[: 5 * MIB]), (2, data)]:
        part = s3.upload_part(Bucket=BUCKET, Key="summed in parts", UploadId=upload, PartNumber=number, Body=piece, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]})
    s3.complete_multipart_upload(Bucket=BUCKET, Key="summed in parts", UploadId=upload, MultipartUpload={"Parts": parts})
    found = s3.get_object_attributes(Bucket=BUCKET, Key="summed in parts", **asked)
    expect((found["Checksum"]["ChecksumType"], found["ObjectParts"]["TotalPartsCount"]), ("COMPOSITE", 2), "parts")
    expect([part["Size"] for part in found["ObjectParts"]["Parts"]], [5 * MIB, len(data)], "sizes of the parts")
    expect(code(s3.put_object, Bucket=BUCKET, Key="wrong", Body=data, ChecksumSHA256=base64.b64encode(b"0" * 32).decode()), "BadDigest", "a wrong checksum")
    expect(code(s3.head_object, Bucket=BUCKET, Key="wrong"), "404", "nothing was stored")

with step("versions: kept, listed in pages, deleted and brought back"):
    bucket = f"{BUCKET}-versions"
    s3.create_bucket(Bucket=bucket)
    expect(s3.get_bucket_versioning(Bucket=bucket).get("Status"), None, "never set")
    expect("VersionId" in s3.put_object(Bucket=bucket, Key="k", Body=b"null"), False, "without versions")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    expect(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled", "status")
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)["VersionId"] for n in range(3)]
    deleted = s3.delete_object(Bucket=bucket, Key="k")
    expect(deleted["DeleteMarker"], True, "a marker")
    expect(code(s3.get_object, Bucket=bucket, Key="k"), "NoSuchKey", "behind a marker")
    expect(code(s3.head_object, Bucket=bucket, Key="k", VersionId=deleted["VersionId"]), "405", "a marker is nothing to read")
    expect("Contents" in s3.list_objects_v2(Bucket=bucket), False, "listed")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    versions = [(found["VersionId"], found["IsLatest"]) for page in pages for found in page.get("Versions", [])]
    markers = [(found["VersionId"], found["IsLatest"]) for page in pages for found in page.get("DeleteMarkers", [])]
    expect(versions, [(name, False) for name in [*reversed(ids), "null"]], "versions")
    expect((markers, len(pages)), ([(deleted["VersionId"], True)], 3), "markers, and pages")
    expect(s3.get_object(Bucket=bucket, Key="k", VersionId=ids[0])["Body"].read(), b"0", "an old version")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=deleted["VersionId"])
    expect(s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"2", "without the marker")
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]})
    expect(s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"0", "brought back")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    expect("VersionId" in s3.put_object(Bucket=bucket, Key="k", Body=b"suspended"), False, "suspended")
    expect(code(s3.delete_bucket, Bucket=bucket), "BucketNotEmpty", "a bucket with versions")
    everything = s3.list_object_versions(Bucket=bucket)
    doomed = [{"Key": found["Key"], "VersionId": found["VersionId"]} for found in everything["Versions"] + everything.get("DeleteMarkers", [])]
    expect("Errors" in s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed}), False, "errors")
    s3.delete_bucket(Bucket=bucket)

with step("rights: by name, by grant and as a document"):
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
    s3.put_object(Bucket=BUCKET, Key="public", Body=b"public", ACL="public-read")
    expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[::2], (200, b"public"), "by everybody")
    s3.put_object_acl(Bucket=BUCKET, Key="public", ACL="private")
    expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[0], 403, "by nobody any more")
    s3.put_object_acl(Bucket=BUCKET, Key="public", GrantRead=f'emailAddress="{OTHER_EMAIL}"')
    expect(other.get_object(Bucket=BUCKET, Key="public")["Body"].read(), b"public", "by one who was named")
    acl = s3.get_object_acl(Bucket=BUCKET, Key="public")
    expect([(grant["Grantee"]["ID"], grant["Permission"]) for grant in acl["Grants"]], [(OTHER_ID, "READ")], "grants")
    grants = [
        {"Grantee": {"Type": "CanonicalUser", "ID": OTHER_ID}, "Permission": "READ"},
        {"Grantee": {"Type": "Group", "URI": everybody}, "Permission": "READ_ACP"},
    ]
    owner = s3.get_bucket_acl(Bucket=BUCKET)["Owner"]
    s3.put_bucket_acl(Bucket=BUCKET, AccessControlPolicy={"Owner": owner, "Grants": grants})
    expect("Contents" in other.list_objects_v2(Bucket=BUCKET), True, "listed by one who was named")
    expect(http("GET", f"{ENDPOINT}/{BUCKET}?acl")[0], 200, "the list of rights")
    expect(code(other.put_object, Bucket=BUCKET, Key="never", Body=b""), "AccessDenied", "what was not granted")
    expect(code(s3.put_bucket_acl, Bucket=BUCKET, GrantRead='emailAddress="nobody@example.com"'), "UnresolvableGrantByEmailAddress", "nobody")
    s3.put_bucket_acl(Bucket=BUCKET, ACL="private")
    expect(code(other.list_objects_v2, Bucket=BUCKET), "AccessDenied", "private")

with step("tags of buckets and objects"):
    def tags(found):
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    expect(code(s3.get_bucket_tagging, Bucket=BUCKET), "NoSuchTagSet", "a bucket without tags")
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "storage"}]})
    expect(tags(s3.get_bucket_tagging(Bucket=BUCKET)), {"team": "storage"}, "of the bucket")
    s3.delete_bucket_tagging(Bucket=BUCKET)
    expect(code(s3.get_bucket_tagging, Bucket=BUCKET), "NoSuchTagSet", "deleted")
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"", Tagging="team=storage&a%20b=%C3%BC")
    expect(tags(s3.get_object_tagging(Bucket=BUCKET, Key="tagged")), {"team": "storage", "a b": "ü"}, "with an upload")
    expect(s3.get_object(Bucket=BUCKET, Key="tagged")["TagCount"], 2, "count")
    s3.copy_object(Bucket=BUCKET, Key="copied tags", CopySource={"Bucket": BUCKET, "Key": "tagged"})
    expect(tags(s3.get_object_tagging(Bucket=BUCKET, Key="copied tags")), {"team": "storage", "a b": "ü"}, "copied")
    s3.copy_object(Bucket=BUCKET, Key="copied tags", CopySource={"Bucket": BUCKET, "Key": "tagged"}, Tagging="new=1", TaggingDirective="REPLACE")
    expect(tags(s3.get_object_tagging(Bucket=BUCKET, Key="copied tags")), {"new": "1"}, "replaced by a copy")
    s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": [{"Key": "x", "Value": ""}]})
    expect(tags(s3.get_object_tagging(Bucket=BUCKET, Key="tagged")), {"x": ""}, "replaced")
    s3.delete_object_tagging(Bucket=BUCKET, Key="tagged")
    expect(tags(s3.get_object_tagging(Bucket=BUCKET, Key="tagged")), {}, "deleted")
    twice = {"TagSet": [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]}
    expect(code(s3.put_object_tagging, Bucket=BUCKET, Key="tagged", Tagging=twice), "InvalidTag", "a key twice")

with step("rules for pages of other origins"):
    rules = [{"ID": "pages", "AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    expect(code(s3.get_bucket_cors, Bucket=BUCKET), "NoSuchCORSConfiguration", "without rules")
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": rules})
    expect(s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"], rules, "rules")
    status, found, _ = http("OPTIONS", f"{ENDPOINT}/{BUCKET}/key", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"})
    expect((status, found["Access-Control-Allow-Origin"]), (200, "https://a.example"), "preflight")
    s3.delete_bucket_cors(Bucket=BUCKET)
    expect(code(s3.get_bucket_cors, Bucket=BUCKET), "NoSuchCORSConfiguration", "deleted")

with step("who asks pays"):
    expect(s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"], "BucketOwner", "by default")
    s3.put_object(Bucket=BUCKET, Key="charged", Body=b"charged", ACL="public-read")
    s3.put_bucket_request_payment(Bucket=BUCKET, RequestPaymentConfiguration={"Payer": "Requester"})
    expect(s3.get_bucket_request_payment(Bucket=BUCKET)["Payer"], "Requester", "payer")
    expect(code(other.get_object, Bucket=BUCKET, Key="charged"), "AccessDenied", "without a word")
    charged = other.get_object(Bucket=BUCKET, Key="charged", RequestPayer="requester")
    expect((charged["Body"].read(), charged["RequestCharged"]), (b"charged", "requester"), "charged")
    expect("RequestCharged" in s3.get_object(Bucket=BUCKET, Key="charged"), False, "the owner is not charged")
    url = other.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "charged", "RequestPayer": "requester"})
    expect(http("GET", url, headers={"x-amz-request-payer": "requester"})[0], 200, "by URL")
    s3.put_bucket_request_payment(Bucket=BUCKET, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    expect("RequestCharged" in other.get_object(Bucket=BUCKET, Key="charged"), False, "the owner pays again")

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
