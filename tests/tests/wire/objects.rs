//! PutObject, GetObject, HeadObject, DeleteObject.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, crc32, encode, md5};

/// MD5 of `0123456789`.
const ETAG: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";

fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(Request::get(path), |request, (name, value)| {
            request.header(name, value)
        });
    server.send(&request.signed(&ROOT))
}

#[test]
fn what_is_put_is_got() {
    let server = Server::shared();
    server.bucket("put-and-get");
    let put = server
        .object("/put-and-get/key", "0123456789")
        .expect_header("etag", ETAG);
    assert!(put.body.is_empty(), "{put:?}");

    let got = get(&server, "/put-and-get/key", &[]);
    let got = got
        .expect(200)
        .expect_header("etag", ETAG)
        .expect_header("content-length", "10")
        .expect_header("content-type", "binary/octet-stream")
        .expect_header("accept-ranges", "bytes");
    assert_eq!(got.text(), "0123456789");
    assert!(
        got.header("last-modified")
            .is_some_and(|date| date.ends_with(" GMT")),
        "{got:?}"
    );

    let head = server
        .send(&Request::head("/put-and-get/key").signed(&ROOT))
        .expect(200);
    for name in [
        "etag",
        "content-length",
        "content-type",
        "accept-ranges",
        "last-modified",
    ] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }

    server.object("/put-and-get/key", "other");
    assert_eq!(
        server.content("/put-and-get/key").as_deref(),
        Some(&b"other"[..])
    );
    server.object("/put-and-get/key", "");
    assert_eq!(
        server.content("/put-and-get/key").as_deref(),
        Some(&b""[..])
    );
}

#[test]
fn sizes_around_every_boundary_come_back() {
    let server = Server::shared();
    server.bucket("sizes");
    let mut connection = server.connect();
    for size in [
        0, 1, 4095, 4096, 4097, 65_535, 65_536, 131_072, 262_143, 262_145, 1_048_575, 1_048_577,
        3_000_000,
    ] {
        let body: Vec<u8> = (0..size)
            .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        connection
            .send(&Request::put("/sizes/key", &body).signed(&ROOT))
            .expect(200);
        let got = connection
            .send(&Request::get("/sizes/key").signed(&ROOT))
            .expect(200);
        assert!(
            got.body == body,
            "{size} bytes come back as {}",
            got.body.len()
        );
    }
}

#[test]
fn metadata_and_content_headers_are_kept() {
    let server = Server::shared();
    server.bucket("metadata");
    let kept = [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "max-age=60, public"),
        ("content-disposition", "attachment; filename=\"a b.txt\""),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("expires", "Wed, 21 Oct 2099 07:28:00 GMT"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-meta-unicode", "grün"),
        ("x-amz-website-redirect-location", "/elsewhere"),
    ];
    let put = kept.iter().fold(
        Request::put("/metadata/key", "x"),
        |request, (name, value)| request.header(name, value),
    );
    server.send(&put.signed(&ROOT)).expect(200);
    let got = get(&server, "/metadata/key", &[]).expect(200);
    for (name, value) in kept {
        assert_eq!(got.header(name), Some(value), "{got:?}");
    }

    let mixed_case =
        Request::put("/metadata/mixed", "").header("X-Amz-Meta-Mixed-CASE", "Kept As Is");
    server.send(&mixed_case.signed(&ROOT)).expect(200);
    get(&server, "/metadata/mixed", &[]).expect_header("x-amz-meta-mixed-case", "Kept As Is");

    // An encoding that is only of the transfer is none of the object.
    server.object("/metadata/plain", "x");
    assert_eq!(
        get(&server, "/metadata/plain", &[]).header("content-encoding"),
        None
    );
}

#[test]
fn metadata_is_bounded() {
    let server = Server::shared();
    server.bucket("metadata-bounded");
    // The name counts without its prefix.
    let put = |len: usize| {
        let request = Request::put("/metadata-bounded/key", "x")
            .header("x-amz-meta-four", &"v".repeat(len - 4));
        server.send(&request.signed(&ROOT))
    };
    put(2048).expect(200);
    put(2049).refused(400, "MetadataTooLarge");
}

