//! CopyObject: within one geometry no data moves.

use s3::metadata::{REDIRECT, is_internal};
use s3::{Code, Head};
use storage::{Metadata, NewObject, Object, Store, Target};

use super::answer::{is_checksum, set_source_version, set_written_version};
use super::copy::{self, Copied};
use super::put_object::remember_checksum;
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
    let algorithm = s3::payload::asked_checksum(&request.head)?;
    let precondition = s3::conditional::write_precondition(&request.head.headers)?;
    copy::check_length(source.size)?;
    let metadata = metadata(&request.head, directive, source)?;
    let changes = directive == Directive::Replace || metadata.contains_key(REDIRECT);
    if !changes && is_onto_itself(&request, source) {
        return Err(s3::Error::new(Code::InvalidRequest)
            .because(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            )
            .into());
    }

    let bucket = request.bucket()?;
    // What is known of the bytes already need not be computed again.
    let algorithm = algorithm.filter(|asked| !copy::is_known(*asked, &metadata));
    let copied = match store.share(source, bucket).await? {
        Some(staged) => Copied {
            staged,
            etag: source.etag.clone(),
            checksum: match algorithm {
                Some(asked) => Some(copy::digest(store, source, asked).await?),
                None => None,
            },
        },
        // Without its parts nothing of the object is made from those of parts.
        None => {
            let algorithm = algorithm.or_else(|| copy::of_parts(&metadata));
            let (all, place) = (0..source.size, Target::Object(request.key()?));
            copy::transfer(store, source, all, bucket, place, algorithm).await?
        }
    };
    let mut object = NewObject {
        key: request.key()?.clone(),
        owner: request.owner(),
        etag: copied.etag,
        metadata,
        documents: request.object_documents(),
    };
    if copied.checksum.is_some() {
        object.metadata.retain(|name, _| !is_checksum(name));
        remember_checksum(&mut object.metadata, copied.checksum.as_ref());
    }
    let put = store.put(bucket, object, copied.staged, precondition);
    let stored = put.await?;

    let mut reply = Reply::xml(s3::xml::copy_object_result(&stored));
    set_written_version(&mut reply.headers, stored.version);
    set_source_version(&mut reply.headers, request.source_bucket()?, source.version);
    Ok(reply)
}

impl Directive {
    fn parse(head: &Head) -> Result<Self> {
        match head.header("x-amz-metadata-directive") {
            None | Some("COPY") => Ok(Self::Copy),
            Some("REPLACE") => Ok(Self::Replace),
            Some(other) => Err(s3::Error::new(Code::InvalidArgument)
                .because("Unknown metadata directive.")
                .argument("x-amz-metadata-directive", other)
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

/// The checksums are those of the bytes, so they go with them. What else the
/// gateway knows of the source is not so of the copy.
fn metadata(head: &Head, directive: Directive, source: &Object) -> Result<Metadata> {
    let mut metadata = match directive {
        Directive::Copy => Metadata::new(),
        Directive::Replace => s3::metadata::stored_headers(&head.headers)?,
    };
    let kept = source.metadata.iter().filter(|(name, _)| match directive {
        Directive::Copy => !is_internal(name) && *name != REDIRECT,
        Directive::Replace => is_checksum(name),
    });
    metadata.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(redirect) = s3::metadata::redirect(&head.headers)? {
        metadata.insert(REDIRECT.to_owned(), redirect);
    }
    Ok(metadata)
}
