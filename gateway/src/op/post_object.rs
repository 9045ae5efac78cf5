//! PostObject: the file of a form becomes the current version of a key.

use http::{StatusCode, header};
use s3::Code;
use s3::form::Success;
use storage::Store;

use super::answer::{set, set_etag, set_written_version};
use super::put_object::{echo_checksum, store_content};
use crate::body::RequestBody;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) async fn run(
    request: Cleared,
    body: &mut RequestBody,
    store: &dyn Store,
) -> Result<Reply> {
    let form = request
        .head
        .form
        .as_ref()
        .ok_or(Code::MalformedPOSTRequest)?;
    let success = form.success();
    let (object, digests) = store_content(&request, body, store).await?;

    let bucket = request.bucket()?;
    let location = location(&request, object.key.as_str());
    let (mut reply, location) = match success {
        Success::Redirect(page) => {
            let told = page.location(bucket.name.as_str(), object.key.as_str(), &object.etag);
            (Reply::empty(StatusCode::SEE_OTHER), told)
        }
        Success::Status(StatusCode::CREATED) => {
            let document = s3::xml::post_response(&location, &bucket.name, &object);
            let mut reply = Reply::xml(document);
            reply.status = StatusCode::CREATED;
            (reply, location)
        }
        Success::Status(status) => (Reply::empty(status), location),
    };
    set(&mut reply.headers, header::LOCATION, location);
    set_etag(&mut reply.headers, &object.etag);
    set_written_version(&mut reply.headers, object.version);
    echo_checksum(&mut reply, &digests);
    Ok(reply)
}

/// Where the object can be read: below what the form was sent to.
fn location(request: &Cleared, key: &str) -> String {
    let scheme = if request.secure { "https" } else { "http" };
    let (host, path) = (&request.head.host, request.head.path.trim_end_matches('/'));
    format!("{scheme}://{host}{path}/{}", s3::encode::key(key))
}
