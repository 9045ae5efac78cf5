//! ListObjects, the first version.

use s3::listing::ListObjects;

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListObjects::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = generation
        .store
        .list_objects(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_objects_result(
        &bucket.name,
        &input,
        &page,
        &generation.names(),
    )))
}
