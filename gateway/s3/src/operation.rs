//! The operations of S3, and the actions that authorization decides on.
//!
//! A request is classified once; everything after that matches on these enums.

/// Calls a macro with the names of all operations, so that a mapping to another
/// enum of the same names need not repeat them.
#[macro_export]
macro_rules! for_each_operation {
    ($callback:ident) => {
        $callback! {
            ListBuckets, CreateBucket, HeadBucket, DeleteBucket, ListObjects,
            ListObjectsV2, ListObjectVersions, ListMultipartUploads, DeleteObjects,
            PostObject, Preflight, GetBucketAcl, PutBucketAcl, GetBucketCors,
            PutBucketCors, DeleteBucketCors, GetBucketTagging, PutBucketTagging,
            DeleteBucketTagging, GetBucketLocation, GetBucketRequestPayment,
            PutBucketRequestPayment, GetBucketVersioning, PutBucketVersioning,
            GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus,
            GetBucketLifecycle, PutBucketLifecycle, DeleteBucketLifecycle,
            GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption,
            GetBucketWebsite, PutBucketWebsite, DeleteBucketWebsite,
            GetBucketNotification, PutBucketNotification, GetBucketReplication,
            PutBucketReplication, DeleteBucketReplication, GetBucketLogging,
            PutBucketLogging, GetBucketAccelerate, PutBucketAccelerate,
            GetBucketOwnershipControls, PutBucketOwnershipControls,
            DeleteBucketOwnershipControls, GetPublicAccessBlock, PutPublicAccessBlock,
            DeletePublicAccessBlock, GetObjectLockConfiguration,
            PutObjectLockConfiguration, GetBucketAnalytics, PutBucketAnalytics,
            DeleteBucketAnalytics, GetBucketInventory, PutBucketInventory,
            DeleteBucketInventory, GetBucketMetrics, PutBucketMetrics,
            DeleteBucketMetrics, GetBucketIntelligentTiering,
            PutBucketIntelligentTiering, DeleteBucketIntelligentTiering, PutObject,
            CopyObject, GetObject, HeadObject, DeleteObject, GetObjectAcl, PutObjectAcl,
            GetObjectTagging, PutObjectTagging, DeleteObjectTagging,
            GetObjectAttributes, GetObjectRetention, PutObjectRetention,
            GetObjectLegalHold, PutObjectLegalHold, GetObjectTorrent, RestoreObject,
            SelectObjectContent, CreateMultipartUpload, UploadPart, UploadPartCopy,
            CompleteMultipartUpload, AbortMultipartUpload, ListParts, GetSubResource,
            PutSubResource, PostSubResource, DeleteSubResource,
        }
    };
}

/// Calls a macro with the names of all actions.
#[macro_export]
macro_rules! for_each_action {
    ($callback:ident) => {
        $callback! {
            ListAllMyBuckets, CreateBucket, DeleteBucket, ListBucket,
            ListBucketVersions, ListBucketMultipartUploads, GetBucketAcl, PutBucketAcl,
            GetBucketCors, PutBucketCors, GetBucketTagging, PutBucketTagging,
            GetBucketLocation, GetBucketRequestPayment, PutBucketRequestPayment,
            GetBucketVersioning, PutBucketVersioning, GetBucketPolicy, PutBucketPolicy,
            DeleteBucketPolicy, GetBucketPolicyStatus, GetLifecycleConfiguration,
            PutLifecycleConfiguration, GetEncryptionConfiguration,
            PutEncryptionConfiguration, GetBucketWebsite, PutBucketWebsite,
            DeleteBucketWebsite, GetBucketNotification, PutBucketNotification,
            GetReplicationConfiguration, PutReplicationConfiguration, GetBucketLogging,
            PutBucketLogging, GetAccelerateConfiguration, PutAccelerateConfiguration,
            GetBucketOwnershipControls, PutBucketOwnershipControls,
            GetBucketPublicAccessBlock, PutBucketPublicAccessBlock,
            GetBucketObjectLockConfiguration, PutBucketObjectLockConfiguration,
            GetAnalyticsConfiguration, PutAnalyticsConfiguration,
            GetInventoryConfiguration, PutInventoryConfiguration,
            GetMetricsConfiguration, PutMetricsConfiguration,
            GetIntelligentTieringConfiguration, PutIntelligentTieringConfiguration,
            GetObject, GetObjectVersion, PutObject, DeleteObject, DeleteObjectVersion,
            GetObjectAcl, GetObjectVersionAcl, PutObjectAcl, PutObjectVersionAcl,
            GetObjectTagging, GetObjectVersionTagging, PutObjectTagging,
            PutObjectVersionTagging, DeleteObjectTagging, DeleteObjectVersionTagging,
            GetObjectAttributes, GetObjectVersionAttributes, GetObjectRetention,
            PutObjectRetention, GetObjectLegalHold, PutObjectLegalHold,
            GetObjectTorrent, RestoreObject, AbortMultipartUpload,
            ListMultipartUploadParts, GetSubResource, PutSubResource, DeleteSubResource,
        }
    };
}

macro_rules! named {
    ($(#[$doc:meta])* $enum:ident: $($name:ident,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $($name,)*
        }

        impl $enum {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name as S3 writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

macro_rules! operations {
    ($($name:ident,)*) => {
        named! {
            /// What a request asks for, named as in S3's API reference.
            Operation: $($name,)*
        }
    };
}
for_each_operation!(operations);

impl Operation {
    /// Whether its body is a document that must be there, and come with a digest.
    pub fn needs_document(self) -> bool {
        matches!(
            self,
            Self::DeleteObjects
                | Self::PutBucketCors
                | Self::PutBucketTagging
                | Self::PutBucketRequestPayment
                | Self::PutBucketVersioning
                | Self::PutBucketPolicy
                | Self::PutBucketLifecycle
                | Self::PutBucketEncryption
                | Self::PutBucketWebsite
                | Self::PutBucketReplication
                | Self::PutBucketLogging
                | Self::PutBucketOwnershipControls
                | Self::PutPublicAccessBlock
                | Self::PutObjectLockConfiguration
                | Self::PutObjectTagging
                | Self::PutObjectRetention
                | Self::PutObjectLegalHold
        )
    }
}

macro_rules! actions {
    ($($name:ident,)*) => {
        named! {
            /// What is done to one resource, named as S3's permissions without `s3:`.
            Action: $($name,)*
        }
    };
}
for_each_action!(actions);
