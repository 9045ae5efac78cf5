//! CopyObject.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, encode};

fn copy(server: &Server, target: &str, source: &str, headers: &[(&str, &str)]) -> Reply {
    let request = Request::put(target, "").header("x-amz-copy-source", source);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    server.send(&request.signed(&ROOT))
}

fn filled(name: &str) -> std::sync::Arc<Server> {
    let server = Server::shared();
    server.bucket(name);
    let put = Request::put(&format!("/{name}/source"), "0123456789")
        .header("x-amz-meta-colour", "blue")
        .header("content-type", "text/plain");
    server.send(&put.signed(&ROOT)).expect(200);
    server
}

#[test]
fn a_copy_has_the_bytes_and_the_metadata() {
    let server = filled("copy-plain");
    copy(&server, "/copy-plain/target", "/copy-plain/source", &[]).expect(200).expect_xml(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LastModified>*</LastModified><ETag>&quot;781e5e245d69b566979b86e28d23f2c7&quot;</ETag>\
         <ChecksumCRC64NVME>Ffmx7kz9nB0=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>",
    );
    let got = server
        .send(&Request::get("/copy-plain/target").signed(&ROOT))
        .expect(200);
    assert_eq!(got.text(), "0123456789");
    got.expect_header("x-amz-meta-colour", "blue")
        .expect_header("content-type", "text/plain");

    // It is on its own: what happens to the source does not happen to it.
    server
        .send(&Request::delete("/copy-plain/source").signed(&ROOT))
        .expect(204);
    assert_eq!(
        server.content("/copy-plain/target").as_deref(),
        Some(&b"0123456789"[..])
    );
}

#[test]
fn a_source_is_found_however_it_is_written() {
    let server = Server::shared();
    server.bucket("copy-sources");
    for key in ["a b", "a+b", "ü", "/leading", "per%cent", "a?b"] {
        server.object(&format!("/copy-sources/{}", encode(key)), key);
    }
    let found = |source: &str, key: &str| {
        copy(&server, "/copy-sources/target", source, &[]).expect(200);
        assert_eq!(
            server.content("/copy-sources/target").as_deref(),
            Some(key.as_bytes()),
            "{source}"
        );
    };
    found("copy-sources/a%20b", "a b");
    found("/copy-sources/a%20b", "a b");
    found("/copy-sources/a b", "a b");
    found("/copy-sources/a%2Bb", "a+b");
    found("/copy-sources/%C3%BC", "ü");
    found("/copy-sources//leading", "/leading");
    found("/copy-sources/%2Fleading", "/leading");
    found("/copy-sources/per%25cent", "per%cent");
    found("/copy-sources/a%3Fb", "a?b");
    found("/copy-sources%2Fa%20b", "a b");
    found("/copy-sources/a%20b?versionId=null", "a b");

    let refused = |source: &str, status: u16, code: &str| {
        copy(&server, "/copy-sources/never", source, &[]).refused(status, code);
        assert_eq!(server.content("/copy-sources/never"), None, "{source}");
    };
    refused("/copy-sources/missing", 404, "NoSuchKey");
    refused("/copy-missing/key", 404, "NoSuchBucket");
    refused("copy-sources", 400, "InvalidArgument");
    refused("/copy-sources/", 400, "InvalidArgument");
    refused("/", 400, "InvalidArgument");
    refused("", 400, "InvalidArgument");
    refused("/copy-sources/%FF", 400, "InvalidArgument");
    refused("/copy-sources/%", 400, "InvalidArgument");
    refused("/UPPER/key", 400, "InvalidArgument");
    refused("/copy-sources/a%20b?versionId=x", 400, "InvalidArgument");
}

#[test]
fn metadata_is_replaced_where_asked() {
    let server = filled("copy-replaced");
    let replace = [
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-shape", "round"),
    ];
    copy(
        &server,
        "/copy-replaced/target",
        "/copy-replaced/source",
        &replace,
    )
    .expect(200);
    let got = server
        .send(&Request::head("/copy-replaced/target").signed(&ROOT))
        .expect_header("x-amz-meta-shape", "round");
    assert_eq!(
        (got.header("x-amz-meta-colour"), got.header("content-type")),
        (None, Some("binary/octet-stream"))
    );

    // Onto itself it is a way to change metadata, and nothing else.
    copy(
        &server,
        "/copy-replaced/source",
        "/copy-replaced/source",
        &[],
    )
    .refused(400, "InvalidRequest");
    copy(
        &server,
        "/copy-replaced/source",
        "/copy-replaced/source",
        &replace,
    )
    .expect(200);
    assert_eq!(
        server.content("/copy-replaced/source").as_deref(),
        Some(&b"0123456789"[..])
    );
    copy(
        &server,
        "/copy-replaced/target",
        "/copy-replaced/source",
        &[("x-amz-metadata-directive", "OTHER")],
    )
    .refused(400, "InvalidArgument");
}

#[test]
fn conditions_on_the_source_are_kept() {
    let server = filled("copy-conditions");
    const ETAG: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";
    const PAST: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
    let check = |headers: &[(&str, &str)], status: u16| {
        let reply = copy(
            &server,
            "/copy-conditions/target",
            "/copy-conditions/source",
            headers,
        )
        .expect(status);
        if status == 412 {
            reply.refused(412, "PreconditionFailed");
        }
    };
    check(&[("x-amz-copy-source-if-match", ETAG)], 200);
    check(&[("x-amz-copy-source-if-match", "\"other\"")], 412);
    check(&[("x-amz-copy-source-if-none-match", ETAG)], 412);
    check(&[("x-amz-copy-source-if-none-match", "\"other\"")], 200);
    check(&[("x-amz-copy-source-if-modified-since", PAST)], 200);
    check(&[("x-amz-copy-source-if-unmodified-since", PAST)], 412);
    check(
        &[
            ("x-amz-copy-source-if-match", ETAG),
            ("x-amz-copy-source-if-unmodified-since", PAST),
        ],
        200,
    );
    check(&[("if-none-match", "*")], 412);
}

#[test]
fn reading_the_source_needs_leave() {
    let server = filled("copy-private");
    server
        .send(&Request::put("/copy-by-other", "").signed(&OTHER))
        .expect(200);
    let request = Request::put("/copy-by-other/target", "")
        .header("x-amz-copy-source", "/copy-private/source");
    server
        .send(&request.clone().signed(&OTHER))
        .refused(403, "AccessDenied");
    let public = Request::put("/copy-private/source?acl", "").header("x-amz-acl", "public-read");
    server.send(&public.signed(&ROOT)).expect(200);
    server.send(&request.signed(&OTHER)).expect(200);

    // The copy is private again, and belongs to who made it.
    server
        .send(&Request::get("/copy-by-other/target"))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/copy-by-other/target").signed(&OTHER))
        .expect(200);
}
