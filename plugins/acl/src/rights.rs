//! Which permission each action needs.

use sluice_plugin::prelude::*;

use crate::DOCUMENT;
use crate::acl::{Asking, Permission};
use crate::dialect::Profile;
use crate::ownership::Ownership;

/// What makes an action permissible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// No list says: it is for other plugins to allow.
    Others,
    /// To be somebody.
    Account,
    /// To own the bucket.
    BucketOwner,
    Bucket(Permission),
    /// To own the bucket, or to have this permission.
    BucketOwnerOr(Permission),
    /// To have begun the upload, to own the bucket, or to have this permission.
    InitiatorOr(Permission),
    Object(Permission),
    /// To own the bucket, or full control of the object.
    BucketOwnerOrObjectControl,
}

/// Whether the lists allow the access. Asks for no more than the action needs.
pub(crate) fn allow(profile: Profile, request: &Request, access: &Access) -> bool {
    let principal = request.principal();
    let asked = Asked {
        profile,
        account: principal.id(),
        access,
    };
    match need(access.action(), request) {
        Need::Others => false,
        Need::Account => asked.account.is_some(),
        Need::BucketOwner => asked.owns_bucket(),
        Need::Bucket(permission) => asked.has_on_bucket(permission),
        Need::BucketOwnerOr(permission) => asked.owns_bucket() || asked.has_on_bucket(permission),
        Need::InitiatorOr(permission) => {
            asked.owns_bucket() || asked.has_on_bucket(permission) || asked.began_upload()
        }
        Need::Object(permission) => asked.has_on_object(permission),
        Need::BucketOwnerOrObjectControl => {
            asked.owns_bucket() || asked.has_on_object(Permission::FullControl)
        }
    }
}

fn need(action: Action, request: &Request) -> Need {
    use Action as A;
    match action {
        A::ListAllMyBuckets => Need::Account,
        A::CreateBucket => Need::Others,
        A::DeleteBucket => Need::BucketOwnerOr(Permission::FullControl),

        A::ListBucket | A::ListBucketVersions => Need::Bucket(Permission::Read),
        A::ListBucketMultipartUploads | A::GetBucketLocation => {
            Need::BucketOwnerOr(Permission::Read)
        }
        A::GetBucketAcl => Need::Bucket(Permission::ReadAcp),
        A::PutBucketAcl => Need::Bucket(Permission::WriteAcp),

        A::PutObject | A::DeleteObject | A::DeleteObjectVersion => Need::Bucket(Permission::Write),
        A::AbortMultipartUpload => Need::InitiatorOr(Permission::Write),
        A::ListMultipartUploadParts => Need::InitiatorOr(Permission::Read),

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

        // What the bucket is called, and what it costs whom.
        A::GetBucketTagging
        | A::PutBucketTagging
        | A::GetBucketRequestPayment
        | A::PutBucketRequestPayment => Need::BucketOwner,

        A::GetSubResource | A::PutSubResource | A::DeleteSubResource if request.key().is_some() => {
            Need::BucketOwnerOrObjectControl
        }
        A::GetSubResource
        | A::PutSubResource
        | A::DeleteSubResource
        | A::GetBucketCors
        | A::PutBucketCors
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

/// Who asks for an access.
struct Asked<'a> {
    profile: Profile,
    /// Nothing for an anonymous request.
    account: Option<&'a str>,
    access: &'a Access,
}

impl Asked<'_> {
    fn owns_bucket(&self) -> bool {
        let Some(owner) = self.access.bucket_owner() else {
            return false;
        };
        let asking = Asking {
            account: self.account,
            owner: &owner,
            bucket_owner: Some(&owner),
        };
        asking.is_owner() || (self.profile.has_owners() && self.is_made_owner(asking))
    }

    /// Whether the list of the bucket makes one more owner of who asks.
    fn is_made_owner(&self, asking: Asking<'_>) -> bool {
        documents::get(Scope::Bucket, DOCUMENT).is_some_and(|list| {
            !lists_are_off()
                && asking.is_granted(&list, |granted| self.profile.makes_owner(granted))
        })
    }

    fn began_upload(&self) -> bool {
        self.account.is_some() && self.account == self.access.upload_initiator().as_deref()
    }

    fn has_on_bucket(&self, permission: Permission) -> bool {
        let Some(owner) = self.access.bucket_owner() else {
            return false;
        };
        let asking = Asking {
            account: self.account,
            owner: &owner,
            bucket_owner: Some(&owner),
        };
        let list = documents::get(Scope::Bucket, DOCUMENT);
        let owns = asking.is_owner();
        if list.is_none() || (owns && self.profile.has_owners()) || lists_are_off() {
            return owns;
        }
        self.is_granted(asking, Scope::Bucket, list.as_deref(), permission)
    }

    fn has_on_object(&self, permission: Permission) -> bool {
        let Some(owner) = self.access.object_owner() else {
            // Whoever may list the bucket is told that there is no such object.
            return self.has_on_bucket(Permission::Read);
        };
        let bucket_owner = self.access.bucket_owner();
        let asking = Asking {
            account: self.account,
            owner: &owner,
            bucket_owner: bucket_owner.as_deref(),
        };
        let list = documents::get(Scope::Object, DOCUMENT);
        // Most requests are of who owns both, whatever the bucket says of objects.
        if list.is_none() && asking.is_owner() && asking.is_bucket_owner() {
            return true;
        }
        if lists_are_off() {
            return asking.is_bucket_owner();
        }
        self.is_granted(asking, Scope::Object, list.as_deref(), permission)
            || (permission == Permission::Read
                && self.profile.bucket_readers_read_objects()
                && self.has_on_bucket(Permission::Read))
    }

    /// Whether a list, or that there is none, grants the permission.
    fn is_granted(
        &self,
        asking: Asking<'_>,
        scope: Scope,
        list: Option<&[u8]>,
        permission: Permission,
    ) -> bool {
        // However the list came to be, its owner can always repair it.
        let repairs = matches!(permission, Permission::ReadAcp | Permission::WriteAcp);
        if asking.is_owner() && (repairs || list.is_none()) {
            return true;
        }
        list.is_some_and(|list| {
            asking.is_granted(list, |granted| {
                self.profile.suffices(scope, granted, permission)
            })
        })
    }
}

/// Whether all in the bucket is its owner's, whatever lists say.
fn lists_are_off() -> bool {
    Ownership::in_force() == Ownership::BucketOwnerEnforced
}
