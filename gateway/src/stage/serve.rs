//! serve: the operation itself, by the plugin that claims it or natively.

use host::Run;
use http::Method;
use s3::{Code, Head, Operation, Payload};

use crate::body::ReplyBody;
use crate::error::Result;
use crate::generation::Generation;
use crate::op;
use crate::op::answer::set_version;
use crate::pipeline::Exchange;
use crate::stage::{Cleared, Reply};

/// The largest body that a plugin is handed, in bytes.
const PLUGIN_BODY_LEN_MAX: usize = 1024 * 1024;

pub(crate) async fn serve(
    cleared: Cleared,
    exchange: &mut Exchange,
    generation: &Generation,
) -> Result<Reply> {
    if generation.chain.claims(&cleared.head) {
        return serve_by_plugin(cleared, exchange, generation).await;
    }
    let operation = cleared.head.operation;
    if !op::SERVED.contains(&operation) {
        return Err(op::not_implemented(operation));
    }
    s3::unserved::check(&cleared.head, |operation| {
        generation.chain.serves(operation)
    })?;
    let store = &*generation.store;
    match operation {
        Operation::ListBuckets => op::list_buckets::run(&cleared, generation).await,
        Operation::CreateBucket => op::create_bucket::run(cleared, store).await,
        Operation::HeadBucket => op::head_bucket::run(&cleared, generation.region()),
        Operation::DeleteBucket => op::delete_bucket::run(&cleared, store).await,
        Operation::ListObjects => op::list_objects::run(&cleared, generation).await,
        Operation::ListObjectsV2 => op::list_objects_v2::run(&cleared, generation).await,
        Operation::ListObjectVersions => op::list_object_versions::run(&cleared, generation).await,
        Operation::GetBucketVersioning => op::get_bucket_versioning::run(&cleared),
        Operation::PutBucketVersioning => {
            op::put_bucket_versioning::run(cleared, &mut exchange.body, store).await
        }
        Operation::DeleteObjects => op::delete_objects::run(cleared, exchange, store).await,
        Operation::PostObject => op::post_object::run(cleared, &mut exchange.body, store).await,
        Operation::PutObject => op::put_object::run(cleared, &mut exchange.body, store).await,
        Operation::CopyObject => op::copy_object::run(cleared, store).await,
        Operation::GetObject | Operation::HeadObject => op::get_object::run(&cleared, store).await,
        Operation::GetObjectAttributes => op::get_object_attributes::run(&cleared),
        Operation::DeleteObject => op::delete_object::run(&cleared, store).await,
        Operation::CreateMultipartUpload => op::create_multipart_upload::run(cleared, store).await,
        Operation::UploadPart => op::upload_part::run(cleared, &mut exchange.body, store).await,
        Operation::UploadPartCopy => op::upload_part_copy::run(&cleared, store).await,
        Operation::CompleteMultipartUpload => {
            op::complete_multipart_upload::run(cleared, &mut exchange.body, store).await
        }
        Operation::AbortMultipartUpload => op::abort_multipart_upload::run(&cleared, store).await,
        Operation::ListParts => op::list_parts::run(&cleared, generation).await,
        Operation::ListMultipartUploads => {
            op::list_multipart_uploads::run(&cleared, generation).await
        }
        other => unreachable!("{other} is not in `op::SERVED`"),
    }
}

/// The plugin reads the whole body, if the method has one, and its documents
/// are stored before it is answered.
async fn serve_by_plugin(
    cleared: Cleared,
    exchange: &mut Exchange,
    generation: &Generation,
) -> Result<Reply> {
    let has_body = matches!(cleared.head.method, Method::PUT | Method::POST);
    let payload = match has_body {
        true => Some(Payload::of_claimed(&cleared.head)?),
        false => None,
    };
    // A body for what is not there is better not sent.
    if is_about_existing(&cleared.head) {
        cleared.object()?;
    }
    let body = if let Some(payload) = payload {
        let body = cleared
            .collect(&mut exchange.body, &payload, PLUGIN_BODY_LEN_MAX)
            .await?;
        if body.is_empty() && cleared.head.operation.needs_document() {
            return Err(Code::MissingRequestBodyError.into());
        }
        body
    } else {
        bytes::Bytes::new()
    };
    let served = exchange.run.serve(&cleared.target, body)?;
    // The store has no call that changes both at once, and half a change is none.
    if !served.changes.bucket.is_empty() && !served.changes.object.is_empty() {
        let plugin = server(&exchange.run);
        let request_id = &exchange.run.facts().request_id;
        tracing::error!(
            plugin,
            request_id,
            "it wrote documents of the bucket and of the object in one request; nothing is stored"
        );
        return Err(Code::InternalError.into());
    }
    if !served.changes.bucket.is_empty() {
        generation
            .store
            .amend_bucket(cleared.bucket()?, served.changes.bucket)
            .await?;
    }
    if !served.changes.object.is_empty() {
        generation
            .store
            .amend_object(cleared.bucket()?, cleared.object()?, served.changes.object)
            .await?;
    }
    let mut headers = served.headers;
    if is_about_existing(&cleared.head) {
        set_version(&mut headers, cleared.bucket()?, cleared.object()?.version);
    }
    Ok(Reply {
        status: served.status,
        headers,
        body: ReplyBody::bytes(served.body),
    })
}

/// The plugin that served it.
fn server(run: &Run) -> &str {
    let last = run.trace().moments().next_back();
    let step = last.and_then(|(moment, _)| moment.decided_by);
    let used = step.and_then(|step| run.chain().uses().get(step));
    used.map_or("unknown", |used| &used.plugin)
}

/// Whether the request is about an object that must be there. A browser asks for
/// leave to upload before there is one.
fn is_about_existing(head: &Head) -> bool {
    head.operation != Operation::Preflight && head.target.key().is_some()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_preflight_may_be_about_an_object_that_is_not_there_yet() {
        let check = |method: &str, uri: &str, expected: bool| {
            let request = Request::builder().method(method).uri(uri);
            let request = request.header("host", "h").body(());
            let (parts, ()) = request.unwrap().into_parts();
            let head = Head::parse(&parts, &[], &[]).unwrap();
            assert_eq!(is_about_existing(&head), expected, "{method} {uri}");
        };
        check("OPTIONS", "/abc/k", false);
        check("OPTIONS", "/abc", false);
        check("GET", "/abc?acl", false);
        check("GET", "/abc/k?acl", true);
        check("PUT", "/abc/k?tagging", true);
    }
}
