//! What a record changes in the index. The commit and the replay both go through
//! here, so that an index that was rebuilt is the one that was lost.
//!
//! Applying a record again changes nothing. The versions of a key are a set, each
//! with its place in time: whichever is the newest is current. What a bucket uses
//! is counted as versions and parts come and go.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::{BucketName, ObjectKey, Result, UploadId, Usage, VersionId};

use crate::index::{Space, View};
use crate::keys;
use crate::layout::{Location, PiecePlace};
use crate::list::damaged;
use crate::record::{
    Record, StoredPart, Version, decode_part, decode_past, decode_version, encode_bucket,
    encode_part, encode_past, encode_summary, encode_upload, encode_usage, encode_version,
    id_of_summary, past_of_summary, summary_of_past,
};

pub(crate) fn apply(record: &Record, view: &mut View<'_>) -> Result<()> {
    match record {
        Record::Epoch { .. } => {}
        Record::Bucket(bucket) => {
            let name = keys::bucket(&bucket.name);
            view.put(Space::Buckets, name, encode_bucket(bucket));
        }
        Record::BucketGone(name) => {
            view.remove(Space::Buckets, keys::bucket(name));
            view.remove(Space::Usage, keys::bucket(name));
        }
        Record::Version {
            bucket,
            version,
            upload,
        } => {
            put_version(bucket, version, view)?;
            if let Some(id) = upload {
                remove_upload(bucket, version.key(), *id, view)?;
            }
        }
        Record::VersionGone {
            bucket,
            key,
            version,
            ..
        } => {
            remove_version(bucket, key, *version, view)?;
        }
        Record::Upload { bucket, upload } => {
            let name = keys::upload(bucket, &upload.key, upload.id);
            view.put(Space::Uploads, name, encode_upload(upload));
        }
        Record::UploadGone { bucket, key, id } => remove_upload(bucket, key, *id, view)?,
        Record::Part {
            bucket,
            key,
            id,
            part,
        } => {
            let name = keys::part(bucket, key, *id, part.part.number);
            put_part(bucket, name, part, view)?;
        }
    }
    Ok(())
}

fn put_version(bucket: &BucketName, version: &Version, view: &mut View<'_>) -> Result<()> {
    let (key, id) = (version.key(), version.id());
    let name = keys::version(bucket, key, version.name());
    let old = match view.get(Space::Versions, &name)? {
        Some(old) => Some(decode_version(&old).map_err(damaged)?),
        None => None,
    };
    let old_id = old.as_ref().map(Version::id);
    if old_id > Some(id) {
        // The record was applied before, and has been outdone since.
        return Ok(());
    }
    if let Some(old) = &old {
        unlink(&name, old.location(), view);
    }
    link(&name, version.location(), view);
    let before = old.as_ref().map_or(Usage::default(), Version::usage);
    count(bucket, before, version.usage(), view)?;
    view.put(Space::Versions, name, encode_version(version));

    let name = keys::current(bucket, key);
    let current = view.get(Space::Current, &name)?;
    let current_id = id_of(current.as_deref())?;
    if let Some(old) = old_id
        && old_id != current_id
        && old != id
    {
        view.remove(Space::Past, keys::past(bucket, key, old));
    }
    let newest = match current_id {
        Some(current) => Some(current),
        None => newest_past(bucket, key, view)?,
    };
    if newest > Some(id) {
        view.put(
            Space::Past,
            keys::past(bucket, key, id),
            encode_past(version),
        );
        return Ok(());
    }
    if let (Some(current), Some(passed)) = (&current, current_id)
        && passed != id
        && current_id != old_id
    {
        let past = keys::past(bucket, key, passed);
        view.put(Space::Past, past, past_of_summary(current));
    }
    match version {
        Version::Object(object) => view.put(Space::Current, name, encode_summary(object)),
        Version::Marker(_) => {
            if current.is_some() {
                view.remove(Space::Current, name);
            }
            view.put(
                Space::Past,
                keys::past(bucket, key, id),
                encode_past(version),
            );
        }
    }
    Ok(())
}

