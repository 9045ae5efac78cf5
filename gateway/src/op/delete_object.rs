//! DeleteObject: deleting what is not there succeeds.

use http::StatusCode;
use storage::Store;

use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let precondition = s3::conditional::write_precondition(&request.head.headers)?;
    let version = request.head.version;
    store
        .delete(request.bucket()?, request.key()?, version, precondition)
        .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
