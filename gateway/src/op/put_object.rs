//! PutObject: a body becomes the current version of a key.

use std::sync::Arc;

use http::{HeaderName, StatusCode};
use s3::checksum::ChecksumType;
use s3::{Algorithm, Digests};
use storage::{Metadata, NewObject, Object, Store, Target};

use super::answer::{CHECKSUM_TYPE, set, set_etag, set_written_version};
use crate::body::RequestBody;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<Reply> {
    let (stored, digests) = store_content(&request, body, store).await?;
    let mut reply = Reply::empty(StatusCode::OK);
    set_etag(&mut reply.headers, &stored.etag);
    set_written_version(&mut reply.headers, stored.version);
    echo_checksum(&mut reply, &digests);
    Ok(reply)
}

/// Makes the content of the body an object.
pub(super) async fn store_content(
    request: &Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<(Arc<Object>, Digests)> {
    // All that the head alone can refuse is refused before the client is asked for the body.
    let payload = request.payload()?;
    let mut metadata = s3::metadata::stored_headers(&request.head.headers)?;
    let precondition = s3::conditional::write_precondition(&request.head.headers)?;
    let (bucket, key) = (request.bucket()?, request.key()?);

    let length = payload.length.unwrap_or_default();
    let room = store.reserve(bucket, Target::Object(key), length).await?;
    let sink = store.stage(bucket, payload.length).await?;
    let (staged, digests) = body
        .stage(&payload, request.stream_key.clone(), sink)
        .await?;

    let etag = s3::encode::hex(&digests.md5);
    remember_checksum(&mut metadata, digests.checksum.as_ref());
    let object = NewObject {
        key: key.clone(),
        owner: request.owner(),
        etag,
        metadata,
        documents: request.object_documents(),
    };
    // From here on the bytes are counted where they are put.
    drop(room);
    let stored = store.put(bucket, object, staged, precondition).await?;
    Ok((stored, digests))
}

/// Keeps the checksum of all bytes, for reads in checksum mode.
pub(super) fn remember_checksum(metadata: &mut Metadata, checksum: Option<&(Algorithm, String)>) {
    if let Some((algorithm, value)) = checksum {
        metadata.insert(algorithm.header().to_owned(), value.clone());
        metadata.insert(
            CHECKSUM_TYPE.to_owned(),
            ChecksumType::FullObject.name().to_owned(),
        );
    }
}

/// Tells the client which checksum was verified and kept.
pub(super) fn echo_checksum(reply: &mut Reply, digests: &Digests) {
    if let Some((algorithm, value)) = &digests.checksum {
        set(
            &mut reply.headers,
            HeaderName::from_static(algorithm.header()),
            value,
        );
        set(
            &mut reply.headers,
            HeaderName::from_static(CHECKSUM_TYPE),
            ChecksumType::FullObject.name(),
        );
    }
}
