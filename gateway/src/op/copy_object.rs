//! CopyObject: within one geometry no data moves.

use http::HeaderName;
use s3::metadata::{TAGGING, is_internal};
use s3::{Code, Head};
use storage::{Metadata, NewObject, Object, Store};

use super::answer::{is_checksum, set};
use super::copy;
use crate::error::Result;
use crate::stage::{Cleared, Reply};

/// Where the metadata of the copy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Copy,
    Replace,
}

pub(crate) async fn run(request: Cleared, store: &dyn Store) -> Result<Reply> {
    let source = copy::source(&request)?;
    let directive = Directive::parse(&request.head)?;
    let precondition = s3::conditional::write_precondition(&request.head.headers)?;
    copy::check_length(source.size)?;
    if directive == Directive::Copy && is_onto_itself(&request, source) {
        return Err(s3::Error::new(Code::InvalidRequest)
            .because(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            )
            .into());
    }

    let metadata = metadata(&request.head, directive, source)?;
    let bucket = request.bucket()?;
    let staged = match store.share(source, bucket).await? {
        Some(staged) => staged,
        None => {
            copy::transfer(store, source, 0..source.size, bucket, None)
                .await?
                .staged
        }
    };
    let object = NewObject {
        key: request.key()?.clone(),
        owner: request.owner(),
        etag: source.etag.clone(),
        metadata,
        documents: request.object_documents(),
    };
    let stored = store.put(bucket, object, staged, precondition).await?;

    let mut reply = Reply::xml(s3::xml::copy_object_result(&stored));
    if let Some(version) = request
        .source
        .as_ref()
        .and_then(|source| source.access.version)
    {
        set(
            &mut reply.headers,
            HeaderName::from_static("x-amz-copy-source-version-id"),
            version.to_string(),
        );
    }
    Ok(reply)
}

impl Directive {
    fn parse(head: &Head) -> Result<Self> {
        match head.header("x-amz-metadata-directive") {
            None | Some("COPY") => Ok(Self::Copy),
            Some("REPLACE") => Ok(Self::Replace),
            Some(other) => Err(s3::Error::new(Code::InvalidArgument)
                .because("Unknown metadata directive.")
                .with("ArgumentName", "x-amz-metadata-directive")
                .with("ArgumentValue", other)
                .into()),
        }
    }
}

fn is_onto_itself(request: &Cleared, source: &Object) -> bool {
    let from = request
        .source
        .as_ref()
        .and_then(|source| source.bucket.as_ref())
        .map(|bucket| &bucket.name);
    from == request.head.target.bucket()
        && request.head.target.key() == Some(&source.key)
        && request
            .source
            .as_ref()
            .is_some_and(|source| source.access.version.is_none())
}

/// The checksums are those of the bytes, so they go with them. The tags have a
/// directive of their own. What else the gateway knows of the source is not so of
/// the copy.
fn metadata(head: &Head, directive: Directive, source: &Object) -> Result<Metadata> {
    let mut metadata = match directive {
        Directive::Copy => Metadata::new(),
        Directive::Replace => s3::metadata::stored_headers(&head.headers)?,
    };
    let kept = source.metadata.iter().filter(|(name, _)| match directive {
        Directive::Copy => !is_internal(name),
        Directive::Replace => is_checksum(name),
    });
    metadata.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    match s3::tagging::of_copy(&head.headers, source.metadata.get(TAGGING))? {
        Some(tags) => metadata.insert(TAGGING.to_owned(), tags),
        None => metadata.remove(TAGGING),
    };
    Ok(metadata)
}
