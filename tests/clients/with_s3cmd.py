"""s3cmd as Debian packages it: path style, one connection, XML of its own."""

from common import *

BUCKET = "by-s3cmd"

with folder() as home:
    write(
        f"{home}/.s3cfg",
        "\n".join(
            [
                "[default]",
                f"access_key = {ACCESS_KEY}",
                f"secret_key = {SECRET_KEY}",
                f"host_base = {HOST}",
                f"host_bucket = {HOST}",
                f"bucket_location = {REGION if REGION != 'us-east-1' else 'US'}",
                f"use_https = {ENDPOINT.startswith('https')}",
                f"signurl_use_https = {ENDPOINT.startswith('https')}",
                f"ca_certs_file = {CA or ''}",
                "",
            ]
        ).encode(),
    )
    s3cmd = Tool("s3cmd", home, options=["--config", f"{home}/.s3cfg", "--no-progress"])

    def put(key, data, *options):
        s3cmd("put", *options, write(f"{home}/body", data), f"s3://{BUCKET}/{key}")

    def get(key, *options):
        s3cmd("get", "--force", *options, f"s3://{BUCKET}/{key}", f"{home}/back")
        return read(f"{home}/back")

    def info(name):
        return s3cmd("info", f"s3://{BUCKET}/{name}").decode()

    with step("create a bucket, find it in the list"):
        s3cmd("mb", f"s3://{BUCKET}")
        expect(f"s3://{BUCKET}" in s3cmd("ls").decode().split(), True, "listed")

    with step("put and get, with metadata"):
        data = blob(100_000)
        put("plain", data, "--add-header=x-amz-meta-colour: blue", "--add-header=Cache-Control: max-age=60", "--mime-type=text/plain")
        expect_bytes(get("plain"), data, "bytes")
        found = info("plain")
        for line in ["File size: 100000", "MIME type: text/plain", "x-amz-meta-colour: blue"]:
            expect(line in found, True, f"{line} in {found}")
        missing = s3cmd.run("get", "--force", f"s3://{BUCKET}/missing", f"{home}/back", check=False)
        expect(missing.returncode, 64, "a key that is not there")

    with step("info about a bucket, although not all that it asks for is served"):
        expect(f"s3://{BUCKET}/ (bucket)" in info(""), True, "info")

    with step("an empty object"):
        put("empty", b"")
        expect(get("empty"), b"", "bytes")

    with step("64 MiB in parts"):
        large = blob(64 * MIB, seed=5)
        put("large", large)
        expect_bytes(get("large"), large, "bytes")

    with step("a ranged get: it continues a partial file"):
        write(f"{home}/partial", large[: 40 * MIB + 1])
        s3cmd("get", "--continue", f"s3://{BUCKET}/large", f"{home}/partial")
        expect_bytes(read(f"{home}/partial"), large, "bytes")

    with step("copy: small, and in parts"):
        s3cmd("cp", f"s3://{BUCKET}/plain", f"s3://{BUCKET}/copied")
        expect_bytes(get("copied"), data, "bytes")
        expect("x-amz-meta-colour: blue" in info("copied"), True, "metadata is copied")
        s3cmd("cp", f"s3://{BUCKET}/large", f"s3://{BUCKET}/copied large")
        expect_bytes(get("copied large"), large, "bytes")
        s3cmd("mv", f"s3://{BUCKET}/copied", f"s3://{BUCKET}/moved")
        expect_bytes(get("moved"), data, "bytes")

    with step("presigned get"):
        url = s3cmd("signurl", f"s3://{BUCKET}/moved", "+60").decode().strip()
        status, _, got = http("GET", url)
        expect(status, 200, "status")
        expect_bytes(got, data, "bytes")
    cannot("presigned put", "`s3cmd signurl` makes URLs for GET only")

    with step("awkward keys"):
        keys = keys_except(lambda key: key == ".." or key.endswith("/"), "the client takes it for a folder")
        for key in keys:
            put(key, key.encode())
            expect(get(key), key.encode(), key)
        lines = s3cmd("ls", "--recursive", f"s3://{BUCKET}").decode().split("\n")
        listed = {line.split(f"s3://{BUCKET}/", 1)[1] for line in lines if f"s3://{BUCKET}/" in line}
        expect(sorted(set(keys) - listed), [], "keys that are not listed")

    with step("list 2,500 keys in pages"):
        lines = s3cmd("ls", "--recursive", f"s3://{LISTED_BUCKET}").decode().splitlines()
        expect([line.split(f"s3://{LISTED_BUCKET}/", 1)[1] for line in lines], LISTED_KEYS, "keys")

    with step("rights: everybody, one who was named, nobody"):
        put("public", data, "--acl-public")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[0], 200, "by everybody")
        expect("ACL:       *anon*: READ" in info("public"), True, info("public"))
        s3cmd("setacl", "--acl-private", f"s3://{BUCKET}/public")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}/public")[0], 403, "by nobody any more")
        s3cmd("setacl", f"--acl-grant=read:{OTHER_EMAIL}", f"s3://{BUCKET}/public")
        expect("ACL:       Other: READ" in info("public"), True, info("public"))
        s3cmd("setacl", f"--acl-revoke=read:{OTHER_ID}", f"s3://{BUCKET}/public")
        expect("Other" in info("public"), False, info("public"))
        s3cmd("setacl", "--acl-public", f"s3://{BUCKET}")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}")[0], 200, "the bucket")
        s3cmd("setacl", "--acl-private", f"s3://{BUCKET}")

    with step("rules for pages of other origins"):
        rules = "<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
        s3cmd("setcors", write(f"{home}/cors.xml", rules.encode()), f"s3://{BUCKET}")
        expect("http://a.example" in info(""), True, info(""))
        s3cmd("delcors", f"s3://{BUCKET}")
        expect("http://a.example" in info(""), False, info(""))

    with step("who pays"):
        s3cmd("payer", "--requester-pays", f"s3://{BUCKET}")
        expect("Payer:     Requester" in info(""), True, info(""))
        s3cmd("payer", f"s3://{BUCKET}")
        expect("Payer:     BucketOwner" in info(""), True, info(""))

    cannot("versions, tags and attributes of objects", "this release of s3cmd has no command for them")

    with step("delete one, delete many, remove the bucket"):
        s3cmd("del", f"s3://{BUCKET}/plain")
        s3cmd("del", "--recursive", "--force", f"s3://{BUCKET}")
        expect(s3cmd("ls", "--recursive", f"s3://{BUCKET}"), b"", "left over")
        s3cmd("rb", f"s3://{BUCKET}")
        expect(f"s3://{BUCKET}" in s3cmd("ls").decode().split(), False, "gone")
