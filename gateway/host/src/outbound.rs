//! Calls to services that the operator named.
//!
//! A plugin names an endpoint and says what follows its URL. Here that is checked
//! and made a request; what leads it to the service, an [`Outbound`], comes from
//! outside. A request that exists goes to nothing but its endpoint.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Uri;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use percent_encoding::percent_decode;

/// Where a plugin may call, and what it may say there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub url: BaseUrl,
    pub methods: Vec<Method>,
    /// For the whole answer.
    pub timeout: Duration,
    /// Bytes that an answer may have, with its headers.
    pub answer_len_max: usize,
    /// The service may have an address that is not a public one.
    pub private_addresses: bool,
    /// What is added to every call, in place of what the plugin says. It never
    /// sees these.
    pub headers: HeaderMap,
}

/// The beginning that all URLs of an endpoint have: a scheme, an authority and
/// the beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Uri);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of an endpoint: {0}")]
pub struct BaseUrlError(&'static str);

/// A call on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The name that the endpoint has in the configuration.
    pub endpoint: String,
    /// What the plugin said, which is in the URL of the request.
    pub path: String,
    pub request: Request<Bytes>,
    pub private_addresses: bool,
    pub answer_len_max: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no connection, or it broke, or the address is a forbidden one.
    Unreachable,
    Timeout,
    TooLarge,
    /// It is not to be made.
    NotAllowed,
    /// As many calls as there can be are on their way.
    Overload,
}

/// Makes calls. It follows no redirect: that is an answer like any other.
pub trait Outbound: fmt::Debug + Send + Sync {
    /// Waits for the answer, for no longer than until the deadline.
    fn send(&self, call: Outgoing, deadline: Instant) -> Result<Response<Bytes>, Unanswered>;
}

/// Where no service can be reached.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Outbound for Offline {
    fn send(&self, _call: Outgoing, _deadline: Instant) -> Result<Response<Bytes>, Unanswered> {
        Err(Unanswered::Unreachable)
    }
}

/// The longest path of a call, with its query.
const PATH_LEN_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;

/// Who connects and how a message is framed is decided between the gateway and
/// the service.
const RESERVED: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
const RESERVED_HERE: [&str; 2] = ["http2-settings", "proxy-connection"];