fn remove_version(
    bucket: &BucketName,
    key: &ObjectKey,
    version: VersionId,
    view: &mut View<'_>,
) -> Result<()> {
    let name = keys::version(bucket, key, version);
    let Some(old) = view.get(Space::Versions, &name)? else {
        return Ok(());
    };
    let old = decode_version(&old).map_err(damaged)?;
    unlink(&name, old.location(), view);
    count(bucket, old.usage(), Usage::default(), view)?;
    view.remove(Space::Versions, name);

    let name = keys::current(bucket, key);
    let current = view.get(Space::Current, &name)?;
    let current_id = id_of(current.as_deref())?;
    if current_id == Some(old.id()) {
        view.remove(Space::Current, name.clone());
    } else {
        view.remove(Space::Past, keys::past(bucket, key, old.id()));
        if current_id.is_some() {
            return Ok(());
        }
    }
    // The next newest is current, unless it is a delete marker.
    if let Some((past, next)) = view.first_below(Space::Past, &keys::of_key(bucket, key))?
        && let Some(summary) = summary_of_past(&next)
    {
        view.put(Space::Current, name, summary.to_vec());
        view.remove(Space::Past, past);
    }
    Ok(())
}

fn id_of(summary: Option<&[u8]>) -> Result<Option<u128>> {
    summary.map(id_of_summary).transpose().map_err(damaged)
}

fn newest_past(bucket: &BucketName, key: &ObjectKey, view: &View<'_>) -> Result<Option<u128>> {
    let newest = view.first_below(Space::Past, &keys::of_key(bucket, key))?;
    let newest = newest.map(|(_, past)| decode_past(&past)).transpose();
    Ok(newest.map_err(damaged)?.map(|past| past.id()))
}

/// What a bucket holds is less by one thing, and more by another.
fn count(bucket: &BucketName, gone: Usage, come: Usage, view: &mut View<'_>) -> Result<()> {
    if gone == come {
        return Ok(());
    }
    let usage = view.usage(bucket)?;
    // Both are what was counted before: neither can run over.
    let usage = Usage {
        bytes: usage
            .bytes
            .saturating_sub(gone.bytes)
            .saturating_add(come.bytes),
        objects: usage
            .objects
            .saturating_sub(gone.objects)
            .saturating_add(come.objects),
    };
    view.put(Space::Usage, keys::bucket(bucket), encode_usage(&usage));
    Ok(())
}

fn put_part(
    bucket: &BucketName,
    name: Vec<u8>,
    part: &StoredPart,
    view: &mut View<'_>,
) -> Result<()> {
    let old = view.get(Space::Parts, &name)?;
    let old = old
        .map(|old| decode_part(&old))
        .transpose()
        .map_err(damaged)?;
    if let Some(old) = &old {
        unlink(&name, Some(&old.location), view);
    }
    link(&name, Some(&part.location), view);
    let before = old.as_ref().map_or(Usage::default(), StoredPart::usage);
    count(bucket, before, part.usage(), view)?;
    view.put(Space::Parts, name, encode_part(part));
    Ok(())
}

fn remove_upload(
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    view: &mut View<'_>,
) -> Result<()> {
    let name = keys::upload(bucket, key, id);
    let mut gone = Usage::default();
    for (name, part) in view.below(Space::Parts, &name)? {
        let part = decode_part(&part).map_err(damaged)?;
        unlink(&name, Some(&part.location), view);
        gone.bytes = gone.bytes.saturating_add(part.usage().bytes);
        view.remove(Space::Parts, name);
    }
    count(bucket, gone, Usage::default(), view)?;
    view.remove(Space::Uploads, name);
    Ok(())
}

/// Extents are in use by `name` from now on; what some drives did not get is noted.
fn link(name: &[u8], location: Option<&Arc<Location>>, view: &mut View<'_>) {
    let Some(location) = location else { return };
    for (reference, length) in references(name, location) {
        view.put(Space::References, reference, length.to_le_bytes().to_vec());
    }
    let absent = location
        .pieces
        .iter()
        .fold(0, |absent, piece| absent | piece.absent.0);
    if absent != 0 {
        view.put(Space::Intents, name.to_vec(), absent.to_le_bytes().to_vec());
    }
}

fn unlink(name: &[u8], location: Option<&Arc<Location>>, view: &mut View<'_>) {
    let Some(location) = location else { return };
    for (reference, _) in references(name, location) {
        view.remove(Space::References, reference);
    }
    if location.pieces.iter().any(|piece| !piece.absent.is_empty()) {
        view.remove(Space::Intents, name.to_vec());
    }
}

/// Each extent once, however often an object repeats a part.
fn references(name: &[u8], location: &Location) -> BTreeSet<(Vec<u8>, u64)> {
    let mut references = BTreeSet::new();
    for piece in &location.pieces {
        if let PiecePlace::Stripes { extents, .. } = &piece.place {
            for extent in extents {
                let reference = keys::reference(location.set, extent, name);
                references.insert((reference, extent.length));
            }
        }
    }
    references
}
