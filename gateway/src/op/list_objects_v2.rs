//! ListObjectsV2: as the first version, with tokens to continue by.

use s3::listing::ListObjectsV2;

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListObjectsV2::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = generation
        .store
        .list_objects(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_objects_v2_result(
        &bucket.name,
        &input,
        &page,
        &generation.names(),
    )))
}
