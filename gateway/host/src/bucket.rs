//! What of a bucket's record tells how it was made.

use storage::Bucket;

/// The template that it was made by.
pub(crate) fn made_by(bucket: &Bucket) -> Option<&str> {
    bucket.placement.template.as_deref()
}

/// The provisioning code that it was made with.
pub(crate) fn located_at(bucket: &Bucket) -> Option<&str> {
    bucket.placement.location.as_deref()
}
