//! What is left out of a record of a request: whatever lets its reader make
//! requests in the client's name.
//!
//! What is hidden is hidden by its name. Presence and names stay, because
//! plugins are matched by them.

use host::Chain;
use http::HeaderName;
use s3::{Form, Head, Query, SubResource};

/// Stands for what was hidden; it needs no escaping in a query.
pub(crate) const HIDDEN: &str = "REDACTED";

/// What the headers and the fields of one record may take, in bytes.
const SAID_LEN_MAX: usize = 64 << 10;

/// What a request said, fit to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The fields of a form before its file.
    pub(crate) form: Vec<(String, String)>,
    /// The headers, parameters and fields whose value, or a part of it, was hidden.
    pub(crate) hidden: Vec<String>,
    /// What is left out because it is too much; its name stays.
    pub(crate) missing: Vec<String>,
}

/// What is a secret in a chain, besides what is one everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chained<'a> {
    /// What its authenticators look for.
    credentials: Vec<&'a str>,
    sub_resources: Vec<&'a str>,
}

impl Shown {
    pub(crate) fn of(head: &Head, chain: &Chain) -> Self {
        let chained = Chained {
            credentials: chain.credentials().collect(),
            sub_resources: chain
                .sub_resources()
                .iter()
                .map(SubResource::name)
                .collect(),
        };
        let mut shown = Self::default();
        shown.query = shown.hide_in_query(&head.query_string, &chained);
        for (name, value) in head.sent_headers() {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = shown.hide_in_header(name, &value, &chained);
            shown.headers.push((name.as_str().to_owned(), value));
        }
        for (name, value) in head.form.iter().flat_map(Form::fields) {
            let value = shown.hide_in_field(name, value, &chained);
            shown.form.push((name.to_owned(), value));
        }
        shown.hidden.sort();
        shown.hidden.dedup();
        shown.shorten(SAID_LEN_MAX);
        shown
    }

    /// Leaves out the values that are too much.
    fn shorten(&mut self, mut len_left: usize) {
        let headers = self.headers.iter_mut().map(|said| ("header", said));
        let fields = self.form.iter_mut().map(|said| ("field", said));
        for (kind, (name, value)) in headers.chain(fields) {
            match len_left.checked_sub(name.len() + value.len()) {
                Some(left) => len_left = left,
                None => {
                    value.clear();
                    self.missing.push(format!("the {kind} {name}"));
                }
            }
        }
    }

    fn hide_in_query(&mut self, query: &str, chained: &Chained<'_>) -> String {
        let parameters = query.split('&').map(|parameter| {
            let Some((raw, _)) = parameter.split_once('=') else {
                if chained.is_sub_resource(parameter) {
                    return parameter.to_owned();
                }
                self.hidden.push("?".to_owned());
                return HIDDEN.to_owned();
            };
            // The whole query was read before; what cannot be read is hidden.
            let decoded = Query::parse(parameter).unwrap_or_default();
            match decoded.iter().next() {
                Some((name, _)) if !chained.is_secret(name) => parameter.to_owned(),
                name => {
                    self.hidden
                        .push(name.map_or(raw, |(name, _)| name).to_owned());
                    format!("{raw}={HIDDEN}")
                }
            }
        });
        parameters.collect::<Vec<_>>().join("&")
    }

    fn hide_in_field(&mut self, name: &str, value: &str, chained: &Chained<'_>) -> String {
        let shown = match name {
            // That of the object.
            "key" => return value.to_owned(),
            "success_action_redirect" | "redirect" => without_query(value),
            name if chained.is_secret(name) => HIDDEN.to_owned(),
            _ => return value.to_owned(),
        };
        if shown != value {
            self.hidden.push(name.to_owned());
        }
        shown
    }

    fn hide_in_header(&mut self, name: &HeaderName, value: &str, chained: &Chained<'_>) -> String {
        let shown = match name.as_str() {
            "authorization" => authorization(value),
            "referer" | "x-amz-copy-source" | "x-forwarded-uri" | "x-original-url" => {
                without_query(value)
            }
            name if chained.is_secret(name) => HIDDEN.to_owned(),
            _ => return value.to_owned(),
        };
        if shown != value {
            self.hidden.push(name.as_str().to_owned());
        }
        shown
    }
}

impl Chained<'_> {
    fn is_secret(&self, name: &str) -> bool {
        let asked_for = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => {
                let beginning = name.get(..start.len());
                beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
            }
            None => pattern.eq_ignore_ascii_case(name),
        };
        !is_public(name) && (is_secret(name) || self.credentials.iter().any(asked_for))
    }

    /// Whether a parameter without a value is one that says what is meant, and
    /// not the value itself.
    fn is_sub_resource(&self, parameter: &str) -> bool {
        const LEN_MAX: usize = 32;
        let is_word = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
        let begins = parameter
            .bytes()
            .next()
            .is_none_or(|byte| byte.is_ascii_lowercase());
        let like_one = begins && parameter.len() <= LEN_MAX && parameter.bytes().all(is_word);
        like_one || self.sub_resources.contains(&parameter)
    }
}

