//! load: the records that the request is about are read, each once.

use host::Resource;
use s3::{Access, Action, Code, ExpectedOwners, Head, Operation};
use storage::{Error as StoreError, Store};

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

pub(crate) async fn load(authenticated: Authenticated, store: &dyn Store) -> Result<Loaded> {
    let scene = scene(&authenticated.head, store).await?;
    Ok(Loaded {
        authenticated,
        scene,
    })
}

/// What exists of what a request addresses.
pub(crate) async fn scene(head: &Head, store: &dyn Store) -> Result<Scene> {
    let owners = ExpectedOwners::of(head)?;
    let copies = matches!(
        head.operation,
        Operation::CopyObject | Operation::UploadPartCopy
    );
    let mut accesses = Vec::new();
    for (place, access) in head.accesses()?.into_iter().enumerate() {
        // `Head::accesses` names what a copy reads first.
        let owner = match copies && place == 0 {
            true => owners.of_source,
            false => owners.of_target,
        };
        accesses.push(resource(access, owner, head.operation, store).await?);
    }
    let addressed = |resource: &&Resource| {
        resource.access.bucket.as_ref() == head.target.bucket()
            && resource.access.key.as_ref() == head.target.key()
    };
    let target = match accesses.iter().find(addressed) {
        Some(target) => target.clone(),
        // Authorized later, once for every key in the body, or by nobody.
        None => {
            let access = Access {
                action: Action::DeleteObject,
                bucket: head.target.bucket().cloned(),
                key: head.target.key().cloned(),
                version: head.version,
            };
            resource(access, owners.of_target, head.operation, store).await?
        }
    };
    Ok(Scene {
        accesses: accesses.into(),
        target,
    })
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
    let object = match (&bucket, &access.key) {
        (Some(bucket), Some(key)) if concerns_existing(&access, operation) => {
            match store.object(bucket, key, access.version).await {
                Ok(object) => Some(object),
                // Whether the client may learn that it is missing is for the plugins to say.
                Err(
                    StoreError::ObjectMissing | StoreError::VersionMissing | StoreError::Marker(_),
                ) => None,
                Err(error) => return Err(error.into()),
            }
        }
        _ => None,
    };
    Ok(Resource {
        access,
        bucket,
        object,
    })
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
