//! What a record changes in the index. The commit and the replay both go through
//! here, so that an index that was rebuilt is the one that was lost.
//!
//! Applying a record again changes nothing. The versions of a key are a set, each
//! with its place in time. What a bucket holds is counted as rows come and go, so
//! that it is always the sum of what is there, whatever was taken in twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::{BucketName, ObjectKey, Result, UploadId, Usage, VersionId};

use crate::geometry::DriveMask;
use crate::index::{Rows, Space, View, damaged};
use crate::keys;
use crate::layout::{Location, PiecePlace};
use crate::lookup::version_named;
use crate::order;
use crate::record::{
    Record, StoredPart, Tally, Version, decode_part, decode_upload_id, encode_bucket,
    encode_intent, encode_part, encode_tally, encode_upload, encode_upload_id, encode_version,
    encode_version_name,
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
        }
        Record::Version {
            bucket,
            version,
            upload,
        } => {
            put_version(bucket, version, *upload, view)?;
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
            let before = tally_of_upload(&name, view)?;
            count(bucket, before, AN_UPLOAD, view)?;
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

/// What an upload adds to what a bucket holds, without its parts.
const AN_UPLOAD: Tally = Tally {
    usage: Usage {
        bytes: 0,
        objects: 0,
    },
    entries: 1,
};

fn put_version(
    bucket: &BucketName,
    version: &Version,
    upload: Option<UploadId>,
    view: &mut View<'_>,
) -> Result<()> {
    let (key, id) = (version.key(), version.id());
    let old = version_named(view, bucket, key, version.name())?;
    if old.as_ref().map(Version::id) > Some(id) {
        // The record was applied before, and has been outdone since.
        return Ok(());
    }
    let renewed = old.as_ref().is_some_and(|old| old.id() == id);
    let name = keys::version(bucket, key, version.name());
    if let Some(old) = &old {
        unlink(&name, old.location(), view);
        if !renewed {
            forget_upload(bucket, old, view)?;
            order::leave(bucket, key, old.id(), view)?;
        }
    }
    link(&name, version.location(), view);
    let before = old.as_ref().map_or(Tally::default(), tally);
    count(bucket, before, tally(version), view)?;
    if let Some(upload) = upload {
        let completed = keys::upload(bucket, key, upload);
        let made = encode_version_name(&version.name());
        view.put(Space::Completed, completed, made);
        view.put(Space::Origins, name.clone(), encode_upload_id(&upload));
    }
    view.put(Space::Versions, name, encode_version(version));
    match renewed {
        true => order::renew(bucket, version, view),
        false => order::enter(bucket, version, view),
    }
}

fn remove_version(
    bucket: &BucketName,
    key: &ObjectKey,
    version: VersionId,
    view: &mut View<'_>,
) -> Result<()> {
    let Some(old) = version_named(view, bucket, key, version)? else {
        return Ok(());
    };
    let name = keys::version(bucket, key, version);
    unlink(&name, old.location(), view);
    forget_upload(bucket, &old, view)?;
    count(bucket, tally(&old), Tally::default(), view)?;
    view.remove(Space::Versions, name);
    order::leave(bucket, key, old.id(), view)
}

/// The version goes: no upload has become it any more.
fn forget_upload(bucket: &BucketName, version: &Version, view: &mut View<'_>) -> Result<()> {
    let name = keys::version(bucket, version.key(), version.name());
    if let Some(upload) = view.find(Space::Origins, &name, decode_upload_id)? {
        view.remove(Space::Origins, name);
        view.remove(
            Space::Completed,
            keys::upload(bucket, version.key(), upload),
        );
    }
    Ok(())
}

fn tally(version: &Version) -> Tally {
    Tally {
        usage: version.usage(),
        entries: 1,
    }
}

fn tally_of_upload(name: &[u8], view: &View<'_>) -> Result<Tally> {
    Ok(match view.get(Space::Uploads, name)? {
        Some(_) => AN_UPLOAD,
        None => Tally::default(),
    })
}

/// What a bucket holds is less by one thing, and more by another.
fn count(bucket: &BucketName, gone: Tally, come: Tally, view: &mut View<'_>) -> Result<()> {
    if gone == come {
        return Ok(());
    }
    let tally = view.tally(bucket)?;
    // What goes was counted before: nothing can run over.
    let sum = |was: u64, gone: u64, come: u64| was.saturating_sub(gone).saturating_add(come);
    let (was, less, more) = (tally.usage, gone.usage, come.usage);
    let tally = Tally {
        usage: Usage {
            bytes: sum(was.bytes, less.bytes, more.bytes),
            objects: sum(was.objects, less.objects, more.objects),
        },
        entries: sum(tally.entries, gone.entries, come.entries),
    };
    let name = keys::bucket(bucket);
    match tally == Tally::default() {
        true => view.remove(Space::Usage, name),
        false => view.put(Space::Usage, name, encode_tally(&tally)),
    }
    Ok(())
}

fn put_part(
    bucket: &BucketName,
    name: Vec<u8>,
    part: &StoredPart,
    view: &mut View<'_>,
) -> Result<()> {
    let old = view.find(Space::Parts, &name, decode_part)?;
    if let Some(old) = &old {
        unlink(&name, Some(&old.location), view);
    }
    link(&name, Some(&part.location), view);
    let before = old.as_ref().map_or(Usage::default(), StoredPart::usage);
    let tally = |usage| Tally { usage, entries: 0 };
    count(bucket, tally(before), tally(part.usage()), view)?;
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
    let mut gone = tally_of_upload(&name, view)?;
    for (name, part) in view.below(Space::Parts, &name)? {
        let part = decode_part(&part).map_err(damaged)?;
        unlink(&name, Some(&part.location), view);
        gone.usage.bytes = gone.usage.bytes.saturating_add(part.usage().bytes);
        view.remove(Space::Parts, name);
    }
    count(bucket, gone, Tally::default(), view)?;
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
        .fold(DriveMask::default(), |all, piece| all.or(piece.absent));
    if !absent.is_empty() {
        view.put(Space::Intents, name.to_vec(), encode_intent(&absent));
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
