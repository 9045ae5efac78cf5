//! ListObjectVersions: every version and delete marker, also in a bucket that
//! never had versioning.

use s3::listing::ListVersions;

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListVersions::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = generation
        .store
        .list_versions(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_versions_result(
        &bucket.name,
        &input,
        &page,
        &generation.names(),
    )))
}
