//! What a request does to what: the units of authorization.

use storage::{BucketName, ObjectKey, VersionId};

use crate::encode::decode_form;
use crate::error::{Code, Error};
use crate::head::Head;
use crate::operation::{Action, Operation};

/// One thing that must be allowed before an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub action: Action,
    pub bucket: Option<BucketName>,
    pub key: Option<ObjectKey>,
    pub version: Option<VersionId>,
}

/// The object that a copy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub version: Option<VersionId>,
}

impl CopySource {
    /// Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=id]`, percent-encoded
    /// as a form is: a client that means `+` writes `%2B`.
    pub fn parse(header: &str) -> Result<Self, Error> {
        let refuse = |message: &'static str| {
            Error::new(Code::InvalidArgument)
                .because(message)
                .argument("x-amz-copy-source", header)
        };
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (header, None),
        };
        let version = version
            .map(VersionId::parse)
            .transpose()
            .map_err(|_| refuse("Invalid version id specified"))?;
        let path =
            decode_form(path).map_err(|_| refuse("Copy Source must be percent-encoded UTF-8."))?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        match (BucketName::parse(bucket), ObjectKey::parse(key)) {
            (Ok(bucket), Ok(key)) if !key.as_str().contains('\0') => Ok(Self {
                bucket,
                key,
                version,
            }),
            _ => Err(refuse(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )),
        }
    }

    fn access(self) -> Access {
        Access {
            action: match self.version {
                Some(_) => Action::GetObjectVersion,
                None => Action::GetObject,
            },
            bucket: Some(self.bucket),
            key: Some(self.key),
            version: self.version,
        }
    }
}

impl Head {
    /// All that must be authorized before this request is served. Empty for a
    /// preflight, which nobody signs, and for DeleteObjects, whose keys are in
    /// the body: there each key is asked for by itself.
    pub fn accesses(&self) -> Result<Vec<Access>, Error> {
        let source = match self.operation {
            Operation::CopyObject | Operation::UploadPartCopy => {
                let header = self.header("x-amz-copy-source").unwrap_or_default();
                Some(CopySource::parse(header)?.access())
            }
            _ => None,
        };
        let target = self.actions().into_iter().map(|action| Access {
            action,
            bucket: self.target.bucket().cloned(),
            key: self.target.key().cloned(),
            version: self.version,
        });
        Ok(source.into_iter().chain(target).collect())
    }

