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
pub(crate) mod get_bucket_versioning;
pub(crate) mod get_object;
pub(crate) mod get_object_attributes;
pub(crate) mod head_bucket;
pub(crate) mod list_buckets;
pub(crate) mod list_multipart_uploads;
pub(crate) mod list_object_versions;
pub(crate) mod list_objects;
pub(crate) mod list_objects_v2;
pub(crate) mod list_parts;
pub(crate) mod post_object;
pub(crate) mod put_bucket_versioning;
pub(crate) mod put_object;
pub(crate) mod upload_part;
pub(crate) mod upload_part_copy;

pub(crate) mod answer;
mod copy;
mod upload;

use host::Chain;
use s3::{Code, Operation};

use crate::error::Error;

/// The operations that there is a module for.
pub(crate) const SERVED: &[Operation] = &[
    Operation::ListBuckets,
    Operation::CreateBucket,
    Operation::HeadBucket,
    Operation::DeleteBucket,
    Operation::ListObjects,
    Operation::ListObjectsV2,
    Operation::ListObjectVersions,
    Operation::GetBucketVersioning,
    Operation::PutBucketVersioning,
    Operation::DeleteObjects,
    Operation::PostObject,
    Operation::PutObject,
    Operation::CopyObject,
    Operation::GetObject,
    Operation::HeadObject,
    Operation::GetObjectAttributes,
    Operation::DeleteObject,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::UploadPartCopy,
    Operation::CompleteMultipartUpload,
    Operation::AbortMultipartUpload,
    Operation::ListParts,
    Operation::ListMultipartUploads,
];

/// What is known to S3 but served by nobody here. It never falls through to
/// another operation on the same path.
pub(crate) fn not_implemented(operation: Operation) -> Error {
    let message = if Chain::NATIVE.contains(&operation) {
        format!(
            "{operation} is not implemented. It is the gateway's own, so no plugin can serve it."
        )
    } else {
        format!(
            "{operation} is not served here. A plugin that claims it can be added to the chain."
        )
    };
    s3::Error::new(Code::NotImplemented).because(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plugin_can_claim_what_is_served_natively() {
        for operation in SERVED {
            assert!(Chain::NATIVE.contains(operation), "{operation}");
        }
    }

    #[test]
    fn a_plugin_is_offered_only_where_one_could_serve() {
        let check = |operation: Operation, expected: bool| {
            let answer = not_implemented(operation).answer;
            assert_eq!(answer.code(), Some(Code::NotImplemented), "{operation}");
            let offered = answer.message().contains("can be added");
            assert_eq!(offered, expected, "{operation}");
        };
        check(Operation::GetBucketCors, true);
        check(Operation::PutObjectTagging, true);
        check(Operation::PostObject, false);
    }
}
