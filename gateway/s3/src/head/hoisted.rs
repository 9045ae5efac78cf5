//! Headers that a presigned URL carries in its query.
//!
//! Whoever shares a URL cannot make its user send headers, so signers move
//! `x-amz-*` headers into the query. There they mean the same. Read as nothing
//! but parameters they would be lost, and a presigned copy would overwrite its
//! target with an empty object.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Code, Error};
use crate::query::Query;

/// What the signature itself says in the query.
const OF_THE_SIGNATURE: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// What is said of a body that the signer of a URL does not have. The SDK for
/// JavaScript writes the CRC32 of an empty body into every URL for an upload:
/// S3 takes no notice of it there, and neither may we.
const OF_THE_BODY: [&str; 3] = [
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
];

/// The headers that the query of a presigned request stands for and that were
/// not sent as well. What is in both must be the same in both.
pub(super) fn headers(query: &Query, sent: &HeaderMap) -> Result<HeaderMap, Error> {
    let mut hoisted = HeaderMap::new();
    let is_signature =
        |name: &str| name == "Signature" || name.eq_ignore_ascii_case("x-amz-signature");
    if !query.iter().any(|(name, _)| is_signature(name)) {
        return Ok(hoisted);
    }
    for (parameter, text) in query.iter() {
        let lower = parameter.to_ascii_lowercase();
        if !lower.starts_with("x-amz-") || is_ignored(&lower) {
            continue;
        }
        let refuse = |message: &'static str| {
            let error = Error::new(Code::InvalidArgument).because(message);
            let error = error.with("ArgumentName", parameter);
            error.with("ArgumentValue", text)
        };
        let header = HeaderName::try_from(lower).ok();
        let value = HeaderValue::from_bytes(text.trim().as_bytes()).ok();
        let (Some(name), Some(value)) = (header, value) else {
            return Err(refuse("The parameter cannot be a header."));
        };
        match sent.get(&name).or_else(|| hoisted.get(&name)) {
            Some(known) if known.as_bytes().trim_ascii() == value.as_bytes() => {}
            Some(_) => {
                return Err(refuse("The parameter contradicts the header of its name."));
            }
            None => {
                hoisted.insert(name, value);
            }
        }
    }
    Ok(hoisted)
}

fn is_ignored(name: &str) -> bool {
    let is_checksum = name
        .strip_prefix("x-amz-checksum-")
        .is_some_and(|kind| !matches!(kind, "algorithm" | "mode" | "type"));
    is_checksum || OF_THE_SIGNATURE.contains(&name) || OF_THE_BODY.contains(&name)
}
