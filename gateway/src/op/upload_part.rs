//! UploadPart: a body becomes a part, replacing one of the same number.

use http::StatusCode;
use s3::Payload;
use s3::listing::upload_id;
use storage::{Metadata, Store, Target, Timestamp, UploadedPart};

use super::answer::set_etag;
use super::put_object::{echo_checksum, remember_checksum};
use super::upload::{self, UploadChecksum};
use crate::body::RequestBody;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<Reply> {
    let number = upload::part_number(&request.head)?;
    let id = upload_id(&request.head.query)?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    // An upload that is gone is better refused before the client sends gigabytes.
    let mut upload = store.upload(bucket, key, id).await?;
    let kept = UploadChecksum::recall(&mut upload.metadata);
    let payload = Payload::of_part(&request.head, kept.map(|kept| kept.algorithm))?;

    let length = payload.length.unwrap_or_default();
    let place = Target::Part(key, id, number);
    let room = store.reserve(bucket, place, length).await?;
    let sink = store.stage(bucket, payload.length).await?;
    let (staged, digests) = body
        .stage(&payload, request.stream_key.clone(), sink)
        .await?;

    let mut metadata = Metadata::new();
    for checksum in digests.checksum.iter().chain(&digests.besides) {
        remember_checksum(&mut metadata, Some(checksum));
    }
    let part = UploadedPart {
        number,
        size: staged.length,
        etag: s3::encode::hex(&digests.md5),
        modified: Timestamp::now(),
        metadata,
    };
    let etag = part.etag.clone();
    // From here on the bytes are counted where they are put.
    drop(room);
    store.put_part(bucket, key, id, part, staged).await?;

    let mut reply = Reply::empty(StatusCode::OK);
    set_etag(&mut reply.headers, &etag);
    echo_checksum(&mut reply, &digests);
    Ok(reply)
}
