//! CreateBucket: a name, an owner, and the documents that plugins attach.

use http::{StatusCode, header};
use storage::{Documents, Error as StoreError, NewBucket, NewPlacement, Versioning};

use super::answer::set;
use crate::body::RequestBody;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::stage::{Cleared, Reply};

/// A configuration has one element or two.
const BODY_LEN_MAX: usize = 64 * 1024;

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    generation: &Generation,
) -> Result<Reply> {
    let payload = request.payload()?;
    let body = body
        .collect(&payload, request.stream_key.clone(), BODY_LEN_MAX)
        .await?;
    let configuration = s3::xml::parse_create_bucket_configuration(&body)?;
    s3::unserved::check_bucket(&configuration)?;
    check_location(
        configuration.location_constraint.as_deref(),
        generation.region(),
    )?;

    let name = request.bucket_name()?;
    let owner = request.owner();
    let mut documents = Documents::default();
    documents.amend(&request.changes.bucket);
    let bucket = NewBucket {
        name: name.clone(),
        owner: owner.clone(),
        versioning: Versioning::Never,
        placement: NewPlacement::default(),
        documents,
    };
    generation
        .store
        .create_bucket(bucket)
        .await
        .map_err(|error| conflict(error, &owner))?;

    let mut reply = Reply::empty(StatusCode::OK);
    set(&mut reply.headers, header::LOCATION, format!("/{name}"));
    Ok(reply)
}

/// SDKs name the region they are configured with; there is only this one.
fn check_location(constraint: Option<&str>, region: &str) -> Result<()> {
    match constraint {
        None => Ok(()),
        Some(location) if location == region => Ok(()),
        Some(location) => Err(s3::Error::new(s3::Code::InvalidLocationConstraint)
            .with("LocationConstraint", location)
            .into()),
    }
}

/// Whose bucket it is makes a difference to whoever wanted the name.
fn conflict(error: StoreError, caller: &str) -> Error {
    match &error {
        StoreError::BucketExists { owner } if owner == caller => Error {
            answer: s3::Code::BucketAlreadyOwnedByYou.into(),
            cause: Some(error),
        },
        _ => error.into(),
    }
}
