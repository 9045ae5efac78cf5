//! PutBucketVersioning: versioning is enabled or suspended, and never off again.

use http::StatusCode;
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
    let body = request.document(body, BODY_LEN_MAX).await?;
    let versioning = s3::xml::parse_versioning_configuration(&body)?;
    store.set_versioning(request.bucket()?, versioning).await?;
    Ok(Reply::empty(StatusCode::OK))
}
