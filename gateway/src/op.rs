//! The native operations, one file each: parse what the client said into types,
//! then run it against the store.

pub(crate) mod abort_multipart_upload;
pub(crate) mod complete_multipart_upload;
pub(crate) mod copy_object;
pub(crate) mod create_bucket;
pub(crate) mod create_multipart_upload;
pub(crate) mod delete_bucket;
pub(crate) mod delete_object;
pub(crate) mod delete_objects;
pub(crate) mod get_object;
pub(crate) mod head_bucket;
pub(crate) mod list_buckets;
pub(crate) mod list_multipart_uploads;
pub(crate) mod list_objects;
pub(crate) mod list_objects_v2;
pub(crate) mod list_parts;
pub(crate) mod put_object;
pub(crate) mod upload_part;
pub(crate) mod upload_part_copy;

mod answer;
mod copy;
mod upload;

use s3::{Code, Operation};

use crate::error::Error;

/// What is known to S3 but served by nobody here. It never falls through to
/// another operation on the same path.
pub(crate) fn not_implemented(operation: Operation) -> Error {
    s3::Error::new(Code::NotImplemented)
        .because(format!(
            "{operation} is not served here. A plugin that claims it can be added to the chain."
        ))
        .into()
}
