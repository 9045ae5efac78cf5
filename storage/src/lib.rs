//! What a store is: names, records, and the [`Store`] trait that every backend
//! implements.
//!
//! This package knows nothing of HTTP, of S3's wire format, or of plugins. It
//! keeps versions of objects under keys, small documents beside them whose
//! meaning it does not know, and says precisely what went wrong.

mod document;
mod error;
mod list;
mod name;
mod record;
mod room;
mod store;

pub mod conformance;
pub mod memory;

pub use document::{Amendment, Documents};
pub use error::{Error, Result};
pub use list::{
    BucketQuery, Delimited, Entry, ListQuery, Listed, Page, UploadMarker, UploadQuery,
    VersionEntry, VersionMarker, VersionQuery,
};
pub use name::{BucketName, NameError, ObjectKey, PartNumber, UploadId, VersionId};
pub use record::{
    Bucket, Geometry, Marker, Metadata, NewBucket, NewObject, NewPlacement, NewUpload, Object,
    Part, Placement, Precondition, Timestamp, Upload, UploadedPart, Usage, Versioning,
};
pub use room::{Promised, Room, Target};
pub use store::{
    ByteStream, Deleted, DriveState, DriveStatus, Locator, Sink, Staged, Store, Traffic,
};