#[test]
fn keys_are_text() {
    let server = Server::shared();
    server.bucket("keys");
    let stored = |target: &str, key: &str| {
        server.object(&format!("/keys/{target}"), key);
        let list = server.send(
            &Request::get(&format!("/keys?encoding-type=url&prefix={}", encode(key))).signed(&ROOT),
        );
        let keys = list.expect(200);
        assert!(
            keys.elements("Key")
                .contains(&&*encode(key).replace("%2F", "/")),
            "{key}: {keys:?}"
        );
        assert_eq!(
            server.content(&format!("/keys/{}", encode(key))).as_deref(),
            Some(key.as_bytes()),
            "{key}"
        );
    };
    stored("plain", "plain");
    stored("a%2Fb", "a/b");
    stored("a//b", "a//b");
    stored("/leading", "/leading");
    stored("trailing/", "trailing/");
    stored("..", "..");
    stored("../../keys/..", "../../keys/..");
    stored("a/./b", "a/./b");
    stored("plus+sign", "plus+sign");
    stored("%2B%20%25", "+ %");
    stored("%E2%82%AC", "€");
    stored("%01", "\u{1}");
    stored(&"k".repeat(1024), &"k".repeat(1024));
    stored("%3Fquery%23fragment", "?query#fragment");

    let refused = |target: &str, code: &str| {
        server
            .send(&Request::put(&format!("/keys/{target}"), "x").signed(&ROOT))
            .refused(400, code);
    };
    refused(&"k".repeat(1025), "KeyTooLongError");
    refused(&"%C3%BC".repeat(513), "KeyTooLongError");
    refused("%00", "InvalidURI");
    refused("%FF", "InvalidURI");
    refused("%C0%AF", "InvalidURI");
    refused("%ED%A0%80", "InvalidURI");
    refused("%zz", "InvalidURI");
    refused("%4", "InvalidURI");
}

#[test]
fn ranges_are_cut_out_or_ignored() {
    let server = Server::shared();
    server.bucket("ranges");
    server.object("/ranges/ten", "0123456789");
    server.object("/ranges/empty", "");
    let part = |range: &str, body: &str, content_range: &str| {
        let got = get(&server, "/ranges/ten", &[("range", range)]).expect(206);
        assert_eq!(got.text(), body, "{range}");
        got.expect_header("content-range", content_range)
            .expect_header("etag", ETAG);
    };
    part("bytes=0-0", "0", "bytes 0-0/10");
    part("bytes=2-4", "234", "bytes 2-4/10");
    part("bytes=7-", "789", "bytes 7-9/10");
    part("bytes=0-", "0123456789", "bytes 0-9/10");
    part("bytes=8-100", "89", "bytes 8-9/10");
    part("bytes=-3", "789", "bytes 7-9/10");
    part("bytes=-100", "0123456789", "bytes 0-9/10");
    part("bytes=9-18446744073709551615", "9", "bytes 9-9/10");

    let whole = |range: &str| {
        let got = get(&server, "/ranges/ten", &[("range", range)]).expect(200);
        assert_eq!(got.text(), "0123456789", "{range}");
        assert_eq!(got.header("content-range"), None, "{range}");
    };
    whole("bytes=4-2");
    whole("bytes=0-1,3-4");
    whole("bytes=x-y");
    whole("bytes=");
    whole("items=0-1");
    whole("0-1");

    let refused = |path: &str, range: &str, size: &str| {
        get(&server, path, &[("range", range)])
            .refused(416, "InvalidRange")
            .expect_header("content-range", &format!("bytes */{size}"))
            .expect_element("ActualObjectSize", size)
            .expect_element("RangeRequested", range);
    };
    refused("/ranges/ten", "bytes=10-", "10");
    refused("/ranges/ten", "bytes=10-20", "10");
    refused("/ranges/ten", "bytes=-0", "10");
    refused("/ranges/empty", "bytes=0-0", "0");

    let head = Request::head("/ranges/ten")
        .header("range", "bytes=2-4")
        .signed(&ROOT);
    server
        .send(&head)
        .expect(206)
        .expect_header("content-length", "3")
        .expect_header("content-range", "bytes 2-4/10");
    let head = Request::head("/ranges/ten")
        .header("range", "bytes=10-")
        .signed(&ROOT);
    server.send(&head).expect(416);
}

