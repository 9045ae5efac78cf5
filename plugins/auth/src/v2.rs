//! Signatures of version 2, which some clients still write into the URLs that
//! they share, and some pages into their forms.
//!
//! Of the query, this version covers only some parameters. So all of those must
//! be among them that make another operation of a request or stand for a header:
//! nobody may add them to somebody else's URL.

use sluice_plugin::form_decoded;
use sluice_plugin::prelude::*;

use crate::claim::{Place, header};
use crate::date;
use crate::query::Query;

/// Where signatures of version 2 are accepted: `presigned`, which is what today's
/// clients make by themselves, means in URLs and in forms; `all` means in the Authorization
/// header as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
pub(crate) enum Accepted {
    Off,
    Presigned,
    All,
}

/// A signature and what is claimed about it.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) place: Place,
    pub(crate) access_key_id: String,
    pub(crate) signature: String,
    /// What is signed as the date, and what it says.
    date: String,
    pub(crate) time: u64,
}

impl Claim {
    /// `credential` is what follows the scheme: `AKID:signature`.
    pub(crate) fn from_header(
        credential: (&str, &str),
        headers: &[(String, String)],
    ) -> Result<Self, Denial> {
        let special = header(headers, "x-amz-date");
        let text = special.or_else(|| header(headers, "date"));
        let time = text.and_then(|text| date::parse_http(text).or_else(|| date::parse_basic(text)));
        let (Some(text), Some(time)) = (text, time) else {
            return Err(date::missing());
        };
        let (access_key_id, signature) = credential;
        Ok(Self {
            place: Place::Header,
            access_key_id: access_key_id.to_owned(),
            signature: signature.to_owned(),
            // The other one is signed among the headers of its kind.
            date: special.map_or(text, |_| "").to_owned(),
            time,
        })
    }

    pub(crate) fn from_query(query: &Query) -> Result<Self, Denial> {
        let (Some(access_key_id), Some(signature), Some(expires)) = (
            query.get("AWSAccessKeyId"),
            query.get("Signature"),
            query.get("Expires"),
        ) else {
            return Err(deny(AccessDenied).because(
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
            ));
        };
        let Ok(time) = expires.parse() else {
            return Err(deny(AccessDenied)
                .with("Expires", expires)
                .because("Invalid date (should be seconds since epoch)"));
        };
        Ok(Self {
            place: Place::Query { expires_s: 0 },
            access_key_id,
            signature,
            date: expires,
            time,
        })
    }

    pub(crate) fn string_to_sign(
        &self,
        request: &Request,
        headers: &[(String, String)],
        query: &str,
    ) -> String {
        let mut out = String::with_capacity(512);
        let first = |name| header(headers, name).unwrap_or_default();
        for line in [
            request.method().as_str(),
            first("content-md5"),
            first("content-type"),
            &self.date,
        ] {
            out.push_str(line);
            out.push('\n');
        }
        push_amz_headers(&mut out, headers, query);
        push_resource(
            &mut out,
            &request.path(),
            request.bucket().as_deref(),
            request.key().as_deref(),
        );
        // One that S3 does not have is in no list of what is signed.
        let own = match request.operation() {
            Operation::GetSubResource
            | Operation::PutSubResource
            | Operation::PostSubResource
            | Operation::DeleteSubResource => request.sub_resource(),
            _ => None,
        };
        push_sub_resources(&mut out, query, own.as_deref());
        out
    }
}

/// The token of a temporary key.
pub(crate) fn security_token(headers: &[(String, String)], query: &str) -> Option<String> {
    const NAME: &str = "x-amz-security-token";
    let sent = header(headers, NAME).map(str::to_owned);
    sent.or_else(|| {
        let mut parameters = parameters(query);
        let (_, value) = parameters.find(|(name, _)| name.eq_ignore_ascii_case(NAME))?;
        Some(form_decoded(value.unwrap_or_default()))
    })
}

fn parameters(query: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| match parameter.split_once('=') {
        Some((name, value)) => (form_decoded(name), Some(value)),
        None => (form_decoded(parameter), None),
    })
}

/// Also those that the query stands for. One that is in both is written once:
/// the gateway has refused the request where they differ.
fn push_amz_headers(out: &mut String, headers: &[(String, String)], query: &str) {
    let mut signed: Vec<(String, String)> = Vec::new();
    // They are few, and the sorting of the standard library is large.
    let mut insert = |name: String, value: &str| {
        if name.starts_with("x-amz-") {
            let before = signed.iter().take_while(|(known, _)| *known <= name);
            signed.insert(before.count(), (name, value.trim().to_owned()));
        }
    };
    for (name, value) in headers {
        insert(name.clone(), value);
    }
    for (mut name, value) in parameters(query) {
        name.make_ascii_lowercase();
        if header(headers, &name).is_none() {
            insert(name, &form_decoded(value.unwrap_or_default()));
        }
    }
    let mut previous: Option<&str> = None;
    for (name, value) in &signed {
        if previous == Some(name) {
            out.push(',');
        } else {
            if previous.is_some() {
                out.push('\n');
            }
            out.push_str(name);
            out.push(':');
        }
        out.push_str(value);
        previous = Some(name);
    }
    if previous.is_some() {
        out.push('\n');
    }
}

