//! One version: the one that is named, or the current one.

use storage::{BucketName, Error, Object, ObjectKey, Result, VersionId, Versioning};

use crate::index::{Index, Snapshot, Space, bounds_below};
use crate::keys;
use crate::list::damaged;
use crate::record::{Version, decode_past, decode_version, id_of_summary, name_of_summary};

/// The current version, or the one named, of a bucket in this state.
pub(crate) fn object(
    index: &Index,
    bucket: &BucketName,
    versioning: Versioning,
    key: &ObjectKey,
    version: Option<VersionId>,
) -> Result<Object> {
    let found = match (version, versioning) {
        (Some(version), _) => named(index, bucket, key, version)?.ok_or(Error::VersionMissing)?,
        // There is no other, which spares the search for the current one.
        (None, Versioning::Never) => {
            let null = named(index, bucket, key, VersionId::Null)?;
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

fn named(
    index: &Index,
    bucket: &BucketName,
    key: &ObjectKey,
    version: VersionId,
) -> Result<Option<Version>> {
    let version = index.get(Space::Versions, &keys::version(bucket, key, version))?;
    let version = version.map(|version| decode_version(&version));
    version.transpose().map_err(damaged)
}

fn current(index: &Snapshot<'_>, bucket: &BucketName, key: &ObjectKey) -> Result<Option<Version>> {
    let Some(summary) = index.get(Space::Current, &keys::current(bucket, key))? else {
        return newest_past(index, bucket, key);
    };
    let name = name_of_summary(&summary).map_err(damaged)?;
    let version = index.get(Space::Versions, &keys::version(bucket, key, name))?;
    let version = version.map(|version| decode_version(&version));
    version.transpose().map_err(damaged)
}

fn newest_past(
    index: &Snapshot<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<Version>> {
    let below = bounds_below(&keys::of_key(bucket, key));
    let newest = index.range(Space::Past, below).next().transpose()?;
    let newest = newest.map(|(_, past)| decode_past(&past));
    newest.transpose().map_err(damaged)
}

/// The place in time of the newest version of a key.
pub(crate) fn newest(
    index: &Snapshot<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<u128>> {
    match index.get(Space::Current, &keys::current(bucket, key))? {
        Some(summary) => Ok(Some(id_of_summary(&summary).map_err(damaged)?)),
        None => Ok(newest_past(index, bucket, key)?.map(|past| past.id())),
    }
}

/// The place in time of the null version of a key.
pub(crate) fn place_of_null(
    index: &Snapshot<'_>,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<u128>> {
    let null = keys::version(bucket, key, VersionId::Null);
    let null = index.get(Space::Versions, &null)?;
    let null = null.map(|null| decode_version(&null)).transpose();
    Ok(null.map_err(damaged)?.map(|null| null.id()))
}
