//! `?tagging` of buckets, objects and versions, and the tags that come with a write.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server};

/// A document with these tags.
fn document(tags: &[(&str, &str)]) -> String {
    let tag =
        |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags: String = tags.iter().map(tag).collect();
    format!(
        "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>"
    )
}

fn send(server: &Server, request: Request) -> Reply {
    server.send(&request.signed(&ROOT))
}

fn put(server: &Server, path: &str, tags: &[(&str, &str)]) -> Reply {
    let request = Request::put(&format!("{path}?tagging"), document(tags));
    send(server, request.with_md5())
}

fn get(server: &Server, path: &str) -> Reply {
    send(server, Request::get(&format!("{path}?tagging")))
}

#[track_caller]
fn expect_tags(server: &Server, path: &str, tags: &[(&str, &str)]) {
    let reply = get(server, path).expect(200);
    let tags = document(tags);
    reply.expect_xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{tags}"
    ));
}

/// How many tags reads tell of.
#[track_caller]
fn expect_count(server: &Server, path: &str, count: Option<&str>) {
    for request in [
        Request::get(path),
        Request::head(path),
        Request::get(path).header("range", "bytes=0-0"),
    ] {
        let reply = send(server, request);
        assert!(matches!(reply.status, 200 | 206), "{reply:?}");
        assert_eq!(reply.header("x-amz-tagging-count"), count, "{reply:?}");
    }
}

#[test]
fn tags_of_a_bucket_are_kept_replaced_and_deleted() {
    let server = Server::shared();
    let bucket = server.bucket("tag-bucket");
    let unset = || {
        let reply = get(&server, &bucket).refused(404, "NoSuchTagSet");
        reply.expect_element("BucketName", "tag-bucket");
    };
    let delete = || send(&server, Request::delete("/tag-bucket?tagging"));
    unset();
    delete().expect(204);
    put(&server, &bucket, &[("team", "storage"), ("a b", "")]).expect(204);
    expect_tags(&server, &bucket, &[("team", "storage"), ("a b", "")]);
    put(&server, &bucket, &[("cost", "1")]).expect(204);
    expect_tags(&server, &bucket, &[("cost", "1")]);
    // They are not those of what is in it.
    server.object("/tag-bucket/key", "x");
    expect_tags(&server, "/tag-bucket/key", &[]);
    expect_count(&server, "/tag-bucket/key", None);
    delete().expect(204);
    unset();
    put(&server, "/tag-missing", &[]).refused(404, "NoSuchBucket");
}

#[test]
fn tags_of_an_object_are_kept_replaced_and_deleted() {
    let server = Server::shared();
    server.bucket("tag-object");
    let path = "/tag-object/key";
    let etag = server.object(path, "x").header("etag").map(str::to_owned);
    expect_tags(&server, path, &[]);
    put(&server, path, &[("team", "storage"), ("ä", "ö")]).expect(200);
    expect_tags(&server, path, &[("team", "storage"), ("ä", "ö")]);
    expect_count(&server, path, Some("2"));
    put(&server, path, &[("a", "b")]).expect(200);
    expect_count(&server, path, Some("1"));
    put(&server, path, &[]).expect(200);
    expect_tags(&server, path, &[]);
    expect_count(&server, path, None);
    put(&server, path, &[("a", "b")]).expect(200);
    let delete = || send(&server, Request::delete("/tag-object/key?tagging"));
    delete().expect(204);
    delete().expect(204);
    expect_tags(&server, path, &[]);
    // Tags are not a new version of the object.
    let read = send(&server, Request::get(path)).expect(200);
    assert_eq!(read.header("etag").map(str::to_owned), etag);
    assert_eq!(read.header("x-amz-version-id"), None);

    put(&server, path, &[("a", "b")]).expect(200);
    server.object(path, "y");
    expect_count(&server, path, None);
    for request in [
        Request::get("/tag-object/missing?tagging"),
        Request::put("/tag-object/missing?tagging", document(&[])).with_md5(),
        Request::delete("/tag-object/missing?tagging"),
    ] {
        send(&server, request).refused(404, "NoSuchKey");
    }
}

