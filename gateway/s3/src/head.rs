//! The head of a request, understood: what it addresses and which operation it
//! asks for.
//!
//! A request is classified once and for all. A sub-resource never falls through
//! to the plain operation: it has its own operation, or the request is refused.

mod hoisted;
mod route;

pub(crate) use route::is_reserved;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use storage::{BucketName, NameError, ObjectKey, VersionId};

use crate::encode::decode;
use crate::error::{Code, Error};
use crate::form::Form;
use crate::operation::Operation;
use crate::query::Query;
use crate::sub_resource::SubResource;
use crate::target::Target;

#[derive(Debug, Clone)]
pub struct Head {
    pub method: Method,
    /// The path exactly as it was sent.
    pub path: String,
    /// The query exactly as it was sent, without `?`.
    pub query_string: String,
    pub query: Query,
    /// What the request says in headers, and what a presigned URL says in its
    /// query instead, or a form in its fields.
    pub headers: HeaderMap,
    /// Which of `headers` were not sent, but are from the query or the form.
    pub hoisted: HeaderMap,
    /// The host as it was sent, with its port.
    pub host: String,
    pub target: Target,
    pub operation: Operation,
    /// The sub-resource that the query names.
    pub sub_resource: Option<String>,
    /// The version that the request names.
    pub version: Option<VersionId>,
    /// The fields of PostObject, once they are read.
    pub form: Option<Form>,
}

impl Head {
    /// Reads a request to a gateway that serves `<bucket>.<domain>` for each of
    /// these domains, and any other host by path; and that has these sub-resources
    /// besides those of S3.
    pub fn parse(parts: &Parts, domains: &[String], more: &[SubResource]) -> Result<Self, Error> {
        check_headers(&parts.headers)?;
        let host = host(parts)?;
        let path = parts.uri.path();
        let query_string = parts.uri.query().unwrap_or_default();
        let query = Query::parse(query_string)?;
        check_query(&query)?;
        let target = target(&host, path, domains)?;
        let hoisted = hoisted::headers(&query, &parts.headers)?;
        let mut headers = with_host(&parts.headers, &host);
        headers.extend(hoisted.clone());
        let (operation, sub_resource) =
            route::classify(&parts.method, &target, &query, &headers, more)?;
        let version = version(&query, operation)?;
        Ok(Self {
            method: parts.method.clone(),
            path: path.to_owned(),
            query_string: query_string.to_owned(),
            query,
            headers,
            hoisted,
            host,
            target,
            operation,
            sub_resource,
            version,
            form: None,
        })
    }

    /// The headers as they came: what a signature over headers is about.
    pub fn sent_headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let sent = |(name, _): &(&HeaderName, _)| !self.hoisted.contains_key(*name);
        self.headers.iter().filter(sent)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        // `parse` has made sure that it is text.
        let value = self.headers.get(name)?;
        std::str::from_utf8(value.as_bytes()).ok()
    }
}

/// Headers whose meaning would depend on who reads them are refused.
fn check_headers(headers: &HeaderMap) -> Result<(), Error> {
    let refuse = |name: &str, message: &'static str| {
        Error::new(Code::InvalidRequest)
            .because(message)
            .with("Header", name)
    };
    for (name, value) in headers {
        if std::str::from_utf8(value.as_bytes()).is_err() {
            return Err(refuse(name.as_str(), "A header is not UTF-8."));
        }
    }
    const ONCE: [&str; 5] = [
        "authorization",
        "content-length",
        "content-md5",
        "host",
        "range",
    ];
    // What several lines say together.
    const LISTS: [&str; 2] = [
        "x-amz-object-attributes",
        "x-amz-optional-object-attributes",
    ];
    for name in headers.keys() {
        let name = name.as_str();
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        let differs = values.any(|value| Some(value) != first);
        let once = ONCE.contains(&name) || (name.starts_with("x-amz-") && !LISTS.contains(&name));
        if differs && once {
            return Err(refuse(name, "A header is repeated with another value."));
        }
    }
    // Two lengths of one body: whoever stands in front of us may believe the other.
    // HTTP/1 does not get here with both: hyper then reads the chunks, drops the
    // length, and closes the connection after the answer, as RFC 9112 has it. This
    // is for a request that came in any other way.
    if headers.contains_key("transfer-encoding") && headers.contains_key("content-length") {
        return Err(refuse(
            "transfer-encoding",
            "A request has a Content-Length or a Transfer-Encoding, not both.",
        ));
    }
    Ok(())
}

/// Repeated parameters of which a plugin may see one and the gateway another.
fn check_query(query: &Query) -> Result<(), Error> {
    const ONCE: [&str; 4] = ["list-type", "partNumber", "uploadId", "versionId"];
    for (name, value) in query.iter() {
        let signing = name
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        if (signing || ONCE.contains(&name)) && query.count(name) > 1 {
            return Err(Error::new(Code::InvalidArgument)
                .because("A query parameter is repeated.")
                .with("ArgumentName", name)
                .with("ArgumentValue", value));
        }
    }
    Ok(())
}

