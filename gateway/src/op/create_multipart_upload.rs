//! CreateMultipartUpload: what the object will carry is fixed here.

use http::HeaderName;
use storage::{NewUpload, Store};

use super::answer::{CHECKSUM_ALGORITHM, CHECKSUM_TYPE, set};
use super::upload::UploadChecksum;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(request: Cleared, store: &dyn Store) -> Result<Reply> {
    let head = &request.head;
    let mut metadata = s3::metadata::stored_headers(&head.headers)?;
    let checksum = UploadChecksum::asked(head)?;
    if let Some(checksum) = &checksum {
        checksum.remember(&mut metadata);
    }
    let upload = NewUpload {
        key: request.key()?.clone(),
        owner: request.owner(),
        initiator: request.caller(),
        metadata,
        documents: request.object_documents(),
    };
    let bucket = request.bucket()?;
    let upload = store.create_upload(bucket, upload).await?;

    let mut reply = Reply::xml(s3::xml::initiate_multipart_upload_result(
        &bucket.name,
        &upload,
    ));
    if let Some(checksum) = &checksum {
        set(
            &mut reply.headers,
            HeaderName::from_static(CHECKSUM_ALGORITHM),
            checksum.algorithm.name(),
        );
        set(
            &mut reply.headers,
            HeaderName::from_static(CHECKSUM_TYPE),
            checksum.kind.name(),
        );
    }
    Ok(reply)
}
