//! Tags of buckets and of object versions: what clients say of them for others
//! to sort, bill and decide by.
//!
//! The plugin serves `?tagging`, keeps what comes with a write, has a copy keep
//! the tags of its source, and counts them in the answers to reads. It allows and
//! denies no access.

mod tags;
mod xml;

use sluice_plugin::prelude::*;

use sluice_plugin::tags::Tagged;
use tags::TagSet;

/// Keeps tags, and serves `?tagging`.
#[derive(Debug, Settings)]
pub struct Tagging;

/// The documents that tags are kept in. They have two names, so that tags of a
/// bucket do not make a read of an untagged object seem to be concerned.
const OBJECT_TAGS: &str = "tags";
const BUCKET_TAGS: &str = "bucket-tags";

const HEADER: &str = "x-amz-tagging";
const DIRECTIVE: &str = "x-amz-tagging-directive";

#[plugin(
    name = "tagging",
    claims = [
        GetBucketTagging, PutBucketTagging, DeleteBucketTagging,
        GetObjectTagging, PutObjectTagging, DeleteObjectTagging,
    ],
    prepare(operations = [CreateBucket]),
    prepare(
        operations = [PutObject, PostObject, CreateMultipartUpload, CopyObject],
        headers = ["x-amz-tagging", "x-amz-tagging-directive"],
    ),
    prepare(operations = [CopyObject], documents = ["tags"]),
    respond(operations = [GetObject, HeadObject], documents = ["tags"]),
)]
impl Plugin for Tagging {
    fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
        match request.operation() {
            Operation::CreateBucket => {
                let new = creation::bucket();
                let tags = new.map(|new| new.tags).unwrap_or_default();
                keep(Tagged::Bucket, &TagSet::new(Tagged::Bucket, tags)?);
            }
            Operation::CopyObject => return copy(request),
            _ => keep(Tagged::Object, &said(request)?),
        }
        Ok(())
    }

    fn serve(&self, request: &Request, _access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetBucketTagging => match stored(Tagged::Bucket)? {
                Some(tags) => Ok(Reply::xml(xml::write(&tags))),
                None => {
                    let bucket = request.bucket().unwrap_or_default();
                    Err(deny(NoSuchTagSet).with("BucketName", bucket))
                }
            },
            Operation::GetObjectTagging => {
                let tags = stored(Tagged::Object)?;
                Ok(Reply::xml(xml::write(&tags.unwrap_or_default())))
            }
            Operation::PutBucketTagging => replace(Tagged::Bucket, request, 204),
            Operation::PutObjectTagging => replace(Tagged::Object, request, 200),
            Operation::DeleteBucketTagging => Ok(forget(Tagged::Bucket)),
            Operation::DeleteObjectTagging => Ok(forget(Tagged::Object)),
            _ => Err(deny(NotImplemented)),
        }
    }

    fn respond(&self, _request: &Request, status: u16) -> Vec<(String, String)> {
        let document = documents::get(Scope::Object, OBJECT_TAGS);
        match document.map(|document| TagSet::count(&document)) {
            Some(count) if count > 0 && matches!(status, 200 | 206) => {
                vec![("x-amz-tagging-count".to_owned(), count.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

fn place(of: Tagged) -> (Scope, &'static str) {
    match of {
        Tagged::Bucket => (Scope::Bucket, BUCKET_TAGS),
        Tagged::Object => (Scope::Object, OBJECT_TAGS),
    }
}

/// The tags in the header of a write.
fn said(request: &Request) -> Result<TagSet, Denial> {
    match request.header(HEADER) {
        Some(text) => TagSet::from_header(&text),
        None => Ok(TagSet::default()),
    }
}

/// The tags of a copy are those of its source, whatever the header says, unless
/// the client wants others instead: so says S3, and clients that send the header
/// alone are used to it.
fn copy(request: &Request) -> Result<(), Denial> {
    match request.header(DIRECTIVE).as_deref() {
        None | Some("COPY") => {
            if let Some(tags) = documents::get(Scope::Source, OBJECT_TAGS) {
                documents::put(Scope::Object, OBJECT_TAGS, &tags);
            }
        }
        Some("REPLACE") => keep(Tagged::Object, &said(request)?),
        Some(other) => {
            return Err(deny(InvalidArgument)
                .argument(DIRECTIVE, other)
                .because("Unknown tagging directive."));
        }
    }
    Ok(())
}

/// Attaches the tags of something new.
fn keep(of: Tagged, tags: &TagSet) {
    if !tags.is_empty() {
        let (scope, name) = place(of);
        documents::put(scope, name, tags.encode().as_bytes());
    }
}

fn replace(of: Tagged, request: &Request, status: u16) -> Result<Reply, Denial> {
    let tags = xml::read(of, &request.body()?)?;
    match tags.is_empty() {
        true => drop(forget(of)),
        false => keep(of, &tags),
    }
    Ok(Reply::new(status))
}

fn forget(of: Tagged) -> Reply {
    let (scope, name) = place(of);
    documents::delete(scope, name);
    Reply::new(204)
}

fn stored(of: Tagged) -> Result<Option<TagSet>, Denial> {
    let (scope, name) = place(of);
    let Some(document) = documents::get(scope, name) else {
        return Ok(None);
    };
    let tags = TagSet::decode(&document).ok_or_else(|| {
        error!("a document of a {scope:?} is not a set of tags");
        Denial::custom("InternalError", 500)
    })?;
    Ok(Some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<Tagging>(&folder);
    }
}
