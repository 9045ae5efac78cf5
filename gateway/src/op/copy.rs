//! What CopyObject and UploadPartCopy share: the conditions on the source, and
//! moving its bytes, or not moving them.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt;
use md5::{Digest, Md5};
use s3::checksum::{ChecksumType, Hasher};
use s3::conditional::Outcome;
use s3::{Algorithm, Code, Conditions, Payload};
use storage::{Bucket, Metadata, Object, Staged, Store, Target};

use super::answer::CHECKSUM_TYPE;
use crate::error::Result;
use crate::stage::Cleared;

/// The source of a copy, if its conditions hold.
pub(super) fn source(request: &Cleared) -> Result<&Object> {
    let object = request.source()?;
    match Conditions::of_copy_source(&request.head.headers).evaluate(&object.etag, object.modified)
    {
        Outcome::Proceed => Ok(object),
        // A copy has nothing to answer 304 with.
        Outcome::NotModified => Err(Code::PreconditionFailed.into()),
        Outcome::Failed { condition } => Err(Outcome::refusal(condition).into()),
    }
}

pub(super) fn check_length(length: u64) -> Result<()> {
    if length <= Payload::CONTENT_LEN_MAX {
        return Ok(());
    }
    Err(s3::Error::new(Code::InvalidRequest)
        .because("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
        .into())
}

/// Bytes that were copied, and what is known of them.
pub(super) struct Copied {
    pub(super) staged: Staged,
    pub(super) etag: String,
    pub(super) checksum: Option<(Algorithm, String)>,
}

/// Stages a range of an object by reading and writing it.
pub(super) async fn transfer(
    store: &dyn Store,
    source: &Object,
    range: Range<u64>,
    target: &Bucket,
    place: Target<'_>,
    algorithm: Option<Algorithm>,
) -> Result<Copied> {
    let length = range.end - range.start;
    let _room = store.reserve(target, place, length).await?;
    let mut sink = store.stage(target, Some(length)).await?;
    let mut md5 = Md5::new();
    let mut hasher = algorithm.map(Hasher::new);
    if !range.is_empty() {
        let mut stream = store.read(source, range).await?;
        while let Some(bytes) = stream.next().await {
            let bytes: Bytes = bytes?;
            md5.update(&bytes);
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
            sink.write(bytes).await?;
        }
    }
    Ok(Copied {
        staged: sink.finish().await?,
        etag: s3::encode::hex(&md5.finalize()),
        checksum: hasher.map(|hasher| (hasher.algorithm(), hasher.finish())),
    })
}

/// Whether the checksum of all bytes is among what is remembered of them.
pub(super) fn is_known(algorithm: Algorithm, metadata: &Metadata) -> bool {
    let kind = metadata.get(CHECKSUM_TYPE).map(String::as_str);
    metadata.contains_key(algorithm.header()) && kind == Some(ChecksumType::FullObject.name())
}

/// Which checksum is remembered, if it is made from those of parts.
pub(super) fn of_parts(metadata: &Metadata) -> Option<Algorithm> {
    let kind = metadata.get(CHECKSUM_TYPE).map(String::as_str);
    let mut all = Algorithm::ALL.iter().copied();
    all.find(|algorithm| metadata.contains_key(algorithm.header()))
        .filter(|_| kind == Some(ChecksumType::Composite.name()))
}

/// The checksum of an object that none is known of: its bytes are read, and not
/// written.
pub(super) async fn digest(
    store: &dyn Store,
    source: &Object,
    algorithm: Algorithm,
) -> Result<(Algorithm, String)> {
    let mut hasher = Hasher::new(algorithm);
    if source.size > 0 {
        let mut stream = store.read(source, 0..source.size).await?;
        while let Some(bytes) = stream.next().await {
            hasher.update(&bytes?);
        }
    }
    Ok((algorithm, hasher.finish()))
}

#[cfg(test)]
mod tests {
    use storage::memory::Memory;
    use storage::{
        BucketName, Documents, Geometry, NewBucket, NewObject, NewPlacement, ObjectKey,
        Precondition, Versioning,
    };

    use super::*;

    #[test]
    fn a_copy_has_at_most_5_gib() {
        assert!(check_length(5 << 30).is_ok());
        let error = check_length((5 << 30) + 1).unwrap_err();
        assert_eq!(error.answer.code(), Some(Code::InvalidRequest));
    }

    #[tokio::test]
    async fn bytes_are_read_and_written_anew_where_the_geometry_is_another() {
        let store = Memory::new();
        let bucket = async |name: &str, data, parity| {
            let bucket = NewBucket {
                name: BucketName::parse(name).unwrap(),
                owner: "root".into(),
                documents: Documents::default(),
                versioning: Versioning::Never,
                placement: NewPlacement {
                    geometry: Some(Geometry { data, parity }),
                    ..NewPlacement::default()
                },
            };
            store.create_bucket(bucket).await.unwrap()
        };
        let (source, same, other) = (
            bucket("source", 4, 2).await,
            bucket("same", 4, 2).await,
            bucket("other", 2, 1).await,
        );
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut sink = store.stage(&source, None).await.unwrap();
        sink.write(body.clone().into()).await.unwrap();
        let staged = sink.finish().await.unwrap();
        let named = |etag: &str| NewObject {
            key: ObjectKey::parse("key").unwrap(),
            owner: "root".into(),
            etag: etag.to_owned(),
            metadata: Metadata::new(),
            documents: Documents::default(),
        };
        let put = store.put(&source, named("e"), staged, Precondition::None);
        let object = put.await.unwrap();

        assert!(store.share(&object, &same).await.unwrap().is_some());
        assert!(store.share(&object, &other).await.unwrap().is_none());
        let (range, algorithm) = (1000..body.len() as u64, Some(Algorithm::Crc32));
        let place = Target::Object(&object.key);
        let copied = transfer(&store, &object, range, &other, place, algorithm);
        let copied = copied.await.unwrap();
        let expected = &body[1000..];
        assert_eq!(copied.etag, s3::encode::hex(&Md5::digest(expected)));
        let mut hasher = Hasher::new(Algorithm::Crc32);
        hasher.update(expected);
        assert_eq!(copied.checksum, Some((Algorithm::Crc32, hasher.finish())));
        let put = store.put(&other, named("f"), copied.staged, Precondition::None);
        let object = put.await.unwrap();
        let mut stream = store.read(&object, 0..object.size).await.unwrap();
        let mut read = Vec::new();
        while let Some(bytes) = stream.next().await {
            read.extend_from_slice(&bytes.unwrap());
        }
        assert!(read == expected, "the bytes are others");
    }
}
