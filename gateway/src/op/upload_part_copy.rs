//! UploadPartCopy: a part whose bytes come from an object, or from a range of one.

use s3::listing::upload_id;
use storage::{Metadata, Object, Store, Timestamp, UploadedPart};

use super::{copy, upload};
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let number = upload::part_number(&request.head)?;
    let id = upload_id(&request.head.query)?;
    let source = copy::source(request)?;
    let range = match request.head.header("x-amz-copy-source-range") {
        Some(range) => s3::range::copy_source_range(range, source.size)?,
        None => 0..source.size,
    };
    copy::check_length(range.end - range.start)?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    store.upload(bucket, key, id).await?;

    let whole = range == (0..source.size);
    let shared = if whole && has_plain_etag(source) {
        store.share(source, bucket).await?
    } else {
        None
    };
    let (staged, etag) = match shared {
        Some(staged) => (staged, source.etag.clone()),
        None => {
            let (staged, md5) = copy::transfer(store, source, range, bucket).await?;
            (staged, s3::encode::hex(&md5))
        }
    };
    let part = UploadedPart {
        number,
        size: staged.length,
        etag,
        modified: Timestamp::now(),
        metadata: Metadata::new(),
    };
    let answer = s3::xml::copy_part_result(&part);
    store.put_part(bucket, key, id, part, staged).await?;
    Ok(Reply::xml(answer))
}

/// Whether the etag is the MD5 of the bytes, as that of a part must be.
fn has_plain_etag(object: &Object) -> bool {
    !object.etag.contains('-')
}
