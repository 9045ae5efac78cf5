//! What a record changes in the index. The commit and the replay both go through
//! here, so that an index that was rebuilt is the one that was lost.
//!
//! Applying a record again changes nothing.

use std::collections::BTreeSet;

use storage::{BucketName, Object, ObjectKey, Result, UploadId, VersionId};

use crate::index::{Space, View};
use crate::keys;
use crate::layout::{Location, PiecePlace};
use crate::record::{
    Record, decode_object, decode_part, encode_bucket, encode_object, encode_part, encode_summary,
    encode_upload, location_of,
};

pub(crate) fn apply(record: &Record, view: &mut View<'_>) -> Result<()> {
    match record {
        Record::Epoch { .. } => {}
        Record::Bucket(bucket) => {
            let name = keys::bucket(&bucket.name);
            view.put(Space::Buckets, name, encode_bucket(bucket));
        }
        Record::BucketGone(name) => view.remove(Space::Buckets, keys::bucket(name)),
        Record::Object {
            bucket,
            object,
            upload,
        } => {
            put_object(bucket, object, view)?;
            if let Some(id) = upload {
                remove_upload(bucket, &object.key, *id, view)?;
            }
        }
        Record::ObjectGone {
            bucket,
            key,
            version,
        } => {
            let name = keys::version(bucket, key, *version);
            unlink_version(&name, view)?;
            view.remove(Space::Versions, name);
            if *version == VersionId::Null {
                view.remove(Space::Current, keys::current(bucket, key));
            }
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
            unlink_part(&name, view)?;
            link(&name, &part.location, view);
            view.put(Space::Parts, name, encode_part(part));
        }
    }
    Ok(())
}

fn put_object(bucket: &BucketName, object: &Object, view: &mut View<'_>) -> Result<()> {
    let name = keys::version(bucket, &object.key, object.version);
    unlink_version(&name, view)?;
    if let Some(location) = location_of(object) {
        link(&name, location, view);
    }
    view.put(Space::Versions, name, encode_object(object));
    let current = keys::current(bucket, &object.key);
    view.put(Space::Current, current, encode_summary(object));
    Ok(())
}

fn remove_upload(
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    view: &mut View<'_>,
) -> Result<()> {
    let name = keys::upload(bucket, key, id);
    for (part, _) in view.below(Space::Parts, &name)? {
        unlink_part(&part, view)?;
        view.remove(Space::Parts, part);
    }
    view.remove(Space::Uploads, name);
    Ok(())
}

/// Extents are in use by `name` from now on; what some drives did not get is noted.
fn link(name: &[u8], location: &Location, view: &mut View<'_>) {
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

fn unlink_version(name: &[u8], view: &mut View<'_>) -> Result<()> {
    let Some(old) = view.get(Space::Versions, name)? else {
        return Ok(());
    };
    // An entry that cannot be read keeps its space in use; that is the safe side.
    if let Ok(object) = decode_object(&old)
        && let Some(location) = location_of(&object)
    {
        unlink(name, location, view);
    }
    Ok(())
}

fn unlink_part(name: &[u8], view: &mut View<'_>) -> Result<()> {
    let Some(old) = view.get(Space::Parts, name)? else {
        return Ok(());
    };
    if let Ok(part) = decode_part(&old) {
        unlink(name, &part.location, view);
    }
    Ok(())
}

fn unlink(name: &[u8], location: &Location, view: &mut View<'_>) {
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
