//! GET and PUT ?acl of buckets and objects, canned ACLs, and what they open.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

fn set(server: &Server, path: &str, canned: &str) -> Reply {
    server.send(
        &Request::put(&format!("{path}?acl"), "")
            .header("x-amz-acl", canned)
            .signed(&ROOT),
    )
}

fn acl(server: &Server, path: &str) -> Reply {
    server
        .send(&Request::get(&format!("{path}?acl")).signed(&ROOT))
        .expect(200)
}

#[test]
fn what_nobody_spoke_of_belongs_to_its_owner_alone() {
    let server = Server::shared();
    server.bucket("acl-default");
    server.object("/acl-default/key", "x");
    for path in ["/acl-default", "/acl-default/key"] {
        let reply = acl(&server, path);
        assert_eq!(reply.elements("ID"), ["root", "root"], "{reply:?}");
        assert_eq!(reply.elements("Permission"), ["FULL_CONTROL"], "{reply:?}");
        for key in [Some(&OTHER), None] {
            let sign = |request: Request| match key {
                Some(key) => request.signed(key),
                None => request,
            };
            server
                .send(&sign(Request::get(path)))
                .refused(403, "AccessDenied");
            server
                .send(&sign(Request::get(&format!("{path}?acl"))))
                .refused(403, "AccessDenied");
            server
                .send(&sign(
                    Request::put(&format!("{path}?acl"), "").header("x-amz-acl", "public-read"),
                ))
                .refused(403, "AccessDenied");
        }
    }
}

#[test]
fn a_public_object_is_read_by_anybody_and_changed_by_nobody() {
    let server = Server::shared();
    server.bucket("acl-public-object");
    let put = Request::put("/acl-public-object/key", "open").header("x-amz-acl", "public-read");
    server.send(&put.signed(&ROOT)).expect(200);
    assert_eq!(
        server
            .send(&Request::get("/acl-public-object/key"))
            .expect(200)
            .text(),
        "open"
    );
    server
        .send(&Request::head("/acl-public-object/key"))
        .expect(200);
    server
        .send(&Request::get("/acl-public-object/key").signed(&OTHER))
        .expect(200);
    server
        .send(&Request::get("/acl-public-object/key").header("range", "bytes=1-2"))
        .expect(206);
    server
        .send(&Request::put("/acl-public-object/key", "x"))
        .refused(403, "AccessDenied");
    server
        .send(&Request::delete("/acl-public-object/key"))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/acl-public-object"))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/acl-public-object/key?acl"))
        .refused(403, "AccessDenied");

    // Overwriting makes it private again.
    server.object("/acl-public-object/key", "closed");
    server
        .send(&Request::get("/acl-public-object/key"))
        .refused(403, "AccessDenied");
}

#[test]
fn a_public_bucket_is_listed_but_its_objects_are_not_read() {
    let server = Server::shared();
    server
        .send(
            &Request::put("/acl-public-bucket", "")
                .header("x-amz-acl", "public-read")
                .signed(&ROOT),
        )
        .expect(200);
    server.object("/acl-public-bucket/key", "x");
    server
        .send(&Request::get("/acl-public-bucket"))
        .expect(200)
        .expect_element("Key", "key");
    server
        .send(&Request::head("/acl-public-bucket"))
        .expect(200);
    server
        .send(&Request::get("/acl-public-bucket/key"))
        .refused(403, "AccessDenied");
    server
        .send(&Request::put("/acl-public-bucket/key", "x"))
        .refused(403, "AccessDenied");
    // Who may list may know what is missing.
    server
        .send(&Request::get("/acl-public-bucket/missing"))
        .refused(404, "NoSuchKey");

    set(&server, "/acl-public-bucket", "public-read-write").expect(200);
    server
        .send(&Request::put("/acl-public-bucket/theirs", "x").signed(&OTHER))
        .expect(200);
    server
        .send(&Request::delete("/acl-public-bucket/key"))
        .expect(204);
    set(&server, "/acl-public-bucket", "private").expect(200);
    server
        .send(&Request::get("/acl-public-bucket"))
        .refused(403, "AccessDenied");
}

