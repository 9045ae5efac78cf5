"""Uploads by form, encoded by those who encode forms: requests, aiohttp and, where there is one, node.

What the page would carry is made by boto3's `generate_presigned_post`, and for version 2 by hand.
"""

import asyncio
import base64
import datetime
import hmac
import json

import aiohttp
import boto3
import requests
from botocore.config import Config

from common import *

BUCKET = "by-forms"

s3 = boto3.client(
    "s3",
    endpoint_url=ENDPOINT,
    aws_access_key_id=ACCESS_KEY,
    aws_secret_access_key=SECRET_KEY,
    region_name=REGION,
    config=Config(signature_version="s3v4"),
)

DATA = blob(300_000)


def page(key, fields=None, conditions=None):
    """What a server would put into a page: where to post, and with which fields."""
    post = s3.generate_presigned_post(BUCKET, key, Fields=fields, Conditions=conditions, ExpiresIn=300)
    return post["url"], post["fields"]


def page_v2(key, conditions):
    """The same with a signature of version 2."""
    expiration = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    policy = {
        "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [{"bucket": BUCKET}, ["eq", "$key", key], *conditions],
    }
    policy = base64.b64encode(json.dumps(policy).encode()).decode()
    signature = base64.b64encode(hmac.digest(SECRET_KEY.encode(), policy.encode(), "sha1")).decode()
    fields = {"key": key, "AWSAccessKeyId": ACCESS_KEY, "policy": policy, "signature": signature}
    return f"{ENDPOINT}/{BUCKET}", fields


def stored(key):
    got = s3.get_object(Bucket=BUCKET, Key=key)
    return got["Body"].read(), got


def code(answer):
    text = answer if isinstance(answer, str) else answer.text
    return text.partition("<Code>")[2].partition("</Code>")[0]


s3.create_bucket(Bucket=BUCKET)

with step("requests: a form that boto3 signed"):
    url, fields = page("requests/plain")
    answer = requests.post(url, data=fields, files={"file": ("a.bin", DATA)})
    expect(answer.status_code, 204, answer.text)
    content, got = stored("requests/plain")
    expect_bytes(content, DATA)
    expect(answer.headers["ETag"], got["ETag"], "the etag")
    expect(requests.utils.unquote(answer.headers["Location"]), f"{url}/requests/plain", "the location")

with step("requests: fields, metadata, and an answer in XML"):
    asked = {
        "Content-Type": "image/png",
        "Cache-Control": "max-age=60",
        "x-amz-meta-colour": "blue",
        "success_action_status": "201",
    }
    url, fields = page("requests/fields", asked, [{name: value} for name, value in asked.items()])
    answer = requests.post(url, data=fields, files={"file": ("a.png", DATA, "text/plain")})
    expect(answer.status_code, 201, answer.text)
    expect(f"<Bucket>{BUCKET}</Bucket><Key>requests/fields</Key>" in answer.text, True, answer.text)
    _, got = stored("requests/fields")
    found = (got["ContentType"], got["CacheControl"], got["Metadata"])
    expect(found, ("image/png", "max-age=60", {"colour": "blue"}), "the headers")

with step("requests: the name of the file is in the key, whatever it is"):
    for name in ["a b.txt", "ünï.txt", "a+b%20c.txt", "x;y=z.txt", "a'b.txt", "日本.txt"]:
        url, fields = page("named/${filename}")
        answer = requests.post(url, data=fields, files={"file": (name, name.encode())})
        expect(answer.status_code, 204, answer.text)
        expect(stored(f"named/{name}")[0], name.encode(), name)

with step("requests: the browser is sent to a page"):
    target = "http://page.invalid/done?from=form"
    condition = ["starts-with", "$success_action_redirect", "http://page.invalid/"]
    url, fields = page("requests/redirect", {"success_action_redirect": target}, [condition])
    answer = requests.post(url, data=fields, files={"file": b"content"}, allow_redirects=False)
    expect(answer.status_code, 303, answer.text)
    etag = answer.headers["ETag"].strip('"')
    told = f"bucket={BUCKET}&key=requests%2Fredirect&etag=%22{etag}%22"
    expect(answer.headers["Location"], f"{target}&{told}", "the location")

