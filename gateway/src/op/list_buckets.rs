//! ListBuckets: the buckets of the caller.

use std::sync::Arc;

use s3::listing::ListBuckets;
use storage::{Bucket, BucketQuery, Page};

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListBuckets::of(&request.head.query)?;
    let owner = request.caller();
    let region = generation.region();
    let page = match &input.region {
        Some(other) if other != region => NONE,
        _ => {
            let query = BucketQuery {
                owner: owner.clone(),
                prefix: input.prefix.clone(),
                after: input.continuation.as_ref().map(|place| place.after.clone()),
                limit: input.max_buckets,
            };
            generation.store.list_buckets(&query).await?
        }
    };
    Ok(Reply::xml(s3::xml::list_all_my_buckets_result(
        &owner,
        &input,
        &page,
        region,
        &generation.names(),
    )))
}

/// No bucket is in another region.
const NONE: Page<Arc<Bucket>> = Page {
    entries: Vec::new(),
    truncated: false,
};
