//! What can be asked of the store, decided on its state at that moment: a change
//! becomes a record, or is refused. Nothing is written here.

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::{
    Amendment, Bucket, BucketName, Deleted, Error, Locator, NewBucket, NewObject, NewUpload,
    Object, ObjectKey, Part, PartNumber, Precondition, Result, Timestamp, Upload, UploadId,
    UploadedPart, VersionId, Versioning,
};

use crate::index::{Space, View};
use crate::keys;
use crate::layout::{Location, Piece};
use crate::list::damaged;
use crate::random;
use crate::record::{
    Record, StoredPart, decode_bucket, decode_object, decode_part, decode_summary, decode_upload,
    location_of,
};
use crate::set::Set;
use crate::sink::Data;

/// The bucket that the caller has seen: another one of its name is not it.
#[derive(Debug)]
pub(crate) struct Within {
    name: BucketName,
    id: u128,
}

impl From<&Bucket> for Within {
    fn from(bucket: &Bucket) -> Self {
        Self {
            name: bucket.name.clone(),
            id: bucket.id,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Change {
    CreateBucket(NewBucket),
    DeleteBucket(Within),
    AmendBucket(Within, Amendment),
    Put {
        bucket: Within,
        object: NewObject,
        size: u64,
        data: Data,
        precondition: Precondition,
    },
    Delete {
        bucket: Within,
        key: ObjectKey,
        version: Option<VersionId>,
        precondition: Precondition,
    },
    AmendObject {
        bucket: Within,
        key: ObjectKey,
        version: VersionId,
        /// The object that the caller has seen.
        id: u128,
        amendment: Amendment,
    },
    CreateUpload {
        bucket: Within,
        upload: NewUpload,
    },
    PutPart {
        bucket: Within,
        key: ObjectKey,
        id: UploadId,
        part: UploadedPart,
        data: Data,
    },
    CompleteUpload {
        bucket: Within,
        id: UploadId,
        parts: Vec<(PartNumber, String)>,
        object: NewObject,
        precondition: Precondition,
    },
    AbortUpload {
        bucket: Within,
        key: ObjectKey,
        id: UploadId,
    },
}

/// What is answered once the change is durable.
#[derive(Debug)]
pub(crate) enum Reply {
    Done,
    Bucket(Arc<Bucket>),
    Object(Arc<Object>),
    Deleted(Deleted),
    Upload(Upload),
}

#[derive(Debug)]
pub(crate) enum Decision {
    /// Everything is already as it was asked for.
    Nothing(Reply),
    Change {
        record: Box<Record>,
        /// Bytes that the record is about and that are not placed yet.
        data: Option<Data>,
    },
}

/// What is not in the index and grows with every decision.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: u64,
    upload_last: u128,
}

impl Clock {
    /// Now, and never before what was "now" before.
    fn now(&mut self) -> Timestamp {
        self.last = self.last.max(Timestamp::now().0);
        Timestamp(self.last)
    }

    /// Ids grow with time; their lower half cannot be guessed.
    fn upload_id(&mut self) -> Result<UploadId> {
        let id = u128::from(self.now().0) << 64 | random::id()? >> 64;
        self.upload_last = id.max(self.upload_last.wrapping_add(1));
        Ok(UploadId(self.upload_last))
    }
}

/// What there is, the earlier changes of the same batch included.
impl View<'_> {
    fn bucket(&self, name: &BucketName) -> Result<Bucket> {
        let bucket = self.get(Space::Buckets, &keys::bucket(name))?;
        decode_bucket(&bucket.ok_or(Error::BucketMissing)?).map_err(damaged)
    }

    fn that_bucket(&self, bucket: &Within) -> Result<Bucket> {
        let found = self.bucket(&bucket.name)?;
        match found.id == bucket.id {
            true => Ok(found),
            false => Err(Error::BucketMissing),
        }
    }

    /// The name of a bucket that is still the one that was seen.
    fn name_of(&self, bucket: &Within) -> Result<BucketName> {
        Ok(self.that_bucket(bucket)?.name)
    }

    fn check(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        precondition: &Precondition,
    ) -> Result<()> {
        if *precondition == Precondition::None {
            return Ok(());
        }
        let current = self.get(Space::Current, &keys::current(bucket, key))?;
        let current = current
            .map(|current| decode_summary(&current))
            .transpose()
            .map_err(damaged)?;
        precondition.check(current.as_ref().map(|current| current.etag.as_str()))
    }

    fn object(&self, bucket: &BucketName, key: &ObjectKey, version: VersionId) -> Result<Object> {
        let object = self.get(Space::Versions, &keys::version(bucket, key, version))?;
        decode_object(&object.ok_or(Error::ObjectMissing)?).map_err(damaged)
    }

    fn upload(&self, bucket: &BucketName, key: &ObjectKey, id: UploadId) -> Result<Upload> {
        let upload = self.get(Space::Uploads, &keys::upload(bucket, key, id))?;
        decode_upload(&upload.ok_or(Error::UploadMissing)?).map_err(damaged)
    }
}

pub(crate) fn decide(
    change: Change,
    set: &Set,
    view: &View<'_>,
    clock: &mut Clock,
) -> Result<Decision> {
    let (record, data) = match change {
        Change::CreateBucket(new) => match view.bucket(&new.name) {
            Err(Error::BucketMissing) => (Record::Bucket(created(new, set, clock)), None),
            Ok(Bucket { owner, .. }) => return Err(Error::BucketExists { owner }),
            Err(error) => return Err(error),
        },
        Change::DeleteBucket(bucket) => {
            let name = view.name_of(&bucket)?;
            let within = keys::within(&name);
            if view.any_below(Space::Versions, &within)?
                || view.any_below(Space::Uploads, &within)?
            {
                return Err(Error::BucketNotEmpty);
            }
            (Record::BucketGone(name), None)
        }
        Change::AmendBucket(bucket, amendment) => {
            let mut bucket = view.that_bucket(&bucket)?;
            bucket.documents.amend(&amendment);
            (Record::Bucket(bucket), None)
        }
        Change::Put {
            bucket,
            object,
            size,
            data,
            precondition,
        } => {
            let bucket = view.name_of(&bucket)?;
            view.check(&bucket, &object.key, &precondition)?;
            let object = stored(object, size, Vec::new(), located(set, &[]), set, clock);
            let upload = None;
            let record = Record::Object {
                bucket,
                object,
                upload,
            };
            (record, Some(data))
        }
        Change::Delete {
            bucket,
            key,
            version,
            precondition,
        } => {
            let bucket = view.name_of(&bucket)?;
            view.check(&bucket, &key, &precondition)?;
            let named = version.unwrap_or(VersionId::Null);
            let name = keys::version(&bucket, &key, named);
            if view.get(Space::Versions, &name)?.is_none() {
                return Ok(Decision::Nothing(Reply::Deleted(Deleted {
                    version: None,
                    marker: false,
                })));
            }
            let version = named;
            let record = Record::ObjectGone {
                bucket,
                key,
                version,
            };
            (record, None)
        }
        Change::AmendObject {
            bucket,
            key,
            version,
            id,
            amendment,
        } => {
            let bucket = view.name_of(&bucket)?;
            let mut object = view.object(&bucket, &key, version)?;
            if object.id != id {
                return Err(Error::Conflict);
            }
            object.documents.amend(&amendment);
            let upload = None;
            let record = Record::Object {
                bucket,
                object,
                upload,
            };
            (record, None)
        }
        Change::CreateUpload { bucket, upload } => {
            let bucket = view.name_of(&bucket)?;
            let upload = Upload {
                id: clock.upload_id()?,
                key: upload.key,
                owner: upload.owner,
                initiator: upload.initiator,
                initiated: clock.now(),
                metadata: upload.metadata,
                documents: upload.documents,
            };
            (Record::Upload { bucket, upload }, None)
        }
        Change::PutPart {
            bucket,
            key,
            id,
            part,
            data,
        } => {
            let bucket = view.name_of(&bucket)?;
            view.upload(&bucket, &key, id)?;
            let location = Arc::new(located(set, &[]));
            let part = StoredPart { part, location };
            let record = Record::Part {
                bucket,
                key,
                id,
                part,
            };
            (record, Some(data))
        }
        Change::CompleteUpload {
            bucket,
            id,
            parts,
            object,
            precondition,
        } => {
            let bucket = view.name_of(&bucket)?;
            view.upload(&bucket, &object.key, id)?;
            let (parts, location) = assembled(&bucket, &object.key, id, &parts, set, view)?;
            view.check(&bucket, &object.key, &precondition)?;
            let size = parts.iter().map(|part| part.size).sum();
            let object = stored(object, size, parts, location, set, clock);
            let upload = Some(id);
            let record = Record::Object {
                bucket,
                object,
                upload,
            };
            (record, None)
        }
        Change::AbortUpload { bucket, key, id } => {
            let bucket = view.name_of(&bucket)?;
            view.upload(&bucket, &key, id)?;
            (Record::UploadGone { bucket, key, id }, None)
        }
    };
    let record = Box::new(record);
    Ok(Decision::Change { record, data })
}

/// The answer to a change that became this record.
pub(crate) fn reply(record: Record) -> Reply {
    match record {
        Record::Bucket(bucket) => Reply::Bucket(Arc::new(bucket)),
        Record::Object { object, .. } => Reply::Object(Arc::new(object)),
        Record::ObjectGone { version, .. } => Reply::Deleted(Deleted {
            version: Some(version),
            marker: false,
        }),
        Record::Upload { upload, .. } => Reply::Upload(upload),
        Record::Epoch { .. }
        | Record::BucketGone(_)
        | Record::UploadGone { .. }
        | Record::Part { .. } => Reply::Done,
    }
}

fn created(new: NewBucket, set: &Set, clock: &mut Clock) -> Bucket {
    Bucket {
        name: new.name,
        id: set.next_id(),
        owner: new.owner,
        created: clock.now(),
        versioning: Versioning::Never,
        documents: new.documents,
    }
}

fn stored(
    new: NewObject,
    size: u64,
    parts: Vec<Part>,
    location: Location,
    set: &Set,
    clock: &mut Clock,
) -> Object {
    Object {
        key: new.key,
        version: VersionId::Null,
        id: set.next_id(),
        owner: new.owner,
        size,
        etag: new.etag,
        modified: clock.now(),
        metadata: new.metadata,
        documents: new.documents,
        parts,
        location: Locator::new(Arc::new(location)),
    }
}

pub(crate) fn located(set: &Set, pieces: &[Piece]) -> Location {
    Location {
        set: set.number,
        spread: set.spread,
        pieces: pieces.to_vec(),
    }
}

/// The named parts, one after the other.
fn assembled(
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    named: &[(PartNumber, String)],
    set: &Set,
    view: &View<'_>,
) -> Result<(Vec<Part>, Location)> {
    let mut uploaded = BTreeMap::new();
    for (_, part) in view.below(Space::Parts, &keys::upload(bucket, key, id))? {
        let part = decode_part(&part).map_err(damaged)?;
        uploaded.insert(part.part.number, part);
    }
    let mut parts = Vec::with_capacity(named.len());
    let mut location = located(set, &[]);
    for (number, etag) in named {
        let stored = uploaded
            .get(number)
            .filter(|stored| stored.part.etag == *etag)
            .ok_or(Error::PartMissing { number: *number })?;
        let pieces = &stored.location.pieces;
        location.pieces.extend_from_slice(pieces);
        parts.push(Part {
            number: *number,
            // What is stored, not what was said of it.
            size: pieces.iter().map(|piece| piece.size).sum(),
            metadata: stored.part.metadata.clone(),
        });
    }
    Ok((parts, location))
}

/// Tells a record where its bytes are.
pub(crate) fn settle(record: &mut Record, pieces: Vec<Piece>) {
    match record {
        Record::Object { object, .. } => {
            if let Some(location) = location_of(object) {
                let location = Location {
                    pieces,
                    ..Location::clone(location)
                };
                object.location = Locator::new(Arc::new(location));
            }
        }
        Record::Part { part, .. } => Arc::make_mut(&mut part.location).pieces = pieces,
        Record::Epoch { .. }
        | Record::Bucket(_)
        | Record::BucketGone(_)
        | Record::ObjectGone { .. }
        | Record::Upload { .. }
        | Record::UploadGone { .. } => {}
    }
}
