//! One version: the one that is named, or the current one.

use storage::{BucketName, Error, Object, ObjectKey, Result, UploadId, VersionId, Versioning};

use crate::index::{Index, Rows, Space};
use crate::keys;
use crate::order;
use crate::record::{Version, decode_past, decode_version, decode_version_name, name_of_summary};

/// The current version, or the one named, of a bucket in this state.
pub(crate) fn object(
    index: &Index,
    bucket: &BucketName,
    versioning: Versioning,
    key: &ObjectKey,
    version: Option<VersionId>,
) -> Result<Object> {
    let found = match (version, versioning) {
        (Some(name), _) => version_named(index, bucket, key, name)?.ok_or(Error::VersionMissing)?,
        // There is no other, which spares the search for the current one.
        (None, Versioning::Never) => {
            let null = version_named(index, bucket, key, VersionId::Null)?;
            null.ok_or(Error::ObjectMissing)?
        }
        (None, Versioning::Enabled | Versioning::Suspended) => {
            current(&index.snapshot(), bucket, key)?.ok_or(Error::ObjectMissing)?
        }
    };
    match found {
        Version::Object(object) => Ok(object),
        Version::Marker(stored) => Err(Error::Marker(stored.marker)),
    }
}

/// The object that an upload has become, while it is there.
pub(crate) fn completed(
    index: &Index,
    bucket: &BucketName,
    key: &ObjectKey,
    upload: UploadId,
) -> Result<Object> {
    let index = index.snapshot();
    let upload = keys::upload(bucket, key, upload);
    let name = index.find(Space::Completed, &upload, decode_version_name)?;
    let name = name.ok_or(Error::UploadMissing)?;
    match version_named(&index, bucket, key, name)? {
        Some(Version::Object(object)) => Ok(object),
        Some(Version::Marker(_)) | None => Err(Error::UploadMissing),
    }
}

pub(crate) fn version_named(
    rows: &impl Rows,
    bucket: &BucketName,
    key: &ObjectKey,
    name: VersionId,
) -> Result<Option<Version>> {
    let name = keys::version(bucket, key, name);
    rows.find(Space::Versions, &name, decode_version)
}

fn current(rows: &impl Rows, bucket: &BucketName, key: &ObjectKey) -> Result<Option<Version>> {
    let current = keys::current(bucket, key);
    if let Some(name) = rows.find(Space::Current, &current, name_of_summary)? {
        return version_named(rows, bucket, key, name);
    }
    match order::newest(rows, bucket, key)? {
        Some(marker) => rows.find(Space::Past, &keys::past(bucket, key, marker), decode_past),
        None => Ok(None),
    }
}

/// The place in time of the null version of a key.
pub(crate) fn place_of_null(
    rows: &impl Rows,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<u128>> {
    let null = version_named(rows, bucket, key, VersionId::Null)?;
    Ok(null.map(|null| null.id()))
}
