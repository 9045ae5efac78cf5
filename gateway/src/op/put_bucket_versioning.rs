//! PutBucketVersioning: versioning is enabled or suspended, and never off again.

use http::StatusCode;
use s3::{Code, Payload};
use storage::Store;

use crate::body::RequestBody;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

/// A configuration has one element or two.
const BODY_LEN_MAX: usize = 64 * 1024;

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<Reply> {
    let payload = Payload::of_document(&request.head)?;
    let body = body
        .collect(
            &payload,
            request.stream_key.clone(),
            request.share(),
            BODY_LEN_MAX,
        )
        .await?;
    if body.is_empty() {
        return Err(Code::MissingRequestBodyError.into());
    }
    let versioning = s3::xml::parse_versioning_configuration(&body)?;
    store.set_versioning(request.bucket()?, versioning).await?;
    Ok(Reply::empty(StatusCode::OK))
}
