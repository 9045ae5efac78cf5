//! Which permission each action needs.

use sluice_plugin::prelude::*;

use crate::DOCUMENT;
use crate::acl::{Asking, Permission};

/// The role of accounts that may create and delete buckets.
const PROVISIONER: &str = "bucket-provisioner";

/// What makes an action permissible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// To be somebody.
    Account,
    /// The role of a provisioner.
    Provisioner,
    /// That role, and full control of the bucket.
    ProvisionerInControl,
    Bucket(Permission),
    /// To own the bucket, or to have this permission.
    BucketOwnerOr(Permission),
    Object(Permission),
    /// To own the bucket, or full control of the object.
    BucketOwnerOrObjectControl,
}

/// Whether the lists allow the access. Asks for no more than the action needs.
pub(crate) fn allow(request: &Request, access: &Access) -> bool {
    let principal = request.principal();
    match need(access.action(), request) {
        Need::Account => principal.account().is_some(),
        Need::Provisioner => is_provisioner(&principal),
        Need::ProvisionerInControl => {
            is_provisioner(&principal) && owns_or_has(&principal, access, Permission::FullControl)
        }
        Need::Bucket(permission) => has_on_bucket(&principal, access, permission),
        Need::BucketOwnerOr(permission) => owns_or_has(&principal, access, permission),
        Need::Object(permission) => has_on_object(&principal, access, permission),
        Need::BucketOwnerOrObjectControl => {
            has_on_object(&principal, access, Permission::FullControl)
                || access
                    .bucket_owner()
                    .as_deref()
                    .is_some_and(|owner| principal.id() == Some(owner))
        }
    }
}

fn need(action: Action, request: &Request) -> Need {
    use Action as A;
    match action {
        A::ListAllMyBuckets => Need::Account,
        A::CreateBucket => Need::Provisioner,
        A::DeleteBucket => Need::ProvisionerInControl,

        A::ListBucket | A::ListBucketVersions => Need::Bucket(Permission::Read),
        A::ListBucketMultipartUploads | A::GetBucketLocation => {
            Need::BucketOwnerOr(Permission::Read)
        }
        A::GetBucketAcl => Need::Bucket(Permission::ReadAcp),
        A::PutBucketAcl => Need::Bucket(Permission::WriteAcp),

        A::PutObject | A::DeleteObject | A::DeleteObjectVersion | A::AbortMultipartUpload => {
            Need::Bucket(Permission::Write)
        }
        A::ListMultipartUploadParts => Need::BucketOwnerOr(Permission::Write),

        A::GetObject
        | A::GetObjectVersion
        | A::GetObjectAttributes
        | A::GetObjectVersionAttributes
        | A::GetObjectTorrent => Need::Object(Permission::Read),
        A::GetObjectAcl | A::GetObjectVersionAcl => Need::Object(Permission::ReadAcp),

        // Whoever may write an object may say what it comes with.
        A::PutObjectAcl | A::PutObjectTagging if writes_an_object(request) => {
            Need::Bucket(Permission::Write)
        }
        A::PutObjectAcl | A::PutObjectVersionAcl => Need::Object(Permission::WriteAcp),
        A::GetObjectTagging
        | A::GetObjectVersionTagging
        | A::PutObjectTagging
        | A::PutObjectVersionTagging
        | A::DeleteObjectTagging
        | A::DeleteObjectVersionTagging => Need::BucketOwnerOrObjectControl,

        // What binds even the owner of the object is up to that of the bucket.
        A::GetObjectRetention
        | A::PutObjectRetention
        | A::GetObjectLegalHold
        | A::PutObjectLegalHold
        | A::RestoreObject => Need::BucketOwnerOr(Permission::FullControl),

        A::GetSubResource | A::PutSubResource | A::DeleteSubResource if request.key().is_some() => {
            Need::BucketOwnerOrObjectControl
        }
        A::GetSubResource
        | A::PutSubResource
        | A::DeleteSubResource
        | A::GetBucketCors
        | A::PutBucketCors
        | A::GetBucketTagging
        | A::PutBucketTagging
        | A::GetBucketRequestPayment
        | A::PutBucketRequestPayment
        | A::GetBucketVersioning
        | A::PutBucketVersioning
        | A::GetBucketPolicy
        | A::PutBucketPolicy
        | A::DeleteBucketPolicy
        | A::GetBucketPolicyStatus
        | A::GetLifecycleConfiguration
        | A::PutLifecycleConfiguration
        | A::GetEncryptionConfiguration
        | A::PutEncryptionConfiguration
        | A::GetBucketWebsite
        | A::PutBucketWebsite
        | A::DeleteBucketWebsite
        | A::GetBucketNotification
        | A::PutBucketNotification
        | A::GetReplicationConfiguration
        | A::PutReplicationConfiguration
        | A::GetBucketLogging
        | A::PutBucketLogging
        | A::GetAccelerateConfiguration
        | A::PutAccelerateConfiguration
        | A::GetBucketOwnershipControls
        | A::PutBucketOwnershipControls
        | A::GetBucketPublicAccessBlock
        | A::PutBucketPublicAccessBlock
        | A::GetBucketObjectLockConfiguration
        | A::PutBucketObjectLockConfiguration
        | A::GetAnalyticsConfiguration
        | A::PutAnalyticsConfiguration
        | A::GetInventoryConfiguration
        | A::PutInventoryConfiguration
        | A::GetMetricsConfiguration
        | A::PutMetricsConfiguration
        | A::GetIntelligentTieringConfiguration
        | A::PutIntelligentTieringConfiguration => Need::BucketOwnerOr(Permission::FullControl),
    }
}

fn writes_an_object(request: &Request) -> bool {
    matches!(
        request.operation(),
        Operation::PutObject
            | Operation::CopyObject
            | Operation::PostObject
            | Operation::CreateMultipartUpload
    )
}

fn is_provisioner(principal: &Principal) -> bool {
    principal
        .account()
        .is_some_and(|account| account.has_role(PROVISIONER))
}

fn has_on_bucket(principal: &Principal, access: &Access, permission: Permission) -> bool {
    let Some(owner) = access.bucket_owner() else {
        return false;
    };
    let asking = Asking {
        account: principal.id(),
        owner: &owner,
        bucket_owner: Some(&owner),
    };
    has(asking, Scope::Bucket, permission)
}

fn owns_or_has(principal: &Principal, access: &Access, permission: Permission) -> bool {
    let Some(owner) = access.bucket_owner() else {
        return false;
    };
    let asking = Asking {
        account: principal.id(),
        owner: &owner,
        bucket_owner: Some(&owner),
    };
    asking.is_owner() || has(asking, Scope::Bucket, permission)
}

fn has_on_object(principal: &Principal, access: &Access, permission: Permission) -> bool {
    let Some(owner) = access.object_owner() else {
        // Whoever may list the bucket is told that there is no such object.
        return has_on_bucket(principal, access, Permission::Read);
    };
    let bucket_owner = access.bucket_owner();
    let asking = Asking {
        account: principal.id(),
        owner: &owner,
        bucket_owner: bucket_owner.as_deref(),
    };
    has(asking, Scope::Object, permission)
}

fn has(asking: Asking<'_>, scope: Scope, permission: Permission) -> bool {
    // However the list came to be, its owner can always repair it.
    let repair = matches!(permission, Permission::ReadAcp | Permission::WriteAcp);
    if repair && asking.is_owner() {
        return true;
    }
    match documents::get(scope, DOCUMENT) {
        None => asking.is_owner(),
        Some(document) => asking.is_granted(&document, permission),
    }
}
