//! Signatures: in the header, in the URL, and everything that can be wrong with them.

use std::time::Duration;

use sluice_tests::{Key, NOBODY, OTHER, ROOT, Reply, Request, Server, Time};

const MINUTE: Duration = Duration::from_secs(60);

fn filled(name: &str) -> std::sync::Arc<Server> {
    let server = Server::shared();
    server.bucket(name);
    server.object(&format!("/{name}/key"), "secret");
    server
}

#[test]
fn a_signature_in_the_header_must_be_right() {
    let server = filled("auth-header");
    let get = || Request::get("/auth-header/key?versionId=null").header("x-amz-meta-x", "1");
    let signed = get().signed(&ROOT);
    server.send(&signed).expect(200);
    let refused = |request: Request, status: u16, code: &str| {
        server.send(&request).refused(status, code);
    };
    let signature = signed
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .expect("it is signed")
        .1
        .clone();
    let (rest, digits) = signature
        .rsplit_once("Signature=")
        .expect("it has a signature");
    let flipped = if digits.starts_with('0') { "1" } else { "0" };
    let wrong = |value: &str| signed.clone().with("authorization", value);

    // What was signed is not what came.
    refused(
        wrong(&format!("{rest}Signature={flipped}{}", &digits[1..])),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        signed.clone().tampered("/key", "/kex"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        signed
            .clone()
            .tampered("versionId=null", "versionId=null&x=y"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        signed.clone().with("x-amz-meta-x", "2"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        signed.clone().with("host", "other.test"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        Request {
            method: "DELETE".into(),
            ..signed.clone()
        },
        403,
        "SignatureDoesNotMatch",
    );
    server
        .send(&Request {
            method: "HEAD".into(),
            ..signed
        })
        .expect(403);
}

#[test]
fn a_mismatch_says_what_was_signed() {
    let server = filled("auth-explained");
    let request = Request::get("/auth-explained/key").signed(&Key {
        secret: "another-secret",
        ..ROOT
    });
    let reply = server.send(&request).refused(403, "SignatureDoesNotMatch");
    for member in [
        "AWSAccessKeyId",
        "StringToSign",
        "SignatureProvided",
        "CanonicalRequest",
    ] {
        assert!(reply.element(member).is_some(), "{member}: {reply:?}");
    }
    assert!(!reply.text().contains(ROOT.secret), "{reply:?}");
}

#[test]
fn who_nobody_knows_is_told_so() {
    let server = filled("auth-nobody");
    server
        .send(&Request::get("/auth-nobody/key").signed(&NOBODY))
        .refused(403, "InvalidAccessKeyId")
        .expect_element("AWSAccessKeyId", NOBODY.access);
    server
        .send(&Request::get("/auth-nobody/key").presigned(&NOBODY))
        .refused(403, "InvalidAccessKeyId");
    // The key of one account with the secret of another.
    let mixed = Key {
        access: ROOT.access,
        ..OTHER
    };
    server
        .send(&Request::get("/auth-nobody/key").signed(&mixed))
        .refused(403, "SignatureDoesNotMatch");
}

#[test]
fn clocks_may_differ_by_a_quarter_of_an_hour() {
    let server = filled("auth-clock");
    let at = |time: Time| server.send(&Request::get("/auth-clock/key").signed_at(&ROOT, &time));
    at(Time::ago(14 * MINUTE)).expect(200);
    at(Time::ahead(14 * MINUTE)).expect(200);
    at(Time::ago(16 * MINUTE)).refused(403, "RequestTimeTooSkewed");
    at(Time::ahead(16 * MINUTE)).refused(403, "RequestTimeTooSkewed");
    at(Time::ago(60 * 24 * 366 * MINUTE)).refused(403, "RequestTimeTooSkewed");
}

#[test]
fn a_scope_of_elsewhere_is_refused() {
    let server = filled("auth-scope");
    let with = |key: &Key| server.send(&Request::get("/auth-scope/key").signed(key));
    with(&Key {
        region: "eu-west-1",
        ..ROOT
    })
    .refused(400, "AuthorizationHeaderMalformed")
    .expect_element("Region", "us-east-1");
    with(&Key {
        service: "ec2",
        ..ROOT
    })
    .refused(400, "AuthorizationHeaderMalformed");
    let url = |key: &Key| server.send(&Request::get("/auth-scope/key").presigned(key));
    url(&Key {
        region: "eu-west-1",
        ..ROOT
    })
    .refused(400, "AuthorizationQueryParametersError");
    url(&Key {
        service: "ec2",
        ..ROOT
    })
    .refused(400, "AuthorizationQueryParametersError");
    // Signed today with a scope of yesterday.
    let request = Request::get("/auth-scope/key").header("x-amz-date", &Time::now().stamp());
    let yesterday = Time::ago(60 * 24 * MINUTE);
    let reply = server.send(&request.signed_at(&ROOT, &yesterday));
    assert!(matches!(reply.status, 400 | 403), "{reply:?}");
}

#[test]
fn a_malformed_authorization_is_refused_without_panic() {
    let server = filled("auth-malformed");
    let signed = Request::get("/auth-malformed/key").signed(&ROOT);
    let stamp = Time::now();
    let credential = format!("{}/{}", ROOT.access, ROOT.scope(&stamp));
    let signature = "0".repeat(64);
    let check = |value: &str, status: u16, codes: &[&str]| {
        let reply = server
            .send(&signed.clone().with("authorization", value))
            .expect(status);
        let code = reply.element("Code").unwrap_or_default();
        assert!(codes.contains(&code), "{value}: {reply:?}");
    };
    let malformed = |value: &str| {
        check(
            value,
            400,
            &[
                "AuthorizationHeaderMalformed",
                "InvalidArgument",
                "InvalidRequest",
            ],
        );
    };
    malformed("AWS4-HMAC-SHA256");
    malformed("AWS4-HMAC-SHA256 ");
    malformed("AWS4-HMAC-SHA256 Credential=");
    malformed(&format!("AWS4-HMAC-SHA256 Credential={credential}"));
    malformed(&format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host"
    ));
    malformed(&format!(
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature={signature}"
    ));
    malformed(&format!(
        "AWS4-HMAC-SHA256 Credential={}/x, SignedHeaders=host, Signature={signature}",
        ROOT.access
    ));
    malformed(&format!(
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=host, Signature={signature}"
    ));
    malformed("Basic cm9vdDpzZWNyZXQ=");
    malformed("AWS4-ECDSA-P256-SHA256 Credential=x");
    malformed("nonsense");
    let wrong = |value: &str| check(value, 403, &["SignatureDoesNotMatch"]);
    wrong(&format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=short"
    ));
    wrong(&format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=zz{}",
        &signature[2..]
    ));
    wrong(&format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
    ));
    // A date there must be.
    let reply = server
        .send(&signed.clone().without("x-amz-date"))
        .expect(403);
    assert!(
        matches!(
            reply.element("Code"),
            Some("AccessDenied" | "SignatureDoesNotMatch" | "MissingSecurityHeader")
        ),
        "{reply:?}"
    );
    let reply = server.send(&signed.clone().with("x-amz-date", "yesterday"));
    assert!(matches!(reply.status, 400 | 403), "{reply:?}");
    let reply = server.send(&signed.without("x-amz-content-sha256"));
    assert!(matches!(reply.status, 400 | 403), "{reply:?}");
}