#[test]
fn a_copy_takes_tags_along_only_for_those_who_may_read_them() {
    let server = Server::shared();
    server.bucket("tag-private");
    let by_other = |request: Request| server.send(&request.signed(&OTHER));
    by_other(Request::put("/tag-theirs", "")).expect(200);
    let public = |path: &str| {
        let put = Request::put(path, "x").header("x-amz-acl", "public-read");
        send(&server, put).expect(200);
    };
    let copy = |source: &str, headers: &[(&str, &str)]| {
        let copy = Request::put("/tag-theirs/copy", "").header("x-amz-copy-source", source);
        by_other(
            headers
                .iter()
                .fold(copy, |copy, (name, value)| copy.header(name, value)),
        )
    };
    public("/tag-private/bare");
    copy("tag-private/bare", &[]).expect(200);
    public("/tag-private/key");
    put(&server, "/tag-private/key", &[("team", "storage")]).expect(200);
    by_other(Request::get("/tag-private/key?tagging")).refused(403, "AccessDenied");
    for headers in [
        &[][..],
        &[("x-amz-tagging-directive", "COPY")],
        &[("x-amz-tagging", "a=b")],
    ] {
        copy("tag-private/key", headers).refused(403, "AccessDenied");
    }
    let replaced = [
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-tagging", "a=b"),
    ];
    copy("tag-private/key", &replaced).expect(200);
    let tags = by_other(Request::get("/tag-theirs/copy?tagging")).expect(200);
    assert_eq!(tags.elements("Key"), ["a"]);
    // Who may do all with the source may read its tags.
    let grant =
        Request::put("/tag-private/key?acl", "").header("x-amz-grant-full-control", "id=other");
    send(&server, grant).expect(200);
    copy("tag-private/key", &[]).expect(200);
    let tags = by_other(Request::get("/tag-theirs/copy?tagging")).expect(200);
    assert_eq!(tags.elements("Key"), ["team"]);
}

#[test]
fn tags_are_for_owners() {
    let server = Server::shared();
    server.bucket("tag-rights");
    let put = Request::put("/tag-rights/key", "x").header("x-amz-acl", "public-read");
    send(&server, put).expect(200);
    for path in ["/tag-rights", "/tag-rights/key"] {
        let target = format!("{path}?tagging");
        for request in [
            Request::get(&target),
            Request::put(&target, document(&[])).with_md5(),
            Request::delete(&target),
        ] {
            server.send(&request).refused(403, "AccessDenied");
            let theirs = request.signed(&OTHER);
            server.send(&theirs).refused(403, "AccessDenied");
        }
    }
}

#[test]
fn tags_that_are_refused_change_nothing() {
    let server = Server::shared();
    let bucket = server.bucket("tag-refused");
    let object = "/tag-refused/key".to_owned();
    server.object(&object, "x");
    let keys: Vec<_> = (0..51).map(|n| format!("key{n}")).collect();
    let tags: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    for (path, max) in [(&bucket, 50), (&object, 10)] {
        assert!(put(&server, path, &tags[..max]).status < 300);
        let refused = |body: String, code: &str| {
            let target = format!("{path}?tagging");
            send(&server, Request::put(&target, body).with_md5()).refused(400, code);
            expect_tags(&server, path, &tags[..max]);
        };
        refused(document(&tags[..=max]), "InvalidTag");
        refused(document(&[("a", "1"), ("a", "2")]), "InvalidTag");
        refused(document(&[("aws:a", "1")]), "InvalidTag");
        refused(document(&[("", "1")]), "InvalidTag");
        refused(document(&[(&"k".repeat(129), "1")]), "InvalidTag");
        refused(document(&[("a", &"v".repeat(257))]), "InvalidTag");
        refused(document(&[("a", "b?")]), "InvalidTag");
        refused(
            document(&[("a", "b")]).replace("Value", "Wert"),
            "MalformedXML",
        );
        refused("<Tagging>".to_owned(), "MalformedXML");
        refused("tags".to_owned(), "MalformedXML");
        refused(String::new(), "MissingRequestBodyError");
        let target = format!("{path}?tagging");
        let undigested = Request::put(&target, document(&[]));
        send(&server, undigested).refused(400, "InvalidRequest");
        let wrong = Request::put(&target, document(&[]));
        let wrong = wrong.header("content-md5", &sluice_tests::md5("other"));
        send(&server, wrong).refused(400, "BadDigest");
        let crc32 = sluice_tests::crc32(document(&tags[..max]));
        let other = Request::put(&target, document(&tags[..max]));
        let other = other.header("x-amz-checksum-crc32", &crc32);
        assert!(send(&server, other).status < 300);
    }
}

