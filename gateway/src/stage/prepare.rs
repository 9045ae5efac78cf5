//! prepare: plugins validate what is about to be stored and attach documents to it.

use std::sync::Arc;

use host::{Changes, Ownership, Principal, Resource, Run};
use s3::{Code, Head, Operation, Payload, StreamKey};
use storage::{Bucket, BucketName, Documents, Object, ObjectKey};

use crate::error::Result;
use crate::stage::Authorized;

/// The owner of what anonymous requests create.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
const ANONYMOUS_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// A request that may be served.
pub(crate) struct Cleared {
    pub(crate) head: Arc<Head>,
    /// The client came over TLS.
    pub(crate) secure: bool,
    pub(crate) principal: Principal,
    pub(crate) stream_key: Option<StreamKey>,
    /// What the operation addresses.
    pub(crate) target: Resource,
    /// What a copy reads.
    pub(crate) source: Option<Resource>,
    /// Documents to store with what the operation stores.
    pub(crate) changes: Changes,
    /// Only this stage makes one.
    _proof: (),
}

pub(crate) fn prepare(authorized: Authorized, run: &mut Run) -> Result<Cleared> {
    let loaded = authorized.loaded;
    let changes = run.prepare(&loaded.scene.target)?;
    let head = loaded.authenticated.head;
    let copies = matches!(
        head.operation,
        Operation::CopyObject | Operation::UploadPartCopy
    );
    Ok(Cleared {
        secure: loaded.authenticated.secure,
        principal: loaded.authenticated.principal,
        stream_key: loaded.authenticated.stream_key,
        target: loaded.scene.target,
        // `Head::accesses` names what a copy reads first.
        source: if copies {
            loaded.scene.accesses.first().cloned()
        } else {
            None
        },
        changes,
        head,
        _proof: (),
    })
}

impl Cleared {
    pub(crate) fn bucket(&self) -> Result<&Arc<Bucket>> {
        Ok(self.target.bucket.as_ref().ok_or(Code::NoSuchBucket)?)
    }

    pub(crate) fn bucket_name(&self) -> Result<&BucketName> {
        Ok(self.head.target.bucket().ok_or(Code::InvalidBucketName)?)
    }

    pub(crate) fn key(&self) -> Result<&ObjectKey> {
        Ok(self.head.target.key().ok_or(Code::UserKeyMustBeSpecified)?)
    }

    /// The object that the operation addresses.
    pub(crate) fn object(&self) -> Result<&Arc<Object>> {
        existing(&self.target)
    }

    /// The bucket that a copy reads from.
    pub(crate) fn source_bucket(&self) -> Result<&Arc<Bucket>> {
        let source = self.source.as_ref();
        Ok(source
            .and_then(|source| source.bucket.as_ref())
            .ok_or(Code::NoSuchBucket)?)
    }

    /// The object that a copy reads.
    pub(crate) fn source(&self) -> Result<&Arc<Object>> {
        existing(self.source.as_ref().ok_or(Code::InvalidRequest)?)
    }

    /// The id of the account that will own what the operation creates.
    pub(crate) fn owner(&self) -> String {
        if let (Ownership::BucketOwner, Some(bucket)) =
            (self.changes.ownership, &self.target.bucket)
        {
            return bucket.owner.clone();
        }
        match &self.principal {
            Principal::Account(account) => account.id.clone(),
            Principal::Anonymous => ANONYMOUS_ID.to_owned(),
        }
    }

    /// The documents of an object that the operation creates.
    pub(crate) fn object_documents(&self) -> Documents {
        let mut documents = Documents::default();
        documents.amend(&self.changes.object);
        documents
    }

    pub(crate) fn payload(&self) -> Result<Payload> {
        Ok(Payload::of(&self.head)?)
    }
}

fn existing(resource: &Resource) -> Result<&Arc<Object>> {
    let Some(object) = &resource.object else {
        let key = resource
            .access
            .key
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let error = match resource.access.version {
            None => s3::Error::new(Code::NoSuchKey),
            Some(version) => {
                s3::Error::new(Code::NoSuchVersion).with("VersionId", version.to_string())
            }
        };
        return Err(error.with("Key", key).into());
    };
    Ok(object)
}
