//! ListParts: the parts of an upload so far.

use s3::listing::ListParts;

use crate::error::Result;
use crate::gateway::Gateway;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, gateway: &Gateway) -> Result<Reply> {
    let input = ListParts::of(&request.head.query)?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    let upload = gateway.store.upload(bucket, key, input.upload).await?;
    let page = gateway
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
        &gateway.names(),
    )))
}
