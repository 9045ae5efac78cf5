//! GetBucketVersioning.

use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) fn run(request: &Cleared) -> Result<Reply> {
    let versioning = request.bucket()?.versioning;
    Ok(Reply::xml(s3::xml::versioning_configuration(versioning)))
}
