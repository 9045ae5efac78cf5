//! Signature version 2: headers and URLs.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::percent_decode_str;

use crate::encode::{encode, hmac_sha1};
use crate::{Key, Request, Time};

/// The query parameters that are signed.
const SIGNED: [&str; 24] = [
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

const LIFETIME: Duration = Duration::from_secs(300);

pub(crate) fn sign(request: Request, key: &Key) -> Request {
    let request = request.header_if_none("x-amz-date", &Time::now().stamp());
    // What stands in `x-amz-date` is among the headers already.
    let signature = hmac_sha1(key.secret, &text(&request, ""));
    request.header("authorization", &format!("AWS {}:{signature}", key.access))
}

pub(crate) fn presign(mut request: Request, key: &Key) -> Request {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let expires = (now.expect("the clock is right") + LIFETIME).as_secs();
    let signature = hmac_sha1(key.secret, &text(&request, &expires.to_string()));
    let (path, query) = request.split_target();
    let target = format!(
        "{path}?{query}{}AWSAccessKeyId={}&Expires={expires}&Signature={}",
        if query.is_empty() { "" } else { "&" },
        key.access,
        encode(&signature),
    );
    request.target = target;
    request
}

fn text(request: &Request, date: &str) -> String {
    let value = |name: &str| request.values(name).join(",");
    let mut amz = BTreeMap::new();
    for (name, _) in &request.headers {
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") {
            let line = format!("{name}:{}\n", value(&name));
            amz.insert(name, line);
        }
    }
    let amz: String = amz.into_values().collect();
    format!(
        "{}\n{}\n{}\n{date}\n{amz}{}",
        request.method,
        value("content-md5"),
        value("content-type"),
        resource(request),
    )
}

/// The path as it is sent, and the parameters that name a part of what it names.
fn resource(request: &Request) -> String {
    let (path, query) = request.split_target();
    let mut signed: Vec<_> = query
        .split('&')
        .map(|pair| {
            pair.split_once('=')
                .map_or((pair, None), |(name, value)| (name, Some(value)))
        })
        .filter(|(name, _)| SIGNED.contains(name))
        .map(|(name, value)| match value {
            Some(value) => format!("{name}={}", percent_decode_str(value).decode_utf8_lossy()),
            None => name.to_owned(),
        })
        .collect();
    signed.sort();
    if signed.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{}", signed.join("&"))
}