#[test]
fn conditions_are_weighed_in_the_order_of_the_rfc() {
    let server = Server::shared();
    server.bucket("objects-conditions");
    server.object("/objects-conditions/ten", "0123456789");
    const PAST: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
    const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
    let check = |headers: &[(&str, &str)], status: u16| {
        let got = get(&server, "/objects-conditions/ten", headers).expect(status);
        match status {
            304 => drop(got.expect_header("etag", ETAG)),
            412 => drop(got.refused(412, "PreconditionFailed")),
            _ => {}
        }
        let head = headers.iter().fold(
            Request::head("/objects-conditions/ten"),
            |head, (name, value)| head.header(name, value),
        );
        server.send(&head.signed(&ROOT)).expect(status);
    };
    check(&[("if-match", ETAG)], 200);
    check(&[("if-match", ETAG.trim_matches('"'))], 200);
    check(&[("if-match", "*")], 200);
    check(&[("if-match", "\"other\"")], 412);
    check(&[("if-match", &format!("\"other\", {ETAG}"))], 200);
    check(&[("if-none-match", ETAG)], 304);
    check(&[("if-none-match", &format!("W/{ETAG}"))], 304);
    check(&[("if-none-match", "*")], 304);
    check(&[("if-none-match", "\"other\"")], 200);
    check(&[("if-modified-since", PAST)], 200);
    check(&[("if-modified-since", FUTURE)], 304);
    check(&[("if-unmodified-since", PAST)], 412);
    check(&[("if-unmodified-since", FUTURE)], 200);
    check(&[("if-match", ETAG), ("if-unmodified-since", PAST)], 200);
    check(
        &[
            ("if-none-match", "\"other\""),
            ("if-modified-since", FUTURE),
        ],
        200,
    );
    check(&[("if-match", "\"other\""), ("if-none-match", ETAG)], 412);
    check(&[("if-modified-since", "not a date")], 200);
    check(&[("if-unmodified-since", "not a date")], 200);

    let modified = get(&server, "/objects-conditions/ten", &[])
        .header("last-modified")
        .expect("a date")
        .to_owned();
    check(&[("if-modified-since", &modified)], 304);
    check(&[("if-unmodified-since", &modified)], 200);
    get(
        &server,
        "/objects-conditions/ten",
        &[("if-match", "\"other\"")],
    )
    .expect_element("Condition", "If-Match");
}

#[test]
fn an_object_is_written_only_where_the_condition_holds() {
    let server = Server::shared();
    server.bucket("write-conditions");
    let put = |key: &str, name: &str, value: &str| {
        let request =
            Request::put(&format!("/write-conditions/{key}"), "0123456789").header(name, value);
        server.send(&request.signed(&ROOT))
    };
    put("key", "if-none-match", "*").expect(200);
    put("key", "if-none-match", "*")
        .refused(412, "PreconditionFailed")
        .expect_element("Condition", "If-None-Match");
    put("key", "if-match", ETAG).expect(200);
    put("key", "if-match", "\"other\"")
        .refused(412, "PreconditionFailed")
        .expect_element("Condition", "If-Match");
    put("missing", "if-match", ETAG).refused(404, "NoSuchKey");
    assert_eq!(server.content("/write-conditions/missing"), None);
    put("key", "if-none-match", ETAG).refused(501, "NotImplemented");

    let delete = |condition: &str| {
        server.send(
            &Request::delete("/write-conditions/key")
                .header("if-match", condition)
                .signed(&ROOT),
        )
    };
    delete("\"other\"").refused(412, "PreconditionFailed");
    delete(ETAG).expect(204);
    assert_eq!(server.content("/write-conditions/key"), None);
}

