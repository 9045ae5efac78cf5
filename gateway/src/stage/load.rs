//! load: the records that the request is about are read, each once.

use std::sync::Arc;

use host::{Chain, Resource};
use s3::listing::upload_id;
use s3::{Access, Action, Code, ExpectedOwners, Head, Operation};
use storage::{Bucket, Error as StoreError, Store};

use crate::decision::Scene;
use crate::error::{Error, Result};
use crate::stage::Authenticated;

/// A request together with what exists of what it addresses.
pub(crate) struct Loaded {
    pub(super) authenticated: Authenticated,
    pub(super) scene: Scene,
}

impl Loaded {
    /// What it will be decided on with, for whoever records the decision.
    pub(crate) fn scene(&self) -> Scene {
        self.scene.clone()
    }
}

pub(crate) async fn load(
    authenticated: Authenticated,
    chain: &Chain,
    store: &dyn Store,
) -> Result<Loaded> {
    let scene = scene(&authenticated.head, chain, store).await?;
    Ok(Loaded {
        authenticated,
        scene,
    })
}

/// What is known of the target of a request that failed before it was loaded: the
/// bucket, where there is one. What plugins keep with it may concern the answer.
pub(crate) async fn glimpse(head: &Head, store: &dyn Store) -> Option<Resource> {
    let bucket = store.bucket(head.target.bucket()?).await.ok()?;
    let accesses = head.accesses().unwrap_or_default();
    let action = accesses.last().map(|access| access.action);
    let access = target(head, action.unwrap_or(Action::DeleteObject));
    Some(nothing(access, Some(bucket)))
}

/// The access of this action to what a request addresses.
fn target(head: &Head, action: Action) -> Access {
    Access {
        action,
        bucket: head.target.bucket().cloned(),
        key: head.target.key().cloned(),
        version: head.version,
    }
}

/// What exists of what a request addresses.
pub(crate) async fn scene(head: &Head, chain: &Chain, store: &dyn Store) -> Result<Scene> {
    let owners = ExpectedOwners::of(head)?;
    let copies = head.copy_source()?.is_some();
    let mut accesses = Vec::new();
    for (place, access) in head.accesses()?.into_iter().enumerate() {
        // `Head::accesses` names what a copy reads first.
        let owner = match copies && place == 0 {
            true => owners.of_source,
            false => owners.of_target,
        };
        let mut resource = resource(access, owner, head.operation, store).await?;
        resource.initiator = initiator(&resource, head, store).await?;
        accesses.push(resource);
    }
    if let Some([read, write]) = head.accesses_to_tags()?
        && let Some(source) = accesses.first()
        && has_tags(source, chain)
    {
        accesses.push(Resource {
            access: read,
            ..source.clone()
        });
        if !accesses.iter().any(|resource| resource.access == write) {
            accesses.push(resource(write, owners.of_target, head.operation, store).await?);
        }
    }
    if let Some((source, written)) = accesses.split_first_mut()
        && copies
    {
        for resource in written {
            resource.source.clone_from(&source.object);
            resource.source_bucket.clone_from(&source.bucket);
        }
    }
    let addressed = |resource: &&Resource| {
        resource.access.bucket.as_ref() == head.target.bucket()
            && resource.access.key.as_ref() == head.target.key()
    };
    // A copy onto itself reads what it addresses before it writes it.
    let target = match accesses.iter().skip(copies.into()).find(addressed) {
        Some(target) => target.clone(),
        // Authorized later, once for every key in the body, or by nobody.
        None => {
            let access = target(head, Action::DeleteObject);
            resource(access, owners.of_target, head.operation, store).await?
        }
    };
    Ok(Scene {
        accesses: accesses.into(),
        target,
    })
}

/// Who began the upload that is asked about. Whether the client may learn that there
/// is none is for the plugins to say.
async fn initiator(resource: &Resource, head: &Head, store: &dyn Store) -> Result<Option<String>> {
    let Resource {
        access:
            Access {
                action: Action::AbortMultipartUpload | Action::ListMultipartUploadParts,
                key: Some(key),
                ..
            },
        bucket: Some(bucket),
        ..
    } = resource
    else {
        return Ok(None);
    };
    let Ok(id) = upload_id(&head.query) else {
        return Ok(None);
    };
    match store.upload(bucket, key, id).await {
        Ok(upload) => Ok(Some(upload.initiator)),
        Err(StoreError::UploadMissing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the plugin that serves tags keeps anything with an object.
fn has_tags(resource: &Resource, chain: &Chain) -> bool {
    let object = resource.object.as_ref();
    object.is_some_and(|object| chain.keeps(Operation::GetObjectTagging, &object.documents))
}

/// What exists of one thing that is accessed. Nothing is looked for in a bucket
/// of somebody else than the client expects.
async fn resource(
    access: Access,
    expected_owner: Option<&str>,
    operation: Operation,
    store: &dyn Store,
) -> Result<Resource> {
    let bucket = match &access.bucket {
        None => None,
        Some(name) => match store.bucket(name).await {
            Ok(bucket) => Some(bucket),
            Err(StoreError::BucketMissing) if operation == Operation::CreateBucket => None,
            // A copy names two buckets: this is the one that is missing.
            Err(cause @ StoreError::BucketMissing) => {
                let answer =
                    s3::Error::new(Code::NoSuchBucket).with("BucketName", name.to_string());
                return Err(Error {
                    answer,
                    cause: Some(cause),
                });
            }
            Err(error) => return Err(error.into()),
        },
    };
    // Whose a bucket is that the client wants to create is told another way.
    if let Some(bucket) = &bucket
        && operation != Operation::CreateBucket
    {
        s3::owner::check(expected_owner, &bucket.owner)?;
    }
    match bucket {
        Some(bucket) if concerns_existing(&access, operation) => {
            existing(access, bucket, store).await
        }
        bucket => Ok(nothing(access, bucket)),
    }
}

/// What exists in a bucket of what is accessed there.
pub(crate) async fn existing(
    access: Access,
    bucket: Arc<Bucket>,
    store: &dyn Store,
) -> Result<Resource> {
    let (object, marker) = match &access.key {
        None => (None, None),
        Some(key) => match store.object(&bucket, key, access.version).await {
            Ok(object) => (Some(object), None),
            Err(StoreError::Marker(marker)) => (None, Some(marker)),
            // Whether the client may learn that it is missing is for the plugins to say.
            Err(StoreError::ObjectMissing | StoreError::VersionMissing) => (None, None),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Resource {
        object,
        marker,
        ..nothing(access, Some(bucket))
    })
}

/// An access to what is not there yet, or is no object.
fn nothing(access: Access, bucket: Option<Arc<Bucket>>) -> Resource {
    Resource {
        access,
        bucket,
        object: None,
        marker: None,
        initiator: None,
        source: None,
        source_bucket: None,
    }
}

/// Whether an access is to an object as it is, not to one that will be.
fn concerns_existing(access: &Access, operation: Operation) -> bool {
    match access.action {
        Action::PutObject | Action::AbortMultipartUpload | Action::ListMultipartUploadParts => {
            false
        }
        // Said of an object that is being written, they are about the new one.
        Action::PutObjectAcl | Action::PutObjectTagging => {
            matches!(
                operation,
                Operation::PutObjectAcl | Operation::PutObjectTagging
            )
        }
        _ => true,
    }
}
