//! ListObjects, the first version.

use s3::listing::ListObjects;

use crate::error::Result;
use crate::gateway::Gateway;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, gateway: &Gateway) -> Result<Reply> {
    let input = ListObjects::of(&request.head.query)?;
    let bucket = request.bucket()?;
    let page = gateway
        .store
        .list_objects(bucket, &input.to_query())
        .await?;
    Ok(Reply::xml(s3::xml::list_objects_result(
        &bucket.name,
        &input,
        &page,
        &gateway.names(),
    )))
}
