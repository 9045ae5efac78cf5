//! ListMultipartUploads: what was begun and neither completed nor aborted.

use s3::listing::ListUploads;

use crate::error::Result;
use crate::gateway::Gateway;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, gateway: &Gateway) -> Result<Reply> {
    let input = ListUploads::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = gateway
        .store
        .list_uploads(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_multipart_uploads_result(
        &bucket.name,
        &input,
        &page,
        &gateway.names(),
    )))
}
