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

#[test]
fn a_copy_has_the_checksum_that_is_asked_for() {
    let server = filled("copy-summed");
    let sum = sluice_tests::crc32("0123456789");
    let summed = |target: &str, source: &str, algorithm: &str| {
        let headers = [("x-amz-checksum-algorithm", algorithm)];
        copy(&server, target, source, &headers)
    };
    summed("/copy-summed/crc32", "/copy-summed/source", "CRC32")
        .expect(200)
        .expect_element("ChecksumCRC32", &sum)
        .expect_element("ChecksumType", "FULL_OBJECT");
    let read = Request::head("/copy-summed/crc32").header("x-amz-checksum-mode", "ENABLED");
    let read = server.send(&read.signed(&ROOT));
    let read = read.expect_header("x-amz-checksum-crc32", &sum);
    assert_eq!(read.header("x-amz-checksum-crc64nvme"), None, "{read:?}");
    // It is known by then.
    summed("/copy-summed/again", "/copy-summed/crc32", "CRC32")
        .expect_element("ChecksumCRC32", &sum);
    copy(&server, "/copy-summed/kept", "/copy-summed/crc32", &[])
        .expect_element("ChecksumCRC32", &sum);
    summed("/copy-summed/never", "/copy-summed/source", "CRC99").refused(400, "InvalidRequest");
}

#[test]
fn a_copy_leads_only_where_its_own_request_says() {
    let server = filled("copy-redirect");
    const REDIRECT: &str = "x-amz-website-redirect-location";
    let led = Request::put("/copy-redirect/led", "x").header(REDIRECT, "/there");
    server.send(&led.signed(&ROOT)).expect(200);
    let leads = |key: &str| {
        let head = Request::head(&format!("/copy-redirect/{key}")).signed(&ROOT);
        server
            .send(&head)
            .expect(200)
            .header(REDIRECT)
            .map(str::to_owned)
    };
    assert_eq!(leads("led").as_deref(), Some("/there"));
    copy(&server, "/copy-redirect/copy", "/copy-redirect/led", &[]).expect(200);
    assert_eq!(leads("copy"), None);
    // That is a change, so it may be made in place.
    let source = "/copy-redirect/source";
    copy(&server, source, source, &[(REDIRECT, "/elsewhere")]).expect(200);
    assert_eq!(leads("source").as_deref(), Some("/elsewhere"));
    copy(&server, source, source, &[(REDIRECT, "nowhere")]).refused(400, "InvalidRedirectLocation");
}
