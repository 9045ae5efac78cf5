//! Signature version 4: headers, URLs, and the chain of chunk signatures.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::Request;
use crate::encode::{canonical_path, canonical_query, encode, hex, hmac, sha256_hex};

/// An access key and its secret.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub access: &'static str,
    pub secret: &'static str,
    pub region: &'static str,
    pub service: &'static str,
}

const fn key(access: &'static str, secret: &'static str) -> Key {
    Key {
        access,
        secret,
        region: "us-east-1",
        service: "s3",
    }
}

/// Of the account `root`, which may create buckets.
pub const ROOT: Key = key("AKIDROOT", "root-secret-of-the-tests");
/// Of the account `other`, which may create buckets too.
pub const OTHER: Key = key("AKIDOTHER", "other-secret-of-the-tests");
/// Of no account.
pub const NOBODY: Key = key("AKIDNOBODY", "a-secret-that-nobody-shares");

/// When something was signed, and for how long.
#[derive(Debug, Clone)]
pub struct Time(Zoned);

impl Time {
    pub fn now() -> Self {
        Self(Timestamp::now().to_zoned(TimeZone::UTC))
    }

    pub fn ago(duration: Duration) -> Self {
        Self(Self::now().0.saturating_sub(duration))
    }

    pub fn ahead(duration: Duration) -> Self {
        Self(Self::now().0.saturating_add(duration))
    }

    pub fn stamp(&self) -> String {
        self.0.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// As a policy says when it ends.
    pub fn extended(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    pub fn date(&self) -> String {
        self.0.strftime("%Y%m%d").to_string()
    }
}

/// What the signature of a chunk needs of the one before it.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    key: Vec<u8>,
    stamp: String,
    scope: String,
    pub(crate) signature: String,
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Key {
    pub fn scope(&self, time: &Time) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            time.date(),
            self.region,
            self.service
        )
    }

    pub(crate) fn derive(&self, time: &Time) -> Vec<u8> {
        let secret = format!("AWS4{}", self.secret);
        let parts = [&time.date(), self.region, self.service, "aws4_request"];
        parts
            .into_iter()
            .fold(secret.into_bytes(), |key, part| hmac(&key, part))
    }

    fn seed(&self, time: &Time, canonical: &str) -> Seed {
        let (key, stamp, scope) = (self.derive(time), time.stamp(), self.scope(time));
        let hash = sha256_hex(canonical);
        let signature = hex(&hmac(
            &key,
            &format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}"),
        ));
        Seed {
            key,
            stamp,
            scope,
            signature,
        }
    }
}

impl Seed {
    /// The signature of a chunk, which the next one builds on.
    pub(crate) fn chunk(&mut self, data: &[u8]) -> &str {
        self.next("PAYLOAD", &format!("{EMPTY}\n{}", sha256_hex(data)))
    }

    /// The signature of trailers, written as `name:value\n` each.
    pub(crate) fn trailer(&mut self, trailers: &str) -> &str {
        self.next("TRAILER", &sha256_hex(trailers))
    }

    fn next(&mut self, kind: &str, hashes: &str) -> &str {
        let Self {
            key,
            stamp,
            scope,
            signature,
        } = &*self;
        let text = format!("AWS4-HMAC-SHA256-{kind}\n{stamp}\n{scope}\n{signature}\n{hashes}");
        self.signature = hex(&hmac(key, &text));
        &self.signature
    }
}

/// The names of the headers that are signed: the host, and all of S3's.
fn signed_names(request: &Request) -> Vec<String> {
    let signed = |name: &str| {
        matches!(name, "host" | "content-type" | "content-md5" | "range")
            || name.starts_with("x-amz-")
    };
    let mut names: Vec<_> = request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| signed(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn canonical_request(request: &Request, query: &str, names: &[String], payload: &str) -> String {
    let (path, _) = request.split_target();
    let headers: String = names
        .iter()
        .map(|name| {
            format!(
                "{name}:{}\n",
                single_spaced(&request.values(name).join(","))
            )
        })
        .collect();
    let (method, path, query) = (
        &request.method,
        canonical_path(path),
        canonical_query(query),
    );
    format!(
        "{method}\n{path}\n{query}\n{headers}\n{}\n{payload}",
        names.join(";")
    )
}

fn single_spaced(value: &str) -> String {
    let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Adds `Authorization` and what belongs to it; keeps what is there already.
pub(crate) fn sign(request: Request, key: &Key, time: &Time) -> (Request, Seed) {
    let digest = sha256_hex(&request.body);
    let request = request
        .header_if_none("x-amz-date", &time.stamp())
        .header_if_none("x-amz-content-sha256", &digest);
    let payload = request.values("x-amz-content-sha256").join(",");
    let names = signed_names(&request);
    let (_, query) = request.split_target();
    let seed = key.seed(time, &canonical_request(&request, query, &names, &payload));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
        key.access,
        seed.scope,
        names.join(";"),
        seed.signature,
    );
    (request.header("authorization", &authorization), seed)
}

/// Adds a signature to the query.
pub(crate) fn presign(mut request: Request, key: &Key, time: &Time, expires: &str) -> Request {
    let names = signed_names(&request);
    let credential = format!("{}/{}", key.access, key.scope(time));
    let (path, query) = request.split_target();
    let query = format!(
        "{query}{}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}&X-Amz-SignedHeaders={}",
        if query.is_empty() { "" } else { "&" },
        encode(&credential),
        time.stamp(),
        encode(&names.join(";")),
    );
    let seed = key.seed(
        time,
        &canonical_request(&request, &query, &names, "UNSIGNED-PAYLOAD"),
    );
    request.target = format!("{path}?{query}&X-Amz-Signature={}", seed.signature);
    request
}
