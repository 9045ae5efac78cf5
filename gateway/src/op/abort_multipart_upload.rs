//! AbortMultipartUpload: the parts are dropped.

use http::StatusCode;
use s3::Code;
use s3::listing::upload_id;
use s3::time::parse_http_date;
use storage::{Store, Timestamp};

use crate::error::Result;
use crate::stage::{Cleared, Reply};

const CONDITION: &str = "x-amz-if-match-initiated-time";

pub(crate) async fn run(request: &Cleared, store: &dyn Store) -> Result<Reply> {
    let id = upload_id(&request.head.query)?;
    let initiated = request.head.header(CONDITION).map(date).transpose()?;
    let (bucket, key) = (request.bucket()?, request.key()?);
    if let Some(expected) = initiated {
        let upload = store.upload(bucket, key, id).await?;
        // A date in a header has no fractions of a second.
        if upload.initiated.0 / 1000 != expected.0 / 1000 {
            return Err(s3::Error::new(Code::PreconditionFailed)
                .with("Condition", CONDITION)
                .into());
        }
    }
    store.abort_upload(bucket, key, id).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn date(text: &str) -> Result<Timestamp> {
    Ok(parse_http_date(text.trim()).ok_or_else(|| {
        s3::Error::new(Code::InvalidArgument)
            .because("The time is not a date of HTTP.")
            .argument(CONDITION, text)
    })?)
}