impl BaseUrl {
    pub fn parse(url: &str) -> Result<Self, BaseUrlError> {
        if url.contains('#') {
            return Err(BaseUrlError("it has a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| BaseUrlError("it is malformed"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(BaseUrlError("it begins with neither `http` nor `https`"));
        }
        let authority = uri.authority().ok_or(BaseUrlError("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(BaseUrlError("it names a user"));
        }
        if authority.host().is_empty() {
            return Err(BaseUrlError("it has no host"));
        }
        if uri.query().is_some() {
            return Err(BaseUrlError("it has a query"));
        }
        if !is_below(uri.path()) {
            return Err(BaseUrlError("its path is malformed"));
        }
        Ok(Self(uri))
    }

    /// The URL of what is below this one, if that is what the path names.
    fn join(&self, path: &str) -> Option<Uri> {
        if path.len() > PATH_LEN_MAX || path.starts_with("//") {
            return None;
        }
        let base = self.0.path();
        let (name, query) = path.split_once('?').unwrap_or((path, ""));
        let target = match (base.strip_suffix('/'), name.strip_prefix('/')) {
            (Some(base), Some(name)) => format!("{base}/{name}"),
            // `/api` is no beginning of `/apiary`.
            (None, None) if !name.is_empty() => return None,
            (Some(_) | None, _) => format!("{base}{name}"),
        };
        if !is_below(name) || !is_text(query, |byte| matches!(byte, b'/' | b'?')) {
            return None;
        }
        let target = match path.contains('?') {
            true => format!("{target}?{query}"),
            false => target,
        };
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(target.try_into().ok()?);
        Uri::from_parts(parts).ok()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether whoever reads this path stays below where it begins: also one who
/// decodes it twice, takes `\` for `/`, or drops what follows a `;`.
fn is_below(path: &str) -> bool {
    if !is_text(path, |byte| byte == b'/') {
        return false;
    }
    let once: Vec<u8> = percent_decode(path.as_bytes()).collect();
    let twice: Vec<u8> = percent_decode(&once).collect();
    let stays = |path: &[u8]| {
        path.split(|byte| matches!(byte, b'/' | b'\\'))
            .all(|segment| {
                let name = segment.split(|byte| *byte == b';').next();
                !matches!(name, Some(b"." | b".."))
            })
    };
    !once.iter().any(u8::is_ascii_control) && stays(&once) && stays(&twice)
}

/// Whether this is percent-encoded, but for what may stand for itself in a path
/// and these.
fn is_text(text: &str, plain: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let stands = match byte {
            b'%' => {
                let mut digits = bytes.by_ref().take(2);
                let is_digit = |digit: Option<u8>| digit.is_some_and(|d| d.is_ascii_hexdigit());
                is_digit(digits.next()) && is_digit(digits.next())
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
            | b',' | b';' | b'=' | b':' | b'@' => true,
            _ => byte.is_ascii_alphanumeric() || plain(byte),
        };
        if !stands {
            return false;
        }
    }
    true
}

impl Endpoint {
    /// The request that a plugin asks for, if it may.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
    ) -> Option<Request<Bytes>> {
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        // A tunnel has no path to be held to.
        if method == Method::CONNECT || !self.methods.contains(&method) {
            return None;
        }
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.join(path)?;
        *request.headers_mut() = self.headers(headers)?;
        Some(request)
    }

    fn headers(&self, list: &[(String, String)]) -> Option<HeaderMap> {
        if list.len() > HEADERS_MAX {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(list.len() + self.headers.len());
        for (name, value) in list {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            let reserved = RESERVED.contains(&name) || RESERVED_HERE.contains(&name.as_str());
            if reserved || self.headers.contains_key(&name) {
                return None;
            }
            headers.append(name, HeaderValue::from_str(value).ok()?);
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        Some(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_an_endpoint_names_a_service_and_nothing_else() {
        for (url, valid) in [
            ("https://opa.example.com/v1/data/", true),
            ("http://127.0.0.1:8181", true),
            ("https://[::1]:8181/v1", true),
            ("https://opa.example.com/v1?pretty", false),
            ("https://opa.example.com/v1#top", false),
            ("https://user:word@opa.example.com/", false),
            ("https://user@opa.example.com/", false),
            ("https:///v1", false),
            ("ftp://opa.example.com/", false),
            ("opa.example.com", false),
            ("/v1", false),
            ("https://opa.example.com/../", false),
            ("", false),
        ] {
            assert_eq!(BaseUrl::parse(url).is_ok(), valid, "{url}");
        }
    }

    #[test]
    fn a_path_stays_below_its_endpoint() {
        let check = |base: &str, path: &str, expected: Option<&str>| {
            let joined = BaseUrl::parse(base).unwrap().join(path);
            let joined = joined.map(|uri| uri.to_string());
            assert_eq!(joined.as_deref(), expected, "{base} {path:?}");
        };
        let below = "https://opa.example.com/v1/";
        for (path, expected) in [
            ("", "https://opa.example.com/v1/"),
            ("data", "https://opa.example.com/v1/data"),
            ("/data", "https://opa.example.com/v1/data"),
            (
                "data/a%2Fb/%C3%BC",
                "https://opa.example.com/v1/data/a%2Fb/%C3%BC",
            ),
            (
                "data?a=%0a/..&b=?",
                "https://opa.example.com/v1/data?a=%0a/..&b=?",
            ),
            ("?", "https://opa.example.com/v1/?"),
            ("a:b@c", "https://opa.example.com/v1/a:b@c"),
            ("...", "https://opa.example.com/v1/..."),
            ("a..b", "https://opa.example.com/v1/a..b"),
            ("..a/.b", "https://opa.example.com/v1/..a/.b"),
        ] {
            check(below, path, Some(expected));
        }
        for path in [
            "..",
            ".",
            "../admin",
            "/../admin",
            "a/../../admin",
            "a/..",
            "a/./b",
            "..?a",
            "%2e%2e/admin",
            "%2E./admin",
            ".%2e/admin",
            "%252e%252e/admin",
            "a%2f..%2f..%2fadmin",
            "a%5c..%5cadmin",
            "..;/admin",
            "..;v=1/admin",
            "..\\admin",
            "//evil.example.com/",
            "a b",
            "a\r\nHost: evil",
            "a%0d%0ab",
            "a%00",
            "a%",
            "a%2",
            "a%zz",
            "a#b",
            "a?b#c",
            "a?b c",
            "a?b\n",
            "ü",
            "a\"",
            "<a>",
            "{a}",
        ] {
            check(below, path, None);
        }
        check(below, &"a".repeat(PATH_LEN_MAX + 1), None);
        // Neither the host nor a name of the path goes on in what is appended.
        let host = "https://opa.example.com";
        check(host, "/v1", Some("https://opa.example.com/v1"));
        check(
            host,
            ".evil.com/",
            Some("https://opa.example.com/.evil.com/"),
        );
        check(
            host,
            "@evil.com/",
            Some("https://opa.example.com/@evil.com/"),
        );
        check(host, ":80/", Some("https://opa.example.com/:80/"));
        check(
            host,
            "https://evil.com/",
            Some("https://opa.example.com/https://evil.com/"),
        );
        let name = "https://opa.example.com/v1";
        check(name, "", Some("https://opa.example.com/v1"));
        check(name, "?a", Some("https://opa.example.com/v1?a"));
        check(name, "/data", Some("https://opa.example.com/v1/data"));
        check(name, "0/data", None);
    }

    fn endpoint() -> Endpoint {
        let mut headers = HeaderMap::new();
        headers.insert("x-token", HeaderValue::from_static("of the operator"));
        Endpoint {
            url: BaseUrl::parse("https://opa.example.com/v1/").unwrap(),
            methods: vec![Method::GET, Method::POST],
            timeout: Duration::from_secs(1),
            answer_len_max: 1024,
            private_addresses: false,
            headers,
        }
    }

    #[test]
    fn only_the_methods_that_are_listed_are_used() {
        for (method, allowed) in [
            ("GET", true),
            ("POST", true),
            ("DELETE", false),
            ("get", false),
            ("CONNECT", false),
            ("GE T", false),
            ("", false),
        ] {
            let request = endpoint().request(method, "data", &[], Vec::new());
            assert_eq!(request.is_some(), allowed, "{method}");
        }
        let mut tunnel = endpoint();
        tunnel.methods.push(Method::CONNECT);
        assert!(tunnel.request("CONNECT", "data", &[], Vec::new()).is_none());
    }

    #[test]
    fn a_plugin_sets_no_header_that_is_not_its_own() {
        for (name, value, allowed) in [
            ("content-type", "application/json", true),
            ("X-Request", "1", true),
            ("authorization", "Bearer mine", true),
            ("host", "evil.example.com", false),
            ("Content-Length", "5", false),
            ("transfer-encoding", "chunked", false),
            ("connection", "close", false),
            ("upgrade", "websocket", false),
            ("te", "trailers", false),
            ("expect", "100-continue", false),
            ("proxy-authorization", "Basic eA==", false),
            ("X-Token", "forged", false),
            ("x-a", "b\r\nx-token: forged", false),
            ("x a", "b", false),
            ("", "b", false),
        ] {
            let list = [(name.to_owned(), value.to_owned())];
            let request = endpoint().request("GET", "data", &list, Vec::new());
            assert_eq!(request.is_some(), allowed, "{name}: {value:?}");
            if let Some(request) = request {
                assert_eq!(request.headers()[name], value);
                assert_eq!(request.headers()["x-token"], "of the operator");
            }
        }
        let many = vec![("x-a".to_owned(), String::new()); HEADERS_MAX + 1];
        assert!(endpoint().request("GET", "", &many, Vec::new()).is_none());
    }
}