/// The path as it came, below the bucket also where the host names that.
fn push_resource(out: &mut String, path: &str, bucket: Option<&str>, key: Option<&str>) {
    // Below the name of a bucket, the path is longer than the key.
    let decoded = form_decoded(path.strip_prefix('/').unwrap_or(path));
    if let Some(bucket) = bucket
        && decoded.len() == key.unwrap_or_default().len()
    {
        out.push('/');
        out.push_str(bucket);
    }
    out.push_str(path);
}

/// `own` is a sub-resource of a plugin: it changes what is asked for, so it is
/// signed like those of S3, in its place among them.
fn push_sub_resources(out: &mut String, query: &str, own: Option<&str>) {
    let sent: Vec<_> = parameters(query).collect();
    let mut separator = '?';
    let (before, after) = match own {
        Some(own) => {
            let at = SUB_RESOURCES.partition_point(|known| *known < own);
            SUB_RESOURCES.split_at_checked(at).unwrap_or_default()
        }
        None => (SUB_RESOURCES, &[][..]),
    };
    let own = own.filter(|own| after.first() != Some(own));
    for known in before
        .iter()
        .copied()
        .chain(own)
        .chain(after.iter().copied())
    {
        for (_, value) in sent.iter().filter(|(name, _)| *name == known) {
            out.push(separator);
            separator = '&';
            out.push_str(known);
            if let Some(value) = value {
                out.push('=');
                out.push_str(&form_decoded(value));
            }
        }
    }
}

/// The parameters that are signed: those that S3 documents, and every other
/// one that names a sub-resource. They are sorted, as they are signed.
const SUB_RESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_below_its_bucket() {
        let check = |path: &str, bucket: Option<&str>, key: Option<&str>, expected: &str| {
            let mut out = String::new();
            push_resource(&mut out, path, bucket, key);
            assert_eq!(out, expected, "{path} {bucket:?} {key:?}");
        };
        check("/", None, None, "/");
        check("/b", Some("b"), None, "/b");
        check("/b/", Some("b"), None, "/b/");
        check("/", Some("b"), None, "/b/");
        check("/b/k", Some("b"), Some("k"), "/b/k");
        check("/b/k", Some("b"), Some("b/k"), "/b/b/k");
        check("/%C3%A4+%20", Some("b"), Some("ä+ "), "/b/%C3%A4+%20");
        check("/b/%C3%A4", Some("b"), Some("ä"), "/b/%C3%A4");
    }

    #[test]
    fn the_query_is_signed_where_it_changes_what_is_asked() {
        let check = |query: &str, expected: &str| {
            let mut out = String::new();
            push_sub_resources(&mut out, query, Some("legal-notice"));
            assert_eq!(out, expected, "{query}");
        };
        check("legal-notice&x=1", "?legal-notice");
        check(
            "website&legal-notice=a%20b&acl",
            "?acl&legal-notice=a b&website",
        );
        check("", "");
        check("prefix=a&AWSAccessKeyId=b&Expires=1&Signature=c", "");
        check("versionId=1&acl&x=y", "?acl&versionId=1");
        check("uploads=", "?uploads=");
        check("&&%61cl&retention&", "?acl&retention");
        check(
            "response-expires=b&response-content-type=a%2Fb%20c+d",
            "?response-content-type=a/b c d&response-expires=b",
        );
        check("versionId=2&versionId=1", "?versionId=2&versionId=1");
        let mut out = String::new();
        push_sub_resources(&mut out, "legal-notice&website", None);
        push_sub_resources(&mut out, "website&acl", Some("acl"));
        assert_eq!(out, "?website?acl&website");
        assert!(SUB_RESOURCES.is_sorted());
    }

    #[test]
    fn what_stands_for_a_header_is_signed_like_one() {
        let check = |headers: &[(&str, &str)], query: &str, expected: &str| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let headers: Vec<_> = headers.iter().map(owned).collect();
            let mut out = String::new();
            push_amz_headers(&mut out, &headers, query);
            assert_eq!(out, expected, "{headers:?} {query}");
        };
        check(&[("host", "h")], "", "");
        check(
            &[("x-amz-b", " 1 "), ("x-amz-a", "2"), ("x-amz-b", "3")],
            "",
            "x-amz-a:2\nx-amz-b:1,3\n",
        );
        check(&[], "X-Amz-Acl=a%20b&acl", "x-amz-acl:a b\n");
        check(&[("x-amz-acl", "a")], "x-amz-acl=a", "x-amz-acl:a\n");
        check(
            &[("x-amz-acl", "a")],
            "%78-amz-b",
            "x-amz-acl:a\nx-amz-b:\n",
        );
    }
}