#[test]
fn a_reader_may_override_what_was_stored_if_it_signs() {
    let server = Server::shared();
    server.bucket("overrides");
    let public = Request::put("/overrides/key", "x").header("x-amz-acl", "public-read");
    server.send(&public.signed(&ROOT)).expect(200);
    let query = "response-content-type=x%2Fy&response-cache-control=no-cache&response-content-disposition=inline\
                 &response-content-encoding=br&response-content-language=fr&response-expires=never";
    let got = get(&server, &format!("/overrides/key?{query}"), &[]).expect(200);
    got.expect_header("content-type", "x/y")
        .expect_header("cache-control", "no-cache")
        .expect_header("content-disposition", "inline")
        .expect_header("content-encoding", "br")
        .expect_header("content-language", "fr")
        .expect_header("expires", "never");
    // A link to it must not be able to say what it is.
    server
        .send(&Request::get(
            "/overrides/key?response-content-type=text%2Fhtml",
        ))
        .refused(400, "InvalidRequest");
    // Nor may an override split the answer.
    let reply = get(
        &server,
        "/overrides/key?response-content-type=a%0D%0Ax-injected:1",
        &[],
    );
    assert_eq!(reply.header("x-injected"), None, "{reply:?}");
}

#[test]
fn checksums_are_verified_kept_and_returned_on_request() {
    let server = Server::shared();
    server.bucket("checksums");
    let sum = crc32("0123456789");
    let put = Request::put("/checksums/key", "0123456789").header("x-amz-checksum-crc32", &sum);
    server
        .send(&put.signed(&ROOT))
        .expect(200)
        .expect_header("x-amz-checksum-crc32", &sum);
    let plain = get(&server, "/checksums/key", &[]);
    assert_eq!(plain.header("x-amz-checksum-crc32"), None, "{plain:?}");
    let asked = [("x-amz-checksum-mode", "ENABLED")];
    get(&server, "/checksums/key", &asked)
        .expect_header("x-amz-checksum-crc32", &sum)
        .expect_header("x-amz-checksum-type", "FULL_OBJECT");
    let part = get(
        &server,
        "/checksums/key",
        &[asked[0], ("range", "bytes=1-2")],
    )
    .expect(206);
    assert_eq!(
        part.header("x-amz-checksum-crc32"),
        None,
        "a checksum of other bytes: {part:?}"
    );

    let refused = |name: &str, value: &str, code: &str| {
        let request = Request::put("/checksums/refused", "0123456789").header(name, value);
        server.send(&request.signed(&ROOT)).refused(400, code);
        assert_eq!(
            server.content("/checksums/refused"),
            None,
            "{name}: {value}"
        );
    };
    refused("x-amz-checksum-crc32", &crc32("other"), "BadDigest");
    refused("x-amz-checksum-crc32", "AAAA", "InvalidRequest");
    refused("x-amz-checksum-crc32", "not base64", "InvalidRequest");
    refused(
        "x-amz-checksum-sha256",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "BadDigest",
    );
    refused("content-md5", &md5("other"), "BadDigest");
    refused("content-md5", "AAAA", "InvalidDigest");
    refused("content-md5", "not base64", "InvalidDigest");
    refused(
        "x-amz-content-sha256",
        &"0".repeat(64),
        "XAmzContentSHA256Mismatch",
    );
    refused("x-amz-content-sha256", "too short", "InvalidArgument");
    refused("x-amz-sdk-checksum-algorithm", "CRC99", "InvalidRequest");
}

