//! Which operation a method on a target with these parameters is.

use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method};

use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::query::Query;
use crate::sub_resource::SubResource;
use crate::target::Target;

/// A sub-resource of S3 and what the methods do to it.
struct Known {
    name: &'static str,
    operations: &'static [(Method, Operation)],
}

macro_rules! sub_resources {
    ($($name:literal: $($method:ident $operation:ident),*;)*) => {
        &[$(Known {
            name: $name,
            operations: &[$((Method::$method, Operation::$operation)),*],
        },)*]
    };
}

const SERVICE: &[(Method, Operation)] = &[(Method::GET, Operation::ListBuckets)];

const BUCKET: &[(Method, Operation)] = &[
    (Method::GET, Operation::ListObjects),
    (Method::HEAD, Operation::HeadBucket),
    (Method::PUT, Operation::CreateBucket),
    (Method::DELETE, Operation::DeleteBucket),
    (Method::POST, Operation::PostObject),
];

const OBJECT: &[(Method, Operation)] = &[
    (Method::GET, Operation::GetObject),
    (Method::HEAD, Operation::HeadObject),
    (Method::PUT, Operation::PutObject),
    (Method::DELETE, Operation::DeleteObject),
];

const OF_BUCKETS: &[Known] = sub_resources! {
    "accelerate": GET GetBucketAccelerate, PUT PutBucketAccelerate;
    "acl": GET GetBucketAcl, PUT PutBucketAcl;
    "analytics": GET GetBucketAnalytics, PUT PutBucketAnalytics, DELETE DeleteBucketAnalytics;
    "cors": GET GetBucketCors, PUT PutBucketCors, DELETE DeleteBucketCors;
    "delete": POST DeleteObjects;
    "encryption": GET GetBucketEncryption, PUT PutBucketEncryption, DELETE DeleteBucketEncryption;
    "intelligent-tiering": GET GetBucketIntelligentTiering, PUT PutBucketIntelligentTiering,
        DELETE DeleteBucketIntelligentTiering;
    "inventory": GET GetBucketInventory, PUT PutBucketInventory, DELETE DeleteBucketInventory;
    "lifecycle": GET GetBucketLifecycle, PUT PutBucketLifecycle, DELETE DeleteBucketLifecycle;
    "location": GET GetBucketLocation;
    "logging": GET GetBucketLogging, PUT PutBucketLogging;
    "metrics": GET GetBucketMetrics, PUT PutBucketMetrics, DELETE DeleteBucketMetrics;
    "notification": GET GetBucketNotification, PUT PutBucketNotification;
    "object-lock": GET GetObjectLockConfiguration, PUT PutObjectLockConfiguration;
    "ownershipControls": GET GetBucketOwnershipControls, PUT PutBucketOwnershipControls,
        DELETE DeleteBucketOwnershipControls;
    "policy": GET GetBucketPolicy, PUT PutBucketPolicy, DELETE DeleteBucketPolicy;
    "policyStatus": GET GetBucketPolicyStatus;
    "publicAccessBlock": GET GetPublicAccessBlock, PUT PutPublicAccessBlock,
        DELETE DeletePublicAccessBlock;
    "replication": GET GetBucketReplication, PUT PutBucketReplication,
        DELETE DeleteBucketReplication;
    "requestPayment": GET GetBucketRequestPayment, PUT PutBucketRequestPayment;
    "tagging": GET GetBucketTagging, PUT PutBucketTagging, DELETE DeleteBucketTagging;
    "uploads": GET ListMultipartUploads;
    "versioning": GET GetBucketVersioning, PUT PutBucketVersioning;
    "versions": GET ListObjectVersions;
    "website": GET GetBucketWebsite, PUT PutBucketWebsite, DELETE DeleteBucketWebsite;
};

const OF_OBJECTS: &[Known] = sub_resources! {
    "acl": GET GetObjectAcl, PUT PutObjectAcl;
    "attributes": GET GetObjectAttributes;
    "legal-hold": GET GetObjectLegalHold, PUT PutObjectLegalHold;
    "restore": POST RestoreObject;
    "retention": GET GetObjectRetention, PUT PutObjectRetention;
    "select": POST SelectObjectContent;
    "tagging": GET GetObjectTagging, PUT PutObjectTagging, DELETE DeleteObjectTagging;
    "torrent": GET GetObjectTorrent;
    "uploadId": GET ListParts, PUT UploadPart, POST CompleteMultipartUpload,
        DELETE AbortMultipartUpload;
    "uploads": POST CreateMultipartUpload;
};

/// Parameters that may come without a value and still name no sub-resource.
const PLAIN: &[&str] = &[
    "",
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "id",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "select-type",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
    "x-id",
];

/// Whether a query parameter of this name means something to S3.
pub(crate) fn is_reserved(name: &str) -> bool {
    is_known(name) || is_plain(name)
}

