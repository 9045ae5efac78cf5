//! ListMultipartUploads: what was begun and neither completed nor aborted.

use s3::listing::ListUploads;

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListUploads::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = generation
        .store
        .list_uploads(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_multipart_uploads_result(
        &bucket.name,
        &input,
        &page,
        &generation.names(),
    )))
}
