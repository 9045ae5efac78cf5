//! A record becomes a request again, as far as plugins can tell: with the same
//! head but for its secrets, and the same facts.

use std::sync::Arc;

use bytes::Bytes;
use host::{Account, Creation, Directory, Facts, Principal, Resource};
use http::{HeaderName, HeaderValue, Request};
use s3::{Action, Form, Head, SubResource};
use storage::{
    Bucket, BucketName, Documents, Geometry, Locator, Metadata, Object, ObjectKey, Placement,
    Timestamp, VersionId, Versioning,
};

use super::{Record, Requester, Thing};

/// What a record is decided on again with.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) facts: Arc<Facts>,
    pub(crate) principal: Principal,
    /// The gateway that decides now knows the account of that name.
    pub(crate) is_known: bool,
    pub(crate) accesses: Vec<Resource>,
    /// What the operation itself addresses.
    pub(crate) target: Resource,
    /// What the body says of the bucket that is to be made.
    pub(crate) creation: Option<Creation>,
    pub(crate) time: Timestamp,
}

impl Restored {
    /// In words, why it cannot be: the record is a file that anybody may have written.
    pub(crate) fn of(
        record: &Record,
        directory: &dyn Directory,
        more: &[SubResource],
    ) -> Result<Self, String> {
        if let Some(missing) = record.missing.first() {
            return Err(format!("{missing} was too much to be kept"));
        }
        let head = head(record, more)?;
        let resources = record.accesses.iter().map(|access| {
            let parsed = |error: storage::NameError| error.to_string();
            let name = access.bucket.as_deref().map(BucketName::parse);
            let key = access.key.as_deref().map(ObjectKey::parse);
            let version = access.version.as_deref().map(VersionId::parse);
            let access_again = s3::Access {
                action: Action::parse(&access.action)
                    .ok_or_else(|| format!("there is no action {:?}", access.action))?,
                bucket: name.transpose().map_err(parsed)?,
                key: key.transpose().map_err(parsed)?,
                version: version.transpose().map_err(parsed)?,
            };
            let mut restored = resource(access_again, access.object.as_ref(), record)?;
            restored.initiator.clone_from(&access.initiator);
            Ok(restored)
        });
        let target = s3::Access {
            action: Action::DeleteObject,
            bucket: head.target.bucket().cloned(),
            key: head.target.key().cloned(),
            version: head.version,
        };
        let mut accesses = resources.collect::<Result<Vec<_>, String>>()?;
        let copied = head.copy_source().map_err(|error| error.to_string())?;
        // What a copy reads is decided on first.
        if let Some((source, written)) = accesses.split_first_mut()
            && copied.is_some()
        {
            for resource in written {
                resource.source.clone_from(&source.object);
                resource.source_bucket.clone_from(&source.bucket);
            }
        }
        let addressed = |resource: &&Resource| {
            resource.access.bucket == target.bucket && resource.access.key == target.key
        };
        let reads = usize::from(copied.is_some());
        let target = match accesses.iter().skip(reads).find(addressed) {
            Some(target) => target.clone(),
            None => resource(target, record.object.as_ref(), record)?,
        };
        let (principal, is_known) = principal(record, directory);
        Ok(Self {
            facts: Arc::new(Facts {
                head: Arc::new(head),
                source: record.source,
                secure: record.secure,
                request_id: record.request_id.clone(),
            }),
            principal,
            is_known,
            accesses,
            target,
            creation: record.creation.as_ref().map(|creation| Creation {
                location_constraint: creation.location_constraint.clone(),
                tags: creation.tags.clone(),
                acl: None,
            }),
            time: Timestamp(u64::try_from(record.time.as_millisecond()).unwrap_or_default()),
        })
    }
}

fn head(record: &Record, more: &[SubResource]) -> Result<Head, String> {
    let target = match &*record.query {
        "" => record.path.clone(),
        query => format!("{}?{query}", record.path),
    };
    let mut request = Request::builder().method(&*record.method).uri(target);
    for (name, value) in &record.headers {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
        request = request.header(name, value);
    }
    let (parts, ()) = request
        .body(())
        .map_err(|error| error.to_string())?
        .into_parts();
    let misunderstood =
        |error: s3::Error| format!("it is not understood any more: {}", error.message());
    let mut head = Head::parse(&parts, &record.domains, more).map_err(misunderstood)?;
    if !record.form.is_empty() {
        // The name of the file is in the fields already.
        let form = Form::new(record.form.clone(), "").map_err(misunderstood)?;
        head = head.with_form(form).map_err(misunderstood)?;
    }
    if head.operation.name() != record.operation {
        let (was, is) = (&record.operation, head.operation);
        return Err(format!("it was {was} and would be {is}"));
    }
    Ok(head)
}

/// The account as it is known now; where it is gone, as it was.
fn principal(record: &Record, directory: &dyn Directory) -> (Principal, bool) {
    match &record.principal {
        Requester::Anonymous => (Principal::Anonymous, true),
        Requester::Account {
            id,
            display_name,
            email,
            roles,
        } => match directory.by_id(id) {
            Some(account) => (Principal::Account(account), true),
            None => {
                let account = Account {
                    id: id.clone(),
                    display_name: display_name.clone(),
                    email: email.clone(),
                    roles: roles.clone(),
                };
                (Principal::Account(Arc::new(account)), false)
            }
        },
    }
}

