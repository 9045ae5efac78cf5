//! A case as the gateway would put it to the plugin.

use std::collections::BTreeMap;
use std::net::AddrParseError;
use std::sync::Arc;

use bytes::Bytes;
use host::{Creation, Facts, Phase, Plugin, Principal, Question, Resource};
use http::HeaderMap;
use http::request::Parts;
use s3::{Access, Form, Head, Query, SubResource, Target};
use sluice_plugin::bindings::sluice::policy::types;
use sluice_plugin::testing::Request;
use sluice_plugin::testing::cases::Case;
use storage::{
    Bucket, BucketName, Documents, Locator, Object, ObjectKey, Placement, Timestamp, VersionId,
};

use crate::account::account;

/// Why a request is none that a gateway could get.
#[derive(Debug, thiserror::Error)]
pub enum Unaskable {
    #[error("this cannot be a request: {0}")]
    Http(#[from] http::Error),
    #[error("the query cannot be read: {0}")]
    Query(s3::Error),
    #[error("the client has no address: {0}")]
    Source(#[from] AddrParseError),
    #[error("there is no status {0}")]
    Status(u16),
    #[error(
        "the gateway takes this request for {really}, not for {said}; a case that is meant so says `as_is: true`"
    )]
    Misread {
        said: &'static str,
        really: &'static str,
    },
    #[error("the gateway refuses this request: {0}; a case that is meant so says `as_is: true`")]
    Refused(s3::Error),
    #[error(transparent)]
    Url(host::BaseUrlError),
    #[error("documents are kept with what exists: it needs an owner, or `x-amz-copy-source`")]
    Homeless,
}

pub(crate) fn question(
    plugin: &Plugin,
    case: &Case,
    request: &Request,
) -> Result<Question, Unaskable> {
    let sub_resources = &plugin.manifest().sub_resources;
    let mut head = match case.as_is {
        true => as_is(request, sub_resources)?,
        false => as_asked(request, sub_resources)?,
    };
    if head.operation == s3::Operation::PostObject && !request.form.is_empty() {
        let fields = request.form.clone().into_iter().collect();
        let form = Form::new(fields, "");
        let whole = form.and_then(|form| head.with_form(form));
        head = whole.map_err(Unaskable::Refused)?;
    }
    let head = Arc::new(head);
    let resource = match case.phase {
        types::Phase::Authenticate => None,
        _ => Some(resource(plugin.name(), request, &head)?),
    };
    Ok(Question {
        principal: match &request.principal {
            types::Principal::Anonymous => Principal::Anonymous,
            types::Principal::Account(known) => Principal::Account(account(known)),
        },
        resource,
        creation: Some(Creation {
            location_constraint: request.creation.location_constraint.clone(),
            tags: request.creation.tags.clone(),
            acl: request.creation.acl.clone(),
        }),
        facts: Arc::new(Facts {
            head,
            source: request.source_address.parse()?,
            secure: request.secure,
            request_id: request.request_id.clone(),
        }),
    })
}

/// The request as a gateway reads it that has these sub-resources besides those
/// of S3. The inner error is what a client would get to see.
pub fn head(request: &Request, more: &[SubResource]) -> Result<Result<Head, s3::Error>, Unaskable> {
    let domains = ["s3.amazonaws.com".to_owned()];
    Ok(Head::parse(&parts(request)?, &domains, more))
}

/// The request as the gateway reads it, where that is what the case says of it.
fn as_asked(request: &Request, more: &[SubResource]) -> Result<Head, Unaskable> {
    let head = head(request, more)?.map_err(Unaskable::Refused)?;
    let said = operation(request.operation);
    match head.operation == said {
        true => Ok(head),
        false => Err(Unaskable::Misread {
            said: said.name(),
            really: head.operation.name(),
        }),
    }
}

/// The request as the gateway reads it, but for the operation.
fn as_is(request: &Request, more: &[SubResource]) -> Result<Head, Unaskable> {
    let mut head = match head(request, more)? {
        Ok(head) => head,
        // The gateway refuses it, and the plugin would not rely on that.
        Err(_) => {
            let parts = parts(request)?;
            Head {
                path: request.path.clone(),
                query_string: request.query_string.clone(),
                query: Query::parse(&request.query_string).map_err(Unaskable::Query)?,
                host: String::new(),
                target: target(request),
                operation: s3::Operation::GetObject,
                sub_resource: request.sub_resource.clone(),
                version: None,
                method: parts.method,
                headers: parts.headers,
                hoisted: HeaderMap::new(),
                form: None,
            }
        }
    };
    head.operation = operation(request.operation);
    // Which sub-resources there are beyond those of S3 depends on the plugins.
    head.sub_resource.clone_from(&request.sub_resource);
    Ok(head)
}

