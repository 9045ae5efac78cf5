//! What a request does to what: the units of authorization.

use storage::{BucketName, ObjectKey, VersionId};

use crate::encode::decode_form;
use crate::error::{Code, Error};
use crate::head::Head;
use crate::operation::{Action, Operation};

/// One thing that must be allowed before an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub action: Action,
    pub bucket: Option<BucketName>,
    pub key: Option<ObjectKey>,
    pub version: Option<VersionId>,
}

/// The object that a copy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    pub bucket: BucketName,
    pub key: ObjectKey,
    pub version: Option<VersionId>,
}

impl CopySource {
    /// Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=id]`, percent-encoded
    /// as a form is: a client that means `+` writes `%2B`.
    pub fn parse(header: &str) -> Result<Self, Error> {
        let refuse = |message: &'static str| {
            Error::new(Code::InvalidArgument)
                .because(message)
                .argument("x-amz-copy-source", header)
        };
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (header, None),
        };
        let version = version
            .map(VersionId::parse)
            .transpose()
            .map_err(|_| refuse("Invalid version id specified"))?;
        let path =
            decode_form(path).map_err(|_| refuse("Copy Source must be percent-encoded UTF-8."))?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        match (BucketName::parse(bucket), ObjectKey::parse(key)) {
            (Ok(bucket), Ok(key)) if !key.as_str().contains('\0') => Ok(Self {
                bucket,
                key,
                version,
            }),
            _ => Err(refuse(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )),
        }
    }

    fn access(self) -> Access {
        Access {
            action: match self.version {
                Some(_) => Action::GetObjectVersion,
                None => Action::GetObject,
            },
            bucket: Some(self.bucket),
            key: Some(self.key),
            version: self.version,
        }
    }
}

impl Head {
    /// All that must be authorized before this request is served. Empty for a
    /// preflight, which nobody signs, and for DeleteObjects, whose keys are in
    /// the body: there each key is asked for by itself.
    pub fn accesses(&self) -> Result<Vec<Access>, Error> {
        let source = self.copy_source()?.map(CopySource::access);
        let target = self.actions().into_iter().map(|action| Access {
            action,
            bucket: self.target.bucket().cloned(),
            key: self.target.key().cloned(),
            version: self.version,
        });
        Ok(source.into_iter().chain(target).collect())
    }

    /// What must be authorized besides where the source of a copy has tags: unless
    /// the client wants others instead, they are read there, and written here.
    pub fn accesses_to_tags(&self) -> Result<Option<[Access; 2]>, Error> {
        let replaced = self.header("x-amz-tagging-directive") == Some("REPLACE");
        match self.copy_source()? {
            Some(source) if self.operation == Operation::CopyObject && !replaced => Ok(Some([
                Access {
                    action: match source.version {
                        Some(_) => Action::GetObjectVersionTagging,
                        None => Action::GetObjectTagging,
                    },
                    ..source.access()
                },
                Access {
                    action: Action::PutObjectTagging,
                    bucket: self.target.bucket().cloned(),
                    key: self.target.key().cloned(),
                    version: None,
                },
            ])),
            _ => Ok(None),
        }
    }

