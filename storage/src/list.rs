//! Listings: what a page is asked for by, and what is on it.
//!
//! Entries are ordered by their UTF-8 bytes, rolled-up prefixes among the keys.
//! Where a listing continues after the marker `M`:
//!
//! - a key is listed if it is greater than `M`;
//! - a rolled-up prefix `P` is listed if it is greater than `M`, or if `M` lies
//!   below it (`M` starts with `P` and is longer) and a key below `P` is greater
//!   than `M`. So `M == P` passes over everything below `P`, which is how a
//!   listing continues after a prefix.
//!
//! A page of at most 0 entries is empty and not truncated: there is no entry
//! after which it could continue.

use std::sync::Arc;

use crate::name::{ObjectKey, UploadId, VersionId};
use crate::record::{Marker, Object, Timestamp, Upload};

/// Which buckets of one owner to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketQuery {
    pub owner: String,
    pub prefix: String,
    /// Only what comes after this text.
    pub after: Option<String>,
    pub limit: usize,
}

/// Which part of a bucket's keys to list. Keys are ordered by their UTF-8 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub prefix: String,
    /// Keys that have this after the prefix are rolled up into one
    /// [`Entry::Prefix`] that ends with it. Not empty.
    pub delimiter: Option<String>,
    /// Only what comes after this text. Where it is itself a rolled-up prefix,
    /// everything below it is passed over.
    pub after: Option<String>,
    /// The most entries of both kinds together.
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub enum Entry<T> {
    Item(T),
    Prefix(String),
}

/// A page of a listing with a delimiter.
pub type Delimited<T> = Page<Entry<T>>;

#[derive(Debug, Clone)]
pub struct Page<T> {
    pub entries: Vec<T>,
    /// There is more after the last entry.
    pub truncated: bool,
}

/// Which uploads of a bucket to list, ordered by key and then by the time at
/// which they were started (upload ids grow with it).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadQuery {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub after: Option<UploadMarker>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadMarker {
    /// After every upload of this key, or below this rolled-up prefix.
    Key(String),
    /// After this upload of this key: a rolled-up prefix is listed if an upload
    /// below it comes after this one.
    Upload(ObjectKey, UploadId),
}

/// Which versions of a bucket's keys to list, ordered by key and then by time,
/// the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionQuery {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub after: Option<VersionMarker>,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionMarker {
    /// After every version of this key, or below this rolled-up prefix.
    Key(String),
    /// After this version of this key: a rolled-up prefix is listed if a version
    /// below it comes after this one. A version that is gone is still a place if
    /// it has an id; a null version that is gone is the place before all
    /// versions of its key.
    Version(ObjectKey, VersionId),
}

#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// The current version of its key.
    pub latest: bool,
    pub version: Listed,
}

#[derive(Debug, Clone)]
pub enum Listed {
    Object(Arc<Object>),
    Marker(Marker),
}

impl Listed {
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Object(object) => &object.key,
            Self::Marker(marker) => &marker.key,
        }
    }

    pub fn version(&self) -> VersionId {
        match self {
            Self::Object(object) => object.version,
            Self::Marker(marker) => marker.version,
        }
    }

    pub fn owner(&self) -> &str {
        match self {
            Self::Object(object) => &object.owner,
            Self::Marker(marker) => &marker.owner,
        }
    }

    pub fn modified(&self) -> Timestamp {
        match self {
            Self::Object(object) => object.modified,
            Self::Marker(marker) => marker.modified,
        }
    }
}

/// The text by which a listing continues after an entry.
impl Entry<Arc<Object>> {
    pub fn marker(&self) -> &str {
        match self {
            Self::Item(object) => object.key.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl Entry<Upload> {
    pub fn marker(&self) -> &str {
        match self {
            Self::Item(upload) => upload.key.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl Entry<VersionEntry> {
    pub fn marker(&self) -> VersionMarker {
        match self {
            Self::Item(entry) => {
                VersionMarker::Version(entry.version.key().clone(), entry.version.version())
            }
            Self::Prefix(prefix) => VersionMarker::Key(prefix.clone()),
        }
    }
}
