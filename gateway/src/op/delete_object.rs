//! DeleteObject: deleting what is not there succeeds.

use http::{HeaderName, HeaderValue, StatusCode};
use s3::Code;
use storage::{Precondition, Store};

use super::answer::{DELETE_MARKER, set_version};
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let precondition = precondition(request)?;
    let (bucket, version) = (request.bucket()?, request.head.version);
    let deleted = store
        .delete(bucket, request.key()?, version, precondition)
        .await?;
    let mut reply = Reply::empty(StatusCode::NO_CONTENT);
    if let Some(version) = deleted.version {
        set_version(&mut reply.headers, bucket, version);
    }
    if deleted.marker {
        reply.headers.insert(
            HeaderName::from_static(DELETE_MARKER),
            HeaderValue::from_static("true"),
        );
    }
    Ok(reply)
}

/// A delete can demand that there is something, and not that there is nothing.
fn precondition(request: &Cleared) -> Result<Precondition> {
    match s3::conditional::write_precondition(&request.head.headers)? {
        Precondition::Absent => Err(s3::Error::new(Code::NotImplemented)
            .because("A header you provided implies functionality that is not implemented")
            .with("Header", "If-None-Match")
            .into()),
        known => Ok(known),
    }
}