fn resource(
    access: s3::Access,
    object: Option<&Thing>,
    record: &Record,
) -> Result<Resource, String> {
    let bucket = match &access.bucket {
        Some(name) => record
            .buckets
            .get(name.as_str())
            .map(|thing| thing.bucket(name.clone())),
        None => None,
    };
    let object = object
        .zip(access.key.as_ref())
        .map(|(thing, key)| thing.object(key.clone(), access.version))
        .transpose()?;
    Ok(Resource {
        access,
        bucket: bucket.transpose()?,
        object,
        marker: None,
        initiator: None,
        source: None,
        source_bucket: None,
    })
}

impl Thing {
    /// A bucket of which a plugin can see no more than of the one that was.
    pub(crate) fn bucket(&self, name: BucketName) -> Result<Arc<Bucket>, String> {
        Ok(Arc::new(Bucket {
            name,
            id: 0,
            owner: self.owner.clone(),
            created: Timestamp(0),
            versioning: Versioning::Never,
            placement: Placement {
                template: self.template.clone(),
                location: self.location.clone(),
                ..Geometry { data: 4, parity: 2 }.into()
            },
            documents: self.documents()?,
        }))
    }

    fn object(&self, key: ObjectKey, version: Option<VersionId>) -> Result<Arc<Object>, String> {
        Ok(Arc::new(Object {
            key,
            version: version.unwrap_or(VersionId::Null),
            id: 0,
            owner: self.owner.clone(),
            size: 0,
            etag: String::new(),
            modified: Timestamp(0),
            metadata: Metadata::new(),
            documents: self.documents()?,
            parts: Vec::new(),
            location: Locator::new(Bytes::new()),
        }))
    }

    pub(crate) fn documents(&self) -> Result<Documents, String> {
        self.documents
            .iter()
            .map(|(name, content)| {
                let content = content.bytes();
                let content =
                    content.ok_or_else(|| format!("the document {name} is not in Base64"))?;
                Ok((name.clone(), content))
            })
            .collect::<Result<Documents, String>>()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Directory for Nobody {
        fn credential(&self, _: &str) -> Option<host::Credential> {
            None
        }

        fn by_id(&self, _: &str) -> Option<Arc<Account>> {
            None
        }

        fn by_email(&self, _: &str) -> Option<Arc<Account>> {
            None
        }
    }

    /// A record of a request to the bucket `photos`, which was made by a template.
    fn restored(method: &str, operation: &str, more: &Value) -> Restored {
        let mut record = json!({
            "time": "2026-01-31T12:00:00Z",
            "request_id": "1",
            "generation": 1,
            "denied": false,
            "status": 200,
            "operation": operation,
            "method": method,
            "path": "/photos",
            "query": "",
            "headers": [["host", "localhost"], ["content-type", "multipart/form-data; boundary=b"]],
            "source": "192.0.2.7",
            "secure": true,
            "principal": "anonymous",
            "buckets": {"photos": {"owner": "alice", "template": "gold", "location": "eu"}},
            "accesses": [],
            "steps": [],
            "moments": [],
        });
        for (name, value) in more.as_object().unwrap() {
            record[name] = value.clone();
        }
        let record: Record = serde_json::from_value(record).unwrap();
        // What is read back is what was written.
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        Restored::of(&record, &Nobody, &[]).unwrap()
    }

    #[test]
    fn a_form_is_a_form_again() {
        let form = json!({"form": [["key", "a/b.jpg"], ["x-amz-meta-colour", "blue"]]});
        let restored = restored("POST", "PostObject", &form);
        let head = &restored.facts.head;
        assert_eq!(head.target.key().unwrap().as_str(), "a/b.jpg");
        assert_eq!(head.header("x-amz-meta-colour"), Some("blue"));
        let form = head.form.as_ref().unwrap();
        assert_eq!(form.field("x-amz-meta-colour"), Some("blue"));
    }

    #[test]
    fn a_bucket_is_what_it_was_made_by() {
        let restored = restored("HEAD", "HeadBucket", &json!({}));
        let placement = &restored.target.bucket.unwrap().placement;
        assert_eq!(placement.template.as_deref(), Some("gold"));
        assert_eq!(placement.location.as_deref(), Some("eu"));
        assert_eq!(restored.creation, None);
    }

    #[test]
    fn who_began_an_upload_began_it() {
        let of_parts = json!({
            "path": "/photos/key",
            "query": "uploadId=1",
            "accesses": [{
                "action": "ListMultipartUploadParts",
                "bucket": "photos",
                "key": "key",
                "initiator": "bob",
            }],
        });
        let restored = restored("GET", "ListParts", &of_parts);
        assert_eq!(restored.accesses[0].initiator.as_deref(), Some("bob"));
        assert_eq!(restored.target.initiator.as_deref(), Some("bob"));
    }

    #[test]
    fn what_was_said_of_a_new_bucket_is_said_again() {
        let said = json!({
            "buckets": {},
            "creation": {"location_constraint": "eu", "tags": [["team", "a"]]},
        });
        let restored = restored("PUT", "CreateBucket", &said);
        let expected = Creation {
            location_constraint: Some("eu".to_owned()),
            tags: vec![("team".to_owned(), "a".to_owned())],
            acl: None,
        };
        assert_eq!(restored.creation, Some(expected));
    }
}