with step("requests: sizes out of range, fields that nobody signed, a policy that was changed"):
    bounds = [["content-length-range", 10, 20]]
    for length, expected in [(9, "EntityTooSmall"), (10, ""), (20, ""), (21, "EntityTooLarge")]:
        url, fields = page("requests/bounded", None, bounds)
        answer = requests.post(url, data=fields, files={"file": b"x" * length})
        expect((answer.ok, code(answer)), (not expected, expected), f"{length} bytes")
    url, fields = page("requests/extra")
    answer = requests.post(url, data={**fields, "acl": "public-read"}, files={"file": b"x"})
    expect((answer.status_code, code(answer)), (403, "AccessDenied"), answer.text)
    url, fields = page("requests/other")
    answer = requests.post(url, data={**fields, "key": "elsewhere"}, files={"file": b"x"})
    expect((answer.status_code, code(answer)), (403, "AccessDenied"), answer.text)
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["conditions"].append({"acl": "public-read"})
    changed = base64.b64encode(json.dumps(policy).encode()).decode()
    answer = requests.post(url, data={**fields, "policy": changed}, files={"file": b"x"})
    expect((answer.status_code, code(answer)), (403, "SignatureDoesNotMatch"), answer.text)

with step("requests: a form of version 2"):
    url, fields = page_v2("requests/v2", [["starts-with", "$Content-Type", "text/"]])
    answer = requests.post(url, data={**fields, "Content-Type": "text/csv"}, files={"file": DATA})
    expect(answer.status_code, 204, answer.text)
    content, got = stored("requests/v2")
    expect_bytes(content, DATA)
    expect(got["ContentType"], "text/csv", "the type")
    answer = requests.post(url, data={**fields, "Content-Type": "image/png"}, files={"file": DATA})
    expect((answer.status_code, code(answer)), (403, "AccessDenied"), answer.text)


async def by_aiohttp():
    async with aiohttp.ClientSession() as session:

        async def pieces():
            for start in range(0, len(DATA), 1000):
                yield DATA[start : start + 1000]

        # One that says how long it is, and one that is sent in chunks.
        for key, content in [("aiohttp/whole", DATA), ("aiohttp/streamed", pieces())]:
            url, fields = page(key)
            form = aiohttp.FormData()
            for name, value in fields.items():
                form.add_field(name, value)
            form.add_field("file", content, filename="ünï.bin", content_type="application/octet-stream")
            async with session.post(url, data=form) as answer:
                expect(answer.status, 204, await answer.text())
            expect_bytes(stored(key)[0], DATA, key)


with step("aiohttp: forms with and without a length"):
    asyncio.run(by_aiohttp())

NODE = """
const [url, fields, size] = JSON.parse(process.argv[1]);
const form = new FormData();
for (const [name, value] of Object.entries(fields)) form.append(name, value);
const content = Buffer.alloc(size, "\\r\\n--");
form.append("file", new File([content], 'a "quoted" näme.txt', { type: "text/html" }));
form.append("submit", "Upload");
const answer = await fetch(url, { method: "POST", body: form });
console.log(JSON.stringify([answer.status, await answer.text()]));
"""

if shutil.which("node") is None:
    cannot("node", "it is not in PATH")
else:
    with step("node: the form of a browser's fetch"):
        url, fields = page("node/${filename}")
        arguments = json.dumps([url, fields, 200_000])
        done = subprocess.run(
            ["node", "--input-type=module", "-e", NODE, arguments], capture_output=True, timeout=60, text=True
        )
        expect(done.returncode, 0, done.stderr)
        expect(json.loads(done.stdout), [204, ""], "the answer")
        # As the standard of browsers has it, a quote arrives escaped.
        content, _ = stored("node/a %22quoted%22 näme.txt")
        expect_bytes(content, (b"\r\n--" * 50_000), "the file")

with step("nothing else was stored, and everything goes"):
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    expect([key for key in keys if key in ("elsewhere", "requests/extra", "requests/other")], [], "the keys")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    s3.delete_bucket(Bucket=BUCKET)
