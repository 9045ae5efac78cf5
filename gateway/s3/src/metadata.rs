//! The headers that are stored with an object and given back with it.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use storage::Metadata;

use crate::error::{Code, Error};
use crate::query::Query;

/// The names and values of all `x-amz-meta-*` headers together, without that
/// beginning.
pub const USER_METADATA_LEN_MAX: usize = 2 * 1024;

pub const USER_PREFIX: &str = "x-amz-meta-";
pub const REDIRECT: &str = "x-amz-website-redirect-location";

const STANDARD: [HeaderName; 6] = [
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    EXPIRES,
];

/// What a request wants to be stored, by header name in lower case. A header that
/// is not there is not in it, nor is an empty one.
pub fn stored_headers(headers: &HeaderMap) -> Result<Metadata, Error> {
    let mut stored = Metadata::new();
    for name in STANDARD {
        let value = joined(headers, &name)?;
        let value = match name {
            // The coding of the transfer is not one of the content.
            CONTENT_ENCODING => without_aws_chunked(&value),
            _ => value,
        };
        if !value.is_empty() {
            stored.insert(name.as_str().to_owned(), value);
        }
    }
    if let Some(redirect) = redirect(headers)? {
        stored.insert(REDIRECT.to_owned(), redirect);
    }
    let mut length = 0_usize;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(USER_PREFIX) else {
            continue;
        };
        let value = joined(headers, name)?;
        length = length
            .saturating_add(short.len())
            .saturating_add(value.len());
        if !short.is_empty() {
            stored.insert(name.as_str().to_owned(), value);
        }
    }
    if length > USER_METADATA_LEN_MAX {
        return Err(Error::new(Code::MetadataTooLarge)
            .with("Size", length.to_string())
            .with("MaxSizeAllowed", USER_METADATA_LEN_MAX.to_string()));
    }
    Ok(stored)
}

/// Where the object is to lead to. A copy has it from its own request alone,
/// whatever becomes of the other metadata.
pub fn redirect(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let redirect = joined(headers, &HeaderName::from_static(REDIRECT))?;
    let valid = ["/", "http://", "https://"];
    match redirect.as_str() {
        "" => Ok(None),
        text if valid.iter().any(|start| text.starts_with(start)) => Ok(Some(redirect)),
        _ => Err(Code::InvalidRedirectLocation.into()),
    }
}

/// Whether an entry of the metadata is one that the gateway keeps for itself, for
/// no client to see. No header has such a name.
pub fn is_internal(name: &str) -> bool {
    name.starts_with(':')
}

/// What the query of a read wants to see instead of the stored headers.
pub fn response_overrides(query: &Query) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    const PARAMETERS: [&str; 6] = [
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    ];
    let mut overrides = Vec::new();
    for (name, parameter) in STANDARD.into_iter().zip(PARAMETERS) {
        let Some(value) = query.get(parameter) else {
            continue;
        };
        let header = HeaderValue::from_str(value).map_err(|_| {
            Error::new(Code::InvalidArgument)
                .because("The value cannot be sent in a header.")
                .argument(parameter, value)
        })?;
        overrides.push((name, header));
    }
    Ok(overrides)
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String, Error> {
    let mut joined = String::new();
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| {
            Error::new(Code::InvalidRequest)
                .because("A header is not UTF-8.")
                .with("Header", name.as_str())
        })?;
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(value.trim());
    }
    Ok(joined)
}

fn without_aws_chunked(codings: &str) -> String {
    let kept: Vec<_> = codings
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    kept.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (name.parse().unwrap(), value)
            })
            .collect()
    }

    #[test]
    fn only_what_describes_the_object_is_stored() {
        let stored = stored_headers(&headers(&[
            ("Content-Type", "text/plain"),
            ("Content-Encoding", "aws-chunked,gzip, br"),
            ("Cache-Control", ""),
            ("Expires", "whenever"),
            ("Content-Length", "5"),
            ("X-Amz-Meta-Colour", "grün"),
            ("x-amz-meta-empty", ""),
            ("x-amz-meta-", "nameless"),
            ("x-amz-acl", "private"),
            ("x-amz-tagging", "a=b"),
            ("x-amz-website-redirect-location", "/there"),
        ]));
        let expected = [
            ("content-encoding", "gzip,br"),
            ("content-type", "text/plain"),
            ("expires", "whenever"),
            ("x-amz-meta-colour", "grün"),
            ("x-amz-meta-empty", ""),
            ("x-amz-website-redirect-location", "/there"),
        ];
        let stored = stored.unwrap();
        let stored: Vec<_> = stored
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(stored, expected);
        let chunked = headers(&[("Content-Encoding", "AWS-chunked")]);
        assert!(stored_headers(&chunked).unwrap().is_empty());
    }

    #[test]
    fn user_metadata_has_at_most_2_kib() {
        for (length, valid) in [(2047, true), (2048, false)] {
            let value = "v".repeat(length);
            let stored = stored_headers(&headers(&[("x-amz-meta-k", &value)]));
            assert_eq!(stored.is_ok(), valid, "{length}");
        }
        let redirect = headers(&[("x-amz-website-redirect-location", "javascript:0")]);
        let error = stored_headers(&redirect).unwrap_err();
        assert_eq!(error.code(), Some(Code::InvalidRedirectLocation));
    }

    #[test]
    fn what_is_internal_cannot_be_a_header() {
        let name = ":upload-id";
        assert!(is_internal(name) && name.parse::<HeaderName>().is_err());
        assert!(!is_internal("x-amz-meta-a"));
    }

    #[test]
    fn a_read_can_ask_for_other_headers() {
        let query = Query::parse(
            "response-content-type=a%2Fb&response-expires=x&response-content-disposition=a+b",
        );
        let overrides = response_overrides(&query.unwrap()).unwrap();
        let expected = [
            (CONTENT_DISPOSITION, HeaderValue::from_static("a b")),
            (CONTENT_TYPE, HeaderValue::from_static("a/b")),
            (EXPIRES, HeaderValue::from_static("x")),
        ];
        assert_eq!(overrides, expected);
        let split = Query::parse("response-content-type=a%0D%0Ab").unwrap();
        assert!(response_overrides(&split).is_err());
    }
}
