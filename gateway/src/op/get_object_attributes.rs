//! GetObjectAttributes: what is known of an object, without its bytes.

use s3::Attributes;

use super::answer::{set_modified, set_version};
use crate::error::Result;
use crate::stage::{Cleared, Reply};

pub(crate) fn run(request: &Cleared) -> Result<Reply> {
    let input = Attributes::of(&request.head)?;
    let object = request.object()?;
    let mut reply = Reply::xml(s3::xml::get_object_attributes_response(&input, object));
    set_modified(&mut reply.headers, object.modified);
    set_version(&mut reply.headers, request.bucket()?, object.version);
    Ok(reply)
}