    /// What is done to the target.
    fn actions(&self) -> Vec<Action> {
        use Operation as O;
        let either = |version, current| match self.version {
            Some(_) => vec![version],
            None => vec![current],
        };
        match self.operation {
            O::Preflight | O::DeleteObjects => Vec::new(),

            O::ListBuckets => vec![Action::ListAllMyBuckets],
            O::CreateBucket => vec![Action::CreateBucket],
            O::DeleteBucket => vec![Action::DeleteBucket],
            O::HeadBucket | O::ListObjects | O::ListObjectsV2 => vec![Action::ListBucket],
            O::ListObjectVersions => vec![Action::ListBucketVersions],
            O::ListMultipartUploads => vec![Action::ListBucketMultipartUploads],
            O::GetBucketAcl => vec![Action::GetBucketAcl],
            O::PutBucketAcl => vec![Action::PutBucketAcl],
            O::GetBucketCors => vec![Action::GetBucketCors],
            O::PutBucketCors | O::DeleteBucketCors => vec![Action::PutBucketCors],
            O::GetBucketTagging => vec![Action::GetBucketTagging],
            O::PutBucketTagging | O::DeleteBucketTagging => vec![Action::PutBucketTagging],
            O::GetBucketLocation => vec![Action::GetBucketLocation],
            O::GetBucketRequestPayment => vec![Action::GetBucketRequestPayment],
            O::PutBucketRequestPayment => vec![Action::PutBucketRequestPayment],
            O::GetBucketVersioning => vec![Action::GetBucketVersioning],
            O::PutBucketVersioning => vec![Action::PutBucketVersioning],
            O::GetBucketPolicy => vec![Action::GetBucketPolicy],
            O::PutBucketPolicy => vec![Action::PutBucketPolicy],
            O::DeleteBucketPolicy => vec![Action::DeleteBucketPolicy],
            O::GetBucketPolicyStatus => vec![Action::GetBucketPolicyStatus],
            O::GetBucketLifecycle => vec![Action::GetLifecycleConfiguration],
            O::PutBucketLifecycle | O::DeleteBucketLifecycle => {
                vec![Action::PutLifecycleConfiguration]
            }
            O::GetBucketEncryption => vec![Action::GetEncryptionConfiguration],
            O::PutBucketEncryption | O::DeleteBucketEncryption => {
                vec![Action::PutEncryptionConfiguration]
            }
            O::GetBucketWebsite => vec![Action::GetBucketWebsite],
            O::PutBucketWebsite | O::DeleteBucketWebsite => vec![Action::PutBucketWebsite],
            O::GetBucketNotification => vec![Action::GetBucketNotification],
            O::PutBucketNotification => vec![Action::PutBucketNotification],
            O::GetBucketReplication => vec![Action::GetReplicationConfiguration],
            O::PutBucketReplication | O::DeleteBucketReplication => {
                vec![Action::PutReplicationConfiguration]
            }
            O::GetBucketLogging => vec![Action::GetBucketLogging],
            O::PutBucketLogging => vec![Action::PutBucketLogging],
            O::GetBucketAccelerate => vec![Action::GetAccelerateConfiguration],
            O::PutBucketAccelerate => vec![Action::PutAccelerateConfiguration],
            O::GetBucketOwnershipControls => vec![Action::GetBucketOwnershipControls],
            O::PutBucketOwnershipControls | O::DeleteBucketOwnershipControls => {
                vec![Action::PutBucketOwnershipControls]
            }
            O::GetPublicAccessBlock => vec![Action::GetBucketPublicAccessBlock],
            O::PutPublicAccessBlock | O::DeletePublicAccessBlock => {
                vec![Action::PutBucketPublicAccessBlock]
            }
            O::GetObjectLockConfiguration => vec![Action::GetBucketObjectLockConfiguration],
            O::PutObjectLockConfiguration => vec![Action::PutBucketObjectLockConfiguration],
            O::GetBucketAnalytics => vec![Action::GetAnalyticsConfiguration],
            O::PutBucketAnalytics | O::DeleteBucketAnalytics => {
                vec![Action::PutAnalyticsConfiguration]
            }
            O::GetBucketInventory => vec![Action::GetInventoryConfiguration],
            O::PutBucketInventory | O::DeleteBucketInventory => {
                vec![Action::PutInventoryConfiguration]
            }
            O::GetBucketMetrics => vec![Action::GetMetricsConfiguration],
            O::PutBucketMetrics | O::DeleteBucketMetrics => {
                vec![Action::PutMetricsConfiguration]
            }
            O::GetBucketIntelligentTiering => {
                vec![Action::GetIntelligentTieringConfiguration]
            }
            O::PutBucketIntelligentTiering | O::DeleteBucketIntelligentTiering => {
                vec![Action::PutIntelligentTieringConfiguration]
            }

            O::PutObject | O::CopyObject | O::CreateMultipartUpload => self.write_actions(),
            // The key of a form is in its body; so far only the bucket is known.
            O::PostObject | O::UploadPart | O::UploadPartCopy | O::CompleteMultipartUpload => {
                vec![Action::PutObject]
            }
            O::AbortMultipartUpload => vec![Action::AbortMultipartUpload],
            O::ListParts => vec![Action::ListMultipartUploadParts],
            O::GetObject | O::HeadObject | O::SelectObjectContent => {
                either(Action::GetObjectVersion, Action::GetObject)
            }
            O::DeleteObject => either(Action::DeleteObjectVersion, Action::DeleteObject),
            O::GetObjectAcl => either(Action::GetObjectVersionAcl, Action::GetObjectAcl),
            O::PutObjectAcl => either(Action::PutObjectVersionAcl, Action::PutObjectAcl),
            O::GetObjectTagging => {
                either(Action::GetObjectVersionTagging, Action::GetObjectTagging)
            }
            O::PutObjectTagging => {
                either(Action::PutObjectVersionTagging, Action::PutObjectTagging)
            }
            O::DeleteObjectTagging => either(
                Action::DeleteObjectVersionTagging,
                Action::DeleteObjectTagging,
            ),
            // Attributes say what a read would say, so both must be allowed.
            O::GetObjectAttributes => match self.version {
                Some(_) => vec![Action::GetObjectVersion, Action::GetObjectVersionAttributes],
                None => vec![Action::GetObject, Action::GetObjectAttributes],
            },
            O::GetObjectRetention => vec![Action::GetObjectRetention],
            O::PutObjectRetention => vec![Action::PutObjectRetention],
            O::GetObjectLegalHold => vec![Action::GetObjectLegalHold],
            O::PutObjectLegalHold => vec![Action::PutObjectLegalHold],
            O::GetObjectTorrent => vec![Action::GetObjectTorrent],
            O::RestoreObject => vec![Action::RestoreObject],
        }
    }

    /// Whoever writes an object and says something else of it with headers does
    /// that, too.
    fn write_actions(&self) -> Vec<Action> {
        let has = |names: &[&str]| names.iter().any(|name| self.headers.contains_key(*name));
        let grants = || {
            let mut names = self.headers.keys();
            names.any(|name| name.as_str().starts_with("x-amz-grant-"))
        };
        let mut actions = vec![Action::PutObject];
        if has(&["x-amz-acl"]) || grants() {
            actions.push(Action::PutObjectAcl);
        }
        if has(&["x-amz-tagging"]) {
            actions.push(Action::PutObjectTagging);
        }
        if has(&[
            "x-amz-object-lock-mode",
            "x-amz-object-lock-retain-until-date",
        ]) {
            actions.push(Action::PutObjectRetention);
        }
        if has(&["x-amz-object-lock-legal-hold"]) {
            actions.push(Action::PutObjectLegalHold);
        }
        actions
    }
}
