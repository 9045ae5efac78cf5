//! PostObject: uploads by form.

use std::time::Duration;

use sluice_tests::{
    Form, NOBODY, OTHER, ROOT, Reply, Request, Server, Settings, Time, crc32, md5, policy,
};

/// Makes a bucket, and the conditions under which anything may be sent to it.
fn bucket(server: &Server, name: &str) -> (String, String) {
    (server.bucket(name), conditions(name))
}

fn conditions(bucket: &str) -> String {
    format!(r#"{{"bucket": "{bucket}"}}, ["starts-with", "$key", "user/"]"#)
}

fn stored(server: &Server, path: &str) -> Option<String> {
    let content = server.content(path)?;
    Some(String::from_utf8(content).expect("the tests send text"))
}

#[test]
fn a_signed_form_stores_its_file() {
    let server = Server::shared();
    let (path, conditions) = bucket(&server, "forms");
    let form = Form::of("user/${filename}").signed(&ROOT, &conditions);
    let posted = server.send(&form.clone().file("C:\\dir\\a b.txt", "content").post(&path));
    let posted = posted
        .expect(204)
        .expect_header("etag", "\"9a0364b9e99bb480dd25e1f0284c8555\"")
        .expect_header("location", "http://s3.test/forms/user/a%20b.txt");
    assert!(posted.body.is_empty());
    assert_eq!(
        stored(&server, "/forms/user/a%20b.txt").as_deref(),
        Some("content")
    );
    // The type of the part says nothing of the object.
    server
        .send(&Request::head("/forms/user/a%20b.txt").signed(&ROOT))
        .expect(200)
        .expect_header("content-type", "binary/octet-stream")
        .expect_header("content-length", "7");

    // By the name of the host, with the slash that browsers write, and with the old signature.
    let hosted = form.file("b", "hosted").post("/").host("forms.s3.test");
    server
        .send(&hosted)
        .expect(204)
        .expect_header("location", "http://forms.s3.test/user/b");
    assert_eq!(stored(&server, "/forms/user/b").as_deref(), Some("hosted"));
    let old = Form::of("user/old").signed_v2(&ROOT, &conditions);
    server
        .send(&old.file("", "old").post("/forms/"))
        .expect(204)
        .expect_header("location", "http://s3.test/forms/user/old");
    assert_eq!(stored(&server, "/forms/user/old").as_deref(), Some("old"));
}

#[test]
fn files_of_all_sizes_come_back() {
    let server = Server::shared();
    let (path, conditions) = bucket(&server, "form-sizes");
    let form = Form::of("user/k").signed(&ROOT, &conditions);
    let mut connection = server.connect();
    for size in [0, 1, 65_535, 65_537, 262_145, 1_048_577, 3_000_000] {
        // Every second byte begins something that could become a boundary.
        let body: Vec<u8> = b"\r\n--\r-----\n"
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect();
        let etag = connection
            .send(&form.clone().file("f", &body).post(&path))
            .expect(204);
        let etag = etag.header("etag").map(str::to_owned);
        let got = connection
            .send(&Request::get("/form-sizes/user/k").signed(&ROOT))
            .expect(200);
        assert_eq!(got.header("etag").map(str::to_owned), etag);
        assert!(got.body == body, "{size}");
    }
}

#[test]
fn the_fields_are_what_headers_are_elsewhere() {
    let server = Server::shared();
    let (path, conditions) = bucket(&server, "form-fields");
    let any = |name: &str| format!(r#", ["starts-with", "${name}", ""]"#);
    let names = [
        "Content-Type",
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Expires",
        "x-amz-meta-colour",
        "x-amz-website-redirect-location",
        "x-amz-storage-class",
        "x-amz-checksum-crc32",
        "Content-MD5",
    ];
    let conditions = names.iter().fold(conditions, |all, name| all + &any(name));
    let form = Form::of("user/k")
        .field("Content-Type", "text/plain; charset=utf-8")
        .field("Cache-Control", "max-age=60")
        .field(
            "Content-Disposition",
            "attachment; filename=\"${filename}\"",
        )
        .field("Content-Encoding", "identity")
        .field("Expires", "Thu, 01 Dec 2033 16:00:00 GMT")
        .field("X-Amz-Meta-Colour", "gr\u{fc}n")
        .field("x-amz-website-redirect-location", "/there")
        .field("x-amz-storage-class", "STANDARD")
        .field("x-amz-checksum-crc32", &crc32("content"))
        .field("Content-MD5", &md5("content"))
        .field("x-ignore-me", "anything")
        .signed(&ROOT, &conditions)
        .file("f.txt", "content");
    // Of the object, the request says nothing.
    let request = form
        .post(&path)
        .header("cache-control", "no-cache")
        .header("origin", "http://page");
    server
        .send(&request)
        .expect(204)
        .expect_header("x-amz-checksum-crc32", &crc32("content"));
    server
        .send(
            &Request::get("/form-fields/user/k")
                .header("x-amz-checksum-mode", "ENABLED")
                .signed(&ROOT),
        )
        .expect(200)
        .expect_header("content-type", "text/plain; charset=utf-8")
        .expect_header("cache-control", "max-age=60")
        .expect_header("content-disposition", "attachment; filename=\"f.txt\"")
        .expect_header("content-encoding", "identity")
        .expect_header("expires", "Thu, 01 Dec 2033 16:00:00 GMT")
        .expect_header("x-amz-meta-colour", "gr\u{fc}n")
        .expect_header("x-amz-website-redirect-location", "/there")
        .expect_header("x-amz-checksum-crc32", &crc32("content"));

    let check = |name: &str, value: &str, status: u16, code: &str| {
        let refused = server.send(&form.clone().with(name, value).post(&path));
        refused.refused(status, code);
    };
    check("x-amz-checksum-crc32", &crc32("other"), 400, "BadDigest");
    check("x-amz-checksum-crc32", "short", 400, "InvalidRequest");
    check("Content-MD5", &md5("other"), 400, "BadDigest");
    check("Content-MD5", "short", 400, "InvalidDigest");
    check("x-amz-storage-class", "GLACIER", 501, "NotImplemented");
    check(
        "X-Amz-Meta-Colour",
        &"v".repeat(2048),
        400,
        "MetadataTooLarge",
    );
    check("X-Amz-Meta-Colour", "a\nb", 400, "InvalidArgument");
    check(
        "x-amz-website-redirect-location",
        "javascript:0",
        400,
        "InvalidRedirectLocation",
    );
}

#[test]
fn what_a_wrong_digest_refuses_is_not_stored() {
    let server = Server::shared();
    let (path, conditions) = bucket(&server, "form-digests");
    let conditions = conditions + r#", ["starts-with", "$content-md5", ""]"#;
    let form = Form::of("user/k")
        .field("content-md5", &md5("other"))
        .signed(&ROOT, &conditions);
    server
        .send(&form.file("f", "content").post(&path))
        .refused(400, "BadDigest");
    assert_eq!(stored(&server, "/form-digests/user/k"), None);
}

#[test]
fn the_answer_is_the_one_that_the_form_asks_for() {
    let server = Server::shared();
    let (path, conditions) = bucket(&server, "form-answers");
    let post = |name: &str, value: &str| -> Reply {
        let conditions = format!(r#"{conditions}, ["starts-with", "${name}", ""]"#);
        let form = Form::of("user/a&b")
            .field(name, value)
            .signed(&ROOT, &conditions);
        server.send(&form.file("f", "content").post(&path))
    };
    const LOCATION: &str = "http://s3.test/form-answers/user/a%26b";
    for (asked, status) in [("200", 200), ("204", 204), ("404", 204), ("", 204)] {
        let reply = post("success_action_status", asked).expect(status);
        assert!(reply.body.is_empty(), "{reply:?}");
        reply.expect_header("location", LOCATION);
    }
    post("success_action_status", "201")
        .expect(201)
        .expect_header("location", LOCATION)
        .expect_header("etag", "\"9a0364b9e99bb480dd25e1f0284c8555\"")
        .expect_xml(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>\
             <Location>http://s3.test/form-answers/user/a%26b</Location><Bucket>form-answers</Bucket>\
             <Key>user/a&amp;b</Key><ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag></PostResponse>",
        );
    const TOLD: &str =
        "bucket=form-answers&key=user%2Fa%26b&etag=%229a0364b9e99bb480dd25e1f0284c8555%22";
    for (name, page, location) in [
        (
            "success_action_redirect",
            "http://page/done",
            format!("http://page/done?{TOLD}"),
        ),
        (
            "redirect",
            "https://page/done?a=b#c",
            format!("https://page/done?a=b&{TOLD}#c"),
        ),
    ] {
        let reply = post(name, page)
            .expect(303)
            .expect_header("location", &location);
        assert!(reply.body.is_empty());
    }
    post("success_action_redirect", "not a page")
        .expect(204)
        .expect_header("location", LOCATION);
}

#[test]
fn a_form_must_be_one_that_the_policy_allows() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-policies");
    let check = |form: Form, conditions: &str, why: Option<&str>| {
        let reply = server.send(
            &form
                .signed(&ROOT, conditions)
                .file("f", "content")
                .post(&path),
        );
        match why {
            None => drop(reply.expect(204)),
            Some(why) => {
                let message = format!("Invalid according to Policy: {why}").replace('"', "&quot;");
                reply
                    .refused(403, "AccessDenied")
                    .expect_element("Message", &message);
            }
        }
    };
    let key = || Form::of("user/k");
    check(key(), &all, None);
    check(
        Form::of("other"),
        &all,
        Some(r#"Policy Condition failed: ["starts-with", "$key", "user/"]"#),
    );
    check(
        key(),
        &all.replace("form-policies", "other"),
        Some(r#"Policy Condition failed: ["eq", "$bucket", "other"]"#),
    );
    check(
        key(),
        r#"["starts-with", "$key", ""]"#,
        Some("Extra input fields: bucket"),
    );
    check(
        key().field("submit", "Upload"),
        &all,
        Some("Extra input fields: submit"),
    );
    check(
        key().field("x-amz-meta-a", "b"),
        &format!(r#"{all}, {{"X-Amz-Meta-A": "b"}}"#),
        None,
    );
    check(
        key().field("x-amz-meta-a", "c"),
        &format!(r#"{all}, {{"X-Amz-Meta-A": "b"}}"#),
        Some(r#"Policy Condition failed: ["eq", "$x-amz-meta-a", "b"]"#),
    );
    check(
        key(),
        &format!(r#"{all}, ["starts-with", "$x-amz-meta-a", ""]"#),
        Some(r#"Policy Condition failed: ["starts-with", "$x-amz-meta-a", ""]"#),
    );
    // The key is compared as it will be.
    check(
        Form::of("user/${filename}"),
        r#"{"bucket": "form-policies"}, {"key": "user/f"}"#,
        None,
    );
    assert_eq!(stored(&server, "/form-policies/other"), None);

    let expired = |ago: u64| {
        let expiration = Time::ago(Duration::from_secs(ago)).extended();
        format!(r#"{{"expiration": "{expiration}", "conditions": [{all}]}}"#)
    };
    let form = key()
        .signed_over(&ROOT, &Time::now(), &expired(1))
        .file("f", "content");
    server
        .send(&form.post(&path))
        .refused(403, "AccessDenied")
        .expect_element("Message", "Invalid according to Policy: Policy expired.");
    for malformed in [
        "",
        "{",
        "[]",
        r#"{"expiration": "tomorrow", "conditions": []}"#,
        r#"{"conditions": []}"#,
    ] {
        let form = key()
            .signed_over(&ROOT, &Time::now(), malformed)
            .file("f", "content");
        server
            .send(&form.post(&path))
            .refused(400, "InvalidPolicyDocument");
    }
    for conditions in [
        "{}",
        r#"["content-length-range", 0]"#,
        r#"["content-length-range", -1, 0]"#,
    ] {
        let form = key()
            .signed(&ROOT, &format!("{all}, {conditions}"))
            .file("f", "content");
        server
            .send(&form.post(&path))
            .refused(400, "InvalidPolicyDocument");
    }
}

#[test]
fn a_policy_bounds_the_length_of_the_file_from_both_sides() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-lengths");
    let form = Form::of("user/k").signed(
        &ROOT,
        &format!(r#"{all}, ["content-length-range", 3, 70000]"#),
    );
    let post = |length: usize| server.send(&form.clone().file("f", "x".repeat(length)).post(&path));
    post(2)
        .refused(400, "EntityTooSmall")
        .expect_element("ProposedSize", "2")
        .expect_element("MinSizeAllowed", "3");
    post(70_001)
        .refused(400, "EntityTooLarge")
        .expect_element("MaxSizeAllowed", "70000");
    assert_eq!(stored(&server, "/form-lengths/user/k"), None);
    post(3).expect(204);
    post(70_000).expect(204);
}

#[test]
fn a_form_is_signed_by_somebody_or_by_nobody() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-signers");
    let form = || Form::of("user/k");
    let send = |form: Form| server.send(&form.file("f", "content").post(&path));
    send(form().signed(&NOBODY, &all)).refused(403, "InvalidAccessKeyId");
    send(form().signed_v2(&NOBODY, &all)).refused(403, "InvalidAccessKeyId");
    // Somebody, but not one who may write.
    send(form().signed(&OTHER, &all)).refused(403, "AccessDenied");
    send(form()).refused(403, "AccessDenied");
    let v4 = || form().signed(&ROOT, &all);
    send(v4().with("x-amz-signature", &"0".repeat(64))).refused(403, "SignatureDoesNotMatch");
    send(form().signed_v2(&ROOT, &all).with("signature", "AAAA"))
        .refused(403, "SignatureDoesNotMatch");
    let elsewhere = sluice_tests::Key {
        region: "eu-west-1",
        ..ROOT
    };
    send(form().signed(&elsewhere, &all)).refused(400, "AuthorizationQueryParametersError");
    send(v4().with("x-amz-algorithm", "AWS4-HMAC-SHA1")).refused(400, "InvalidArgument");
    send(v4().with("x-amz-date", "yesterday")).refused(400, "InvalidArgument");
    for missing in [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "policy",
        "x-amz-signature",
    ] {
        send(v4().without(missing)).refused(400, "InvalidArgument");
    }
    for missing in ["AWSAccessKeyId", "policy", "signature"] {
        send(form().signed_v2(&ROOT, &all).without(missing)).refused(400, "InvalidArgument");
    }
    send(v4().field("AWSAccessKeyId", ROOT.access)).refused(400, "InvalidArgument");
    send(v4().field("x-amz-security-token", "token")).refused(400, "InvalidToken");
    let early = Time::ahead(Duration::from_secs(3600));
    send(form().signed_over(&ROOT, &early, &policy(&all))).refused(403, "AccessDenied");
    // The signature is in the form, and nowhere else.
    let in_header = form()
        .file("f", "content")
        .post(&path)
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    server
        .send(&in_header.signed(&ROOT))
        .refused(400, "InvalidArgument");
    let in_query = v4().file("f", "content").post(&path).presigned(&ROOT);
    server.send(&in_query).refused(400, "InvalidArgument");
    assert_eq!(stored(&server, "/form-signers/user/k"), None);
    send(v4()).expect(204);
}

#[test]
fn version_2_can_be_switched_off() {
    let server = Server::start(&Settings {
        policy: "chain:\n  - {use: auth, settings: {signature_v2: 'off'}}\n  - use: acl\n"
            .to_owned(),
        ..Settings::default()
    });
    let form = Form::of("k")
        .signed_v2(&ROOT, r#"{"bucket": "b2b"}, {"key": "k"}"#)
        .file("f", "content");
    server
        .send(&form.post("/b2b"))
        .refused(400, "InvalidRequest");
}

#[test]
fn whoever_may_write_needs_no_signature() {
    let server = Server::shared();
    let public = Request::put("/form-public", "").header("x-amz-acl", "public-read-write");
    server.send(&public.signed(&ROOT)).expect(200);
    let form = Form::of("k").field("Content-Type", "text/plain");
    server
        .send(&form.clone().file("f", "anonymous").post("/form-public"))
        .expect(204);
    let shown = Form::of("shown")
        .field("acl", "public-read")
        .file("f", "anonymous");
    server.send(&shown.post("/form-public")).expect(204);
    let got = server.send(&Request::get("/form-public/shown")).expect(200);
    assert_eq!(got.text(), "anonymous");
    server
        .send(&Request::get("/form-public/k"))
        .refused(403, "AccessDenied");
}

#[test]
fn a_body_that_is_no_form_with_one_file_is_refused() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-bodies");
    let signed = || Form::of("user/k").signed(&ROOT, &all);
    let send = |form: &Form| server.send(&form.post(&path));
    send(&signed()).refused(400, "IncorrectNumberOfFilesInPostRequest");
    send(&signed().file("f", "1").file("g", "2"))
        .refused(400, "IncorrectNumberOfFilesInPostRequest");
    let attached = signed().part("form-data; name=\"attachment\"; filename=\"a\"", "1");
    send(&attached.file("f", "2")).refused(400, "IncorrectNumberOfFilesInPostRequest");
    send(&signed().field("KEY", "user/l").file("f", "1")).refused(400, "InvalidArgument");
    send(&signed().without("key").file("f", "1")).refused(400, "UserKeyMustBeSpecified");
    send(&Form::new().file("f", "1").field("key", "user/k")).refused(400, "UserKeyMustBeSpecified");
    send(&signed().with("key", "").file("f", "1")).refused(400, "InvalidArgument");
    send(&signed().with("key", &"k".repeat(1025)).file("f", "1")).refused(400, "KeyTooLongError");
    send(&signed().field("tagging", "a=b").file("f", "1")).refused(400, "MalformedXML");
    send(&signed().part("attachment; name=\"x\"", "1").file("f", "1"))
        .refused(400, "MalformedPOSTRequest");
    send(
        &signed()
            .field("submit", &"x".repeat(20 * 1024))
            .file("f", "1"),
    )
    .refused(400, "MaxPostPreDataLengthExceededError");
    // Fields behind the file mean nothing, so that a button may be the last one.
    send(&signed().file("f", "1").field("submit", "Upload")).expect(204);

    let form = signed().file("f", "content");
    let unfinished =
        Request::post(&path, form.unfinished()).header("content-type", &Form::content_type());
    server
        .send(&unfinished)
        .refused(400, "MalformedPOSTRequest");
    let other = form
        .post(&path)
        .with("content-type", "application/x-www-form-urlencoded");
    server
        .send(&other)
        .refused(400, "RequestIsNotMultiPartContent");
    server
        .send(&form.post(&path).without("content-type"))
        .refused(400, "RequestIsNotMultiPartContent");
    let no_boundary = form.post(&path).with("content-type", "multipart/form-data");
    server
        .send(&no_boundary)
        .refused(400, "MalformedPOSTRequest");
    for (header, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-meta-a", "b"),
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ] {
        server
            .send(&form.post(&path).header(header, value))
            .refused(400, "InvalidRequest");
    }
    server
        .send(&form.post("/form-bodies/key"))
        .refused(405, "MethodNotAllowed");
    server
        .send(&form.post("/form-missing"))
        .refused(403, "AccessDenied");
    let missing = Form::of("user/k")
        .signed(&ROOT, &conditions("form-missing"))
        .file("f", "1");
    server
        .send(&missing.post("/form-missing"))
        .refused(404, "NoSuchBucket");
    let huge = form.post(&path).header("content-length", "5368800000");
    server.send(&huge).refused(400, "EntityTooLarge");
}

#[test]
fn a_form_may_come_in_any_pieces_and_must_come_whole() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-pieces");
    let form = Form::of("user/k")
        .signed(&ROOT, &all)
        .file("f", "content\r\n--");
    let request = form.post(&path).header("transfer-encoding", "chunked");
    let chunks: Vec<u8> = request
        .body
        .chunks(1)
        .flat_map(|piece| [b"1\r\n", piece, b"\r\n"].concat())
        .collect();
    let mut connection = server.connect();
    connection
        .send(&request.clone().body([&chunks[..], b"0\r\n\r\n"].concat()))
        .expect(204);
    assert_eq!(
        stored(&server, "/form-pieces/user/k").as_deref(),
        Some("content\r\n--")
    );

    // The connection breaks off within the file.
    let gone = Form::of("user/gone")
        .signed(&ROOT, &all)
        .file("f", "content")
        .post(&path);
    let mut bytes = gone.bytes();
    bytes.truncate(bytes.len() - 70);
    let mut connection = server.connect();
    connection.write(&bytes).unwrap();
    drop(connection);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(stored(&server, "/form-pieces/user/gone"), None);
}

#[test]
fn a_form_replaces_only_what_the_request_allows() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-conditions");
    let form = Form::of("user/k").signed(&ROOT, &all);
    let once = |content: &str| {
        let request = form.clone().file("f", content).post(&path);
        server.send(&request.header("if-none-match", "*"))
    };
    once("first").expect(204);
    once("second").refused(412, "PreconditionFailed");
    assert_eq!(
        stored(&server, "/form-conditions/user/k").as_deref(),
        Some("first")
    );
}

#[test]
fn a_client_that_waits_is_asked_for_its_form() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-continue");
    let request = Form::of("user/k")
        .signed(&ROOT, &all)
        .file("f", "content")
        .post(&path);
    let request = request.header("expect", "100-continue");
    let mut connection = server.connect();
    connection.write(&request.head_bytes()).unwrap();
    let asked = connection.any_reply("POST", &path).unwrap();
    assert_eq!(asked.status, 100);
    connection.write(&request.body).unwrap();
    connection.reply("POST", &path).unwrap().expect(204);
    // What the head alone shows to be wrong is refused without it.
    let refused = request.with("content-type", "text/plain");
    let mut connection = server.connect();
    connection.write(&refused.head_bytes()).unwrap();
    connection
        .reply("POST", &path)
        .unwrap()
        .refused(400, "RequestIsNotMultiPartContent");
}

#[test]
fn a_form_makes_a_version_where_versions_are_kept() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-versions");
    let form = Form::of("user/k").signed(&ROOT, &all);
    let post = |content: &str| server.send(&form.clone().file("f", content).post(&path));
    assert_eq!(post("null").expect(204).header("x-amz-version-id"), None);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let enable = Request::put("/form-versions?versioning", enabled).with_md5();
    server.send(&enable.signed(&ROOT)).expect(200);
    let first = post("first").expect(204);
    let first = first.header("x-amz-version-id").unwrap();
    let second = post("second").expect(204);
    let second = second.header("x-amz-version-id").unwrap();
    assert_ne!(first, second);
    for (version, content) in [("null", "null"), (first, "first"), (second, "second")] {
        let path = format!("/form-versions/user/k?versionId={version}");
        assert_eq!(stored(&server, &path).as_deref(), Some(content));
    }
}

#[test]
fn a_page_of_another_origin_is_told_what_became_of_its_form() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-origins");
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>http://page</AllowedOrigin>\
                 <AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>";
    let rules = Request::put("/form-origins?cors", rules).with_md5();
    server.send(&rules.signed(&ROOT)).expect(200);
    let send = |form: Form| server.send(&form.post(&path).header("origin", "http://page"));
    let allowed =
        |reply: Reply| drop(reply.expect_header("access-control-allow-origin", "http://page"));
    let form = Form::of("user/k").signed(&ROOT, &all);
    allowed(send(form.clone().file("f", "content")).expect(204));
    // Also where nobody got to the fields, or to the file.
    allowed(send(form.clone()).refused(400, "IncorrectNumberOfFilesInPostRequest"));
    allowed(
        send(form.with("x-amz-signature", "x").file("f", "content"))
            .refused(403, "SignatureDoesNotMatch"),
    );
}

#[test]
fn the_tags_of_a_form_are_those_of_its_object() {
    let server = Server::shared();
    let (path, all) = bucket(&server, "form-tags");
    let all = all + r#", ["starts-with", "$tagging", ""]"#;
    let tags = |tags: &str| {
        let tagging = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
        let form = Form::of("user/k")
            .field("tagging", &tagging)
            .signed(&ROOT, &all);
        server.send(&form.file("f", "content").post(&path))
    };
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    tags(&(tag("a b", "c=d+e@f") + &tag("team", ""))).expect(204);
    let kept = server
        .send(&Request::get("/form-tags/user/k?tagging").signed(&ROOT))
        .expect(200);
    assert_eq!(kept.elements("Key"), ["a b", "team"]);
    assert_eq!(kept.elements("Value"), ["c=d+e@f", ""]);
    tags(&tag("aws:a", "b")).refused(400, "InvalidTag");
    tags(&(tag("a", "b") + &tag("a", "c"))).refused(400, "InvalidArgument");
    tags("<Other/>").refused(400, "MalformedXML");
}