/// The ids of keys are no secrets; without them nobody could tell who signed, or
/// how. Lists are continued with a token that opens nothing.
fn is_public(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "awsaccesskeyid",
        "continuation-token",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-signedheaders",
    ];
    NAMES.iter().any(|public| name.eq_ignore_ascii_case(public))
}

/// Whether a header or a parameter of this name is one that nobody else may know.
fn is_secret(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "cookie",
        "set-cookie",
        "proxy-authorization",
        "signature",
        "x-amz-mfa",
        "x-amz-security-token",
        "x-amz-signature",
    ];
    /// Parts of names, without what separates words.
    const PARTS: [&str; 13] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "privatekey",
        "accesskey",
        "customerkey",
        "jwt",
        "session",
        "credential",
        "authkey",
    ];
    const WORDS: [&str; 3] = ["auth", "hmac", "sig"];
    let name = name.to_ascii_lowercase();
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut words = name.split(|char: char| !char.is_ascii_alphanumeric());
    NAMES.contains(&name.as_str())
        || PARTS.iter().any(|part| joined.contains(part))
        || words.clone().any(|word| WORDS.contains(&word))
        || words.next_back() == Some("key")
}

/// Who signed and what stays, the signature goes.
fn authorization(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    if scheme.starts_with("AWS4-") {
        let parts = rest
            .split(',')
            .map(|part| match part.trim().split_once('=') {
                Some((name @ ("Credential" | "SignedHeaders"), said)) => format!("{name}={said}"),
                Some((name, _)) => format!("{name}={HIDDEN}"),
                None => HIDDEN.to_owned(),
            });
        return format!("{scheme} {}", parts.collect::<Vec<_>>().join(", "));
    }
    match (scheme, rest.split_once(':')) {
        ("AWS", Some((access_key, _))) => format!("AWS {access_key}:{HIDDEN}"),
        ("", _) => HIDDEN.to_owned(),
        _ => format!("{scheme} {HIDDEN}"),
    }
}

