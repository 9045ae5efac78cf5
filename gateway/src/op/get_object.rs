//! GetObject and HeadObject: the bytes of an object, or of a range or a part of
//! it, if the conditions hold.

use std::ops::Range;

use host::Principal;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use s3::conditional::{Outcome, range_applies};
use s3::metadata::is_internal;
use s3::{ByteRange, Code, Conditions, Head};
use storage::{Object, PartNumber, Store};

use super::answer::{is_checksum, set, set_checksums, set_etag, set_modified, set_version};
use crate::body::ReplyBody;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

/// Which bytes of the object are asked for.
enum Selection {
    Whole,
    Range(ByteRange),
    Part(PartNumber),
}

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let head = &request.head;
    let selection = Selection::parse(request)?;
    let object = request.object()?;

    match Conditions::of(&head.headers).evaluate(&object.etag, object.modified) {
        Outcome::Proceed => {}
        Outcome::NotModified => return not_modified(request, object),
        Outcome::Failed { condition } => return Err(Outcome::refusal(condition).into()),
    }

    let selection = selection.of(head, object);
    let (status, range) = selection.resolve(object)?;
    let length = range.end - range.start;
    let mut headers = headers(request, object)?;
    if asks_for_checksums(request) {
        selection.set_checksums(&mut headers, object);
    }
    set(&mut headers, header::CONTENT_LENGTH, length.to_string());
    if status == StatusCode::PARTIAL_CONTENT && length > 0 {
        let last = range.end - 1;
        set(
            &mut headers,
            header::CONTENT_RANGE,
            format!("bytes {}-{last}/{}", range.start, object.size),
        );
    }
    if matches!(selection, Selection::Part(_)) && !object.parts.is_empty() {
        set(
            &mut headers,
            HeaderName::from_static("x-amz-mp-parts-count"),
            object.parts.len().to_string(),
        );
    }

    let body = if head.method == Method::HEAD || length == 0 {
        ReplyBody::empty()
    } else {
        ReplyBody::stream(store.read(object, range).await?, length)
    };
    Ok(Reply {
        status,
        headers,
        body,
    })
}

impl Selection {
    fn parse(request: &Cleared) -> Result<Self> {
        let head = &request.head;
        let range = head.header("range").and_then(ByteRange::parse);
        match (s3::listing::part_number(&head.query)?, range) {
            (Some(_), Some(_)) => Err(s3::Error::new(Code::InvalidRequest)
                .because("Cannot specify both Range header and partNumber query parameter")
                .into()),
            (Some(number), None) => Ok(Self::Part(number)),
            (None, Some(range)) => Ok(Self::Range(range)),
            (None, None) => Ok(Self::Whole),
        }
    }

    /// What is left of it if the object is another than the client believes.
    fn of(self, head: &Head, object: &Object) -> Self {
        let current = range_applies(&head.headers, &object.etag, object.modified);
        match self {
            Self::Range(_) if !current => Self::Whole,
            selection => selection,
        }
    }

    fn resolve(&self, object: &Object) -> Result<(StatusCode, Range<u64>)> {
        match self {
            Self::Whole => Ok((StatusCode::OK, 0..object.size)),
            Self::Range(range) => Ok((StatusCode::PARTIAL_CONTENT, range.resolve(object.size)?)),
            Self::Part(number) => Ok((StatusCode::PARTIAL_CONTENT, part_range(object, *number)?)),
        }
    }
}

impl Selection {
    /// The checksums of what is sent, where they are known: those of a range are not.
    fn set_checksums(&self, headers: &mut HeaderMap, object: &Object) {
        match self {
            Self::Whole => set_checksums(headers, &object.metadata),
            Self::Range(_) => {}
            Self::Part(_) if object.parts.is_empty() => set_checksums(headers, &object.metadata),
            Self::Part(number) => {
                let mut parts = object.parts.iter();
                if let Some(part) = parts.find(|part| part.number == *number) {
                    set_checksums(headers, &part.metadata);
                }
            }
        }
    }
}

/// Where a part lies. An object that was not uploaded in parts has one.
fn part_range(object: &Object, number: PartNumber) -> Result<Range<u64>> {
    if object.parts.is_empty() && number.get() == 1 {
        return Ok(0..object.size);
    }
    let mut start = 0;
    for part in &object.parts {
        if part.number == number {
            return Ok(start..start + part.size);
        }
        start += part.size;
    }
    Err(s3::Error::new(Code::InvalidPartNumber)
        .with("ActualPartCount", object.parts.len().max(1).to_string())
        .with("PartNumberRequested", number.to_string())
        .into())
}

fn not_modified(request: &Cleared, object: &Object) -> Result<Reply> {
    let mut reply = Reply::empty(StatusCode::NOT_MODIFIED);
    set_etag(&mut reply.headers, &object.etag);
    set_modified(&mut reply.headers, object.modified);
    if let Some(value) = object.metadata.get("cache-control") {
        set(&mut reply.headers, header::CACHE_CONTROL, value);
    }
    set_version(&mut reply.headers, request.bucket()?, object.version);
    Ok(reply)
}

fn asks_for_checksums(request: &Cleared) -> bool {
    let mode = request.head.header("x-amz-checksum-mode");
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
}

fn headers(request: &Cleared, object: &Object) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("binary/octet-stream"),
    );
    for (name, value) in object
        .metadata
        .iter()
        .filter(|(name, _)| !is_checksum(name) && !is_internal(name))
    {
        if let Ok(name) = HeaderName::try_from(name) {
            set(&mut headers, name, value);
        }
    }
    set_etag(&mut headers, &object.etag);
    set_modified(&mut headers, object.modified);
    set_version(&mut headers, request.bucket()?, object.version);
    let overrides = s3::metadata::response_overrides(&request.head.query)?;
    // A link to a public object does not decide what browsers take it for.
    if !overrides.is_empty() && matches!(request.principal, Principal::Anonymous) {
        return Err(s3::Error::new(Code::InvalidRequest)
            .because("Request specific response headers cannot be used for anonymous GET requests.")
            .into());
    }
    for (name, value) in overrides {
        headers.insert(name, value);
    }
    Ok(headers)
}
