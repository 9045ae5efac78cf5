//! DeleteObjects: each key is authorized and deleted alone, and one that fails
//! does not keep the others.

use futures_util::{StreamExt, stream};
use host::Run;
use s3::xml::{DeleteOutcome, DeleteRequest, DeleteTarget, TargetVersion};
use s3::{Access, Action, Code};
use storage::{Bucket, Deleted, Store, VersionId};

use crate::error::{Error, Result};
use crate::pipeline::Exchange;
use crate::stage::{Cleared, Reply, existing};

/// 1,000 keys of 1,024 bytes, each escaped in the worst way.
const BODY_LEN_MAX: usize = 8 * 1024 * 1024;

/// Deletes that are committed together.
const CONCURRENCY_MAX: usize = 64;

pub(crate) async fn run(
    request: Cleared,
    exchange: &mut Exchange,
    store: &dyn Store,
) -> Result<Reply> {
    let body = request.document(&mut exchange.body, BODY_LEN_MAX).await?;
    let DeleteRequest { quiet, targets } = s3::xml::parse_delete(&body)?;
    let bucket = request.bucket()?;

    let mut permitted = Vec::with_capacity(targets.len());
    for target in targets {
        let permission = authorize(&request, &target, &mut exchange.run, store).await;
        permitted.push((target, permission));
    }
    exchange.run.rest();
    let outcomes: Vec<DeleteOutcome> = stream::iter(permitted)
        .map(|(target, permission)| async move {
            let deleted = match permission {
                Ok(version) => delete(store, bucket, &target, version).await,
                Err(denied) => Err(denied),
            };
            DeleteOutcome {
                target,
                result: deleted.map_err(|error| error.answer),
            }
        })
        .buffered(CONCURRENCY_MAX)
        .collect()
        .await;
    Ok(Reply::xml(s3::xml::delete_result(&outcomes, quiet)))
}

/// Whether the caller may delete what a target names; then, which version that is.
async fn authorize(
    request: &Cleared,
    target: &DeleteTarget,
    run: &mut Run,
    store: &dyn Store,
) -> Result<Option<VersionId>> {
    let (action, version) = match &target.version {
        TargetVersion::Current => (Action::DeleteObject, None),
        TargetVersion::Named(version) => (Action::DeleteObjectVersion, Some(*version)),
        TargetVersion::Unknown(_) => return Err(Code::NoSuchVersion.into()),
    };
    let bucket = request.bucket()?;
    let access = Access {
        action,
        bucket: Some(bucket.name.clone()),
        key: Some(target.key.clone()),
        version,
    };
    run.authorize(&existing(access, bucket.clone(), store).await?)?;
    Ok(version)
}

async fn delete(
    store: &dyn Store,
    bucket: &Bucket,
    target: &DeleteTarget,
    version: Option<VersionId>,
) -> Result<Deleted, Error> {
    let precondition = target.precondition.clone();
    Ok(store
        .delete(bucket, &target.key, version, precondition)
        .await?)
}
