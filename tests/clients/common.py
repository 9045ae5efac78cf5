"""What the client scripts share: where the server is, what to send, how to fail.

A script gets its server from the environment (SLUICE_ENDPOINT,
SLUICE_ACCESS_KEY, SLUICE_SECRET_KEY, SLUICE_REGION, SLUICE_CA for https, and
SLUICE_OTHER_ACCESS_KEY, SLUICE_OTHER_SECRET_KEY of another account), makes a bucket of its own, and removes it when all steps have passed. Each
step prints one line. The first step that is not as expected ends the script
with a traceback and status 1.
"""

import contextlib
import hashlib
import os
import random
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ENDPOINT = os.environ["SLUICE_ENDPOINT"]
ACCESS_KEY = os.environ["SLUICE_ACCESS_KEY"]
SECRET_KEY = os.environ["SLUICE_SECRET_KEY"]
OTHER_ACCESS_KEY = os.environ["SLUICE_OTHER_ACCESS_KEY"]
OTHER_SECRET_KEY = os.environ["SLUICE_OTHER_SECRET_KEY"]
# How the server knows the account of these keys.
OTHER_ID = "other"
OTHER_EMAIL = "other@example.com"
REGION = os.environ.get("SLUICE_REGION", "us-east-1")
CA = os.environ.get("SLUICE_CA")
HOST = urllib.parse.urlsplit(ENDPOINT).netloc

MIB = 1024 * 1024

# A bucket that `seed.py` fills before any of the scripts starts.
LISTED_BUCKET = "listed"
LISTED_PREFIXES = ["", "a b/", "ü/", "x+y/", "z%20/"]
LISTED_KEYS = sorted(
    (f"{LISTED_PREFIXES[n % 5]}key-{n:04}" for n in range(2500)),
    key=lambda key: key.encode(),
)

# One line per way in which clients and servers disagree about a key.
AWKWARD_KEYS = [
    "plain",
    "with space",
    "two  spaces and a trailing one ",
    " leading space",
    "plus+sign",
    "100%",
    "percent%41%2F",
    "double//slash",
    "/leading slash",
    "//two leading",
    "trailing slash/",
    "ünïcödé/日本語/🦀",
    "e\u0301 decomposed, \u00e9 composed",
    "query?like=this&that#fragment",
    "quotes 'single' \"double\" <tag> &amp;",
    "dots/../up/./here",
    "..",
    "back\\slash",
    "!*'()~@:$,;=[]{}|^`",
    "k" * 1024,
    "é" * 512,
]


def blob(length, seed=1):
    """`length` bytes that no compression or deduplication can shorten."""
    return random.Random(seed).randbytes(length)


def expect(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what}: found {brief(found)}, wanted {brief(wanted)}")


def expect_bytes(found, wanted, what=""):
    """Compares by digest: nobody reads 64 MiB of a failed assertion."""
    expect((len(found), digest(found)), (len(wanted), digest(wanted)), what)


def expect_members(found, wanted, what=""):
    """Everything in `wanted` is in `found`; there may be more."""
    expect({name: found.get(name) for name in wanted}, wanted, what)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def brief(value):
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)"


@contextlib.contextmanager
def step(name):
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"FAILED  {name}", flush=True)
        raise
    print(f"ok      {name} ({time.monotonic() - begun:.2f} s)", flush=True)


def keys_except(refused, why):
    """The awkward keys without those that the client itself refuses or rewrites."""
    for key in filter(refused, AWKWARD_KEYS):
        cannot(f"key {brief(key)}", why)
    return [key for key in AWKWARD_KEYS if not refused(key)]


def cannot(name, why):
    """States what this client has no way to do, instead of leaving it out."""
    print(f"n/a     {name}: {why}", flush=True)


def http(method, url, body=None, headers=None):
    """Uses a presigned URL the way a browser or curl would: with nothing but the URL."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if body is not None and "Content-type" not in request.headers:
        # urllib would call any body a form, which is not what the signer signed.
        request.add_header("Content-Type", "application/octet-stream")
    try:
        context = ssl.create_default_context(cafile=CA) if CA else None
        with urllib.request.urlopen(request, timeout=60, context=context) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@contextlib.contextmanager
def folder():
    """A folder for one script, with a home of its own so that no configuration leaks in."""
    path = tempfile.mkdtemp(prefix="sluice-client-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Tool:
    """A command-line client, found in PATH or next to this Python."""

    def __init__(self, program, home, env=None, options=()):
        import sys

        places = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
        self.program = shutil.which(program, path=places)
        if self.program is None:
            raise SystemExit(f"{program} is not installed")
        self.options = list(options)
        # Python reads arguments and prints keys in UTF-8 only under a UTF-8 locale.
        self.env = {"PATH": places, "HOME": home, "LC_ALL": "C.UTF-8", **(env or {})}

    def run(self, *arguments, stdin=None, check=True):
        done = subprocess.run(
            [self.program, *self.options, *arguments],
            env=self.env,
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=300,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{self.program} {brief(arguments)} -> {done.returncode}\n"
                f"{done.stdout[-2000:].decode(errors='replace')}\n{done.stderr[-4000:].decode(errors='replace')}"
            )
        return done

    def __call__(self, *arguments, **options):
        return self.run(*arguments, **options).stdout


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read()