fn host(parts: &Parts) -> Result<String, Error> {
    let refuse = |message: &'static str| Error::new(Code::InvalidRequest).because(message);
    let header = match parts.headers.get(HOST) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| refuse("Invalid Host header."))?),
    };
    let authority = parts.uri.authority().map(Authority::as_str);
    match (authority, header) {
        (Some(authority), Some(header)) if !authority.eq_ignore_ascii_case(header) => {
            Err(refuse("The request names two hosts."))
        }
        (_, Some(host)) | (Some(host), None) => Ok(host.to_owned()),
        (None, None) if parts.version < Version::HTTP_11 => Ok(String::new()),
        (None, None) => Err(refuse("The request names no host.")),
    }
}

/// HTTP/2 names the host in its target. Who signs a request and who verifies the
/// signature take it for a header all the same.
fn with_host(headers: &HeaderMap, host: &str) -> HeaderMap {
    let mut headers = headers.clone();
    if let (false, Ok(value)) = (headers.contains_key(HOST), HeaderValue::from_str(host)) {
        headers.insert(HOST, value);
    }
    headers
}

/// What is before the port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon may be one inside of an IPv6 address.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

fn target(host: &str, path: &str, domains: &[String]) -> Result<Target, Error> {
    let invalid = |message: &'static str| {
        Error::new(Code::InvalidURI)
            .because(message)
            .with("URI", path)
    };
    let path = path
        .strip_prefix('/')
        .ok_or_else(|| invalid("The path does not begin with a slash."))?;
    let host = without_port(host).to_ascii_lowercase();
    // Of two domains of which one ends with the other, the longer one is meant.
    let virtual_bucket = domains
        .iter()
        .filter_map(|domain| host.strip_suffix(&domain.to_ascii_lowercase()))
        .filter(|rest| rest.is_empty() || rest.ends_with('.'))
        .min_by_key(|rest| rest.len())
        .and_then(|rest| rest.strip_suffix('.'));
    let (bucket, key) = match (virtual_bucket, path.split_once('/')) {
        (Some(bucket), _) => (bucket, path),
        (None, Some((bucket, key))) => (bucket, key),
        (None, None) if path.is_empty() => return Ok(Target::Service),
        (None, None) => (path, ""),
    };
    let decoded = |text| match decode(text) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(invalid("The path is not percent-encoded UTF-8.")),
    };
    let bucket = decoded(bucket)?;
    let key = decoded(key)?;
    let bucket = BucketName::parse(&bucket).map_err(|error| {
        let refusal = Error::new(Code::InvalidBucketName).with("BucketName", &*bucket);
        refusal.because(format!("The specified bucket is not valid: {error}."))
    })?;
    match ObjectKey::parse(&key) {
        Ok(key) => Ok(Target::Object(bucket, key)),
        Err(NameError::KeyEmpty) => Ok(Target::Bucket(bucket)),
        Err(_) => Err(Error::new(Code::KeyTooLongError)
            .with("Size", key.len().to_string())
            .with("MaxSizeAllowed", ObjectKey::LEN_MAX.to_string())),
    }
}

fn version(query: &Query, operation: Operation) -> Result<Option<VersionId>, Error> {
    let Some(text) = query.get("versionId") else {
        return Ok(None);
    };
    let refuse = |message: &'static str| {
        Error::new(Code::InvalidArgument)
            .because(message)
            .argument("versionId", text)
    };
    match operation {
        // A preflight asks for leave to name it.
        Operation::Preflight => Ok(None),
        Operation::GetObject
        | Operation::HeadObject
        | Operation::DeleteObject
        | Operation::GetObjectAcl
        | Operation::PutObjectAcl
        | Operation::GetObjectTagging
        | Operation::PutObjectTagging
        | Operation::DeleteObjectTagging
        | Operation::GetObjectAttributes
        | Operation::GetObjectRetention
        | Operation::PutObjectRetention
        | Operation::GetObjectLegalHold
        | Operation::PutObjectLegalHold
        | Operation::GetObjectTorrent
        | Operation::GetSubResource
        | Operation::PutSubResource
        | Operation::PostSubResource
        | Operation::DeleteSubResource
        | Operation::RestoreObject
        | Operation::SelectObjectContent => match VersionId::parse(text) {
            Ok(version) => Ok(Some(version)),
            Err(_) if text.is_empty() => Err(refuse("Version id cannot be the empty string")),
            Err(_) => Err(refuse("Invalid version id specified")),
        },
        _ => Err(refuse("This operation does not accept a version-id.")),
    }
}

#[cfg(test)]
mod tests;
