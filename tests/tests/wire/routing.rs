//! Which operation a request is, and what is none.

use sluice_tests::{ROOT, Request, Server};

#[test]
fn a_known_sub_resource_that_nothing_serves_is_not_implemented() {
    let server = Server::shared();
    server.bucket("unserved");
    server.object("/unserved/key", "x");
    let unserved = |method: &str, target: &str| {
        let request = Request::new(method, target).body("x").with_md5();
        server
            .send(&request.signed(&ROOT))
            .refused(501, "NotImplemented");
    };
    for name in [
        "accelerate",
        "analytics",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "lifecycle",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "website",
    ] {
        unserved("GET", &format!("/unserved?{name}"));
        unserved("GET", &format!("/unserved?{name}="));
        unserved("GET", &format!("/unserved/?{name}&prefix=x"));
    }
    for name in [
        "lifecycle",
        "policy",
        "encryption",
        "website",
        "notification",
    ] {
        unserved("PUT", &format!("/unserved?{name}"));
    }
    for name in ["lifecycle", "policy", "encryption", "website"] {
        unserved("DELETE", &format!("/unserved?{name}"));
    }
    for name in ["legal-hold", "retention", "torrent"] {
        unserved("GET", &format!("/unserved/key?{name}"));
    }
    for name in ["legal-hold", "retention"] {
        unserved("PUT", &format!("/unserved/key?{name}"));
    }
    unserved("POST", "/unserved/key?restore");
    unserved("POST", "/unserved/key?select&select-type=2");
    // Nothing of all this has touched them.
    assert_eq!(server.content("/unserved/key").as_deref(), Some(&b"x"[..]));
}

#[test]
fn an_unknown_sub_resource_never_falls_through() {
    let server = Server::shared();
    server.bucket("unknown");
    server.object("/unknown/key", "x");
    for target in [
        "/unknown?foo",
        "/unknown/key?foo",
        "/unknown?foo&prefix=x",
        "/unknown?foo=",
        "/?foo",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            server
                .send(&Request::new(method, target).signed(&ROOT))
                .refused(501, "NotImplemented");
        }
        server
            .send(&Request::head(target).signed(&ROOT))
            .expect(501);
    }
    assert!(server.content("/unknown/key").is_some());
    // What clients send along is no sub-resource.
    for target in [
        "/unknown/key?x-id=GetObject",
        "/unknown/key?",
        "/unknown/key?unknown=value",
    ] {
        server.send(&Request::get(target).signed(&ROOT)).expect(200);
    }
}

#[test]
fn a_method_that_does_not_fit_is_not_allowed() {
    let server = Server::shared();
    server.bucket("methods");
    server.object("/methods/key", "x");
    let refused = |method: &str, target: &str| {
        let reply = server
            .send(&Request::new(method, target).signed(&ROOT))
            .refused(405, "MethodNotAllowed");
        assert!(reply.header("allow").is_some(), "{reply:?}");
    };
    for method in ["PATCH", "TRACE", "PROPFIND", "FOO"] {
        refused(method, "/");
        refused(method, "/methods");
        refused(method, "/methods/key");
    }
    refused("PUT", "/");
    refused("DELETE", "/");
    refused("POST", "/methods/key");
    refused("POST", "/methods?acl");
    refused("DELETE", "/methods/key?acl");
    refused("PUT", "/methods?uploads");
    refused("GET", "/methods?delete");
    assert!(server.content("/methods/key").is_some());
    let conflict = Request::get("/methods?acl&uploads").signed(&ROOT);
    server.send(&conflict).refused(400, "InvalidArgument");
}

#[test]
fn a_bucket_is_found_by_its_host_name_too() {
    let server = Server::shared();
    server.bucket("virtual.host");
    let host = |name: &str, request: Request| server.send(&request.host(name).signed(&ROOT));
    host("virtual.host.s3.test", Request::put("/a/key", "x")).expect(200);
    assert_eq!(
        server.content("/virtual.host/a/key").as_deref(),
        Some(&b"x"[..])
    );
    host("virtual.host.s3.test:9000", Request::get("/a/key")).expect(200);
    host("VIRTUAL.Host.S3.TEST", Request::get("/a/key")).expect(200);
    host("virtual.host.s3.test", Request::get("/")).expect_element("Name", "virtual.host");
    host("virtual.host.s3.test", Request::put("//slash", "x")).expect(200);
    assert_eq!(
        server.content("/virtual.host//slash").as_deref(),
        Some(&b"x"[..])
    );
    // Any other name is the gateway's own.
    for name in [
        "s3.test",
        "localhost",
        "127.0.0.1:9000",
        "[::1]:9000",
        "xs3.test",
    ] {
        host(name, Request::get("/virtual.host/a/key")).expect(200);
    }
    host("virtual-missing.s3.test", Request::get("/key")).refused(404, "NoSuchBucket");
    host("Not_A_Bucket.s3.test", Request::get("/key")).refused(400, "InvalidBucketName");
}