fn parts(request: &Request) -> Result<Parts, Unaskable> {
    let target = match request.query_string.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    // A client of HTTP/2 names the host there.
    let uri = match request.headers.iter().any(|(name, _)| name == "host") {
        true => target,
        false => format!("http://s3.example.com{target}"),
    };
    let mut parts = http::Request::builder()
        .method(request.method.as_str())
        .uri(uri);
    for (name, value) in &request.headers {
        parts = parts.header(name, value.as_bytes());
    }
    Ok(parts.body(())?.into_parts().0)
}

macro_rules! operations {
    ($($name:ident,)*) => {
        /// What has the same name here as in the contract.
        fn operation(operation: types::Operation) -> s3::Operation {
            match operation {
                $(types::Operation::$name => s3::Operation::$name,)*
            }
        }
    };
}
s3::for_each_operation!(operations);

macro_rules! actions {
    ($($name:ident,)*) => {
        /// What has the same name here as in the contract.
        pub fn action(action: types::Action) -> s3::Action {
            match action {
                $(types::Action::$name => s3::Action::$name,)*
            }
        }
    };
}
s3::for_each_action!(actions);

fn target(request: &Request) -> Target {
    let bucket = request.bucket.as_deref().map(BucketName::parse);
    let key = request.key.as_deref().map(ObjectKey::parse);
    match (bucket, key) {
        (Some(Ok(bucket)), Some(Ok(key))) => Target::Object(bucket, key),
        (Some(Ok(bucket)), _) => Target::Bucket(bucket),
        _ => Target::Service,
    }
}

/// What the access is about, with the documents that the plugin keeps there.
fn resource(plugin: &str, request: &Request, head: &Head) -> Result<Resource, Unaskable> {
    let stored = |documents: &BTreeMap<String, Option<Vec<u8>>>| {
        let documents = documents.iter().filter_map(|(name, content)| {
            let content = Bytes::from(content.clone()?);
            Some((format!("{plugin}/{name}"), content))
        });
        documents.collect()
    };
    let Request {
        bucket_owner,
        object_owner,
        documents,
        ..
    } = request;
    let bucket = head.target.bucket().zip(bucket_owner.clone());
    let object = head.target.key().zip(object_owner.clone());
    let copied = head.copy_source().map_err(Unaskable::Refused)?;
    let housed = (bucket.is_some() || documents.bucket.is_empty())
        && (object.is_some() || documents.object.is_empty())
        && (copied.is_some() || documents.source.is_empty() && documents.source_bucket.is_empty());
    if !housed {
        return Err(Unaskable::Homeless);
    }
    Ok(Resource {
        access: Access {
            action: action(request.action),
            bucket: head.target.bucket().cloned(),
            key: head.target.key().cloned(),
            version: head.version,
        },
        bucket: bucket.map(|(name, owner)| {
            let placement = Placement {
                template: request.bucket_template.clone(),
                location: request.bucket_location.clone(),
                ..PLACEMENT.into()
            };
            holding(name, owner, placement, stored(&documents.bucket))
        }),
        object: object.map(|(key, owner)| kept(key, owner, stored(&documents.object))),
        marker: None,
        initiator: request.upload_initiator.clone(),
        source: copied.as_ref().map(|copied| {
            let owner = object_owner.clone().unwrap_or_default();
            kept(&copied.key, owner, stored(&documents.source))
        }),
        source_bucket: copied.as_ref().map(|copied| {
            let owner = bucket_owner.clone().unwrap_or_default();
            let documents = stored(&documents.source_bucket);
            holding(&copied.bucket, owner, PLACEMENT.into(), documents)
        }),
    })
}

/// The geometry of buckets, which no plugin can see.
const PLACEMENT: storage::Geometry = storage::Geometry { data: 4, parity: 2 };

/// A bucket of which a plugin can see no more than this.
fn holding(
    name: &BucketName,
    owner: String,
    placement: Placement,
    documents: Documents,
) -> Arc<Bucket> {
    Arc::new(Bucket {
        name: name.clone(),
        id: 1,
        owner,
        created: Timestamp(0),
        versioning: storage::Versioning::Never,
        placement,
        documents,
    })
}

/// An object of which a plugin can see no more than this.
fn kept(key: &ObjectKey, owner: String, documents: Documents) -> Arc<Object> {
    Arc::new(Object {
        key: key.clone(),
        version: VersionId::Null,
        id: 1,
        owner,
        size: 0,
        etag: String::new(),
        modified: Timestamp(0),
        metadata: storage::Metadata::default(),
        documents,
        parts: Vec::new(),
        location: Locator::new(()),
    })
}

/// The phase of the contract that has the same name.
pub fn phase(phase: types::Phase) -> Phase {
    match phase {
        types::Phase::Authenticate => Phase::Authenticate,
        types::Phase::Authorize => Phase::Authorize,
        types::Phase::Prepare => Phase::Prepare,
        types::Phase::Serve => Phase::Serve,
        types::Phase::Respond => Phase::Respond,
    }
}