    /// What a copy reads.
    pub fn copy_source(&self) -> Result<Option<CopySource>, Error> {
        match self.operation {
            Operation::CopyObject | Operation::UploadPartCopy => {
                let header = self.header("x-amz-copy-source").unwrap_or_default();
                CopySource::parse(header).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What is done to the target.
    fn actions(&self) -> Vec<Action> {
        use Operation as O;
        let either = |version, current| match self.version {
            Some(_) => vec![version],
            None => vec![current],
        };
        match self.operation {
            O::Preflight | O::DeleteObjects => Vec::new(),

            O::ListBuckets => vec![Action::ListAllMyBuckets],
            O::CreateBucket => vec![Action::CreateBucket],
            O::DeleteBucket => vec![Action::DeleteBucket],
            O::HeadBucket | O::ListObjects | O::ListObjectsV2 => vec![Action::ListBucket],
            O::ListObjectVersions => vec![Action::ListBucketVersions],
            O::ListMultipartUploads => vec![Action::ListBucketMultipartUploads],
            O::GetBucketAcl => vec![Action::GetBucketAcl],
            O::PutBucketAcl => vec![Action::PutBucketAcl],
            O::GetBucketCors => vec![Action::GetBucketCors],
            O::PutBucketCors | O::DeleteBucketCors => vec![Action::PutBucketCors],
            O::GetBucketTagging => vec![Action::GetBucketTagging],
            O::PutBucketTagging | O::DeleteBucketTagging => vec![Action::PutBucketTagging],
            O::GetBucketLocation => vec![Action::GetBucketLocation],
            O::GetBucketRequestPayment => vec![Action::GetBucketRequestPayment],
            O::PutBucketRequestPayment => vec![Action::PutBucketRequestPayment],
            O::GetBucketVersioning => vec![Action::GetBucketVersioning],
            O::PutBucketVersioning => vec![Action::PutBucketVersioning],
            O::GetBucketPolicy => vec![Action::GetBucketPolicy],
            O::PutBucketPolicy => vec![Action::PutBucketPolicy],
            O::DeleteBucketPolicy => vec![Action::DeleteBucketPolicy],
            O::GetBucketPolicyStatus => vec![Action::GetBucketPolicyStatus],
            O::GetBucketLifecycle => vec![Action::GetLifecycleConfiguration],
            O::PutBucketLifecycle | O::DeleteBucketLifecycle => {
                vec![Action::PutLifecycleConfiguration]
            }
            O::GetBucketEncryption => vec![Action::GetEncryptionConfiguration],
            O::PutBucketEncryption | O::DeleteBucketEncryption => {
                vec![Action::PutEncryptionConfiguration]
            }
            O::GetBucketWebsite => vec![Action::GetBucketWebsite],
            O::PutBucketWebsite | O::DeleteBucketWebsite => vec![Action::PutBucketWebsite],
            O::GetBucketNotification => vec![Action::GetBucketNotification],
            O::PutBucketNotification => vec![Action::PutBucketNotification],
            O::GetBucketReplication => vec![Action::GetReplicationConfiguration],
            O::PutBucketReplication | O::DeleteBucketReplication => {
                vec![Action::PutReplicationConfiguration]
            }
            O::GetBucketLogging => vec![Action::GetBucketLogging],
            O::PutBucketLogging => vec![Action::PutBucketLogging],
            O::GetBucketAccelerate => vec![Action::GetAccelerateConfiguration],
            O::PutBucketAccelerate => vec![Action::PutAccelerateConfiguration],
            O::GetBucketOwnershipControls => vec![Action::GetBucketOwnershipControls],
            O::PutBucketOwnershipControls | O::DeleteBucketOwnershipControls => {
                vec![Action::PutBucketOwnershipControls]
            }
            O::GetPublicAccessBlock => vec![Action::GetBucketPublicAccessBlock],
            O::PutPublicAccessBlock | O::DeletePublicAccessBlock => {
                vec![Action::PutBucketPublicAccessBlock]
            }
            O::GetObjectLockConfiguration => vec![Action::GetBucketObjectLockConfiguration],
            O::PutObjectLockConfiguration => vec![Action::PutBucketObjectLockConfiguration],
            O::GetBucketAnalytics => vec![Action::GetAnalyticsConfiguration],
            O::PutBucketAnalytics | O::DeleteBucketAnalytics => {
                vec![Action::PutAnalyticsConfiguration]
            }
            O::GetBucketInventory => vec![Action::GetInventoryConfiguration],
            O::PutBucketInventory | O::DeleteBucketInventory => {
                vec![Action::PutInventoryConfiguration]
            }
            O::GetBucketMetrics => vec![Action::GetMetricsConfiguration],
            O::PutBucketMetrics | O::DeleteBucketMetrics => {
                vec![Action::PutMetricsConfiguration]
            }
            O::GetBucketIntelligentTiering => {
                vec![Action::GetIntelligentTieringConfiguration]
            }
            O::PutBucketIntelligentTiering | O::DeleteBucketIntelligentTiering => {
                vec![Action::PutIntelligentTieringConfiguration]
            }

            O::PutObject | O::PostObject | O::CopyObject | O::CreateMultipartUpload => {
                self.write_actions()
            }
            O::UploadPart | O::UploadPartCopy | O::CompleteMultipartUpload => {
                vec![Action::PutObject]
            }
            O::AbortMultipartUpload => vec![Action::AbortMultipartUpload],
            O::ListParts => vec![Action::ListMultipartUploadParts],
            O::GetObject | O::HeadObject | O::SelectObjectContent => {
                either(Action::GetObjectVersion, Action::GetObject)
            }
            O::DeleteObject => either(Action::DeleteObjectVersion, Action::DeleteObject),
            O::GetObjectAcl => either(Action::GetObjectVersionAcl, Action::GetObjectAcl),
            O::PutObjectAcl => either(Action::PutObjectVersionAcl, Action::PutObjectAcl),
            O::GetObjectTagging => {
                either(Action::GetObjectVersionTagging, Action::GetObjectTagging)
            }
            O::PutObjectTagging => {
                either(Action::PutObjectVersionTagging, Action::PutObjectTagging)
            }
            O::DeleteObjectTagging => either(
                Action::DeleteObjectVersionTagging,
                Action::DeleteObjectTagging,
            ),
            // Attributes say what a read would say, so both must be allowed.
            O::GetObjectAttributes => match self.version {
                Some(_) => vec![Action::GetObjectVersion, Action::GetObjectVersionAttributes],
                None => vec![Action::GetObject, Action::GetObjectAttributes],
            },
            O::GetObjectRetention => vec![Action::GetObjectRetention],
            O::PutObjectRetention => vec![Action::PutObjectRetention],
            O::GetObjectLegalHold => vec![Action::GetObjectLegalHold],
            O::PutObjectLegalHold => vec![Action::PutObjectLegalHold],
            O::GetObjectTorrent => vec![Action::GetObjectTorrent],
            O::RestoreObject => vec![Action::RestoreObject],

            O::GetSubResource => vec![Action::GetSubResource],
            O::PutSubResource | O::PostSubResource => vec![Action::PutSubResource],
            O::DeleteSubResource => vec![Action::DeleteSubResource],
        }
    }

    /// Whoever writes an object and says something else of it with headers does
    /// that, too.
    fn write_actions(&self) -> Vec<Action> {
        let has = |names: &[&str]| names.iter().any(|name| self.headers.contains_key(*name));
        let grants = || {
            let mut names = self.headers.keys();
            names.any(|name| name.as_str().starts_with("x-amz-grant-"))
        };
        let mut actions = vec![Action::PutObject];
        if has(&["x-amz-acl"]) || grants() {
            actions.push(Action::PutObjectAcl);
        }
        if has(&["x-amz-tagging"]) {
            actions.push(Action::PutObjectTagging);
        }
        if has(&[
            "x-amz-object-lock-mode",
            "x-amz-object-lock-retain-until-date",
        ]) {
            actions.push(Action::PutObjectRetention);
        }
        if has(&["x-amz-object-lock-legal-hold"]) {
            actions.push(Action::PutObjectLegalHold);
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Head {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "h");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Head::parse(&parts, &[], &[]).unwrap()
    }

    #[test]
    fn a_copy_that_takes_tags_along_reads_and_writes_them() {
        use Action as A;
        const COPY: (&str, &str) = ("x-amz-copy-source", "/src-bucket/k");
        const VERSION: (&str, &str) = ("x-amz-copy-source", "/src-bucket/k?versionId=null");
        const DIRECTIVE: &str = "x-amz-tagging-directive";
        let check = |uri: &str, headers: &[(&str, &str)], expected: Option<[A; 2]>| {
            let accesses = head("PUT", uri, headers).accesses_to_tags().unwrap();
            if let Some([read, write]) = &accesses {
                assert_eq!(read.bucket.as_ref().unwrap().as_str(), "src-bucket");
                assert_eq!(write.bucket.as_ref().unwrap().as_str(), "abc");
            }
            let actions = accesses.map(|accesses| accesses.map(|access| access.action));
            assert_eq!(actions, expected, "{uri} {headers:?}");
        };
        let (current, version) = (A::GetObjectTagging, A::GetObjectVersionTagging);
        let kept = |read| Some([read, A::PutObjectTagging]);
        check("/abc/k", &[COPY], kept(current));
        check("/abc/k", &[VERSION], kept(version));
        check("/abc/k", &[COPY, (DIRECTIVE, "COPY")], kept(current));
        check("/abc/k", &[COPY, (DIRECTIVE, "REPLACE")], None);
        check("/abc/k?partNumber=1&uploadId=u", &[COPY], None);
        check("/abc/k", &[], None);
    }

    #[test]
    fn each_request_asks_for_what_it_does() {
        use Action as A;
        const COPY: (&str, &str) = ("x-amz-copy-source", "/src-bucket/a%2Fb?versionId=null");
        let check = |method: &str, uri: &str, headers: &[(&str, &str)], expected: &[A]| {
            let accesses = head(method, uri, headers).accesses().unwrap();
            let actions: Vec<_> = accesses.iter().map(|access| access.action).collect();
            assert_eq!(actions, expected, "{method} {uri} {headers:?}");
        };
        check("GET", "/", &[], &[A::ListAllMyBuckets]);
        check("HEAD", "/abc", &[], &[A::ListBucket]);
        check("GET", "/abc?list-type=2", &[], &[A::ListBucket]);
        check("GET", "/abc?versions", &[], &[A::ListBucketVersions]);
        check("DELETE", "/abc?cors", &[], &[A::PutBucketCors]);
        check("DELETE", "/abc?policy", &[], &[A::DeleteBucketPolicy]);
        check(
            "GET",
            "/abc?lifecycle",
            &[],
            &[A::GetLifecycleConfiguration],
        );
        check("POST", "/abc?delete", &[], &[]);
        check("OPTIONS", "/abc/k", &[], &[]);
        check("POST", "/abc", &[], &[A::PutObject]);
        check("GET", "/abc/k", &[], &[A::GetObject]);
        check("HEAD", "/abc/k?versionId=null", &[], &[A::GetObjectVersion]);
        check("DELETE", "/abc/k", &[], &[A::DeleteObject]);
        check(
            "DELETE",
            "/abc/k?versionId=null",
            &[],
            &[A::DeleteObjectVersion],
        );
        check("GET", "/abc/k?acl", &[], &[A::GetObjectAcl]);
        check(
            "PUT",
            "/abc/k?acl&versionId=null",
            &[],
            &[A::PutObjectVersionAcl],
        );
        check(
            "GET",
            "/abc/k?attributes",
            &[],
            &[A::GetObject, A::GetObjectAttributes],
        );
        check("PUT", "/abc/k", &[], &[A::PutObject]);
        check(
            "PUT",
            "/abc/k",
            &[("x-amz-acl", "private")],
            &[A::PutObject, A::PutObjectAcl],
        );
        check(
            "POST",
            "/abc/k?uploads",
            &[
                ("x-amz-grant-read", "id=1"),
                ("x-amz-tagging", "a=b"),
                ("x-amz-object-lock-mode", "GOVERNANCE"),
                ("x-amz-object-lock-legal-hold", "ON"),
            ],
            &[
                A::PutObject,
                A::PutObjectAcl,
                A::PutObjectTagging,
                A::PutObjectRetention,
                A::PutObjectLegalHold,
            ],
        );
        check(
            "PUT",
            "/abc/k",
            &[COPY, ("x-amz-acl", "private")],
            &[A::GetObjectVersion, A::PutObject, A::PutObjectAcl],
        );
        let part = "/abc/k?uploadId=x&partNumber=1";
        check("PUT", part, &[], &[A::PutObject]);
        check("PUT", part, &[COPY], &[A::GetObjectVersion, A::PutObject]);
        check(
            "GET",
            "/abc/k?uploadId=x",
            &[],
            &[A::ListMultipartUploadParts],
        );
        check(
            "DELETE",
            "/abc/k?uploadId=x",
            &[],
            &[A::AbortMultipartUpload],
        );
        check("POST", "/abc/k?uploadId=x", &[], &[A::PutObject]);
    }

    #[test]
    fn a_copy_reads_its_source_and_writes_its_target() {
        let head = head("PUT", "/abc/k", &[("x-amz-copy-source", "src-bucket/a")]);
        let accesses = head.accesses().unwrap();
        let resources: Vec<_> = accesses
            .iter()
            .map(|access| (access.bucket.as_ref(), access.key.as_ref()))
            .map(|(bucket, key)| (bucket.unwrap().as_str(), key.unwrap().as_str()))
            .collect();
        assert_eq!(resources, [("src-bucket", "a"), ("abc", "k")]);
    }

    #[test]
    fn a_copy_source_is_decoded_once() {
        let check = |header: &str, expected: Option<(&str, &str, Option<VersionId>)>| {
            let source = CopySource::parse(header);
            let source = source
                .as_ref()
                .ok()
                .map(|source| (source.bucket.as_str(), source.key.as_str(), source.version));
            assert_eq!(source, expected, "{header}");
        };
        let version = VersionId::Id(7);
        check("abc/k", Some(("abc", "k", None)));
        check("/abc/k", Some(("abc", "k", None)));
        check("%2Fabc%2Fk%2Fl", Some(("abc", "k/l", None)));
        check("abc//k", Some(("abc", "/k", None)));
        check("abc/../%2e", Some(("abc", "../.", None)));
        check("abc/a+b%2B%25", Some(("abc", "a b+%", None)));
        check(
            "abc/k?versionId=null",
            Some(("abc", "k", Some(VersionId::Null))),
        );
        check(
            &format!("abc/k?versionId={version}"),
            Some(("abc", "k", Some(version))),
        );
        check(
            "abc/k%3FversionId=null",
            Some(("abc", "k?versionId=null", None)),
        );
        check("abc/k?x", Some(("abc", "k?x", None)));
        for wrong in [
            "",
            "/",
            "abc",
            "abc/",
            "//abc/k",
            "a_c/k",
            "abc/%",
            "abc/%ff",
            "abc/%00",
            "abc/k?versionId=",
            "abc/k?versionId=x",
            "arn:aws:s3:eu:1:accesspoint/a/object/k",
        ] {
            check(wrong, None);
        }
    }
}