#[test]
fn tags_come_with_a_write() {
    let server = Server::shared();
    server.bucket("tag-write");
    let put = |tags: &str| {
        let request = Request::put("/tag-write/key", "x").header("x-amz-tagging", tags);
        send(&server, request)
    };
    put("team=storage&a+b=%C3%A4").expect(200);
    expect_tags(
        &server,
        "/tag-write/key",
        &[("team", "storage"), ("a b", "ä")],
    );
    expect_count(&server, "/tag-write/key", Some("2"));
    put("a=1&a=2").refused(400, "InvalidArgument");
    put("a=%zz").refused(400, "InvalidArgument");
    put("aws:a=b").refused(400, "InvalidTag");
    put("0&1&2&3&4&5&6&7&8&9&10").refused(400, "InvalidTag");
    expect_count(&server, "/tag-write/key", Some("2"));

    let begin = Request::post("/tag-write/parts?uploads", "").header("x-amz-tagging", "a=b");
    let begun = send(&server, begin).expect(200);
    let upload = begun.element("UploadId").unwrap().to_owned();
    let part = Request::put(
        &format!("/tag-write/parts?partNumber=1&uploadId={upload}"),
        "x",
    );
    let part = send(&server, part).expect(200);
    let etag = part.header("etag").unwrap();
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = Request::post(&format!("/tag-write/parts?uploadId={upload}"), complete);
    send(&server, complete).expect(200);
    expect_tags(&server, "/tag-write/parts", &[("a", "b")]);
}

#[test]
fn a_copy_keeps_the_tags_unless_they_are_replaced() {
    let server = Server::shared();
    server.bucket("tag-copy");
    let tagged = Request::put("/tag-copy/key", "x").header("x-amz-tagging", "from=source");
    send(&server, tagged).expect(200);
    let copy = |headers: &[(&str, &str)]| {
        let copy = Request::put("/tag-copy/copy", "").header("x-amz-copy-source", "tag-copy/key");
        let headers = headers.iter();
        send(
            &server,
            headers.fold(copy, |copy, (name, value)| copy.header(name, value)),
        )
    };
    let directive = |value| ("x-amz-tagging-directive", value);
    let other = ("x-amz-tagging", "a=b");
    let source = &[("from", "source")][..];
    for (headers, expected) in [
        (&[][..], source),
        (&[("x-amz-metadata-directive", "REPLACE")], source),
        (&[directive("COPY")], source),
        // S3 looks at them only where they replace others.
        (&[other], source),
        (&[directive("COPY"), other], source),
        (&[directive("REPLACE"), other], &[("a", "b")]),
        (&[directive("REPLACE")], &[]),
    ] {
        copy(headers).expect(200);
        expect_tags(&server, "/tag-copy/copy", expected);
    }
    let refused = copy(&[directive("replace")]).refused(400, "InvalidArgument");
    refused.expect_element("ArgumentName", "x-amz-tagging-directive");
    copy(&[directive("REPLACE"), ("x-amz-tagging", "aws:a=b")]).refused(400, "InvalidTag");
    // A source without tags leaves none to the copy.
    server.object("/tag-copy/key", "x");
    copy(&[]).expect(200);
    expect_tags(&server, "/tag-copy/copy", &[]);
}
#[test]
fn a_bucket_can_be_created_with_tags() {
    let server = Server::shared();
    let create = |name: &str, key: &str| {
        let body = format!(
            "<CreateBucketConfiguration><Tags><Tag><Key>{key}</Key><Value>1</Value></Tag></Tags></CreateBucketConfiguration>"
        );
        send(&server, Request::put(&format!("/{name}"), body))
    };
    create("tag-created", "cost").expect(200);
    expect_tags(&server, "/tag-created", &[("cost", "1")]);
    create("tag-not-created", "aws:cost").refused(400, "InvalidTag");
    send(&server, Request::head("/tag-not-created")).expect(404);
}
