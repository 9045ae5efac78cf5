//! AbortMultipartUpload: the parts are dropped.

use http::StatusCode;
use s3::listing::upload_id;
use storage::Store;

use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let id = upload_id(&request.head.query)?;
    store
        .abort_upload(request.bucket()?, request.key()?, id)
        .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
