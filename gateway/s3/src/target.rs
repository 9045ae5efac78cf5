//! What a request addresses.

use storage::{BucketName, ObjectKey};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Service,
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

impl Target {
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }

    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Service | Self::Bucket(_) => None,
            Self::Object(_, key) => Some(key),
        }
    }
}