#[test]
fn what_is_missing_is_named() {
    let server = Server::shared();
    server.bucket("missing");
    get(&server, "/missing/key", &[])
        .refused(404, "NoSuchKey")
        .expect_element("Key", "key");
    server
        .send(&Request::head("/missing/key").signed(&ROOT))
        .expect(404);
    get(&server, "/missing-bucket/key", &[])
        .refused(404, "NoSuchBucket")
        .expect_element("BucketName", "missing-bucket");
    server
        .send(&Request::put("/missing-bucket/key", "x").signed(&ROOT))
        .refused(404, "NoSuchBucket");
    server
        .send(&Request::delete("/missing-bucket/key").signed(&ROOT))
        .refused(404, "NoSuchBucket");
    // Who may not list does not learn what is not there.
    server
        .send(&Request::get("/missing/key").signed(&OTHER))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/missing/key"))
        .refused(403, "AccessDenied");
    // Without versioning there is the version `null` and no other.
    server.object("/missing/versioned", "x");
    get(&server, "/missing/versioned?versionId=null", &[]).expect(200);
    get(&server, "/missing/versioned?versionId=", &[]).refused(400, "InvalidArgument");
    get(&server, "/missing/versioned?versionId=x", &[]).refused(400, "InvalidArgument");
    server
        .send(&Request::put("/missing/versioned?versionId=null", "x").signed(&ROOT))
        .refused(400, "InvalidArgument");
}

#[test]
fn deleting_twice_is_no_error() {
    let server = Server::shared();
    server.bucket("delete-twice");
    server.object("/delete-twice/key", "x");
    let delete = Request::delete("/delete-twice/key").signed(&ROOT);
    server.send(&delete).expect(204);
    assert_eq!(server.content("/delete-twice/key"), None);
    server.send(&delete).expect(204);
    server
        .send(&Request::delete("/delete-twice/key").signed(&OTHER))
        .refused(403, "AccessDenied");
}

#[test]
fn a_part_number_reads_the_whole_of_an_object_without_parts() {
    let server = Server::shared();
    server.bucket("one-part");
    server.object("/one-part/key", "0123456789");
    let got = get(&server, "/one-part/key?partNumber=1", &[]).expect(206);
    assert_eq!(got.text(), "0123456789");
    get(&server, "/one-part/key?partNumber=2", &[]).refused(416, "InvalidPartNumber");
    get(&server, "/one-part/key?partNumber=0", &[]).refused(400, "InvalidArgument");
    get(&server, "/one-part/key?partNumber=10001", &[]).refused(400, "InvalidArgument");
    get(
        &server,
        "/one-part/key?partNumber=1",
        &[("range", "bytes=0-1")],
    )
    .refused(400, "InvalidRequest");
}

#[test]
fn what_nobody_serves_is_refused_before_the_body_is_asked_for() {
    let server = Server::shared();
    server.bucket("unserved");
    const PATH: &str = "/unserved/key";
    let refused = |request: Request, name: &str, value: &str| {
        let request = request.header("expect", "100-continue");
        let request = request.header(name, value).signed(&ROOT);
        let reply = server.send(&request).refused(501, "NotImplemented");
        let told = reply.element("Message").unwrap_or_default();
        assert!(told.contains(name), "{reply:?}");
        assert_eq!(server.content(PATH), None, "{name}");
    };
    let put = || Request::put(PATH, "").header("content-length", "5");
    refused(put(), "x-amz-server-side-encryption", "AES256");
    refused(
        put(),
        "x-amz-server-side-encryption-customer-algorithm",
        "AES256",
    );
    refused(put(), "x-amz-storage-class", "GLACIER");
    refused(put(), "x-amz-object-lock-mode", "GOVERNANCE");
    refused(put(), "x-amz-write-offset-bytes", "5");
    let begin = || Request::post("/unserved/key?uploads", "");
    refused(begin(), "x-amz-server-side-encryption", "aws:kms");
    let create = || Request::put("/unserved-too", "");
    refused(create(), "x-amz-bucket-object-lock-enabled", "true");

    let standard = Request::put(PATH, "x").header("x-amz-storage-class", "STANDARD");
    server.send(&standard.signed(&ROOT)).expect(200);
}
