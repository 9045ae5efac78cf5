//! CompleteMultipartUpload: the named parts become one object. No data moves.
//!
//! The answer may get lost, and the client asks again. The store remembers what an
//! upload has become, so that the second answer is the same as the first.

use std::sync::Arc;

use md5::{Digest, Md5};
use s3::listing::upload_id;
use s3::xml::CompletedPart;
use s3::{Code, Head};
use storage::{
    Bucket, Error as StoreError, NewObject, Object, ObjectKey, PartNumber, Precondition, Store,
    Upload, UploadId, UploadedPart,
};

use super::answer::{CHECKSUM_TYPE, set_written_version};
use super::upload::UploadChecksum;
use crate::body::RequestBody;
use crate::error::{Error, Result};
use crate::stage::{Cleared, Reply};

/// 10,000 parts, each with an etag and a checksum.
const BODY_LEN_MAX: usize = 4 * 1024 * 1024;

/// Every part but the last has at least this many bytes.
const PART_LEN_MIN: u64 = 5 * 1024 * 1024;

/// An object has at most this many bytes, however it came.
const OBJECT_LEN_MAX: u64 = 5 << 40;

const PARTS_PAGE: usize = 1000;

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<Reply> {
    let id = upload_id(&request.head.query)?;
    let payload = request.payload()?;
    let precondition = s3::conditional::write_precondition(&request.head.headers)?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    // Neither is better refused before the client sends its list.
    let upload = match store.upload(bucket, key, id).await {
        Ok(upload) => Some(upload),
        Err(StoreError::UploadMissing) => {
            store.completed(bucket, key, id).await?;
            None
        }
        Err(error) => return Err(error.into()),
    };

    let body = request.collect(body, &payload, BODY_LEN_MAX).await?;
    let named = s3::xml::parse_complete_multipart_upload(&body)?;
    let done = match upload {
        Some(upload) => complete(&request, store, &upload, &named, precondition).await,
        None => Err(StoreError::UploadMissing.into()),
    };
    let stored = match done {
        // Completed before, or by another request while this one was under way.
        Err(Error {
            cause: Some(StoreError::UploadMissing),
            ..
        }) => {
            let object = store.completed(bucket, key, id).await?;
            check_same(&named, &object)?;
            object
        }
        done => done?,
    };

    let scheme = if request.secure { "https" } else { "http" };
    let location = format!("{scheme}://{}{}", request.head.host, request.head.path);
    let mut reply = Reply::xml(s3::xml::complete_multipart_upload_result(
        &location,
        &bucket.name,
        &stored,
    ));
    set_written_version(&mut reply.headers, stored.version);
    Ok(reply)
}

async fn complete(
    request: &Cleared,
    store: &dyn Store,
    upload: &Upload,
    named: &[CompletedPart],
    precondition: Precondition,
) -> Result<Arc<Object>> {
    let (bucket, key, id) = (request.bucket()?, request.key()?, upload.id);
    let uploaded = uploaded_parts(store, bucket, key, id).await?;
    let parts = select(named, &uploaded)?;
    check_sizes(&request.head, &parts)?;

    let mut metadata = upload.metadata.clone();
    let kept = UploadChecksum::of(UploadChecksum::recall(&mut metadata));
    let checksum = kept.combine(&parts);
    kept.check(&request.head, checksum.as_deref())?;
    if let Some(checksum) = checksum {
        metadata.insert(kept.algorithm.header().to_owned(), checksum);
        metadata.insert(CHECKSUM_TYPE.to_owned(), kept.kind.name().to_owned());
    }
    let mut documents = upload.documents.clone();
    documents.amend(&request.changes.object);
    let object = NewObject {
        key: key.clone(),
        owner: upload.owner.clone(),
        etag: etag(parts.iter().map(|part| part.etag.as_str())),
        metadata,
        documents,
    };
    let selected: Vec<_> = parts
        .iter()
        .map(|part| (part.number, part.etag.clone()))
        .collect();
    Ok(store
        .complete_upload(bucket, id, &selected, object, precondition)
        .await?)
}

/// Whether these are the parts that an object was made of.
fn check_same(named: &[CompletedPart], object: &Object) -> Result<()> {
    let numbers = object.parts.iter().map(|part| part.number);
    let same = named.iter().map(|part| part.number).eq(numbers)
        && etag(named.iter().map(|part| part.etag.as_str())) == object.etag
        && named
            .iter()
            .zip(&object.parts)
            .all(|(named, part)| named.checksum_matches(&part.metadata));
    if same {
        return Ok(());
    }
    Err(StoreError::UploadMissing.into())
}

async fn uploaded_parts(
    store: &dyn Store,
    bucket: &Bucket,
    key: &ObjectKey,
    id: UploadId,
) -> Result<Vec<UploadedPart>> {
    let (mut parts, mut after): (Vec<UploadedPart>, Option<PartNumber>) = (Vec::new(), None);
    loop {
        let page = store.list_parts(bucket, key, id, after, PARTS_PAGE).await?;
        after = page.entries.last().map(|part| part.number);
        parts.extend(page.entries);
        if !page.truncated || after.is_none() {
            return Ok(parts);
        }
    }
}

/// The uploaded parts that the client named, in its order.
fn select<'a>(
    named: &[CompletedPart],
    uploaded: &'a [UploadedPart],
) -> Result<Vec<&'a UploadedPart>> {
    named.iter().map(|part| find(part, uploaded)).collect()
}

fn find<'a>(named: &CompletedPart, uploaded: &'a [UploadedPart]) -> Result<&'a UploadedPart> {
    let found = uploaded
        .binary_search_by_key(&named.number, |part| part.number)
        .ok()
        .and_then(|at| uploaded.get(at));
    match found {
        Some(part) if part.etag == named.etag && named.checksum_matches(&part.metadata) => Ok(part),
        _ => Err(s3::Error::new(Code::InvalidPart)
            .with("PartNumber", named.number.to_string())
            .with("ETag", named.etag.clone())
            .into()),
    }
}

fn check_sizes(head: &Head, parts: &[&UploadedPart]) -> Result<()> {
    if let Some((_, all_but_last)) = parts.split_last()
        && let Some(small) = all_but_last.iter().find(|part| part.size < PART_LEN_MIN)
    {
        return Err(s3::Error::new(Code::EntityTooSmall)
            .with("ProposedSize", small.size.to_string())
            .with("MinSizeAllowed", PART_LEN_MIN.to_string())
            .with("PartNumber", small.number.to_string())
            .with("ETag", small.etag.clone())
            .into());
    }
    let total: u64 = parts.iter().map(|part| part.size).sum();
    if total > OBJECT_LEN_MAX {
        return Err(s3::Error::new(Code::EntityTooLarge)
            .with("ProposedSize", total.to_string())
            .with("MaxSizeAllowed", OBJECT_LEN_MAX.to_string())
            .into());
    }
    match head.header("x-amz-mp-object-size") {
        Some(size) if size.parse() != Ok(total) => Err(s3::Error::new(Code::InvalidRequest)
            .because(format!(
                "x-amz-mp-object-size is {size}, but the parts have {total} bytes"
            ))
            .into()),
        _ => Ok(()),
    }
}

/// The MD5 of the parts' MD5s, and how many they are.
fn etag<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let (mut md5, mut count) = (Md5::new(), 0_usize);
    for part in parts {
        md5.update(s3::encode::unhex(part).unwrap_or_default());
        count += 1;
    }
    format!("{}-{count}", s3::encode::hex(&md5.finalize()))
}