/// A link may be one that was signed. What a copy reads has nothing but the
/// version in its query.
fn without_query(value: &str) -> String {
    match value.split_once('?') {
        Some((_, query)) if query.starts_with("versionId=") && !query.contains('&') => {
            value.to_owned()
        }
        Some((link, _)) => format!("{link}?{HIDDEN}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_a_reader_act_in_the_clients_name_is_hidden() {
        const SECRET: &str = "c2VjcmV0";
        for (name, value, expected) in [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=c2VjcmV0",
                "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=REDACTED",
            ),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/s,Signature=c2VjcmV0",
                "AWS4-HMAC-SHA256 Credential=AKIA/s, Signature=REDACTED",
            ),
            (
                "authorization",
                "AWS4-HMAC-SHA256 c2VjcmV0",
                "AWS4-HMAC-SHA256 REDACTED",
            ),
            ("authorization", "AWS AKIA:c2VjcmV0", "AWS AKIA:REDACTED"),
            ("authorization", "AWS c2VjcmV0", "AWS REDACTED"),
            ("authorization", "Bearer c2VjcmV0", "Bearer REDACTED"),
            ("authorization", "c2VjcmV0", HIDDEN),
            ("proxy-authorization", "Basic c2VjcmV0", HIDDEN),
            ("cookie", "session=c2VjcmV0", HIDDEN),
            ("x-amz-security-token", "c2VjcmV0", HIDDEN),
            (
                "x-amz-server-side-encryption-customer-key",
                "c2VjcmV0",
                HIDDEN,
            ),
            (
                "x-amz-server-side-encryption-customer-key-md5",
                "c2VjcmV0",
                HIDDEN,
            ),
            (
                "x-amz-copy-source-server-side-encryption-customer-key",
                "c2VjcmV0",
                HIDDEN,
            ),
            ("x-amz-meta-db-password", "c2VjcmV0", HIDDEN),
            ("x-amz-meta-client-secret", "c2VjcmV0", HIDDEN),
            ("x-api-key", "c2VjcmV0", HIDDEN),
            ("x-auth-token", "c2VjcmV0", HIDDEN),
            ("x-auth-key", "c2VjcmV0", HIDDEN),
            ("x-session", "c2VjcmV0", HIDDEN),
            ("x-credentials", "c2VjcmV0", HIDDEN),
            (
                "referer",
                "https://s3/b/k?X-Amz-Signature=c2VjcmV0",
                "https://s3/b/k?REDACTED",
            ),
            // What is no secret stays.
            ("host", "s3.example.com", "s3.example.com"),
            ("x-amz-date", "20260101T000000Z", "20260101T000000Z"),
            ("x-amz-meta-team", "storage", "storage"),
            (
                "x-amz-copy-source",
                "/b/k?versionId=null",
                "/b/k?versionId=null",
            ),
            (
                "x-amz-server-side-encryption-customer-algorithm",
                "AES256",
                "AES256",
            ),
            (
                "x-amz-content-sha256",
                "UNSIGNED-PAYLOAD",
                "UNSIGNED-PAYLOAD",
            ),
        ] {
            let mut shown = Shown::default();
            let chained = Chained::default();
            let found = shown.hide_in_header(&HeaderName::from_static(name), value, &chained);
            assert_eq!(found, expected, "{name}");
            assert!(!found.contains(SECRET), "{name}");
            assert_eq!(
                shown.hidden.contains(&name.to_owned()),
                found != value,
                "{name}"
            );
        }
    }

    #[test]
    fn a_presigned_url_is_kept_without_what_makes_it_one() {
        for (query, expected) in [
            ("", ""),
            ("acl&versionId=null", "acl&versionId=null"),
            (
                "X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=c2VjcmV0&prefix=a%26b",
                "X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=REDACTED&prefix=a%26b",
            ),
            ("x-amz-%73ignature=c2VjcmV0", "x-amz-%73ignature=REDACTED"),
            (
                "AWSAccessKeyId=AKIA&Expires=1&Signature=c2VjcmV0",
                "AWSAccessKeyId=AKIA&Expires=1&Signature=REDACTED",
            ),
            (
                "X-Amz-Security-Token=c2VjcmV0",
                "X-Amz-Security-Token=REDACTED",
            ),
            ("token=c2VjcmV0&x=1", "token=REDACTED&x=1"),
            ("sig=c2VjcmV0&design=1", "sig=REDACTED&design=1"),
            ("auth=c2VjcmV0&author=me", "auth=REDACTED&author=me"),
            ("key=c2VjcmV0&key-marker=a", "key=REDACTED&key-marker=a"),
            ("c2VjcmV0", "REDACTED"),
            ("publicAccessBlock&c2VjcmV0", "publicAccessBlock&REDACTED"),
            (
                "list-type=2&continuation-token=abc",
                "list-type=2&continuation-token=abc",
            ),
        ] {
            let found = Shown::default().hide_in_query(query, &Chained::default());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_form_is_kept_without_what_signs_it() {
        for (name, value, expected) in [
            ("key", "user/a", "user/a"),
            ("policy", "e30=", "e30="),
            ("x-amz-credential", "AKIA/x", "AKIA/x"),
            ("awsaccesskeyid", "AKIA", "AKIA"),
            ("signature", "c2VjcmV0", HIDDEN),
            ("x-amz-signature", "c2VjcmV0", HIDDEN),
            ("x-amz-security-token", "c2VjcmV0", HIDDEN),
            ("password", "c2VjcmV0", HIDDEN),
            (
                "success_action_redirect",
                "https://page/?session=c2VjcmV0",
                "https://page/?REDACTED",
            ),
            ("redirect", "https://page/", "https://page/"),
        ] {
            let mut shown = Shown::default();
            let found = shown.hide_in_field(name, value, &Chained::default());
            assert_eq!(found, expected, "{name}");
            assert_eq!(shown.hidden.is_empty(), found == value, "{name}");
        }
    }

    #[test]
    fn what_is_too_much_is_left_out_and_said_to_be() {
        let said = |name: &str, len: usize| (name.to_owned(), "x".repeat(len));
        let mut shown = Shown {
            headers: vec![said("a", 9), said("b", 90), said("c", 9)],
            form: vec![said("d", 80), said("e", 79), said("f", 0)],
            ..Shown::default()
        };
        shown.shorten(100);
        let kept = [said("a", 9), said("b", 0), said("c", 9)];
        assert_eq!(shown.headers, kept);
        assert_eq!(shown.form, [said("d", 0), said("e", 79), said("f", 0)]);
        assert_eq!(
            shown.missing,
            ["the header b", "the field d", "the field f"]
        );
    }

    #[test]
    fn what_an_authenticator_of_the_chain_looks_for_is_hidden() {
        let chained = Chained {
            credentials: vec!["x-badge", "x-proof-*", "Door", "X-Amz-Credential"],
            sub_resources: vec!["v2"],
        };
        for (name, hidden) in [
            ("x-badge", true),
            ("x-badges", false),
            ("x-proof-of-age", true),
            ("x-proof", false),
        ] {
            let mut shown = Shown::default();
            let found = shown.hide_in_header(&HeaderName::from_static(name), "value", &chained);
            assert_eq!(found == HIDDEN, hidden, "{name}");
        }
        let query = "door=c2VjcmV0&X-Amz-Credential=AKIA&v2";
        let found = Shown::default().hide_in_query(query, &chained);
        assert_eq!(found, "door=REDACTED&X-Amz-Credential=AKIA&v2");
    }
}
