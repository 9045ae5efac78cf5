//! What can be asked of the store, decided on its state at that moment: a change
//! becomes a record, or is refused. Nothing is written here.

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::{
    Amendment, Bucket, BucketName, Deleted, Error, Locator, Marker, NewBucket, NewObject,
    NewUpload, Object, ObjectKey, Part, PartNumber, Placement, Precondition, Result, Timestamp,
    Upload, UploadId, UploadedPart, VersionId, Versioning,
};

use crate::index::{Rows, Space, View, damaged};
use crate::keys;
use crate::layout::{Location, Piece};
use crate::lookup::version_named;
use crate::random;
use crate::record::{
    Record, StoredMarker, StoredPart, Tally, Version, decode_bucket, decode_part, decode_summary,
    decode_tally, decode_upload, location_of,
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
    SetVersioning(Within, Versioning),
    Put {
        bucket: Within,
        object: NewObject,
        size: u64,
        parts: Vec<Part>,
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
        size: u64,
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
    /// The number of the record that is being decided on.
    pub(crate) sequence: u64,
}

impl Clock {
    /// Now, and never before what was "now" before.
    fn now(&mut self) -> Timestamp {
        self.last = self.last.max(Timestamp::now().0);
        Timestamp(self.last)
    }

    /// Ids grow from record to record, whatever the clock of the machine does;
    /// their lower half cannot be guessed.
    fn id(&self) -> Result<u128> {
        Ok(u128::from(self.sequence) << 64 | random::id()? >> 64)
    }
}

/// What there is, the earlier changes of the same batch included.
impl View<'_> {
    fn bucket(&self, name: &BucketName) -> Result<Bucket> {
        let bucket = self.find(Space::Buckets, &keys::bucket(name), decode_bucket)?;
        bucket.ok_or(Error::BucketMissing)
    }

    fn that_bucket(&self, bucket: &Within) -> Result<Bucket> {
        let found = self.bucket(&bucket.name)?;
        match found.id == bucket.id {
            true => Ok(found),
            false => Err(Error::BucketMissing),
        }
    }

    pub(crate) fn tally(&self, bucket: &BucketName) -> Result<Tally> {
        let tally = self.find(Space::Usage, &keys::bucket(bucket), decode_tally)?;
        Ok(tally.unwrap_or_default())
    }

    /// Whether so many bytes may come in the place of so many others.
    fn check_quota(&self, bucket: &Bucket, coming: u64, going: u64) -> Result<()> {
        let Some(limit) = bucket.placement.quota.filter(|_| coming > going) else {
            return Ok(());
        };
        let used = self.tally(&bucket.name)?.usage.bytes.saturating_sub(going);
        match used.checked_add(coming) {
            Some(used) if used <= limit => Ok(()),
            Some(_) | None => Err(Error::QuotaExceeded { limit }),
        }
    }

    /// How many bytes the version has that the next write replaces. Only asked
    /// where somebody wants to know.
    fn replaced(&self, bucket: &Bucket, key: &ObjectKey) -> Result<u64> {
        let keeps = bucket.versioning == Versioning::Enabled;
        if keeps || bucket.placement.quota.is_none() {
            return Ok(0);
        }
        let old = version_named(self, &bucket.name, key, VersionId::Null)?;
        Ok(old.map_or(0, |old| old.usage().bytes))
    }

    fn check(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: &Precondition,
    ) -> Result<()> {
        if *precondition == Precondition::None {
            return Ok(());
        }
        let addressed = match version {
            None => self.find(Space::Current, &keys::current(bucket, key), decode_summary)?,
            Some(version) => match version_named(self, bucket, key, version)? {
                Some(Version::Object(object)) => Some(object),
                Some(Version::Marker(_)) | None => None,
            },
        };
        precondition.check(addressed.as_ref().map(|object| object.etag.as_str()))
    }

    fn upload(&self, bucket: &BucketName, key: &ObjectKey, id: UploadId) -> Result<Upload> {
        let upload = self.find(
            Space::Uploads,
            &keys::upload(bucket, key, id),
            decode_upload,
        )?;
        upload.ok_or(Error::UploadMissing)
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
            Err(Error::BucketMissing) => (Record::Bucket(created(new, set, clock)?), None),
            Ok(Bucket { owner, .. }) => return Err(Error::BucketExists { owner }),
            Err(error) => return Err(error),
        },
        Change::DeleteBucket(bucket) => {
            let name = view.that_bucket(&bucket)?.name;
            if view.tally(&name)?.entries > 0 {
                return Err(Error::BucketNotEmpty);
            }
            (Record::BucketGone(name), None)
        }
        Change::AmendBucket(bucket, amendment) => {
            let mut bucket = view.that_bucket(&bucket)?;
            bucket.documents.amend(&amendment);
            (Record::Bucket(bucket), None)
        }
        Change::SetVersioning(bucket, versioning) => {
            let mut bucket = view.that_bucket(&bucket)?;
            if versioning == Versioning::Never || versioning == bucket.versioning {
                return Ok(Decision::Nothing(Reply::Bucket(Arc::new(bucket))));
            }
            bucket.versioning = versioning;
            (Record::Bucket(bucket), None)
        }
        Change::Put {
            bucket,
            object,
            size,
            parts,
            data,
            precondition,
        } => {
            let bucket = view.that_bucket(&bucket)?;
            view.check(&bucket.name, &object.key, None, &precondition)?;
            view.check_quota(&bucket, size, view.replaced(&bucket, &object.key)?)?;
            let location = located(set, &bucket)?;
            let object = stored(&bucket, object, size, parts, location, clock)?;
            (version_of(bucket.name, Version::Object(object)), Some(data))
        }
        Change::Delete {
            bucket,
            key,
            version,
            precondition,
        } => {
            let bucket = view.that_bucket(&bucket)?;
            view.check(&bucket.name, &key, version, &precondition)?;
            let record = match (version, bucket.versioning) {
                (Some(version), _) => removal(bucket.name, key, version, view)?,
                (None, Versioning::Never) => removal(bucket.name, key, VersionId::Null, view)?,
                (None, Versioning::Enabled | Versioning::Suspended) => {
                    let marker = Version::Marker(marked(&bucket, key, clock)?);
                    Some(version_of(bucket.name, marker))
                }
            };
            let Some(record) = record else {
                return Ok(Decision::Nothing(Reply::Deleted(Deleted {
                    version: None,
                    marker: false,
                })));
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
            let bucket = view.that_bucket(&bucket)?.name;
            let mut object = match version_named(view, &bucket, &key, version)? {
                Some(Version::Object(object)) if object.id == id => object,
                Some(_) => return Err(Error::Conflict),
                None if version == VersionId::Null => return Err(Error::ObjectMissing),
                None => return Err(Error::VersionMissing),
            };
            object.documents.amend(&amendment);
            (version_of(bucket, Version::Object(object)), None)
        }
        Change::CreateUpload { bucket, upload } => {
            let bucket = view.that_bucket(&bucket)?.name;
            let upload = Upload {
                id: UploadId(clock.id()?),
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
            size,
            data,
        } => {
            let bucket = view.that_bucket(&bucket)?;
            view.upload(&bucket.name, &key, id)?;
            let name = keys::part(&bucket.name, &key, id, part.number);
            let replaced = view.find(Space::Parts, &name, decode_part)?;
            let replaced = replaced.map_or(0, |part| part.usage().bytes);
            view.check_quota(&bucket, size, replaced)?;
            let location = Arc::new(located(set, &bucket)?);
            let part = StoredPart { part, location };
            let record = Record::Part {
                bucket: bucket.name,
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
            let bucket = view.that_bucket(&bucket)?;
            view.upload(&bucket.name, &object.key, id)?;
            let uploaded = uploaded(&bucket.name, &object.key, id, view)?;
            let location = located(set, &bucket)?;
            let (parts, location) = assembled(&parts, &uploaded, location)?;
            view.check(&bucket.name, &object.key, None, &precondition)?;
            let size = location.length();
            let sizes = uploaded.values().map(|part| part.usage().bytes);
            let going = sizes.fold(view.replaced(&bucket, &object.key)?, u64::saturating_add);
            view.check_quota(&bucket, size, going)?;
            let object = stored(&bucket, object, size, parts, location, clock)?;
            let record = Record::Version {
                bucket: bucket.name,
                version: Version::Object(object),
                upload: Some(id),
            };
            (record, None)
        }
        Change::AbortUpload { bucket, key, id } => {
            let bucket = view.that_bucket(&bucket)?.name;
            view.upload(&bucket, &key, id)?;
            (Record::UploadGone { bucket, key, id }, None)
        }
    };
    let record = Box::new(record);
    Ok(Decision::Change { record, data })
}

/// The answer to a change that became this record.
pub(crate) fn reply(record: Record) -> Reply {
    let deleted = |version, marker| {
        Reply::Deleted(Deleted {
            version: Some(version),
            marker,
        })
    };
    match record {
        Record::Bucket(bucket) => Reply::Bucket(Arc::new(bucket)),
        Record::Version { version, .. } => match version {
            Version::Object(object) => Reply::Object(Arc::new(object)),
            Version::Marker(stored) => deleted(stored.marker.version, true),
        },
        Record::VersionGone {
            version, marker, ..
        } => deleted(version, marker),
        Record::Upload { upload, .. } => Reply::Upload(upload),
        Record::Epoch { .. }
        | Record::BucketGone(_)
        | Record::UploadGone { .. }
        | Record::Part { .. } => Reply::Done,
    }
}

fn created(new: NewBucket, set: &Set, clock: &mut Clock) -> Result<Bucket> {
    let geometry = new.placement.geometry;
    let geometry = geometry.unwrap_or_else(|| set.spread.geometry());
    set.spread_of(geometry)?;
    Ok(Bucket {
        name: new.name,
        id: set.next_id(),
        owner: new.owner,
        created: clock.now(),
        versioning: new.versioning,
        placement: Placement {
            template: new.placement.template,
            location: new.placement.location,
            geometry,
            quota: new.placement.quota,
        },
        documents: new.documents,
    })
}

fn version_of(bucket: BucketName, version: Version) -> Record {
    Record::Version {
        bucket,
        version,
        upload: None,
    }
}

/// What the next write of a bucket is called.
fn next_version(bucket: &Bucket, id: u128) -> VersionId {
    match bucket.versioning {
        Versioning::Never | Versioning::Suspended => VersionId::Null,
        Versioning::Enabled => VersionId::Id(id),
    }
}

fn stored(
    bucket: &Bucket,
    new: NewObject,
    size: u64,
    parts: Vec<Part>,
    location: Location,
    clock: &mut Clock,
) -> Result<Object> {
    let id = clock.id()?;
    Ok(Object {
        key: new.key,
        version: next_version(bucket, id),
        id,
        owner: new.owner,
        size,
        etag: new.etag,
        modified: clock.now(),
        metadata: new.metadata,
        documents: new.documents,
        parts,
        location: Locator::new(Arc::new(location)),
    })
}

fn marked(bucket: &Bucket, key: ObjectKey, clock: &mut Clock) -> Result<StoredMarker> {
    let id = clock.id()?;
    let marker = Marker {
        key,
        version: next_version(bucket, id),
        owner: bucket.owner.clone(),
        modified: clock.now(),
    };
    Ok(StoredMarker { marker, id })
}

/// `None` where there is no such version.
fn removal(
    bucket: BucketName,
    key: ObjectKey,
    version: VersionId,
    view: &View<'_>,
) -> Result<Option<Record>> {
    let old = version_named(view, &bucket, &key, version)?;
    Ok(old.map(|old| Record::VersionGone {
        bucket,
        key,
        version,
        marker: matches!(old, Version::Marker(_)),
    }))
}

/// Nowhere yet, in the way of a bucket.
fn located(set: &Set, bucket: &Bucket) -> Result<Location> {
    Ok(Location {
        set: set.number,
        spread: set.spread_of(bucket.placement.geometry)?,
        pieces: Vec::new(),
    })
}

type Uploaded = BTreeMap<PartNumber, StoredPart>;

fn uploaded(
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    view: &View<'_>,
) -> Result<Uploaded> {
    let mut uploaded = Uploaded::new();
    for (_, part) in view.below(Space::Parts, &keys::upload(bucket, key, id))? {
        let part = decode_part(&part).map_err(damaged)?;
        uploaded.insert(part.part.number, part);
    }
    Ok(uploaded)
}

/// The named parts, one after the other.
fn assembled(
    named: &[(PartNumber, String)],
    uploaded: &Uploaded,
    mut location: Location,
) -> Result<(Vec<Part>, Location)> {
    let mut parts = Vec::with_capacity(named.len());
    for (number, etag) in named {
        let stored = uploaded
            .get(number)
            .filter(|stored| stored.part.etag == *etag)
            .ok_or(Error::PartMissing { number: *number })?;
        location.pieces.extend_from_slice(&stored.location.pieces);
        parts.push(Part {
            number: *number,
            // What is stored, not what was said of it.
            size: stored.usage().bytes,
            metadata: stored.part.metadata.clone(),
        });
    }
    Ok((parts, location))
}

/// Tells a record where its bytes are.
pub(crate) fn settle(record: &mut Record, pieces: Vec<Piece>) {
    match record {
        Record::Version { version, .. } => {
            if let Version::Object(object) = version
                && let Some(location) = location_of(object)
            {
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
        | Record::VersionGone { .. }
        | Record::Upload { .. }
        | Record::UploadGone { .. } => {}
    }
}