#[test]
fn canned_acls_are_spelled_out() {
    let server = Server::shared();
    server.bucket("acl-canned");
    server.object("/acl-canned/key", "x");
    let grants = |path: &str, canned: &str, uris: &[&str], permissions: &[&str]| {
        set(&server, path, canned).expect(200);
        let reply = acl(&server, path);
        assert_eq!(reply.elements("URI"), uris, "{canned}: {reply:?}");
        assert_eq!(
            reply.elements("Permission"),
            permissions,
            "{canned}: {reply:?}"
        );
        assert_eq!(reply.element("ID"), Some("root"), "{canned}: {reply:?}");
    };
    for path in ["/acl-canned", "/acl-canned/key"] {
        grants(path, "public-read", &[ALL_USERS], &["FULL_CONTROL", "READ"]);
        grants(
            path,
            "public-read-write",
            &[ALL_USERS, ALL_USERS],
            &["FULL_CONTROL", "READ", "WRITE"],
        );
        grants(path, "private", &[], &["FULL_CONTROL"]);
        set(&server, path, "no-such-acl").refused(400, "InvalidArgument");
        grants(path, "private", &[], &["FULL_CONTROL"]);
    }
    set(&server, "/acl-canned/missing", "private").refused(404, "NoSuchKey");
    set(&server, "/acl-missing", "private").refused(404, "NoSuchBucket");
    let wrong = Request::put("/acl-canned/key", "x").header("x-amz-acl", "no-such-acl");
    server
        .send(&wrong.signed(&ROOT))
        .refused(400, "InvalidArgument");
}

#[test]
fn an_acl_that_is_written_is_the_acl_that_is_read() {
    let server = Server::shared();
    server.bucket("acl-written");
    server.object("/acl-written/key", "x");
    let document = |grantee: &str, permission: &str| {
        format!(
            "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>root</ID></Owner><AccessControlList>\
             <Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>root</ID></Grantee>\
             <Permission>FULL_CONTROL</Permission></Grant>\
             <Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" {grantee}</Grantee>\
             <Permission>{permission}</Permission></Grant></AccessControlList></AccessControlPolicy>"
        )
    };
    let put = |body: &str| {
        server.send(
            &Request::put("/acl-written/key?acl", body)
                .with_md5()
                .signed(&ROOT),
        )
    };
    let other = "xsi:type=\"CanonicalUser\"><ID>other</ID>";
    put(&document(other, "READ")).expect(200);
    server
        .send(&Request::get("/acl-written/key").signed(&OTHER))
        .expect(200);
    server
        .send(&Request::get("/acl-written/key?acl").signed(&OTHER))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/acl-written/key"))
        .refused(403, "AccessDenied");
    let reply = acl(&server, "/acl-written/key");
    assert_eq!(
        reply.elements("Permission"),
        ["FULL_CONTROL", "READ"],
        "{reply:?}"
    );

    put(&document(other, "READ_ACP")).expect(200);
    server
        .send(&Request::get("/acl-written/key").signed(&OTHER))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/acl-written/key?acl").signed(&OTHER))
        .expect(200);

    let refused = |body: &str, code: &str| {
        put(body).refused(400, code);
        server
            .send(&Request::get("/acl-written/key?acl").signed(&OTHER))
            .expect(200);
    };
    refused(&document(other, "EVERYTHING"), "MalformedACLError");
    refused(
        &document("xsi:type=\"Unknown\"><ID>other</ID>", "READ"),
        "MalformedACLError",
    );
    refused("<AccessControlPolicy>", "MalformedACLError");
    refused(
        &document("xsi:type=\"CanonicalUser\"><ID>nobody</ID>", "READ"),
        "InvalidArgument",
    );
    refused(
        &document("xsi:type=\"Group\"><URI>http://example.com/</URI>", "READ"),
        "InvalidArgument",
    );
}