#[test]
fn every_header_of_s3_must_be_signed() {
    let server = filled("auth-unsigned");
    let put = Request::put("/auth-unsigned/key", "x").signed(&ROOT);
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-meta-a", "b"),
        ("x-amz-copy-source", "/auth-unsigned/key"),
    ] {
        let reply = server.send(&put.clone().header(name, value)).expect(403);
        assert!(
            matches!(
                reply.element("Code"),
                Some("AccessDenied" | "SignatureDoesNotMatch")
            ),
            "{reply:?}"
        );
    }
    server
        .send(&Request::get("/auth-unsigned/key"))
        .refused(403, "AccessDenied");
    assert_eq!(
        server.content("/auth-unsigned/key").as_deref(),
        Some(&b"secret"[..])
    );
    // One that is not S3's may come along.
    server
        .send(&put.header("x-forwarded-for", "10.0.0.1"))
        .expect(200);
}

#[test]
fn a_url_can_carry_the_signature() {
    let server = filled("auth-url");
    let get = || Request::get("/auth-url/key");
    assert_eq!(
        server.send(&get().presigned(&ROOT)).expect(200).text(),
        "secret"
    );
    server
        .send(&Request::head("/auth-url/key").presigned(&ROOT))
        .expect(200);
    server
        .send(
            &Request::put("/auth-url/by url+%25", "x")
                .tampered(" ", "%20")
                .presigned(&ROOT),
        )
        .expect(200);
    assert_eq!(
        server.content("/auth-url/by%20url%2B%25").as_deref(),
        Some(&b"x"[..])
    );
    server
        .send(&Request::get("/auth-url/key?response-content-type=x%2Fy").presigned(&ROOT))
        .expect_header("content-type", "x/y");

    let refused = |request: Request, status: u16, code: &str| {
        server.send(&request).refused(status, code);
    };
    let good = get().presigned(&ROOT);
    refused(
        good.clone().tampered("/key", "/kex"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        good.clone()
            .tampered("X-Amz-Expires=300", "X-Amz-Expires=301"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        good.clone()
            .tampered("X-Amz-Signature=", "X-Amz-Signature=0"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        good.clone()
            .tampered("X-Amz-Algorithm=", "x=y&X-Amz-Algorithm="),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        Request {
            method: "PUT".into(),
            ..good.clone()
        },
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        Request {
            method: "DELETE".into(),
            ..good.clone()
        },
        403,
        "SignatureDoesNotMatch",
    );
    assert!(server.content("/auth-url/key").is_some());

    refused(get().expired(&ROOT), 403, "AccessDenied");
    server
        .send(&get().presigned_at(&ROOT, &Time::ago(50 * MINUTE), "3600"))
        .expect(200);
    server
        .send(&get().presigned_at(&ROOT, &Time::now(), "604800"))
        .expect(200);
    for expires in ["604801", "-1", "x", "", "99999999999999999999"] {
        refused(
            get().presigned_at(&ROOT, &Time::now(), expires),
            400,
            "AuthorizationQueryParametersError",
        );
    }
    refused(
        get().presigned_at(&ROOT, &Time::ahead(60 * MINUTE), "300"),
        403,
        "AccessDenied",
    );
    for missing in [
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ] {
        let incomplete = good
            .clone()
            .tampered(missing, &missing.replace("X-Amz", "X-Other"));
        refused(incomplete, 400, "AuthorizationQueryParametersError");
    }
    refused(
        good.clone().tampered("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        400,
        "AuthorizationQueryParametersError",
    );
    // Two signatures are one too many.
    let reply: Reply = server.send(&good.clone().signed(&ROOT));
    reply.refused(400, "InvalidArgument");
    refused(
        good.tampered("X-Amz-Algorithm=", "X-Amz-Expires=9&X-Amz-Algorithm="),
        400,
        "InvalidArgument",
    );
}

#[test]
fn a_url_can_require_headers() {
    let server = filled("auth-url-headers");
    let put = Request::put("/auth-url-headers/key", "x")
        .header("x-amz-meta-a", "b")
        .presigned(&ROOT);
    server.send(&put).expect(200);
    server
        .send(&put.clone().with("x-amz-meta-a", "c"))
        .refused(403, "SignatureDoesNotMatch");
    let reply = server
        .send(&put.clone().without("x-amz-meta-a"))
        .expect(403);
    assert!(
        matches!(
            reply.element("Code"),
            Some("AccessDenied" | "SignatureDoesNotMatch")
        ),
        "{reply:?}"
    );
    let reply = server
        .send(&put.header("x-amz-acl", "public-read"))
        .expect(403);
    assert!(
        matches!(
            reply.element("Code"),
            Some("AccessDenied" | "SignatureDoesNotMatch")
        ),
        "{reply:?}"
    );
}

#[test]
fn what_a_presigned_url_says_in_its_query_counts_as_headers() {
    let server = Server::shared();
    server.bucket("hoisted");
    let send = |request: Request| server.send(&request.presigned(&ROOT));
    let put = "/hoisted/key?x-amz-acl=public-read&x-amz-meta-colour=blue";
    send(Request::put(put, "some bytes")).expect(200);
    let got = server.send(&Request::get("/hoisted/key")).expect(200);
    got.expect_header("x-amz-meta-colour", "blue");

    // A copy that was taken for an upload would overwrite its target with nothing.
    send(Request::put(
        "/hoisted/copy?X-Amz-Copy-Source=hoisted%2Fkey",
        "",
    ))
    .expect(200);
    let content = server.content("/hoisted/copy");
    assert_eq!(content.as_deref(), Some(&b"some bytes"[..]));

    // The same said twice is said once; something else is a contradiction.
    let twice = |value: &str| {
        let twice = Request::put("/hoisted/twice?x-amz-acl=private", "x");
        send(twice.header("x-amz-acl", value))
    };
    twice("private").expect(200);
    twice("public-read").refused(400, "InvalidArgument");
    // What nobody signed is no part of it.
    let unsigned = Request::put("/hoisted/key", "x").presigned(&ROOT);
    let unsigned = unsigned.tampered("?", "?x-amz-acl=public-read&");
    server.send(&unsigned).refused(403, "SignatureDoesNotMatch");
}

#[test]
fn the_checksum_of_no_body_in_a_presigned_url_does_not_count() {
    let server = Server::shared();
    server.bucket("hoisted-checksum");
    let path = "/hoisted-checksum/key";
    let query = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32";
    let put = Request::put(&format!("{path}?{query}"), "some bytes");
    server.send(&put.clone().presigned(&ROOT)).expect(200);
    assert_eq!(server.content(path).as_deref(), Some(&b"some bytes"[..]));

    // As a header it does, whoever sends it.
    let wrong = put.header("x-amz-checksum-crc32", "AAAAAA==");
    server
        .send(&wrong.presigned(&ROOT))
        .refused(400, "BadDigest");
}
