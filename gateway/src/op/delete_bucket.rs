//! DeleteBucket: only an empty bucket can be deleted.

use http::StatusCode;
use storage::Store;

use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    store.delete_bucket(request.bucket()?).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
