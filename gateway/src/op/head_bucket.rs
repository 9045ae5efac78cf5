//! HeadBucket: does the bucket exist, and may the caller list it?

use http::{HeaderName, StatusCode};

use super::answer::set;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) fn run(request: &Cleared, region: &str) -> Result<Reply> {
    request.bucket()?;
    let mut reply = Reply::empty(StatusCode::OK);
    set(
        &mut reply.headers,
        HeaderName::from_static("x-amz-bucket-region"),
        region,
    );
    Ok(reply)
}
