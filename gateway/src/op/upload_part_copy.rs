//! UploadPartCopy: a part whose bytes come from an object, or from a range of one.

use s3::listing::upload_id;
use storage::{Metadata, Object, Store, Target, Timestamp, UploadedPart};

use super::answer::set_source_version;
use super::copy::{self, Copied};
use super::put_object::remember_checksum;
use super::upload::{self, UploadChecksum};
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
    let mut upload = store.upload(bucket, key, id).await?;
    let asked = UploadChecksum::recall(&mut upload.metadata);
    let kept = UploadChecksum::of(asked).algorithm;

    let whole = range == (0..source.size);
    let shared = if whole && has_plain_etag(source) {
        store.share(source, bucket).await?
    } else {
        None
    };
    let copied = match shared {
        Some(staged) => Copied {
            staged,
            etag: source.etag.clone(),
            checksum: Some(match source.metadata.get(kept.header()) {
                Some(known) => (kept, known.clone()),
                None => copy::digest(store, source, kept).await?,
            }),
        },
        None => {
            let place = Target::Part(key, id, number);
            copy::transfer(store, source, range, bucket, place, Some(kept)).await?
        }
    };
    let mut metadata = Metadata::new();
    remember_checksum(&mut metadata, copied.checksum.as_ref());
    let staged = copied.staged;
    let part = UploadedPart {
        number,
        size: staged.length,
        etag: copied.etag,
        modified: Timestamp::now(),
        metadata,
    };
    let answer = s3::xml::copy_part_result(&part);
    store.put_part(bucket, key, id, part, staged).await?;
    let mut reply = Reply::xml(answer);
    set_source_version(&mut reply.headers, request.source_bucket()?, source.version);
    Ok(reply)
}

/// Whether the etag is the MD5 of the bytes, as that of a part must be. Then a
/// checksum that is known is one of the bytes, too.
fn has_plain_etag(object: &Object) -> bool {
    !object.etag.contains('-')
}
