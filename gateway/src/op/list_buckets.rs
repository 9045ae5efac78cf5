//! ListBuckets: the buckets of the caller.

use std::sync::Arc;

use s3::listing::ListBuckets;
use storage::{Bucket, Page, Store};

use crate::error::Result;
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, generation: &Generation) -> Result<Reply> {
    let input = ListBuckets::of(&request.head.query)?;
    let owner = request.caller();
    let region = generation.region();
    let page = match &input.region {
        Some(other) if other != region => NONE,
        _ => page(&owner, &input, &*generation.store).await?,
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

/// The store pages through all names in order, so those with the prefix are
/// found between two others.
async fn page(owner: &str, input: &ListBuckets, store: &dyn Store) -> Result<Page<Arc<Bucket>>> {
    let mut after = input.continuation.as_ref().map(|place| place.after.clone());
    let mut found = NONE;
    loop {
        let page = store
            .list_buckets(owner, after.as_deref(), input.max_buckets)
            .await?;
        after = page.entries.last().map(|bucket| bucket.name.to_string());
        for bucket in page
            .entries
            .into_iter()
            .filter(|bucket| bucket.name.as_str().starts_with(&input.prefix))
        {
            if found.entries.len() == input.max_buckets {
                found.truncated = true;
                return Ok(found);
            }
            found.entries.push(bucket);
        }
        if !page.truncated || after.is_none() {
            return Ok(found);
        }
    }
}
