//! ListParts: the parts of an upload so far.

use s3::listing::ListParts;

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListParts::of(&request.head.query)?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    let upload = generation.store.upload(bucket, key, input.upload).await?;
    let page = generation
        .store
        .list_parts(
            bucket,
            key,
            input.upload,
            input.part_number_marker,
            input.max_parts,
        )
        .await?;
    Ok(Reply::xml(s3::xml::list_parts_result(
        &bucket.name,
        &upload,
        &input,
        &page,
        &generation.names(),
    )))
}
