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
mod store;

pub mod conformance;
pub mod memory;

pub use document::{Amendment, Documents};
pub use error::{Error, Result};
pub use list::{Delimited, Entry, ListQuery, Page, UploadMarker, UploadQuery};
pub use name::{BucketName, NameError, ObjectKey, PartNumber, UploadId, VersionId};
pub use record::{
    Bucket, Geometry, Metadata, NewBucket, NewObject, NewUpload, Object, Part, Precondition,
    Timestamp, Upload, UploadedPart, Versioning,
};
pub use store::{ByteStream, Deleted, DriveState, DriveStatus, Locator, Sink, Staged, Store};
