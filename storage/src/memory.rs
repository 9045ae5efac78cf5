//! The model: a [`Store`] that keeps everything in memory, under one lock, and
//! does each thing in the most obvious way. Other backends are compared with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;

use crate::document::Amendment;
use crate::error::{Error, Result};
use crate::list::{
    BucketQuery, Delimited, Entry, ListQuery, Listed, Page, UploadMarker, UploadQuery,
    VersionEntry, VersionMarker, VersionQuery,
};
use crate::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::record::{
    Bucket, Geometry, Marker, NewBucket, NewObject, NewUpload, Object, Part, Placement,
    Precondition, Timestamp, Upload, UploadedPart, Usage, Versioning,
};
use crate::room::{Promised, Room, Target};
use crate::store::{ByteStream, Deleted, DriveStatus, Locator, Sink, Staged, Store, Traffic};

/// The model has no drives; it speaks of geometries as if it had these.
const GEOMETRY: Geometry = Geometry { data: 4, parity: 2 };
const DRIVES: usize = 6;

#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    moved: Arc<Moved>,
    promised: Arc<Promised>,
}

#[derive(Debug, Default)]
struct Moved {
    read: AtomicU64,
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<BucketName, Contents>,
    id_last: u128,
}

#[derive(Debug)]
struct Contents {
    bucket: Arc<Bucket>,
    /// The versions of each key, the newest first. No key is without one.
    versions: BTreeMap<ObjectKey, Vec<Version>>,
    uploads: BTreeMap<(ObjectKey, UploadId), Parts>,
}

#[derive(Debug)]
struct Version {
    /// Of two versions of one key the later one has the greater id.
    id: u128,
    listed: Listed,
    /// The upload that it was.
    upload: Option<UploadId>,
}

/// Where an object of this kind of store is.
#[derive(Debug)]
struct Place {
    data: Bytes,
    geometry: Geometry,
}

#[derive(Debug)]
struct Parts {
    upload: Upload,
    parts: BTreeMap<PartNumber, (UploadedPart, Bytes)>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made in one step at its end, so that a panic while
        // the lock is held leaves nothing half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moved {
    fn add(count: &AtomicU64, length: usize) {
        count.fetch_add(length as u64, Ordering::Relaxed);
    }
}

impl State {
    fn contents(&mut self, bucket: &Bucket) -> Result<&mut Contents> {
        self.buckets
            .get_mut(&bucket.name)
            .filter(|contents| contents.bucket.id == bucket.id)
            .ok_or(Error::BucketMissing)
    }

    fn next_id(&mut self) -> u128 {
        self.id_last += 1 << 64;
        self.id_last
    }
}

impl Contents {
    fn version(&mut self, key: &ObjectKey, version: Option<VersionId>) -> Option<&mut Listed> {
        let mut versions = self.versions.get_mut(key)?.iter_mut();
        let found = match version {
            None => versions.next(),
            Some(named) => versions.find(|version| version.listed.version() == named),
        };
        found.map(|version| &mut version.listed)
    }

    fn object(&mut self, key: &ObjectKey, version: Option<VersionId>) -> Result<&mut Arc<Object>> {
        match (self.version(key, version), version) {
            (Some(Listed::Object(object)), _) => Ok(object),
            (Some(Listed::Marker(marker)), _) => Err(Error::Marker(marker.clone())),
            (None, Some(_)) => Err(Error::VersionMissing),
            (None, None) => Err(Error::ObjectMissing),
        }
    }

    fn upload(&mut self, key: &ObjectKey, id: UploadId) -> Result<&mut Parts> {
        self.uploads
            .get_mut(&(key.clone(), id))
            .ok_or(Error::UploadMissing)
    }

    fn check(
        &mut self,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: &Precondition,
    ) -> Result<()> {
        match self.object(key, version) {
            Ok(object) => precondition.check(Some(&object.etag)),
            Err(_) => precondition.check(None),
        }
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for version in self.versions.values().flatten() {
            if let Listed::Object(object) = &version.listed {
                usage.bytes += object.size;
                usage.objects += 1;
            }
        }
        let parts = self.uploads.values().flat_map(|parts| parts.parts.values());
        usage.bytes += parts.map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        usage
    }

