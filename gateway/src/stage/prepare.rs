//! prepare: plugins validate what is about to be stored and attach documents to it.

use std::sync::Arc;

use bytes::Bytes;
use host::{Changes, Ownership, Principal, Resource};
use http::{HeaderName, HeaderValue, Method, header};
use s3::time::http_date;
use s3::{Access, Code, Head, Operation, Payload, StreamKey};
use storage::{Bucket, BucketName, Documents, Marker, Object, ObjectKey};

use crate::body::{RequestBody, Share};
use crate::error::Result;
use crate::pipeline::Exchange;
use crate::stage::{Authorized, creation};

/// The owner of what anonymous requests create.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
const ANONYMOUS_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// A request that may be served.
pub(crate) struct Cleared {
    pub(crate) head: Arc<Head>,
    /// The client came over TLS.
    pub(crate) secure: bool,
    pub(crate) principal: Principal,
    pub(crate) stream_key: Option<StreamKey>,
    /// What the operation addresses.
    pub(crate) target: Resource,
    /// What a copy reads.
    pub(crate) source: Option<Resource>,
    /// Documents to store with what the operation stores.
    pub(crate) changes: Changes,
    /// Only this stage makes one.
    _proof: (),
}

pub(crate) async fn prepare(authorized: Authorized, exchange: &mut Exchange) -> Result<Cleared> {
    let loaded = authorized.loaded;
    let target = &loaded.scene.target;
    let changes = match loaded.authenticated.head.operation {
        Operation::CreateBucket => {
            let creation = creation::read(&loaded, exchange).await?;
            let changes = exchange.run.prepare_bucket(target, creation)?;
            creation::is_kept(&changes, exchange.run.chain())?;
            changes
        }
        _ => exchange.run.prepare(target)?,
    };
    let head = loaded.authenticated.head;
    let copies = matches!(
        head.operation,
        Operation::CopyObject | Operation::UploadPartCopy
    );
    Ok(Cleared {
        secure: loaded.authenticated.secure,
        principal: loaded.authenticated.principal,
        stream_key: loaded.authenticated.stream_key,
        target: loaded.scene.target,
        // `Head::accesses` names what a copy reads first.
        source: if copies {
            loaded.scene.accesses.first().cloned()
        } else {
            None
        },
        changes,
        head,
        _proof: (),
    })
}

impl Cleared {
    pub(crate) fn bucket(&self) -> Result<&Arc<Bucket>> {
        Ok(self.target.bucket.as_ref().ok_or(Code::NoSuchBucket)?)
    }

    pub(crate) fn bucket_name(&self) -> Result<&BucketName> {
        Ok(self.head.target.bucket().ok_or(Code::InvalidBucketName)?)
    }

    pub(crate) fn key(&self) -> Result<&ObjectKey> {
        Ok(self.head.target.key().ok_or(Code::UserKeyMustBeSpecified)?)
    }

    /// The object that the operation addresses.
    pub(crate) fn object(&self) -> Result<&Arc<Object>> {
        let Resource {
            access,
            object,
            marker,
            ..
        } = &self.target;
        Ok(object.as_ref().ok_or_else(|| match marker {
            Some(marker) => deleted(marker, access, &self.head.method),
            None => missing(access),
        })?)
    }

    /// The bucket that a copy reads from.
    pub(crate) fn source_bucket(&self) -> Result<&Arc<Bucket>> {
        let source = self.source.as_ref();
        Ok(source
            .and_then(|source| source.bucket.as_ref())
            .ok_or(Code::NoSuchBucket)?)
    }

    /// The object that a copy reads.
    pub(crate) fn source(&self) -> Result<&Arc<Object>> {
        let source = self.source.as_ref().ok_or(Code::InvalidRequest)?;
        Ok(source.object.as_ref().ok_or_else(|| {
            match (&source.marker, source.access.version) {
                (Some(_), Some(_)) => s3::Error::new(Code::InvalidRequest).because(
                    "The source of a copy request may not specifically refer to a delete marker by version id.",
                ),
                _ => missing(&source.access),
            }
        })?)
    }

    /// The id of the account that will own what the operation creates.
    pub(crate) fn owner(&self) -> String {
        if let (Ownership::BucketOwner, Some(bucket)) =
            (self.changes.ownership, &self.target.bucket)
        {
            return bucket.owner.clone();
        }
        self.caller()
    }

    /// The id of the account on whose behalf the request is made.
    pub(crate) fn caller(&self) -> String {
        own_id(&self.principal).to_owned()
    }

    /// The documents of an object that the operation creates.
    pub(crate) fn object_documents(&self) -> Documents {
        let mut documents = Documents::default();
        documents.amend(&self.changes.object);
        documents
    }

    /// Reads the body whole, verified.
    pub(crate) async fn collect(
        &self,
        body: &mut RequestBody,
        payload: &Payload,
        len_max: usize,
    ) -> Result<Bytes> {
        let share = Share::of(&self.principal, self.head.operation);
        body.collect(payload, self.stream_key.clone(), share, len_max)
            .await
    }

    /// Reads the document without which there is nothing to do, and which comes
    /// with a digest.
    pub(crate) async fn document(&self, body: &mut RequestBody, len_max: usize) -> Result<Bytes> {
        let payload = Payload::of_document(&self.head)?;
        let document = self.collect(body, &payload, len_max).await?;
        if document.is_empty() {
            return Err(Code::MissingRequestBodyError.into());
        }
        Ok(document)
    }

    pub(crate) fn payload(&self) -> Result<Payload> {
        Ok(Payload::of(&self.head)?)
    }
}

/// The id of whoever makes a request, also where that is nobody.
pub(crate) fn own_id(principal: &Principal) -> &str {
    match principal {
        Principal::Account(account) => &account.id,
        Principal::Anonymous => ANONYMOUS_ID,
    }
}

/// Why there is no object: none was there, or it was deleted.
fn missing(access: &Access) -> s3::Error {
    let key = access.key.as_ref().map(ToString::to_string);
    let error = match access.version {
        None => s3::Error::new(Code::NoSuchKey),
        Some(version) => s3::Error::new(Code::NoSuchVersion).with("VersionId", version.to_string()),
    };
    error.with("Key", key.unwrap_or_default())
}

/// The answer to whoever wants an object and finds the marker of its deletion:
/// there is nothing, or the version that was named cannot be read.
fn deleted(marker: &Marker, access: &Access, method: &Method) -> s3::Error {
    let error = match access.version {
        None => missing(access),
        Some(_) => s3::Error::new(Code::MethodNotAllowed)
            .with("Method", method.as_str())
            .with("ResourceType", "DeleteMarker")
            .with("Key", marker.key.to_string())
            .with("VersionId", marker.version.to_string())
            .header(header::ALLOW, HeaderValue::from_static("DELETE")),
    };
    let told = [
        ("x-amz-delete-marker", "true".to_owned()),
        ("x-amz-version-id", marker.version.to_string()),
        ("last-modified", http_date(marker.modified)),
    ];
    told.into_iter().fold(error, |error, (name, value)| {
        match HeaderValue::try_from(value) {
            Ok(value) => error.header(HeaderName::from_static(name), value),
            Err(_) => error,
        }
    })
}
