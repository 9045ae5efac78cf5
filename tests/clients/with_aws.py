"""The AWS command line (version 1): `aws s3` for people, `aws s3api` for scripts."""

import json

from common import *

BUCKET = "by-aws"

with folder() as home:
    aws = Tool(
        "aws",
        home,
        env={
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"AWS_CA_BUNDLE": CA} if CA else {}),
        },
        options=["--endpoint-url", ENDPOINT],
    )

    def api(*arguments):
        return json.loads(aws("s3api", *arguments) or b"{}")

    def error(*arguments):
        return aws.run(*arguments, check=False).stderr.decode()

    with step("create a bucket, find it in the list"):
        aws("s3", "mb", f"s3://{BUCKET}")
        expect(BUCKET in aws("s3", "ls").decode().split(), True, "listed")

    with step("put and get, with metadata"):
        data = blob(100_000)
        plain = write(f"{home}/plain", data)
        aws("s3", "cp", plain, f"s3://{BUCKET}/plain", "--metadata", "colour=blue", "--cache-control", "max-age=60", "--content-type", "text/plain")
        wanted = {"ContentLength": len(data), "ContentType": "text/plain", "CacheControl": "max-age=60", "Metadata": {"colour": "blue"}}
        expect_members(api("head-object", "--bucket", BUCKET, "--key", "plain"), wanted, "head")
        aws("s3", "cp", f"s3://{BUCKET}/plain", f"{home}/back")
        expect_bytes(read(f"{home}/back"), data, "bytes")
        expect("(404)" in error("s3", "cp", f"s3://{BUCKET}/missing", f"{home}/back"), True, "a key that is not there")
        expect("(NoSuchKey)" in error("s3api", "get-object", "--bucket", BUCKET, "--key", "missing", f"{home}/back"), True, "a key that is not there")

    with step("an empty object"):
        aws("s3", "cp", write(f"{home}/empty", b""), f"s3://{BUCKET}/empty")
        expect(api("head-object", "--bucket", BUCKET, "--key", "empty")["ContentLength"], 0, "length")
        aws("s3", "cp", f"s3://{BUCKET}/empty", f"{home}/back")
        expect(read(f"{home}/back"), b"", "bytes")

    with step("64 MiB in parts"):
        large = blob(64 * MIB, seed=4)
        aws("s3", "cp", write(f"{home}/large", large), f"s3://{BUCKET}/large", "--metadata", "part=y")
        head = api("head-object", "--bucket", BUCKET, "--key", "large")
        expect((head["ETag"][-3:], head["Metadata"]), ('-8"', {"part": "y"}), "etag of eight parts, metadata")
        aws("s3", "cp", f"s3://{BUCKET}/large", f"{home}/back")
        expect_bytes(read(f"{home}/back"), large, "bytes")

    with step("a ranged get"):
        answer = api("get-object", "--bucket", BUCKET, "--key", "large", "--range", "bytes=8388600-8388615", f"{home}/back")
        expect(answer["ContentRange"], f"bytes 8388600-8388615/{len(large)}", "content-range")
        expect_bytes(read(f"{home}/back"), large[8388600:8388616], "bytes")

    with step("copy: small, and in parts"):
        aws("s3", "cp", f"s3://{BUCKET}/plain", f"s3://{BUCKET}/copied")
        expect_members(api("head-object", "--bucket", BUCKET, "--key", "copied"), wanted, "metadata is copied")
        aws("s3", "cp", f"s3://{BUCKET}/large", f"s3://{BUCKET}/copied in parts")
        aws("s3", "cp", f"s3://{BUCKET}/copied in parts", f"{home}/back")
        expect_bytes(read(f"{home}/back"), large, "bytes")

    with step("presigned get"):
        url = aws("s3", "presign", f"s3://{BUCKET}/plain").decode().strip()
        status, _, got = http("GET", url)
        expect(status, 200, "status")
        expect_bytes(got, data, "bytes")
    cannot("presigned put", "`aws s3 presign` makes URLs for GET only")

    with step("awkward keys"):
        # `aws` takes a second or so to start: the keys share as few runs as possible.
        os.mkdir(f"{home}/tree")
        folders = [key for key in AWKWARD_KEYS if "/" not in key and key != ".." and len(key.encode()) <= 255]
        for key in folders:
            write(f"{home}/tree/{key}", key.encode())
        aws("s3", "cp", "--recursive", f"{home}/tree", f"s3://{BUCKET}/tree/")
        aws("s3", "cp", "--recursive", f"s3://{BUCKET}/tree/", f"{home}/twin")
        for key in folders:
            expect(read(f"{home}/twin/{key}"), key.encode(), key)
        keys = [key for key in AWKWARD_KEYS if key not in folders]
        for key in keys:
            body = write(f"{home}/body", key.encode())
            api("put-object", "--bucket", BUCKET, "--key", key, "--body", body)
            api("get-object", "--bucket", BUCKET, "--key", key, f"{home}/back")
            expect(read(f"{home}/back"), key.encode(), key)
        listed = {found["Key"] for found in api("list-objects-v2", "--bucket", BUCKET)["Contents"]}
        expect(sorted({*keys, *(f"tree/{key}" for key in folders)} - listed), [], "keys that are not listed")

    with step("list 2,500 keys in pages, both versions"):
        for operation in ["list-objects-v2", "list-objects"]:
            found = api(operation, "--bucket", LISTED_BUCKET, "--query", "Contents[].Key")
            expect(found, LISTED_KEYS, operation)
        lines = aws("s3", "ls", f"s3://{LISTED_BUCKET}", "--recursive").decode().splitlines()
        expect([line[31:] for line in lines], LISTED_KEYS, "ls")

    with step("checksums of every kind, and attributes"):
        for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
            put = api("put-object", "--bucket", BUCKET, "--key", "summed", "--body", plain, "--checksum-algorithm", algorithm)
            found = api("get-object-attributes", "--bucket", BUCKET, "--key", "summed", "--object-attributes", "ETag", "Checksum", "ObjectSize")
            name = f"Checksum{algorithm}"
            expect((found["Checksum"][name], found["ObjectSize"]), (put[name], len(data)), algorithm)

    with step("versions: kept, listed, deleted and brought back"):
        bucket = f"{BUCKET}-versions"
        aws("s3", "mb", f"s3://{bucket}")
        api("put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
        expect(api("get-bucket-versioning", "--bucket", bucket), {"Status": "Enabled"}, "status")
        ids = [api("put-object", "--bucket", bucket, "--key", "k", "--body", write(f"{home}/body", body))["VersionId"] for body in [b"one", b"two"]]
        marker = api("delete-object", "--bucket", bucket, "--key", "k")
        expect(marker["DeleteMarker"], True, "a marker")
        expect("(NoSuchKey)" in error("s3api", "get-object", "--bucket", bucket, "--key", "k", f"{home}/back"), True, "behind a marker")
        found = api("list-object-versions", "--bucket", bucket)
        expect([version["VersionId"] for version in found["Versions"]], ids[::-1], "versions")
        expect([found["VersionId"] for found in found["DeleteMarkers"]], [marker["VersionId"]], "markers")
        api("get-object", "--bucket", bucket, "--key", "k", "--version-id", ids[0], f"{home}/back")
        expect(read(f"{home}/back"), b"one", "an old version")
        api("delete-object", "--bucket", bucket, "--key", "k", "--version-id", marker["VersionId"])
        aws("s3", "cp", f"s3://{bucket}/k", f"{home}/back")
        expect(read(f"{home}/back"), b"two", "brought back")
        expect("(BucketNotEmpty)" in error("s3", "rb", "--force", f"s3://{bucket}"), True, "a bucket with versions")
        doomed = [{"Key": "k", "VersionId": found["VersionId"]} for kind in ["Versions", "DeleteMarkers"] for found in api("list-object-versions", "--bucket", bucket).get(kind, [])]
        api("delete-objects", "--bucket", bucket, "--delete", json.dumps({"Objects": doomed}))
        aws("s3", "rb", f"s3://{bucket}")

    with step("rights"):
        aws("s3", "cp", plain, f"s3://{BUCKET}/public", "--acl", "public-read")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[0], 200, "by everybody")
        api("put-object-acl", "--bucket", BUCKET, "--key", "public", "--acl", "private")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[0], 403, "by nobody any more")
        api("put-bucket-acl", "--bucket", BUCKET, "--grant-read", f"id={OTHER_ID}")
        grants = api("get-bucket-acl", "--bucket", BUCKET)["Grants"]
        expect([(grant["Grantee"]["ID"], grant["Permission"]) for grant in grants], [(OTHER_ID, "READ")], "grants")
        api("put-bucket-acl", "--bucket", BUCKET, "--acl", "private")

    with step("tags"):
        api("put-bucket-tagging", "--bucket", BUCKET, "--tagging", "TagSet=[{Key=team,Value=storage}]")
        expect(api("get-bucket-tagging", "--bucket", BUCKET)["TagSet"], [{"Key": "team", "Value": "storage"}], "of the bucket")
        api("delete-bucket-tagging", "--bucket", BUCKET)
        expect("(NoSuchTagSet)" in error("s3api", "get-bucket-tagging", "--bucket", BUCKET), True, "deleted")
        api("put-object", "--bucket", BUCKET, "--key", "tagged", "--body", plain, "--tagging", "a=b&c=d")
        expect(api("head-object", "--bucket", BUCKET, "--key", "tagged").get("TagCount", 2), 2, "count")
        tags = api("get-object-tagging", "--bucket", BUCKET, "--key", "tagged")["TagSet"]
        expect(tags, [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}], "of the object")
        # It asks for the tags of what it copies in parts.
        aws("s3", "cp", f"s3://{BUCKET}/tagged", f"s3://{BUCKET}/tagged too")
        expect(api("get-object-tagging", "--bucket", BUCKET, "--key", "tagged too")["TagSet"], tags, "copied")

    with step("rules for pages of other origins"):
        rules = [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "MaxAgeSeconds": 60}]
        api("put-bucket-cors", "--bucket", BUCKET, "--cors-configuration", json.dumps({"CORSRules": rules}))
        expect(api("get-bucket-cors", "--bucket", BUCKET)["CORSRules"], rules, "rules")
        api("delete-bucket-cors", "--bucket", BUCKET)
        expect("(NoSuchCORSConfiguration)" in error("s3api", "get-bucket-cors", "--bucket", BUCKET), True, "deleted")

    with step("who asks pays"):
        api("put-bucket-request-payment", "--bucket", BUCKET, "--request-payment-configuration", "Payer=Requester")
        expect(api("get-bucket-request-payment", "--bucket", BUCKET), {"Payer": "Requester"}, "payer")
        api("put-bucket-acl", "--bucket", BUCKET, "--acl", "public-read")
        keys = {"AWS_ACCESS_KEY_ID": OTHER_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": OTHER_SECRET_KEY}
        stranger = Tool("aws", home, env={**aws.env, **keys}, options=aws.options)
        refused = stranger.run("s3", "ls", f"s3://{BUCKET}", check=False)
        expect("(AccessDenied)" in refused.stderr.decode(), True, "without a word")
        expect(b"plain" in stranger("s3", "ls", f"s3://{BUCKET}", "--request-payer", "requester"), True, "charged")
        api("put-bucket-request-payment", "--bucket", BUCKET, "--request-payment-configuration", "Payer=BucketOwner")

    with step("delete many, remove the bucket"):
        doomed = [{"Key": "plain"}, {"Key": "copied"}, {"Key": "never there"}]
        answer = api("delete-objects", "--bucket", BUCKET, "--delete", json.dumps({"Objects": doomed}))
        expect(sorted(found["Key"] for found in answer["Deleted"]), ["copied", "never there", "plain"], "deleted")
        expect("(BucketNotEmpty)" in error("s3", "rb", f"s3://{BUCKET}"), True, "a bucket with objects")
        aws("s3", "rb", "--force", f"s3://{BUCKET}")
        expect("(NoSuchBucket)" in error("s3", "ls", f"s3://{BUCKET}"), True, "gone")