    /// Whether so many bytes may come in the place of so many others.
    fn check_quota(&self, coming: u64, going: u64) -> Result<()> {
        match self.bucket.placement.quota {
            Some(limit) if coming > going && self.usage().bytes - going + coming > limit => {
                Err(Error::QuotaExceeded { limit })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The version that the next write makes.
    fn next_version(&self, id: u128) -> VersionId {
        match self.bucket.versioning {
            Versioning::Never | Versioning::Suspended => VersionId::Null,
            Versioning::Enabled => VersionId::Id(id),
        }
    }

    /// How many bytes the version has that the next write replaces.
    fn replaced(&mut self, key: &ObjectKey) -> u64 {
        match self.bucket.versioning {
            Versioning::Enabled => 0,
            Versioning::Never | Versioning::Suspended => self
                .object(key, Some(VersionId::Null))
                .map_or(0, |object| object.size),
        }
    }

    /// Makes something the current version, in the place of one that has its name.
    fn place(&mut self, id: u128, listed: Listed, upload: Option<UploadId>) {
        let versions = self.versions.entry(listed.key().clone()).or_default();
        versions.retain(|version| version.listed.version() != listed.version());
        let version = Version { id, listed, upload };
        versions.insert(0, version);
    }

    /// Takes a version away.
    fn remove(&mut self, key: &ObjectKey, version: VersionId) -> Option<Listed> {
        let versions = self.versions.get_mut(key)?;
        let is_it = |other: &Version| other.listed.version() == version;
        let removed = versions.remove(versions.iter().position(is_it)?);
        if versions.is_empty() {
            self.versions.remove(key);
        }
        Some(removed.listed)
    }

    fn insert(
        &mut self,
        id: u128,
        object: NewObject,
        upload: Option<UploadId>,
        parts: Vec<Part>,
        data: Bytes,
    ) -> Arc<Object> {
        let NewObject {
            key,
            owner,
            etag,
            metadata,
            documents,
        } = object;
        let object = Arc::new(Object {
            key,
            version: self.next_version(id),
            id,
            owner,
            size: data.len() as u64,
            etag,
            modified: Timestamp::now(),
            metadata,
            documents,
            parts,
            location: Locator::new(Place {
                data,
                geometry: self.bucket.placement.geometry,
            }),
        });
        self.place(id, Listed::Object(object.clone()), upload);
        object
    }
}

fn place_of(object: &Object) -> &Place {
    object
        .location
        .get()
        .expect("the object belongs to another kind of store")
}

/// The first `limit` entries of a listing, rolled up. The items come in order,
/// all of them with the prefix and after the marker.
fn page<'a, T>(
    items: impl Iterator<Item = (&'a str, T)>,
    prefix: &str,
    delimiter: Option<&str>,
    passed_over: Option<&str>,
    limit: usize,
) -> Delimited<T> {
    let mut entries = Vec::new();
    let mut last_prefix = None;
    for (key, item) in items {
        let rolled_up = delimiter.and_then(|delimiter| {
            let at = key[prefix.len()..].find(delimiter)?;
            Some(&key[..prefix.len() + at + delimiter.len()])
        });
        if rolled_up.is_some() && (rolled_up == last_prefix || rolled_up == passed_over) {
            continue;
        }
        if entries.len() == limit {
            return Page {
                truncated: limit > 0,
                entries,
            };
        }
        entries.push(match rolled_up {
            Some(prefix) => Entry::Prefix(prefix.to_owned()),
            None => Entry::Item(item),
        });
        last_prefix = rolled_up;
    }
    Page {
        entries,
        truncated: false,
    }
}

/// Whether the model's drives hold it.
fn geometry(asked: Option<Geometry>) -> Result<Geometry> {
    let geometry = asked.unwrap_or(GEOMETRY);
    let shards = usize::from(geometry.data) + usize::from(geometry.parity);
    if geometry.data >= 1 && geometry.parity <= geometry.data && shards <= DRIVES {
        Ok(geometry)
    } else {
        let drives = DRIVES;
        Err(Error::GeometryUnsupported { geometry, drives })
    }
}

/// The first `limit` items of a listing that has no delimiter.
fn plain_page<T>(mut items: impl Iterator<Item = T>, limit: usize) -> Page<T> {
    let entries = items.by_ref().take(limit).collect();
    Page {
        entries,
        truncated: limit > 0 && items.next().is_some(),
    }
}

#[async_trait]
impl Store for Memory {
    async fn create_bucket(&self, bucket: NewBucket) -> Result<Arc<Bucket>> {
        let mut state = self.state();
        if let Some(contents) = state.buckets.get(&bucket.name) {
            return Err(Error::BucketExists {
                owner: contents.bucket.owner.clone(),
            });
        }
        let geometry = geometry(bucket.placement.geometry)?;
        let bucket = Arc::new(Bucket {
            name: bucket.name,
            id: state.next_id(),
            owner: bucket.owner,
            created: Timestamp::now(),
            versioning: bucket.versioning,
            placement: Placement {
                template: bucket.placement.template,
                location: bucket.placement.location,
                geometry,
                quota: bucket.placement.quota,
            },
            documents: bucket.documents,
        });
        let contents = Contents {
            bucket: bucket.clone(),
            versions: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        state.buckets.insert(bucket.name.clone(), contents);
        Ok(bucket)
    }

    async fn bucket(&self, name: &BucketName) -> Result<Arc<Bucket>> {
        let state = self.state();
        let contents = state.buckets.get(name).ok_or(Error::BucketMissing)?;
        Ok(contents.bucket.clone())
    }

    async fn list_buckets(&self, query: &BucketQuery) -> Result<Page<Arc<Bucket>>> {
        let state = self.state();
        let after = query.after.as_deref();
        let buckets = state
            .buckets
            .values()
            .map(|contents| contents.bucket.clone())
            .filter(|bucket| bucket.owner == query.owner)
            .filter(|bucket| bucket.name.as_str().starts_with(&query.prefix))
            .filter(|bucket| after.is_none_or(|after| bucket.name.as_str() > after));
        Ok(plain_page(buckets, query.limit))
    }

    async fn all_buckets(&self, after: Option<&str>, limit: usize) -> Result<Page<Arc<Bucket>>> {
        let state = self.state();
        let buckets = state
            .buckets
            .values()
            .map(|contents| contents.bucket.clone())
            .filter(|bucket| after.is_none_or(|after| bucket.name.as_str() > after));
        Ok(plain_page(buckets, limit))
    }

    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        if !contents.versions.is_empty() || !contents.uploads.is_empty() {
            return Err(Error::BucketNotEmpty);
        }
        state.buckets.remove(&bucket.name);
        Ok(())
    }

    async fn amend_bucket(&self, bucket: &Bucket, amendment: Amendment) -> Result<Arc<Bucket>> {
        let mut state = self.state();
        let bucket = &mut state.contents(bucket)?.bucket;
        Arc::make_mut(bucket).documents.amend(&amendment);
        Ok(bucket.clone())
    }

    async fn set_versioning(&self, bucket: &Bucket, versioning: Versioning) -> Result<Arc<Bucket>> {
        let mut state = self.state();
        let bucket = &mut state.contents(bucket)?.bucket;
        if versioning != Versioning::Never {
            Arc::make_mut(bucket).versioning = versioning;
        }
        Ok(bucket.clone())
    }

    async fn usage(&self, bucket: &Bucket) -> Result<Usage> {
        Ok(self.state().contents(bucket)?.usage())
    }

    async fn object(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        Ok(state.contents(bucket)?.object(key, version)?.clone())
    }

    async fn read(&self, object: &Object, range: Range<u64>) -> Result<ByteStream> {
        let offset = |at: u64| usize::try_from(at).expect("what is in memory can be addressed");
        let content = &place_of(object).data;
        let bytes = content.slice(offset(range.start)..offset(range.end));
        Moved::add(&self.moved.read, bytes.len());
        Ok(Box::pin(stream::iter([Ok(bytes)])))
    }

    async fn list_objects(
        &self,
        bucket: &Bucket,
        query: &ListQuery,
    ) -> Result<Delimited<Arc<Object>>> {
        let mut state = self.state();
        let after = query.after.as_deref();
        let objects = state
            .contents(bucket)?
            .versions
            .iter()
            .filter_map(|(key, versions)| match &versions.first()?.listed {
                Listed::Object(object) => Some((key.as_str(), object.clone())),
                Listed::Marker(_) => None,
            })
            .filter(|(key, _)| key.starts_with(&query.prefix))
            .filter(|(key, _)| after.is_none_or(|after| *key > after));
        let delimiter = query.delimiter.as_deref();
        Ok(page(objects, &query.prefix, delimiter, after, query.limit))
    }

    async fn list_versions(
        &self,
        bucket: &Bucket,
        query: &VersionQuery,
    ) -> Result<Delimited<VersionEntry>> {
        let mut state = self.state();
        let versions = &state.contents(bucket)?.versions;
        // Ids are the greater the newer a version is.
        let place = |key: &ObjectKey, version| match version {
            VersionId::Id(id) => id,
            VersionId::Null => versions
                .get(key)
                .and_then(|all| all.iter().find(|v| v.listed.version() == VersionId::Null))
                .map_or(u128::MAX, |null| null.id),
        };
        let comes = |key: &ObjectKey, version: &Version| match &query.after {
            None => true,
            Some(VersionMarker::Key(after)) => key.as_str() > after.as_str(),
            Some(VersionMarker::Version(after, named)) => {
                key > after || (key == after && version.id < place(after, *named))
            }
        };
        let mut listed = Vec::new();
        for (key, all) in versions {
            for (age, version) in all.iter().enumerate() {
                if key.as_str().starts_with(&query.prefix) && comes(key, version) {
                    let entry = VersionEntry {
                        latest: age == 0,
                        version: version.listed.clone(),
                    };
                    listed.push((key.as_str(), entry));
                }
            }
        }
        let passed_over = match &query.after {
            Some(VersionMarker::Key(after)) => Some(after.as_str()),
            Some(VersionMarker::Version(..)) | None => None,
        };
        let delimiter = query.delimiter.as_deref();
        Ok(page(
            listed.into_iter(),
            &query.prefix,
            delimiter,
            passed_over,
            query.limit,
        ))
    }

    async fn reserve(&self, bucket: &Bucket, target: Target<'_>, length: u64) -> Result<Room> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        let going = match target {
            Target::Object(key) => contents.replaced(key),
            Target::Part(key, id, number) => {
                let replaced = contents.upload(key, id)?.parts.get(&number);
                replaced.map_or(0, |(_, bytes)| bytes.len() as u64)
            }
        };
        let used = contents.usage().bytes;
        self.promised.reserve(&contents.bucket, used, length, going)
    }

    async fn stage(&self, bucket: &Bucket, _length: Option<u64>) -> Result<Box<dyn Sink>> {
        self.state().contents(bucket)?;
        Ok(Box::new(MemorySink {
            bytes: BytesMut::new(),
            moved: self.moved.clone(),
        }))
    }

    async fn share(&self, object: &Object, target: &Bucket) -> Result<Option<Staged>> {
        let geometry = self.state().contents(target)?.bucket.placement.geometry;
        let place = place_of(object);
        let same = place.geometry == geometry;
        Ok(same.then(|| Staged::shared(object, place.data.clone())))
    }

    async fn put(
        &self,
        bucket: &Bucket,
        object: NewObject,
        data: Staged,
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        let id = state.next_id();
        let contents = state.contents(bucket)?;
        contents.check(&object.key, None, &precondition)?;
        let replaced = contents.replaced(&object.key);
        contents.check_quota(data.length, replaced)?;
        let parts = data.parts.clone();
        Ok(contents.insert(id, object, None, parts, data.into_token()))
    }

    async fn delete(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let mut state = self.state();
        let id = state.next_id();
        let contents = state.contents(bucket)?;
        contents.check(key, version, &precondition)?;
        let removes = match (version, contents.bucket.versioning) {
            (Some(version), _) => version,
            (None, Versioning::Never) => VersionId::Null,
            (None, Versioning::Enabled | Versioning::Suspended) => {
                let marker = Marker {
                    key: key.clone(),
                    version: contents.next_version(id),
                    owner: contents.bucket.owner.clone(),
                    modified: Timestamp::now(),
                };
                let version = Some(marker.version);
                contents.place(id, Listed::Marker(marker), None);
                let marker = true;
                return Ok(Deleted { version, marker });
            }
        };
        let removed = contents.remove(key, removes);
        Ok(Deleted {
            marker: matches!(removed, Some(Listed::Marker(_))),
            version: removed.map(|removed| removed.version()),
        })
    }

    async fn amend_object(
        &self,
        bucket: &Bucket,
        object: &Object,
        amendment: Amendment,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        match contents.version(&object.key, Some(object.version)) {
            Some(Listed::Object(found)) if found.id == object.id => {
                Arc::make_mut(found).documents.amend(&amendment);
                Ok(found.clone())
            }
            Some(_) => Err(Error::Conflict),
            None if object.version == VersionId::Null => Err(Error::ObjectMissing),
            None => Err(Error::VersionMissing),
        }
    }

    async fn create_upload(&self, bucket: &Bucket, upload: NewUpload) -> Result<Upload> {
        let mut state = self.state();
        let id = UploadId(state.next_id());
        let contents = state.contents(bucket)?;
        let upload = Upload {
            id,
            key: upload.key,
            owner: upload.owner,
            initiator: upload.initiator,
            initiated: Timestamp::now(),
            metadata: upload.metadata,
            documents: upload.documents,
        };
        let parts = Parts {
            upload: upload.clone(),
            parts: BTreeMap::new(),
        };
        contents.uploads.insert((upload.key.clone(), id), parts);
        Ok(upload)
    }

    async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload> {
        let mut state = self.state();
        Ok(state.contents(bucket)?.upload(key, id)?.upload.clone())
    }

    async fn put_part(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        part: UploadedPart,
        data: Staged,
    ) -> Result<()> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        let parts = &contents.upload(key, id)?.parts;
        let replaced = parts.get(&part.number);
        let replaced = replaced.map_or(0, |(_, bytes)| bytes.len() as u64);
        contents.check_quota(data.length, replaced)?;
        let parts = &mut contents.upload(key, id)?.parts;
        parts.insert(part.number, (part, data.into_token()));
        Ok(())
    }

    async fn list_parts(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<Page<UploadedPart>> {
        let mut state = self.state();
        let parts = &state.contents(bucket)?.upload(key, id)?.parts;
        let parts = parts
            .values()
            .map(|(part, _)| part)
            .filter(|part| after.is_none_or(|after| part.number > after));
        Ok(plain_page(parts.cloned(), limit))
    }

    async fn list_uploads(
        &self,
        bucket: &Bucket,
        query: &UploadQuery,
    ) -> Result<Delimited<Upload>> {
        let mut state = self.state();
        let uploads = state
            .contents(bucket)?
            .uploads
            .values()
            .map(|parts| (parts.upload.key.as_str(), parts.upload.clone()))
            .filter(|(key, _)| key.starts_with(&query.prefix))
            .filter(|(key, upload)| match &query.after {
                None => true,
                Some(UploadMarker::Key(after)) => *key > after.as_str(),
                Some(UploadMarker::Upload(after, id)) => (&upload.key, upload.id) > (after, *id),
            });
        let passed_over = match &query.after {
            Some(UploadMarker::Key(after)) => Some(after.as_str()),
            Some(UploadMarker::Upload(..)) | None => None,
        };
        let delimiter = query.delimiter.as_deref();
        Ok(page(
            uploads,
            &query.prefix,
            delimiter,
            passed_over,
            query.limit,
        ))
    }

    async fn complete_upload(
        &self,
        bucket: &Bucket,
        id: UploadId,
        parts: &[(PartNumber, String)],
        object: NewObject,
        precondition: Precondition,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        let object_id = state.next_id();
        let contents = state.contents(bucket)?;
        let uploaded = &contents.upload(&object.key, id)?.parts;
        let mut data = BytesMut::new();
        let mut named = Vec::new();
        for (number, etag) in parts {
            let (part, bytes) = uploaded
                .get(number)
                .filter(|(part, _)| part.etag == *etag)
                .ok_or(Error::PartMissing { number: *number })?;
            data.extend_from_slice(bytes);
            named.push(Part {
                number: *number,
                size: bytes.len() as u64,
                metadata: part.metadata.clone(),
            });
        }
        let going = uploaded.values().map(|(_, bytes)| bytes.len() as u64);
        let going = going.sum::<u64>();
        contents.check(&object.key, None, &precondition)?;
        let replaced = contents.replaced(&object.key);
        contents.check_quota(data.len() as u64, going + replaced)?;
        contents.uploads.remove(&(object.key.clone(), id));
        Ok(contents.insert(object_id, object, Some(id), named, data.freeze()))
    }

    async fn completed(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        let versions = state.contents(bucket)?.versions.get(key);
        let made = versions
            .into_iter()
            .flatten()
            .find(|version| version.upload == Some(id));
        match made.map(|version| &version.listed) {
            Some(Listed::Object(object)) => Ok(object.clone()),
            Some(Listed::Marker(_)) | None => Err(Error::UploadMissing),
        }
    }

    async fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<()> {
        let mut state = self.state();
        let uploads = &mut state.contents(bucket)?.uploads;
        match uploads.remove(&(key.clone(), id)) {
            Some(_) => Ok(()),
            None => Err(Error::UploadMissing),
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            read: self.moved.read.load(Ordering::Relaxed),
            written: self.moved.written.load(Ordering::Relaxed),
        }
    }

    fn drives(&self) -> Vec<DriveStatus> {
        Vec::new()
    }

    fn writable(&self) -> bool {
        true
    }

    async fn close(&self) {}
}

struct MemorySink {
    bytes: BytesMut,
    moved: Arc<Moved>,
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Moved::add(&self.moved.written, bytes.len());
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        Ok(Staged::new(self.bytes.len() as u64, self.bytes.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_model_passes_the_suite() {
        crate::conformance::run(async || Arc::new(Memory::new()) as Arc<dyn Store>).await;
    }
}
