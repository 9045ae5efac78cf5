use http::{HeaderValue, Request};
use proptest::prelude::*;

use super::*;
use crate::sub_resource::Scope;

fn domains() -> Vec<String> {
    ["s3.example.com", "example.com", "S3.Test"]
        .map(str::to_owned)
        .to_vec()
}

fn parse(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Head, Error> {
    let mut request = Request::builder().method(method).uri(uri);
    if !headers.iter().any(|(name, _)| *name == "host") && !uri.contains("://") {
        request = request.header("host", "127.0.0.1:9000");
    }
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request = request.header(*name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Head::parse(&parts, &domains(), &more())
}

/// What is served besides the sub-resources of S3.
fn more() -> Vec<SubResource> {
    use Operation as O;
    let notice = [
        O::GetSubResource,
        O::PutSubResource,
        O::PostSubResource,
        O::DeleteSubResource,
    ];
    let more = [
        SubResource::new("legal-notice", Scope::Bucket, &notice),
        SubResource::new("read-only", Scope::Object, &[O::GetSubResource]),
    ];
    more.map(Result::unwrap).to_vec()
}

fn refusal(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Code> {
    parse(method, uri, headers)
        .err()
        .and_then(|error| error.code())
}

const COPY: (&str, &str) = ("x-amz-copy-source", "a-bucket/key");

/// Every operation, and a request that asks for it.
const ROUTES: &[(&str, &str, Operation)] = &[
    ("GET", "/", Operation::ListBuckets),
    (
        "GET",
        "/?x-id=ListBuckets&max-buckets=",
        Operation::ListBuckets,
    ),
    ("PUT", "/abc", Operation::CreateBucket),
    ("HEAD", "/abc", Operation::HeadBucket),
    ("DELETE", "/abc/", Operation::DeleteBucket),
    ("GET", "/abc", Operation::ListObjects),
    (
        "GET",
        "/abc/?prefix=&marker&delimiter=%2F",
        Operation::ListObjects,
    ),
    (
        "GET",
        "/abc?list-type=2&fetch-owner",
        Operation::ListObjectsV2,
    ),
    (
        "GET",
        "/abc?versions&prefix=",
        Operation::ListObjectVersions,
    ),
    ("GET", "/abc?uploads", Operation::ListMultipartUploads),
    ("POST", "/abc?delete", Operation::DeleteObjects),
    ("POST", "/abc/?delete=", Operation::DeleteObjects),
    ("POST", "/abc", Operation::PostObject),
    ("OPTIONS", "/abc/k?uploadId=x", Operation::Preflight),
    ("OPTIONS", "/abc", Operation::Preflight),
    ("GET", "/abc?acl", Operation::GetBucketAcl),
    ("PUT", "/abc?acl", Operation::PutBucketAcl),
    ("GET", "/abc?cors", Operation::GetBucketCors),
    ("PUT", "/abc?cors", Operation::PutBucketCors),
    ("DELETE", "/abc?cors", Operation::DeleteBucketCors),
    ("GET", "/abc?tagging", Operation::GetBucketTagging),
    ("PUT", "/abc?tagging", Operation::PutBucketTagging),
    ("DELETE", "/abc?tagging", Operation::DeleteBucketTagging),
    ("GET", "/abc?location", Operation::GetBucketLocation),
    (
        "GET",
        "/abc?requestPayment",
        Operation::GetBucketRequestPayment,
    ),
    (
        "PUT",
        "/abc?requestPayment",
        Operation::PutBucketRequestPayment,
    ),
    ("GET", "/abc?versioning", Operation::GetBucketVersioning),
    ("PUT", "/abc?versioning", Operation::PutBucketVersioning),
    ("GET", "/abc?policy", Operation::GetBucketPolicy),
    ("PUT", "/abc?policy", Operation::PutBucketPolicy),
    ("DELETE", "/abc?policy", Operation::DeleteBucketPolicy),
    ("GET", "/abc?policyStatus", Operation::GetBucketPolicyStatus),
    ("GET", "/abc?lifecycle", Operation::GetBucketLifecycle),
    ("PUT", "/abc?lifecycle", Operation::PutBucketLifecycle),
    ("DELETE", "/abc?lifecycle", Operation::DeleteBucketLifecycle),
    ("GET", "/abc?encryption", Operation::GetBucketEncryption),
    ("PUT", "/abc?encryption", Operation::PutBucketEncryption),
    (
        "DELETE",
        "/abc?encryption",
        Operation::DeleteBucketEncryption,
    ),
    ("GET", "/abc?website", Operation::GetBucketWebsite),
    ("PUT", "/abc?website", Operation::PutBucketWebsite),
    ("DELETE", "/abc?website", Operation::DeleteBucketWebsite),
    ("GET", "/abc?notification", Operation::GetBucketNotification),
    ("PUT", "/abc?notification", Operation::PutBucketNotification),
    ("GET", "/abc?replication", Operation::GetBucketReplication),
    ("PUT", "/abc?replication", Operation::PutBucketReplication),
    (
        "DELETE",
        "/abc?replication",
        Operation::DeleteBucketReplication,
    ),
    ("GET", "/abc?logging", Operation::GetBucketLogging),
    ("PUT", "/abc?logging", Operation::PutBucketLogging),
    ("GET", "/abc?accelerate", Operation::GetBucketAccelerate),
    ("PUT", "/abc?accelerate", Operation::PutBucketAccelerate),
    (
        "GET",
        "/abc?ownershipControls",
        Operation::GetBucketOwnershipControls,
    ),
    (
        "PUT",
        "/abc?ownershipControls",
        Operation::PutBucketOwnershipControls,
    ),
    (
        "DELETE",
        "/abc?ownershipControls",
        Operation::DeleteBucketOwnershipControls,
    ),
    (
        "GET",
        "/abc?publicAccessBlock",
        Operation::GetPublicAccessBlock,
    ),
    (
        "PUT",
        "/abc?publicAccessBlock",
        Operation::PutPublicAccessBlock,
    ),
    (
        "DELETE",
        "/abc?publicAccessBlock",
        Operation::DeletePublicAccessBlock,
    ),
    (
        "GET",
        "/abc?object-lock",
        Operation::GetObjectLockConfiguration,
    ),
    (
        "PUT",
        "/abc?object-lock",
        Operation::PutObjectLockConfiguration,
    ),
    ("GET", "/abc?analytics&id=1", Operation::GetBucketAnalytics),
    ("PUT", "/abc?analytics&id=1", Operation::PutBucketAnalytics),
    (
        "DELETE",
        "/abc?analytics&id",
        Operation::DeleteBucketAnalytics,
    ),
    (
        "GET",
        "/abc?inventory&continuation-token=",
        Operation::GetBucketInventory,
    ),
    ("PUT", "/abc?inventory&id=1", Operation::PutBucketInventory),
    (
        "DELETE",
        "/abc?inventory&id=1",
        Operation::DeleteBucketInventory,
    ),
    ("GET", "/abc?metrics&id=1", Operation::GetBucketMetrics),
    ("PUT", "/abc?metrics&id=1", Operation::PutBucketMetrics),
    (
        "DELETE",
        "/abc?metrics&id=1",
        Operation::DeleteBucketMetrics,
    ),
    (
        "GET",
        "/abc?intelligent-tiering",
        Operation::GetBucketIntelligentTiering,
    ),
    (
        "PUT",
        "/abc?intelligent-tiering&id=1",
        Operation::PutBucketIntelligentTiering,
    ),
    (
        "DELETE",
        "/abc?intelligent-tiering&id=1",
        Operation::DeleteBucketIntelligentTiering,
    ),
    ("PUT", "/abc/k", Operation::PutObject),
    ("PUT", "/abc/k?x-id=PutObject", Operation::PutObject),
    (
        "PUT",
        "/abc/k?X-Amz-Signature=&x-amz-acl",
        Operation::PutObject,
    ),
    ("GET", "/abc/k", Operation::GetObject),
    (
        "GET",
        "/abc/k?partNumber=2&response-expires",
        Operation::GetObject,
    ),
    (
        "GET",
        "/abc/k?AWSAccessKeyId=&Signature&Expires=1",
        Operation::GetObject,
    ),
    ("GET", "/abc/k?unknown=value", Operation::GetObject),
    ("HEAD", "/abc/k", Operation::HeadObject),
    ("DELETE", "/abc/k?versionId=null", Operation::DeleteObject),
    ("GET", "/abc/k?acl&versionId=null", Operation::GetObjectAcl),
    ("PUT", "/abc/k?acl", Operation::PutObjectAcl),
    ("GET", "/abc/k?tagging", Operation::GetObjectTagging),
    ("PUT", "/abc/k?tagging", Operation::PutObjectTagging),
    ("DELETE", "/abc/k?tagging", Operation::DeleteObjectTagging),
    ("GET", "/abc/k?attributes", Operation::GetObjectAttributes),
    ("GET", "/abc/k?retention", Operation::GetObjectRetention),
    ("PUT", "/abc/k?retention", Operation::PutObjectRetention),
    ("GET", "/abc/k?legal-hold", Operation::GetObjectLegalHold),
    ("PUT", "/abc/k?legal-hold", Operation::PutObjectLegalHold),
    ("GET", "/abc/k?torrent", Operation::GetObjectTorrent),
    ("POST", "/abc/k?restore", Operation::RestoreObject),
    (
        "POST",
        "/abc/k?select&select-type=2",
        Operation::SelectObjectContent,
    ),
    ("POST", "/abc/k?uploads", Operation::CreateMultipartUpload),
    (
        "PUT",
        "/abc/k?partNumber=1&uploadId=x",
        Operation::UploadPart,
    ),
    (
        "POST",
        "/abc/k?uploadId=x",
        Operation::CompleteMultipartUpload,
    ),
    (
        "DELETE",
        "/abc/k?uploadId=x",
        Operation::AbortMultipartUpload,
    ),
    ("GET", "/abc/k?uploadId=x&max-parts=1", Operation::ListParts),
];

#[test]
fn every_operation_has_its_request() {
    let mut seen = Vec::new();
    for (method, uri, operation) in ROUTES {
        let head =
            parse(method, uri, &[]).unwrap_or_else(|error| panic!("{method} {uri}: {error}"));
        assert_eq!(head.operation, *operation, "{method} {uri}");
        seen.push(head.operation);
    }
    for (uri, operation) in [
        ("/abc/k", Operation::CopyObject),
        ("/abc/k?partNumber=1&uploadId=x", Operation::UploadPartCopy),
    ] {
        assert_eq!(parse("PUT", uri, &[COPY]).unwrap().operation, operation);
        seen.push(operation);
    }
    for (method, operation) in [
        ("GET", Operation::GetSubResource),
        ("PUT", Operation::PutSubResource),
        ("POST", Operation::PostSubResource),
        ("DELETE", Operation::DeleteSubResource),
    ] {
        let head = parse(method, "/abc?legal-notice", &[]).unwrap();
        assert_eq!(head.operation, operation);
        assert_eq!(head.sub_resource.as_deref(), Some("legal-notice"));
        seen.push(operation);
    }
    for operation in Operation::ALL {
        assert!(seen.contains(operation), "{operation} has no request");
    }
}

#[test]
fn nothing_falls_through_to_the_plain_operation() {
    for (method, uri, expected) in [
        // Sub-resources of a plugin, but not of this resource, or not by this method.
        ("GET", "/abc/k?legal-notice", Code::MethodNotAllowed),
        ("GET", "/?legal-notice", Code::MethodNotAllowed),
        ("HEAD", "/abc?legal-notice", Code::MethodNotAllowed),
        ("PUT", "/abc/k?read-only", Code::MethodNotAllowed),
        ("GET", "/abc?legal-notice&acl", Code::InvalidArgument),
        // Where nobody serves them, they would be parameters that mean nothing.
        ("PUT", "/abc?legal-notice=v1", Code::InvalidArgument),
        ("DELETE", "/abc?legal-notice=v1", Code::InvalidArgument),
        (
            "GET",
            "/abc?legal-notice&legal-notice=v1",
            Code::InvalidArgument,
        ),
        // Unknown sub-resources.
        ("GET", "/abc?foo", Code::NotImplemented),
        ("GET", "/abc?foo=", Code::NotImplemented),
        ("DELETE", "/abc?foo", Code::NotImplemented),
        ("GET", "/?foo", Code::NotImplemented),
        ("PUT", "/abc/k?ACL", Code::NotImplemented),
        (
            "DELETE",
            "/abc/k?annotation&annotationName=a",
            Code::NotImplemented,
        ),
        ("GET", "/abc?session", Code::NotImplemented),
        ("PUT", "/abc/k?renameObject", Code::NotImplemented),
        // Known ones of another kind of target.
        ("PUT", "/abc/k?cors", Code::MethodNotAllowed),
        ("GET", "/abc/k?policy", Code::MethodNotAllowed),
        ("DELETE", "/abc?uploadId=x", Code::MethodNotAllowed),
        ("GET", "/abc?attributes", Code::MethodNotAllowed),
        ("GET", "/?acl", Code::MethodNotAllowed),
        ("GET", "/abc/k?uploads", Code::InvalidRequest),
        // Methods that the target or the sub-resource does not have.
        ("POST", "/abc/k", Code::MethodNotAllowed),
        ("PATCH", "/abc/k", Code::MethodNotAllowed),
        ("PROPFIND", "/abc", Code::MethodNotAllowed),
        ("PUT", "/", Code::MethodNotAllowed),
        ("HEAD", "/abc?acl", Code::MethodNotAllowed),
        ("DELETE", "/abc?acl", Code::MethodNotAllowed),
        ("GET", "/abc?delete", Code::MethodNotAllowed),
        ("PUT", "/abc/k?uploads", Code::MethodNotAllowed),
        // Two at once, or half of one.
        ("GET", "/abc?acl&cors", Code::InvalidArgument),
        ("POST", "/abc/k?uploads&uploadId=x", Code::InvalidArgument),
        ("PUT", "/abc/k?partNumber=1", Code::InvalidArgument),
        ("PUT", "/abc/k?uploadId=x", Code::InvalidArgument),
        ("GET", "/abc?list-type=3", Code::InvalidArgument),
        ("GET", "/abc?list-type", Code::InvalidArgument),
        // Which of the two did the plugin see?
        (
            "GET",
            "/abc/k?versionId=null&versionId=x",
            Code::InvalidArgument,
        ),
        (
            "DELETE",
            "/abc/k?uploadId=x&uploadId=y",
            Code::InvalidArgument,
        ),
        (
            "GET",
            "/abc/k?X-Amz-Date=a&X-Amz-Date=a",
            Code::InvalidArgument,
        ),
        // Versions.
        ("GET", "/abc/k?versionId=x", Code::InvalidArgument),
        ("GET", "/abc/k?versionId=", Code::InvalidArgument),
        ("PUT", "/abc/k?versionId=null", Code::InvalidArgument),
        ("DELETE", "/abc?versionId=null", Code::InvalidArgument),
    ] {
        assert_eq!(refusal(method, uri, &[]), Some(expected), "{method} {uri}");
    }
    let error = parse("DELETE", "/abc?acl", &[]).unwrap_err();
    let allowed: Vec<_> = error.headers().map(|(_, value)| value).collect();
    assert_eq!(allowed, ["GET, PUT"]);
}

#[test]
fn a_target_is_a_path_or_a_host() {
    let object = |bucket: &str, key: &str| {
        let bucket = BucketName::parse(bucket).unwrap();
        match ObjectKey::parse(key) {
            Ok(key) => Target::Object(bucket, key),
            Err(_) => Target::Bucket(bucket),
        }
    };
    let check = |host: &str, path: &str, expected: Target| {
        let head = parse("HEAD", path, &[("host", host)]).unwrap();
        assert_eq!(head.target, expected, "{host} {path}");
        assert_eq!((&*head.host, &*head.path), (host, path));
    };
    check("h", "/abc", object("abc", ""));
    check("h", "/abc/", object("abc", ""));
    check("h", "/abc/k", object("abc", "k"));
    check("h", "/abc//", object("abc", "/"));
    check("h", "/abc//k//", object("abc", "/k//"));
    check("h", "/abc/%2Fk%2f", object("abc", "/k/"));
    check("h", "/abc/./../k/..", object("abc", "./../k/.."));
    check("h", "/abc/%2e%2E/%2e", object("abc", "../."));
    check("h", "/abc/a+b%2B%20c%25", object("abc", "a+b+ c%"));
    check("h", "/abc/%C3%A4%E2%82%AC", object("abc", "ä€"));
    check("h", "/abc/%01%7F", object("abc", "\u{1}\u{7f}"));
    check("h", "/abc/k%3Facl", object("abc", "k?acl"));
    check("h", "/%61bc/k", object("abc", "k"));

    check("s3.example.com", "/abc/k", object("abc", "k"));
    check("abc.s3.example.com", "/k/l", object("abc", "k/l"));
    check("abc.s3.example.com:9000", "/k", object("abc", "k"));
    check("ABC.S3.Example.com", "/k", object("abc", "k"));
    check("a.b.c.s3.example.com", "//k", object("a.b.c", "/k"));
    check("abc.example.com", "/", object("abc", ""));
    check("abc.s3.test", "/", object("abc", ""));
    check("abcs3.test", "/abc", object("abc", ""));
    check("[::1]:9000", "/abc", object("abc", ""));
    check("[::1]", "/abc", object("abc", ""));
    check("localhost:9000", "/abc/k", object("abc", "k"));

    let head = parse("GET", "http://abc.s3.example.com/k?acl", &[]).unwrap();
    assert_eq!(head.target, object("abc", "k"));
    assert_eq!(head.host, "abc.s3.example.com");
    assert_eq!(head.query_string, "acl");
    assert_eq!(parse("GET", "/", &[]).unwrap().target, Target::Service);
}

#[test]
fn a_hostile_target_is_a_defined_answer() {
    let long = format!("/abc/{}", "k".repeat(1025));
    let longest = format!("/abc/{}", "%6b".repeat(1024));
    assert_eq!(refusal("GET", &longest, &[]), None);
    for (path, expected) in [
        ("/abc/%", Code::InvalidURI),
        ("/abc/%4", Code::InvalidURI),
        ("/abc/%zz", Code::InvalidURI),
        ("/abc/%00", Code::InvalidURI),
        ("/abc/%ff", Code::InvalidURI),
        ("/abc/%C0%AF", Code::InvalidURI),
        ("/abc/%ED%A0%80", Code::InvalidURI),
        ("/a%00c", Code::InvalidURI),
        ("/abc?prefix=%ff", Code::InvalidURI),
        ("/abc?prefix=%4", Code::InvalidURI),
        ("*", Code::InvalidURI),
        ("/ab", Code::InvalidBucketName),
        ("/ABC", Code::InvalidBucketName),
        ("/..", Code::InvalidBucketName),
        ("/../abc", Code::InvalidBucketName),
        ("//abc", Code::InvalidBucketName),
        ("//", Code::InvalidBucketName),
        ("/abc%2Fk", Code::InvalidBucketName),
        ("/192.168.0.1", Code::InvalidBucketName),
        (&long, Code::KeyTooLongError),
    ] {
        assert_eq!(refusal("GET", path, &[]), Some(expected), "{path}");
    }
    let error = parse("GET", "/ab", &[]).unwrap_err();
    assert!(error.members().any(|member| member == ("BucketName", "ab")));
    for host in [".s3.example.com", "a_b.s3.example.com", "ab.example.com"] {
        let refusal = refusal("GET", "/", &[("host", host)]);
        assert_eq!(refusal, Some(Code::InvalidBucketName), "{host}");
    }
}

#[test]
fn headers_that_can_be_read_in_two_ways_are_refused() {
    let check = |headers: &[(&str, &str)], expected: Option<Code>| {
        assert_eq!(refusal("PUT", "/abc/k", headers), expected, "{headers:?}");
    };
    let refused = Some(Code::InvalidRequest);
    check(&[("x-amz-meta-a", "b"), ("x-amz-meta-a", "c")], refused);
    check(&[("x-amz-meta-a", "b"), ("x-amz-meta-a", "b")], None);
    check(&[("x-amz-date", "b"), ("x-amz-date", "c")], refused);
    check(&[("content-md5", "b"), ("content-md5", "c")], refused);
    check(&[("authorization", "b"), ("authorization", "c")], refused);
    check(&[("host", "b"), ("host", "c")], refused);
    check(&[("cache-control", "b"), ("cache-control", "c")], None);
    check(&[("content-length", "1"), ("content-length", "2")], refused);
    check(
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        refused,
    );
    check(&[("x-amz-meta-a", "ä")], None);
    check(&[("host", "ä")], refused);

    let mut request = Request::builder().uri("/abc").header("host", "h");
    request = request.header("x-amz-meta-a", HeaderValue::from_bytes(b"\xff").unwrap());
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let error = Head::parse(&parts, &[], &[]).unwrap_err();
    assert_eq!(error.code(), refused);
}

#[test]
fn the_query_of_a_presigned_request_stands_for_headers() {
    let check = |query: &str, sent: &[(&str, &str)], expected: &[(&str, &str)]| {
        let uri = format!("/abc/k?{query}");
        let head = parse("PUT", &uri, sent).unwrap();
        let names = head
            .headers
            .keys()
            .filter(|name| name.as_str() != "host")
            .map(|name| (name.as_str(), head.header(name.as_str()).unwrap()));
        let mut headers: Vec<_> = names.collect();
        headers.sort();
        assert_eq!(headers, expected, "{query}");
        let raw = head.sent_headers().count();
        assert_eq!(raw, sent.len() + 1, "{query}: only what was sent was sent");
    };
    const SIGNED: &str = "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=1\
        &X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD\
        &X-Amz-Signature=s";
    let acl = [("x-amz-acl", "public-read")];
    check(SIGNED, &[], &[]);
    check(&format!("{SIGNED}&x-amz-acl=public-read"), &[], &acl);
    check(&format!("X-Amz-Acl=public-read&{SIGNED}"), &[], &acl);
    check(&format!("{SIGNED}&x-amz-acl=public-read"), &acl, &acl);
    check("x-amz-acl=public-read", &[], &[]);
    const SIGNED_V2: &str = "AWSAccessKeyId=a&Expires=1&Signature=s";
    check(SIGNED_V2, &[], &[]);
    check(&format!("{SIGNED_V2}&x-amz-acl=public-read"), &[], &acl);
    check(
        &format!("{SIGNED}&x-amz-meta-a=b+%C3%BC&x-amz-storage-class="),
        &[("x-amz-acl", "private")],
        &[
            ("x-amz-acl", "private"),
            ("x-amz-meta-a", "b ü"),
            ("x-amz-storage-class", ""),
        ],
    );
    check(
        &format!("{SIGNED}&x-amz-checksum-mode=ENABLED&x-amz-checksum-algorithm=SHA1"),
        &[],
        &[
            ("x-amz-checksum-algorithm", "SHA1"),
            ("x-amz-checksum-mode", "ENABLED"),
        ],
    );
    // That of no body at all, and what goes with it.
    let empty = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let crc32 = [("x-amz-checksum-crc32", "y/Q5Jg==")];
    check(&format!("{SIGNED}&{empty}"), &[], &[]);
    check(&format!("{SIGNED}&{empty}"), &crc32, &crc32);

    let refused = |query: &str, sent: &[(&str, &str)]| {
        let code = refusal("PUT", &format!("/abc/k?{SIGNED}&{query}"), sent);
        assert_eq!(code, Some(Code::InvalidArgument), "{query}");
    };
    refused("x-amz-acl=public-read", &[("x-amz-acl", "private")]);
    refused("x-amz-acl=public-read&X-AMZ-ACL=private", &[]);
    refused("x-amz-meta-a=b%0D%0Ac", &[]);
    refused("x-amz-meta-a%20b=c", &[]);

    let copy = format!("/abc/k?{SIGNED}&X-Amz-Copy-Source=a-bucket%2Fkey");
    let head = parse("PUT", &copy, &[]).unwrap();
    assert_eq!(head.operation, Operation::CopyObject);
    assert_eq!(head.accesses().unwrap().len(), 2);
}

#[test]
fn a_request_has_one_host() {
    let check = |uri: &str, host: Option<&str>, expected: Result<&str, Option<Code>>| {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let host = Head::parse(&parts, &[], &[]).map(|head| head.host);
        let host = host.map_err(|error| error.code());
        assert_eq!(
            host.as_deref(),
            expected.as_ref().map(|host| *host),
            "{uri}"
        );
    };
    check("/abc", Some("h:1"), Ok("h:1"));
    check("http://h:1/abc", None, Ok("h:1"));
    check("http://h:1/abc", Some("H:1"), Ok("H:1"));
    check("http://h:1/abc", Some("i"), Err(Some(Code::InvalidRequest)));
    check("/abc", None, Err(Some(Code::InvalidRequest)));
}

proptest! {
    #[test]
    fn an_arbitrary_head_is_understood_or_refused_but_never_a_panic(
        method in "[A-Z]{1,8}|GET|PUT|POST|DELETE|HEAD|OPTIONS",
        path in "/(%[0-9a-f]{2}|[a-z./%+*~]){0,40}",
        query in "(%[0-9a-f]{2}|X-Amz-Signature=&|x-amz-|acl|cors|uploadId|versionId|partNumber|list-type|[&=+a-z%]){0,20}",
        host in prop::collection::vec(1_u8..255, 0..40),
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let uri = format!("{path}?{query}");
        let mut request = Request::builder().method(&*method).uri(uri);
        for (name, value) in [("host", &host), ("x-amz-copy-source", &value)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request = request.header(name, value);
            }
        }
        if let Ok(request) = request.body(()) {
            let (parts, ()) = request.into_parts();
            if let Ok(head) = Head::parse(&parts, &domains(), &[]) {
                let _ = head.accesses();
                let _ = crate::Payload::of(&head);
            }
        }
    }

    #[test]
    fn any_key_arrives_as_the_client_encoded_it(key in "[^\0]{1,100}") {
        let uri = format!("/abc/{}", crate::encode::key(&key));
        let head = parse("GET", &uri, &[]).unwrap();
        prop_assert_eq!(head.target.key().unwrap().as_str(), key);
    }
}
