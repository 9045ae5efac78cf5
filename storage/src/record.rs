//! What a store keeps of a bucket, an object version and an upload.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::document::Documents;
use crate::name::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};
use crate::store::Locator;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn now() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// How data is spread: any `data` of the `data + parity` shards restore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    pub data: u8,
    pub parity: u8,
}

/// Whether a write keeps what it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versioning {
    /// There is one version of an object, the null version.
    #[default]
    Never,
    /// Every write makes a version with an id of its own, a delete a marker.
    Enabled,
    /// Versions are kept; writes and deletes replace the null version only.
    Suspended,
}

/// What a bucket was made by, and what its objects obey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The template that the bucket was made by.
    pub template: Option<String>,
    /// The code by which the client asked for it.
    pub location: Option<String>,
    /// How the data of its objects is spread.
    pub geometry: Geometry,
    /// The most bytes that all its versions and parts may have together.
    pub quota: Option<u64>,
}

impl From<Geometry> for Placement {
    /// That of a bucket of which nothing else was asked.
    fn from(geometry: Geometry) -> Self {
        Self {
            template: None,
            location: None,
            geometry,
            quota: None,
        }
    }
}

/// What a new bucket is to be, where it is not to be what the store makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewPlacement {
    pub template: Option<String>,
    pub location: Option<String>,
    /// The store's own geometry where it is absent.
    pub geometry: Option<Geometry>,
    pub quota: Option<u64>,
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The data of all versions, and of the parts of uploads.
    pub bytes: u64,
    /// All versions that are objects: markers are not counted.
    pub objects: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: BucketName,
    /// What no other bucket ever has, not even a later one of the same name.
    pub id: u128,
    /// The id of the account that owns the bucket.
    pub owner: String,
    pub created: Timestamp,
    pub versioning: Versioning,
    pub placement: Placement,
    pub documents: Documents,
}

#[derive(Debug, Clone)]
pub struct NewBucket {
    pub name: BucketName,
    pub owner: String,
    pub versioning: Versioning,
    pub placement: NewPlacement,
    pub documents: Documents,
}

/// What the caller wants to remember with an object, by name: headers to give
/// back, checksums. The store does not interpret it.
pub type Metadata = BTreeMap<String, String>;

/// One version of an object, complete: what a read needs, and where the bytes are.
#[derive(Debug, Clone)]
pub struct Object {
    pub key: ObjectKey,
    pub version: VersionId,
    /// What no other object ever has, not even a later one under the same key.
    /// Of two objects under one key the later one has the greater id. An
    /// amendment does not change it.
    pub id: u128,
    /// The id of the account that owns the object.
    pub owner: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Timestamp,
    pub metadata: Metadata,
    pub documents: Documents,
    /// The parts of an object that was uploaded in parts; empty for any other.
    pub parts: Vec<Part>,
    pub location: Locator,
}

/// A version that says that the object was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub key: ObjectKey,
    pub version: VersionId,
    /// The owner of the bucket.
    pub owner: String,
    pub modified: Timestamp,
}

/// A part of a complete object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: PartNumber,
    pub size: u64,
    /// What was remembered with the part: its checksums.
    pub metadata: Metadata,
}

/// What is committed with staged bytes.
#[derive(Debug, Clone)]
pub struct NewObject {
    pub key: ObjectKey,
    pub owner: String,
    pub etag: String,
    pub metadata: Metadata,
    pub documents: Documents,
}

/// What must hold of the addressed version at the moment of the commit: of the
/// current one, or of the one that a delete names. A delete marker is no object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    #[default]
    None,
    /// There is no object under the key.
    Absent,
    /// There is one, whatever it is. Where there is none: [`crate::Error::ObjectMissing`].
    Present,
    /// There is one with one of these etags. Where there is none: [`crate::Error::ObjectMissing`].
    Matches(Vec<String>),
}

impl Precondition {
    /// Decides on the etag of the addressed version, if it is an object.
    pub fn check(&self, current: Option<&str>) -> Result<(), crate::Error> {
        match (self, current) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Matches(etags), Some(current)) if etags.iter().any(|etag| etag == current) => {
                Ok(())
            }
            (Self::Absent | Self::Matches(_), Some(_)) => Err(crate::Error::PreconditionFailed),
            (Self::Present | Self::Matches(_), None) => Err(crate::Error::ObjectMissing),
        }
    }
}

#[derive(Debug, Clone)]
pub struct NewUpload {
    pub key: ObjectKey,
    /// Who will own the object.
    pub owner: String,
    /// Who started the upload.
    pub initiator: String,
    pub metadata: Metadata,
    /// Attached to the object when the upload is completed.
    pub documents: Documents,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Debug, Clone)]
pub struct Upload {
    pub id: UploadId,
    pub key: ObjectKey,
    pub owner: String,
    pub initiator: String,
    pub initiated: Timestamp,
    pub metadata: Metadata,
    pub documents: Documents,
}

#[derive(Debug, Clone)]
pub struct UploadedPart {
    pub number: PartNumber,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Timestamp,
    pub metadata: Metadata,
}
