//! The model: a [`Store`] that keeps everything in memory, under one lock, and
//! does each thing in the most obvious way. Other backends are compared with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream;

use crate::document::Amendment;
use crate::error::{Error, Result};
use crate::list::{Delimited, Entry, ListQuery, Page, UploadMarker, UploadQuery};
use crate::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::record::{
    Bucket, NewBucket, NewObject, NewUpload, Object, Part, Precondition, Timestamp, Upload,
    UploadedPart, Versioning,
};
use crate::store::{ByteStream, Deleted, DriveStatus, Locator, Sink, Staged, Store};

#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<BucketName, Contents>,
    upload_id_last: u128,
    id_last: u128,
}

#[derive(Debug)]
struct Contents {
    bucket: Arc<Bucket>,
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    uploads: BTreeMap<(ObjectKey, UploadId), Parts>,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.id_last += 1;
        self.id_last
    }

    fn next_upload_id(&mut self) -> UploadId {
        let now = u128::from(Timestamp::now().0) << 64;
        self.upload_id_last = now.max(self.upload_id_last + 1);
        UploadId(self.upload_id_last)
    }
}

impl Contents {
    fn object(&mut self, key: &ObjectKey, version: Option<VersionId>) -> Result<&mut Arc<Object>> {
        let object = self.objects.get_mut(key);
        match version {
            None => object.ok_or(Error::ObjectMissing),
            Some(version) => object
                .filter(|object| object.version == version)
                .ok_or(Error::VersionMissing),
        }
    }

    fn upload(&mut self, key: &ObjectKey, id: UploadId) -> Result<&mut Parts> {
        self.uploads
            .get_mut(&(key.clone(), id))
            .ok_or(Error::UploadMissing)
    }

    fn check(&self, key: &ObjectKey, precondition: &Precondition) -> Result<()> {
        let current = self.objects.get(key).map(|object| object.etag.as_str());
        precondition.check(current)
    }

    fn insert(
        &mut self,
        id: u128,
        object: NewObject,
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
            key: key.clone(),
            version: VersionId::Null,
            id,
            owner,
            size: data.len() as u64,
            etag,
            modified: Timestamp::now(),
            metadata,
            documents,
            parts,
            location: Locator::new(data),
        });
        self.objects.insert(key, object.clone());
        object
    }
}

/// The bytes of an object of this kind of store.
fn content(object: &Object) -> &Bytes {
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
        let bucket = Arc::new(Bucket {
            name: bucket.name,
            id: state.next_id(),
            owner: bucket.owner,
            created: Timestamp::now(),
            versioning: Versioning::Never,
            documents: bucket.documents,
        });
        let contents = Contents {
            bucket: bucket.clone(),
            objects: BTreeMap::new(),
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

    async fn list_buckets(
        &self,
        owner: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Arc<Bucket>>> {
        let state = self.state();
        let buckets = state
            .buckets
            .values()
            .map(|contents| contents.bucket.clone())
            .filter(|bucket| bucket.owner == owner)
            .filter(|bucket| after.is_none_or(|after| bucket.name.as_str() > after));
        Ok(plain_page(buckets, limit))
    }

    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        if !contents.objects.is_empty() || !contents.uploads.is_empty() {
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
        let bytes = content(object).slice(offset(range.start)..offset(range.end));
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
            .objects
            .iter()
            .map(|(key, object)| (key.as_str(), object.clone()))
            .filter(|(key, _)| key.starts_with(&query.prefix))
            .filter(|(key, _)| after.is_none_or(|after| *key > after));
        let delimiter = query.delimiter.as_deref();
        Ok(page(objects, &query.prefix, delimiter, after, query.limit))
    }

    async fn stage(&self, bucket: &Bucket, _length: Option<u64>) -> Result<Box<dyn Sink>> {
        self.state().contents(bucket)?;
        Ok(Box::new(MemorySink::default()))
    }

    async fn share(&self, object: &Object, target: &Bucket) -> Result<Option<Staged>> {
        self.state().contents(target)?;
        Ok(Some(Staged::new(object.size, content(object).clone())))
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
        contents.check(&object.key, &precondition)?;
        Ok(contents.insert(id, object, Vec::new(), data.into_token()))
    }

    async fn delete(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let mut state = self.state();
        let contents = state.contents(bucket)?;
        contents.check(key, &precondition)?;
        let removed = match contents.object(key, version) {
            Ok(_) => contents.objects.remove(key),
            Err(_) => None,
        };
        Ok(Deleted {
            version: removed.map(|object| object.version),
            marker: false,
        })
    }

    async fn amend_object(
        &self,
        bucket: &Bucket,
        object: &Object,
        amendment: Amendment,
    ) -> Result<Arc<Object>> {
        let mut state = self.state();
        let current = state.contents(bucket)?.object(&object.key, None)?;
        if current.id != object.id {
            return Err(Error::Conflict);
        }
        Arc::make_mut(current).documents.amend(&amendment);
        Ok(current.clone())
    }

    async fn create_upload(&self, bucket: &Bucket, upload: NewUpload) -> Result<Upload> {
        let mut state = self.state();
        let id = state.next_upload_id();
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
        let parts = &mut state.contents(bucket)?.upload(key, id)?.parts;
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
        contents.check(&object.key, &precondition)?;
        contents.uploads.remove(&(object.key.clone(), id));
        Ok(contents.insert(object_id, object, named, data.freeze()))
    }

    async fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<()> {
        let mut state = self.state();
        let uploads = &mut state.contents(bucket)?.uploads;
        match uploads.remove(&(key.clone(), id)) {
            Some(_) => Ok(()),
            None => Err(Error::UploadMissing),
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

#[derive(Default)]
struct MemorySink(BytesMut);

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged> {
        Ok(Staged::new(self.0.len() as u64, self.0.freeze()))
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
