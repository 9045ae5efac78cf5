//! The [`Store`] trait: what the gateway asks of a backend.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::document::Amendment;
use crate::error::Result;
use crate::list::{
    BucketQuery, Delimited, ListQuery, Page, UploadQuery, VersionEntry, VersionQuery,
};
use crate::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::record::{
    Bucket, NewBucket, NewObject, NewUpload, Object, Part, Precondition, Upload, UploadedPart,
    Usage, Versioning,
};
use crate::room::{Room, Target};

/// The bytes of an object, verified. An error ends the stream.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A place that keeps buckets and objects.
///
/// What a method has acknowledged with `Ok` is durable and visible to every
/// later call. What it has refused has changed nothing, but for
/// [`crate::Error::WriteQuorumLost`], which leaves it open.
///
/// A bucket or an object that is handed in is that very one, as the caller has
/// seen it, not whatever has its name by now: what was decided on the one is not
/// done to another. Where the bucket is gone, or is another one, the answer is
/// [`crate::Error::BucketMissing`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Refuses a geometry that the drives cannot hold with
    /// [`crate::Error::GeometryUnsupported`].
    async fn create_bucket(&self, bucket: NewBucket) -> Result<Arc<Bucket>>;
    /// Cheap: answered from memory.
    async fn bucket(&self, name: &BucketName) -> Result<Arc<Bucket>>;
    /// The buckets of one owner, by name.
    async fn list_buckets(&self, query: &BucketQuery) -> Result<Page<Arc<Bucket>>>;
    /// The buckets of all owners, by name, after the name `after`: for work that
    /// goes on behind the requests.
    async fn all_buckets(&self, after: Option<&str>, limit: usize) -> Result<Page<Arc<Bucket>>>;
    /// Only an empty bucket can be deleted: versions, markers and uploads count.
    async fn delete_bucket(&self, bucket: &Bucket) -> Result<()>;
    async fn amend_bucket(&self, bucket: &Bucket, amendment: Amendment) -> Result<Arc<Bucket>>;
    /// Enables or suspends versioning. What once kept versions never becomes
    /// [`Versioning::Never`] again: asked for that, nothing changes.
    async fn set_versioning(&self, bucket: &Bucket, versioning: Versioning) -> Result<Arc<Bucket>>;
    async fn usage(&self, bucket: &Bucket) -> Result<Usage>;

    /// The current version, or the one named. Where that is a delete marker:
    /// [`crate::Error::Marker`].
    async fn object(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
    ) -> Result<Arc<Object>>;
    /// The bytes `range` of an object; the range lies within its size. The first
    /// bytes have been read and verified when this returns.
    async fn read(&self, object: &Object, range: Range<u64>) -> Result<ByteStream>;
    /// The current versions, without those that are delete markers.
    async fn list_objects(
        &self,
        bucket: &Bucket,
        query: &ListQuery,
    ) -> Result<Delimited<Arc<Object>>>;
    async fn list_versions(
        &self,
        bucket: &Bucket,
        query: &VersionQuery,
    ) -> Result<Delimited<VersionEntry>>;

    /// Keeps room in a bucket for as long as the answer is kept, which is until
    /// the bytes are put: what does not fit besides all that others keep room for
    /// is refused with [`crate::Error::QuotaExceeded`] before it comes.
    async fn reserve(&self, bucket: &Bucket, target: Target<'_>, length: u64) -> Result<Room>;
    /// Opens a place for bytes that do not belong to any object yet. `length` is
    /// how many will come, where it is known.
    async fn stage(&self, bucket: &Bucket, length: Option<u64>) -> Result<Box<dyn Sink>>;
    /// Stages the bytes of an object of this store without moving them, or says
    /// with `None` that they must be read and written anew, as where the target
    /// has another geometry. What is made of them is made of the same parts.
    async fn share(&self, object: &Object, target: &Bucket) -> Result<Option<Staged>>;
    /// Makes staged bytes the current version of a key: a version with a new id
    /// where versioning is enabled; otherwise the null version, which replaces
    /// the null version that was there, and no other.
    ///
    /// Like all that adds bytes it is refused with
    /// [`crate::Error::QuotaExceeded`] where the bucket would hold too many.
    async fn put(
        &self,
        bucket: &Bucket,
        object: NewObject,
        data: Staged,
        precondition: Precondition,
    ) -> Result<Arc<Object>>;
    /// With a version, that version or delete marker is gone for good, and the
    /// next newest is current. Without one: where versioning is enabled a marker
    /// with a new id is made, even where there is no object; where it is
    /// suspended, a null marker that replaces the null version; where it never
    /// was enabled, the null version is gone. Deleting what is not there succeeds.
    async fn delete(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<VersionId>,
        precondition: Precondition,
    ) -> Result<Deleted>;
    /// Refuses with [`crate::Error::Conflict`] where another object has taken
    /// the place of this one.
    async fn amend_object(
        &self,
        bucket: &Bucket,
        object: &Object,
        amendment: Amendment,
    ) -> Result<Arc<Object>>;

    async fn create_upload(&self, bucket: &Bucket, upload: NewUpload) -> Result<Upload>;
    async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload>;
    /// Makes staged bytes a part of an upload; replaces a part of the same number.
    async fn put_part(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        part: UploadedPart,
        data: Staged,
    ) -> Result<()>;
    /// The parts of an upload by number, after `after`.
    async fn list_parts(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<Page<UploadedPart>>;
    async fn list_uploads(&self, bucket: &Bucket, query: &UploadQuery)
    -> Result<Delimited<Upload>>;
    /// Makes the named parts, each with the etag it must have, one object, in
    /// this order. No data moves. The parts that are not named are dropped. The
    /// object becomes the current version as with [`Store::put`].
    async fn complete_upload(
        &self,
        bucket: &Bucket,
        id: UploadId,
        parts: &[(PartNumber, String)],
        object: NewObject,
        precondition: Precondition,
    ) -> Result<Arc<Object>>;
    /// The object that an upload has become, for as long as that version is
    /// there; otherwise [`crate::Error::UploadMissing`].
    async fn completed(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: UploadId,
    ) -> Result<Arc<Object>>;
    async fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<()>;

    /// What was moved since the start.
    fn traffic(&self) -> Traffic;
    /// How every drive is doing, for readiness and metrics.
    fn drives(&self) -> Vec<DriveStatus>;
    /// Whether enough drives are left to acknowledge a write.
    fn writable(&self) -> bool;
    /// Waits until what was accepted is on the drives, and stops the background work.
    async fn close(&self);
}

/// Takes the bytes of one object as they come. Dropped before
/// [`Sink::finish`], it leaves nothing behind.
#[async_trait]
pub trait Sink: Send {
    /// Returns when the sink can take more: this is where a fast client waits
    /// for slow drives.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    /// Returns when all bytes are where the commit needs them.
    async fn finish(self: Box<Self>) -> Result<Staged>;
}

/// Bytes that are stored but belong to nothing yet. Dropped, they are swept.
#[must_use = "staged bytes stay invisible until they are put"]
pub struct Staged {
    pub length: u64,
    /// The parts of the object that the bytes are shared with.
    pub parts: Vec<Part>,
    token: Box<dyn Any + Send>,
}

impl Staged {
    pub fn new<T: Any + Send>(length: u64, token: T) -> Self {
        Self {
            length,
            parts: Vec::new(),
            token: Box::new(token),
        }
    }

    /// All bytes of an object: what is made of them has its parts.
    pub fn shared<T: Any + Send>(object: &Object, token: T) -> Self {
        Self {
            parts: object.parts.clone(),
            ..Self::new(object.size, token)
        }
    }

    /// What the backend staged. Handing one store's bytes to another is a bug.
    pub fn into_token<T: Any>(self) -> T {
        *self
            .token
            .downcast()
            .unwrap_or_else(|_| panic!("staged by another kind of store"))
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Where a backend keeps the bytes of an object; only the backend can read it.
#[derive(Clone)]
pub struct Locator(Arc<dyn Any + Send + Sync>);

impl Locator {
    pub fn new<T: Any + Send + Sync>(place: T) -> Self {
        Self(Arc::new(place))
    }

    /// The place that the backend wrote down, if it is this backend's.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locator")
    }
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was removed, or the delete marker that was made.
    pub version: Option<VersionId>,
    /// A delete marker was made, or what was removed is one.
    pub marker: bool,
}

/// Bytes of object data, parity included, that moved from and to the drives.
/// What is shared or completed moves none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    pub read: u64,
    pub written: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveStatus {
    pub name: String,
    pub state: DriveState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveState {
    Online,
    /// Readable, but a write to it failed: nothing is written to it any more.
    Fenced,
    Missing,
}
