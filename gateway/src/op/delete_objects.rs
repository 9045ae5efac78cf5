//! DeleteObjects: each key is authorized and deleted alone, and one that fails
//! does not keep the others.

use futures_util::{StreamExt, stream};
use host::{Resource, Run};
use s3::xml::{DeleteOutcome, DeleteRequest, DeleteTarget};
use s3::{Access, Action, Code};
use storage::{Bucket, Deleted, Error as StoreError, Precondition, Store};

use crate::error::{Error, Result};
use crate::pipeline::Exchange;
use crate::stage::{Cleared, Reply};

/// 1,000 keys of 1,024 bytes, each escaped in the worst way.
const BODY_LEN_MAX: usize = 8 * 1024 * 1024;

/// Deletes that are committed together.
const CONCURRENCY_MAX: usize = 64;

pub(crate) async fn run(
    request: Cleared,
    exchange: &mut Exchange,
    store: &dyn Store,
) -> Result<Reply> {
    let payload = request.payload()?;
    if payload.content_md5.is_none() && payload.checksum.is_none() {
        return Err(s3::Error::new(Code::InvalidRequest)
            .because("Missing required header for this request: Content-MD5 or a checksum such as x-amz-checksum-crc32")
            .into());
    }
    let body = exchange
        .body
        .collect(&payload, request.stream_key.clone(), BODY_LEN_MAX)
        .await?;
    if body.is_empty() {
        return Err(Code::MissingRequestBodyError.into());
    }
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
                Ok(()) => delete(store, bucket, &target).await,
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

async fn authorize(
    request: &Cleared,
    target: &DeleteTarget,
    run: &mut Run,
    store: &dyn Store,
) -> Result<()> {
    let action = match target.version {
        Some(_) => Action::DeleteObjectVersion,
        None => Action::DeleteObject,
    };
    let bucket = request.bucket()?;
    let object = match store.object(bucket, &target.key, target.version).await {
        Ok(object) => Some(object),
        Err(StoreError::ObjectMissing | StoreError::VersionMissing) => None,
        Err(error) => return Err(error.into()),
    };
    let access = Access {
        action,
        bucket: Some(bucket.name.clone()),
        key: Some(target.key.clone()),
        version: target.version,
    };
    run.authorize(&Resource {
        access,
        bucket: Some(bucket.clone()),
        object,
    })?;
    Ok(())
}

async fn delete(
    store: &dyn Store,
    bucket: &Bucket,
    target: &DeleteTarget,
) -> Result<Deleted, Error> {
    let precondition = match &target.etag {
        Some(etag) => Precondition::Matches(vec![etag.clone()]),
        None => Precondition::None,
    };
    Ok(store
        .delete(bucket, &target.key, target.version, precondition)
        .await?)
}
