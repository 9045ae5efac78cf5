//! CreateBucket: a name, an owner, and what plugins planned and attached.

use host::Plan;
use http::{StatusCode, header};
use storage::{
    Documents, Error as StoreError, Geometry, NewBucket, NewPlacement, Store, Versioning,
};

use super::answer::set;
use crate::error::{Error, Result};
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: Cleared, store: &dyn Store) -> Result<Reply> {
    let name = request.bucket_name()?;
    let owner = request.owner();
    let mut documents = Documents::default();
    documents.amend(&request.changes.bucket);
    let plan = request.changes.plan.as_ref();
    let is_versioned = plan.is_some_and(|plan| plan.versioning);
    let bucket = NewBucket {
        name: name.clone(),
        owner: owner.clone(),
        documents,
        versioning: match is_versioned {
            true => Versioning::Enabled,
            false => Versioning::Never,
        },
        placement: plan.map(placement).unwrap_or_default(),
    };
    store
        .create_bucket(bucket)
        .await
        .map_err(|error| match error {
            // Somebody was faster.
            StoreError::BucketExists { owner: other } => taken(&other, &owner),
            other => other.into(),
        })?;

    let mut reply = Reply::empty(StatusCode::OK);
    set(&mut reply.headers, header::LOCATION, format!("/{name}"));
    Ok(reply)
}

fn placement(plan: &Plan) -> NewPlacement {
    NewPlacement {
        template: Some(plan.template.clone()),
        location: Some(plan.location.clone()),
        geometry: plan
            .geometry
            .map(|(data, parity)| Geometry { data, parity }),
        quota: plan.quota,
    }
}

/// The name is that of another bucket. Whose it is makes a difference to whoever
/// wanted it.
pub(crate) fn taken(owner: &str, caller: &str) -> Error {
    let cause = StoreError::BucketExists {
        owner: owner.to_owned(),
    };
    if owner != caller {
        return cause.into();
    }
    Error {
        answer: s3::Code::BucketAlreadyOwnedByYou.into(),
        cause: Some(cause),
    }
}