fn is_known(name: &str) -> bool {
    let mut all = OF_BUCKETS.iter().chain(OF_OBJECTS);
    all.any(|known| known.name == name)
}

/// The operation, and the sub-resource that it is on. `more` are those that are
/// served besides S3's.
pub(super) fn classify(
    method: &Method,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
    more: &[SubResource],
) -> Result<(Operation, Option<String>), Error> {
    if method == Method::OPTIONS {
        return Ok((Operation::Preflight, None));
    }
    let (plain, sub_resources) = match target {
        Target::Service => (SERVICE, &[] as &[Known]),
        Target::Bucket(_) => (BUCKET, OF_BUCKETS),
        Target::Object(..) => (OBJECT, OF_OBJECTS),
    };
    let name = named(query, more)?;
    let operations = match name {
        None => plain,
        Some(name) => {
            let known = sub_resources.iter().find(|known| known.name == name);
            let more = more
                .iter()
                .find(|more| more.name() == name && more.is_of(target));
            known
                .map(|known| known.operations)
                .or(more.map(SubResource::methods))
                .ok_or_else(|| misplaced(name, target))?
        }
    };
    let operation = operations
        .iter()
        .find_map(|(known, operation)| (known == method).then_some(*operation))
        .ok_or_else(|| match (target, query.has("uploads"), method) {
            (Target::Object(..), true, &Method::GET) => Error::new(Code::InvalidRequest)
                .because("Key is not expected for the GET method ?uploads subresource"),
            _ => method_not_allowed(method, operations),
        })?;
    let operation = refine(operation, query, headers)?;
    Ok((operation, name.map(str::to_owned)))
}

/// The one sub-resource that a query names.
fn named<'q>(query: &'q Query, more: &[SubResource]) -> Result<Option<&'q str>, Error> {
    let mut found = None;
    for (name, value) in query.iter() {
        let is_more = more.iter().any(|more| more.name() == name);
        // Whoever does not serve it takes it for a parameter that means nothing,
        // and the request for one of the whole resource.
        if is_more && !value.is_empty() {
            return Err(Error::new(Code::InvalidArgument)
                .because("This sub-resource is named without a value.")
                .argument("ResourceType", name));
        }
        if is_more || is_known(name) {
            match found.replace(name) {
                Some(other) if other != name => {
                    return Err(Error::new(Code::InvalidArgument)
                        .because(format!(
                            "Conflicting query string parameters: {other}, {name}"
                        ))
                        .argument("ResourceType", name));
                }
                _ => {}
            }
        } else if value.is_empty() && !is_plain(name) {
            return Err(Error::new(Code::NotImplemented)
                .because("The sub-resource is not implemented.")
                .with("ResourceType", name));
        }
    }
    Ok(found)
}

fn is_plain(name: &str) -> bool {
    let begins = |start: &str| {
        let beginning = name.get(..start.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
    };
    PLAIN.contains(&name) || begins("x-amz-") || begins("response-")
}

/// What the method and the sub-resource alone do not decide.
fn refine(operation: Operation, query: &Query, headers: &HeaderMap) -> Result<Operation, Error> {
    let copy = headers.contains_key("x-amz-copy-source");
    let invalid = |name: &'static str, message: &'static str| {
        Err(Error::new(Code::InvalidArgument)
            .because(message)
            .argument(name, query.get(name).unwrap_or_default()))
    };
    match operation {
        Operation::ListObjects => match query.get("list-type") {
            None => Ok(Operation::ListObjects),
            Some("2") => Ok(Operation::ListObjectsV2),
            Some(_) => invalid("list-type", "Invalid List Type specified"),
        },
        Operation::PutObject if query.has("partNumber") => {
            invalid("partNumber", "A part number needs an upload id.")
        }
        Operation::PutObject if copy => Ok(Operation::CopyObject),
        Operation::UploadPart if !query.has("partNumber") => {
            invalid("partNumber", "An upload id needs a part number.")
        }
        Operation::UploadPart if copy => Ok(Operation::UploadPartCopy),
        other => Ok(other),
    }
}

/// A sub-resource that buckets have and objects have not, or the reverse.
fn misplaced(name: &str, target: &Target) -> Error {
    let what = match target {
        Target::Service => "service",
        Target::Bucket(_) => "bucket",
        Target::Object(..) => "object",
    };
    Error::new(Code::MethodNotAllowed)
        .because(format!("The {what} has no sub-resource of this name."))
        .with("ResourceType", name)
}

fn method_not_allowed(method: &Method, operations: &[(Method, Operation)]) -> Error {
    let allowed: Vec<_> = operations.iter().map(|(known, _)| known.as_str()).collect();
    let error = Error::new(Code::MethodNotAllowed).with("Method", method.as_str());
    match HeaderValue::from_str(&allowed.join(", ")) {
        Ok(allowed) => error.header(ALLOW, allowed),
        Err(_) => error,
    }
}
