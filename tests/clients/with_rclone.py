"""rclone as Debian packages it (the Go SDK), with the provider `Other`."""

import json

from common import *

BUCKET = "by-rclone"

with folder() as home:
    rclone = Tool(
        "rclone",
        home,
        env={
            "RCLONE_CONFIG": f"{home}/rclone.conf",
            "RCLONE_CONFIG_S_TYPE": "s3",
            "RCLONE_CONFIG_S_PROVIDER": "Other",
            "RCLONE_CONFIG_S_ENDPOINT": ENDPOINT,
            "RCLONE_CONFIG_S_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": SECRET_KEY,
            "RCLONE_CONFIG_S_REGION": REGION,
            **({"RCLONE_CA_CERT": CA} if CA else {}),
        },
        options=["--retries", "1", "--low-level-retries", "2"],
    )
    write(f"{home}/rclone.conf", b"")

    def get(key, *options):
        return rclone("cat", *options, f"s:{BUCKET}/{key}")

    with step("create a bucket, find it in the list"):
        rclone("mkdir", f"s:{BUCKET}")
        expect(f"{BUCKET}/" in rclone("lsf", "s:").decode().splitlines(), True, "listed")

    with step("put and get, with metadata"):
        data = blob(100_000)
        rclone("copyto", write(f"{home}/plain.txt", data), f"s:{BUCKET}/plain.txt", "--metadata", "--metadata-set", "colour=blue", "--metadata-set", "cache-control=max-age=60")
        rclone("copyto", f"s:{BUCKET}/plain.txt", f"{home}/back")
        expect_bytes(read(f"{home}/back"), data, "bytes")
        found = json.loads(rclone("lsjson", "--stat", "--metadata", f"s:{BUCKET}/plain.txt"))
        expect((found["Size"], found["MimeType"].split(";")[0]), (len(data), "text/plain"), "size and type")
        expect_members(found["Metadata"], {"colour": "blue", "cache-control": "max-age=60"}, "metadata")
        expect(rclone.run("deletefile", f"s:{BUCKET}/missing", check=False).returncode, 1, "a key that is not there")

    with step("an empty object"):
        rclone("copyto", write(f"{home}/empty", b""), f"s:{BUCKET}/empty")
        expect(get("empty"), b"", "bytes")

    with step("64 MiB in parts, of unknown length"):
        large = blob(64 * MIB, seed=6)
        rclone("rcat", f"s:{BUCKET}/large", stdin=large)
        expect_bytes(get("large"), large, "bytes")

    with step("64 MiB in one request, and checked"):
        write(f"{home}/large", large)
        rclone("copyto", f"{home}/large", f"s:{BUCKET}/large at once")
        rclone("check", home, f"s:{BUCKET}", "--one-way", "--include", "/plain.txt")
        expect_bytes(get("large at once"), large, "bytes")

    with step("ranges"):
        for offset, length in [(0, 1), (5, 4995), (5 * MIB - 8, 16), (len(large) - 3, 3)]:
            found = get("large", "--offset", str(offset), "--count", str(length))
            expect_bytes(found, large[offset : offset + length], f"{offset}+{length}")

    with step("copy"):
        rclone("copyto", f"s:{BUCKET}/plain.txt", f"s:{BUCKET}/copied.txt")
        expect_bytes(get("copied.txt"), data, "bytes")
        rclone("moveto", f"s:{BUCKET}/copied.txt", f"s:{BUCKET}/moved + 100%.txt")
        expect_bytes(get("moved + 100%.txt"), data, "bytes")

    with step("presigned get"):
        url = rclone("link", "--expire", "5m", f"s:{BUCKET}/plain.txt").decode().strip()
        status, _, got = http("GET", url)
        expect(status, 200, "status")
        expect_bytes(got, data, "bytes")
    cannot("presigned put", "`rclone link` makes URLs for GET only")

    with step("awkward keys"):
        def rewritten(key):
            segments = key.split("/")
            return {"", ".", ".."} & set(segments)

        keys = keys_except(rewritten, "rclone rewrites empty, `.` and `..` segments")
        for key in keys:
            rclone("rcat", f"s:{BUCKET}/{key}", stdin=key.encode())
            expect(get(key), key.encode(), key)
        listed = rclone("lsf", "--recursive", "--files-only", f"s:{BUCKET}").decode().split("\n")
        expect(sorted(set(keys) - set(listed)), [], "keys that are not listed")

    with step("list 2,500 keys in pages"):
        found = rclone("lsf", "--recursive", "--files-only", f"s:{LISTED_BUCKET}").decode().splitlines()
        expect(sorted(found, key=str.encode), LISTED_KEYS, "keys")
        found = rclone("lsf", "--dirs-only", f"s:{LISTED_BUCKET}").decode().splitlines()
        expect(sorted(found, key=str.encode), sorted(filter(None, LISTED_PREFIXES), key=str.encode), "folders")

    with step("versions: kept, listed, brought back, cleaned up"):
        bucket = f"s:{BUCKET}-versions"
        rclone("mkdir", bucket)
        rclone("backend", "versioning", bucket, "Enabled")
        expect(rclone("backend", "versioning", bucket).decode().strip(), "Enabled", "status")
        for body in [b"one", b"two"]:
            rclone("rcat", f"{bucket}/k.txt", stdin=body)
        rclone("deletefile", f"{bucket}/k.txt")
        expect(rclone("lsf", bucket), b"", "behind a marker")
        old = rclone("lsf", "--s3-versions", bucket).decode().split()
        expect(len(old), 2, f"versions: {old}")
        contents = {rclone("cat", "--s3-versions", f"{bucket}/{name}") for name in old}
        expect(contents, {b"one", b"two"}, "what they hold")
        rclone("backend", "cleanup-hidden", bucket)
        expect(rclone("lsf", "--s3-versions", bucket), b"", "cleaned up")
        rclone("purge", bucket)

    with step("rights"):
        rclone("copyto", "--s3-acl", "public-read", f"{home}/plain.txt", f"s:{BUCKET}/public.txt")
        expect(http("GET", f"{ENDPOINT}/{BUCKET}/public.txt")[0], 200, "by everybody")

    with step("who asks pays"):
        rclone("lsf", "--s3-requester-pays", f"s:{BUCKET}")

    for thing in ["tags", "rules for pages of other origins", "attributes of objects"]:
        cannot(thing, "this release of rclone has no command for it")

    cannot("multi-delete", "this release of rclone deletes keys one by one")

    with step("delete one, delete all"):
        rclone("deletefile", f"s:{BUCKET}/plain.txt")
        rclone("purge", f"s:{BUCKET}")
        expect(f"{BUCKET}/" in rclone("lsf", "s:").decode().splitlines(), False, "gone")
