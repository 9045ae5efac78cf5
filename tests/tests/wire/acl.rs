//! GET and PUT ?acl of buckets and objects, canned ACLs, and what they open.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, Settings};

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

/// Grants on a bucket or an object of `root`, each to `other` and to nobody else
/// but the owner.
fn grant(server: &Server, path: &str, permissions: &[&str]) -> Reply {
    let header = |permission: &&str| {
        let name = permission.to_lowercase().replace('_', "-");
        format!("x-amz-grant-{name}")
    };
    let mut request = Request::put(&format!("{path}?acl"), "");
    for name in permissions.iter().map(header) {
        let who = match name.as_str() {
            "x-amz-grant-full-control" => "id=root, id=other",
            _ => "id=other",
        };
        request = request.header(&name, who);
    }
    if !permissions.contains(&"FULL_CONTROL") {
        request = request.header("x-amz-grant-full-control", "id=root");
    }
    server.send(&request.signed(&ROOT))
}

/// What `other` can do in a bucket, by the permission that it takes.
fn opened(server: &Server, bucket: &str, key: &str) -> Vec<&'static str> {
    let get = |query: &str| Request::get(&format!("{bucket}{query}"));
    let put = |query: &str| Request::put(&format!("{bucket}{query}"), "");
    let object = |query: &str| Request::get(&format!("{bucket}/{key}{query}"));
    let delete = "<Delete><Object><Key>absent</Key></Object></Delete>";
    let requests = [
        ("READ", get("")),
        ("READ", get("?list-type=2")),
        ("READ", Request::head(bucket)),
        ("READ", get("?uploads")),
        ("READ", get("?location")),
        ("READ", get("/absent")),
        ("READ", get("/absent?acl")),
        ("WRITE", put("/theirs")),
        ("WRITE", put("/theirs").header("x-amz-acl", "private")),
        (
            "WRITE",
            Request::post(&format!("{bucket}/theirs?uploads"), ""),
        ),
        ("WRITE", Request::delete(&format!("{bucket}/theirs"))),
        ("READ_ACP", get("?acl")),
        (
            "FULL_CONTROL",
            Request::delete(&format!("{bucket}?ownershipControls")),
        ),
        ("OBJECT_READ", object("")),
        ("OBJECT_READ", Request::head(&format!("{bucket}/{key}"))),
        ("OBJECT_READ_ACP", object("?acl")),
        (
            "OBJECT_WRITE_ACP",
            put(&format!("/{key}?acl")).header("x-amz-acl", "no-such-list"),
        ),
        ("WRITE_ACP", put("?acl").header("x-amz-acl", "no-such-list")),
    ];
    let mut opened = Vec::new();
    let mut closed = Vec::new();
    for (permission, request) in requests {
        let reply = server.send(&request.signed(&OTHER));
        match reply.status {
            403 => closed.push(permission),
            200 | 204 | 400 | 404 => opened.push(permission),
            _ => panic!("{permission}: {reply:?}"),
        }
    }
    // DeleteObjects is decided on key by key.
    let all = Request::post(&format!("{bucket}?delete"), delete);
    let reply = server.send(&all.with_md5().signed(&OTHER)).expect(200);
    match reply.element("Code") {
        Some("AccessDenied") => closed.push("WRITE"),
        _ => opened.push("WRITE"),
    }
    opened.dedup();
    opened.retain(|permission| {
        assert!(!closed.contains(permission), "{permission} is half open");
        true
    });
    opened.sort_unstable();
    opened.dedup();
    opened
}

#[test]
fn each_permission_opens_what_it_is_for() {
    let server = Server::shared();
    let bucket = server.bucket("acl-each");
    let object = "/acl-each/key";
    server.object(object, "x");
    let check = |path: &str, permissions: &[&str], expected: &[&str]| {
        grant(&server, path, permissions).expect(200);
        let opened = opened(&server, &bucket, "key");
        assert_eq!(opened, expected, "{path} {permissions:?}");
    };
    check(&bucket, &[], &[]);
    check(&bucket, &["READ"], &["READ"]);
    check(&bucket, &["WRITE"], &["WRITE"]);
    check(&bucket, &["READ_ACP"], &["READ_ACP"]);
    check(&bucket, &["WRITE_ACP"], &["WRITE_ACP"]);
    const ALL: &[&str] = &["FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"];
    check(&bucket, &["FULL_CONTROL"], ALL);
    check(&bucket, &["READ", "WRITE"], &["READ", "WRITE"]);
    set(&server, &bucket, "private").expect(200);
    check(object, &["READ"], &["OBJECT_READ"]);
    check(object, &["WRITE"], &[]);
    check(object, &["READ_ACP"], &["OBJECT_READ_ACP"]);
    check(object, &["WRITE_ACP"], &["OBJECT_WRITE_ACP"]);
    const OBJECT: &[&str] = &["OBJECT_READ", "OBJECT_READ_ACP", "OBJECT_WRITE_ACP"];
    check(object, &["FULL_CONTROL"], OBJECT);
}

#[test]
fn a_list_that_cannot_be_meant_is_refused() {
    let server = Server::shared();
    server.bucket("acl-refused");
    server.object("/acl-refused/key", "x");
    let check = |headers: &[(&str, &str)], body: &str, status: u16, code: &str| {
        for path in ["/acl-refused?acl", "/acl-refused/key?acl"] {
            let request = Request::put(path, body).with_md5();
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            });
            server.send(&request.signed(&ROOT)).refused(status, code);
        }
    };
    const LIST: &str = "<AccessControlPolicy><Owner><ID>root</ID></Owner><AccessControlList/></AccessControlPolicy>";
    let (canned, read) = (("x-amz-acl", "private"), "x-amz-grant-read");
    check(&[], "", 400, "MissingSecurityHeader");
    check(&[canned, (read, "id=other")], "", 400, "InvalidRequest");
    check(&[canned], LIST, 400, "InvalidRequest");
    check(&[(read, "id=other")], LIST, 400, "InvalidRequest");
    check(&[(read, "id=nobody")], "", 400, "InvalidArgument");
    check(&[(read, "other")], "", 400, "InvalidArgument");
    check(
        &[("x-amz-grant-reed", "id=other")],
        "",
        400,
        "InvalidArgument",
    );
    let nobody = "emailAddress=nobody@example.com";
    check(
        &[(read, nobody)],
        "",
        400,
        "UnresolvableGrantByEmailAddress",
    );
    let hundred_and_one = vec!["id=other"; 101].join(",");
    check(&[(read, &hundred_and_one)], "", 400, "MalformedACLError");
    check(&[], &LIST.replace("root", "other"), 403, "AccessDenied");
    check(
        &[],
        &LIST.replace("<Owner>", "<Own>"),
        400,
        "MalformedACLError",
    );
    check(&[], "private", 400, "MalformedACLError");
    let address = Request::put("/acl-refused/key?acl", "");
    let address = address.header(read, "emailAddress=\"other@example.com\"");
    server.send(&address.signed(&ROOT)).expect(200);
    server
        .send(&Request::get("/acl-refused/key").signed(&OTHER))
        .expect(200);
}

#[test]
fn a_copy_does_not_bring_the_list_of_its_source() {
    let server = Server::shared();
    server.bucket("acl-copy");
    let public = Request::put("/acl-copy/key", "x").header("x-amz-acl", "public-read");
    server.send(&public.signed(&ROOT)).expect(200);
    let copy = |to: &str| Request::put(to, "").header("x-amz-copy-source", "/acl-copy/key");
    server
        .send(&copy("/acl-copy/private").signed(&ROOT))
        .expect(200);
    server
        .send(&Request::get("/acl-copy/private"))
        .refused(403, "AccessDenied");
    let given = copy("/acl-copy/public").header("x-amz-acl", "public-read");
    server.send(&given.signed(&ROOT)).expect(200);
    server.send(&Request::get("/acl-copy/public")).expect(200);
    // What cannot be read is not copied.
    let theirs = server.bucket("acl-copy-theirs");
    grant(&server, &theirs, &["READ", "WRITE"]).expect(200);
    let target = "/acl-copy-theirs/key";
    let private = Request::put(target, "").header("x-amz-copy-source", "/acl-copy/private");
    server
        .send(&private.signed(&OTHER))
        .refused(403, "AccessDenied");
    server.send(&copy(target).signed(&OTHER)).expect(200);
    server
        .send(&Request::get(target).signed(&ROOT))
        .refused(403, "AccessDenied");
}

/// Makes a bucket of `root` that `other` may write, with this object ownership.
fn owned(server: &Server, bucket: &str, ownership: Option<&str>) -> String {
    let path = format!("/{bucket}");
    let request = Request::put(&path, "");
    let request = match ownership {
        Some(ownership) => request.header("x-amz-object-ownership", ownership),
        None => request,
    };
    server.send(&request.signed(&ROOT)).expect(200);
    path
}

fn controls(ownership: &str) -> String {
    format!(
        "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
    )
}

#[test]
fn ownership_controls_are_kept_with_the_bucket() {
    let server = Server::shared();
    let bucket = owned(&server, "own-controls", None);
    let at = format!("{bucket}?ownershipControls");
    let get = || server.send(&Request::get(&at).signed(&ROOT));
    let put = |body: &str| server.send(&Request::put(&at, body).with_md5().signed(&ROOT));
    get().refused(404, "OwnershipControlsNotFoundError");
    for ownership in [
        "ObjectWriter",
        "BucketOwnerPreferred",
        "BucketOwnerEnforced",
    ] {
        put(&controls(ownership)).expect(200);
        get()
            .expect(200)
            .expect_element("ObjectOwnership", ownership);
    }
    put(&controls("Nobody")).refused(400, "MalformedXML");
    put("<OwnershipControls/>").refused(400, "MalformedXML");
    let theirs = Request::put(&at, controls("ObjectWriter")).with_md5();
    server
        .send(&theirs.signed(&OTHER))
        .refused(403, "AccessDenied");
    get().expect_element("ObjectOwnership", "BucketOwnerEnforced");
    for _ in 0..2 {
        server.send(&Request::delete(&at).signed(&ROOT)).expect(204);
    }
    get().refused(404, "OwnershipControlsNotFoundError");

    // Lists that say something are not turned off in silence.
    set(&server, &bucket, "public-read").expect(200);
    put(&controls("BucketOwnerEnforced")).refused(400, "InvalidBucketAclWithObjectOwnership");
    let created = owned(&server, "own-controls-2", Some("BucketOwnerPreferred"));
    let reply = server.send(&Request::get(&format!("{created}?ownershipControls")).signed(&ROOT));
    reply.expect_element("ObjectOwnership", "BucketOwnerPreferred");
    let create = |ownership: &str| {
        let request = Request::put("/own-controls-3", "").header("x-amz-acl", "public-read");
        server.send(
            &request
                .header("x-amz-object-ownership", ownership)
                .signed(&ROOT),
        )
    };
    create("Nobody").refused(400, "InvalidArgument");
    create("BucketOwnerEnforced").refused(400, "InvalidBucketAclWithObjectOwnership");
    server
        .send(&Request::head("/own-controls-3").signed(&ROOT))
        .expect(404);
}

#[test]
fn an_object_is_its_writers_unless_the_bucket_owner_is_preferred() {
    let server = Server::shared();
    const FULL: (&str, &str) = ("x-amz-acl", "bucket-owner-full-control");
    let read_by = |path: &str, expected: [bool; 2]| {
        for (key, expected) in [&ROOT, &OTHER].into_iter().zip(expected) {
            let reply = server.send(&Request::get(path).signed(key));
            assert_eq!(
                reply.status,
                if expected { 200 } else { 403 },
                "{path}: {reply:?}"
            );
        }
    };
    let owner = |path: &str, key: &sluice_tests::Key, expected: &str| {
        let reply = server.send(&Request::get(&format!("{path}?acl")).signed(key));
        assert_eq!(reply.element("ID"), Some(expected), "{path}: {reply:?}");
    };
    for (name, ownership) in [
        ("own-writer", None),
        ("own-writer-said", Some("ObjectWriter")),
    ] {
        let bucket = owned(&server, name, ownership);
        grant(&server, &bucket, &["READ", "WRITE"]).expect(200);
        let put = |key: &str| Request::put(&format!("{bucket}/{key}"), "x");
        server.send(&put("plain").signed(&OTHER)).expect(200);
        read_by(&format!("{bucket}/plain"), [false, true]);
        let full = put("full").header(FULL.0, FULL.1);
        server.send(&full.signed(&OTHER)).expect(200);
        read_by(&format!("{bucket}/full"), [true, true]);
        owner(&format!("{bucket}/full"), &ROOT, "other");
    }

    let bucket = owned(&server, "own-preferred", Some("BucketOwnerPreferred"));
    grant(&server, &bucket, &["READ", "WRITE"]).expect(200);
    let path = |key: &str| format!("{bucket}/{key}");
    let send = |request: Request| server.send(&request.signed(&OTHER)).expect(200);
    send(Request::put(&path("plain"), "x"));
    read_by(&path("plain"), [false, true]);
    send(Request::put(&path("full"), "x").header(FULL.0, FULL.1));
    let source = path("plain");
    send(
        Request::put(&path("copy"), "")
            .header("x-amz-copy-source", &source)
            .header(FULL.0, FULL.1),
    );
    let begun =
        send(Request::post(&format!("{}?uploads", path("parts")), "").header(FULL.0, FULL.1));
    let upload = begun.element("UploadId").expect("an upload").to_owned();
    let at = format!("{}?uploadId={upload}", path("parts"));
    let part = send(Request::put(&format!("{at}&partNumber=1"), "x"));
    let etag = part.header("etag").expect("an entity tag").to_owned();
    send(Request::post(
        &at,
        format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        ),
    ));
    for key in ["full", "copy", "parts"] {
        read_by(&path(key), [true, false]);
        owner(&path(key), &ROOT, "root");
    }
}

#[test]
fn where_ownership_is_enforced_lists_mean_nothing() {
    let server = Server::shared();
    let bucket = owned(&server, "own-enforced", None);
    grant(&server, &bucket, &["READ", "WRITE"]).expect(200);
    let send = |request: Request, key| server.send(&request.signed(key));
    send(Request::put("/own-enforced/theirs", "x"), &OTHER).expect(200);
    let public = Request::put("/own-enforced/public", "x").header("x-amz-acl", "public-read");
    send(public, &ROOT).expect(200);
    server
        .send(&Request::get("/own-enforced/public"))
        .expect(200);
    set(&server, &bucket, "private").expect(200);
    let enforce = Request::put(
        "/own-enforced?ownershipControls",
        controls("BucketOwnerEnforced"),
    );
    send(enforce.with_md5(), &ROOT).expect(200);

    server
        .send(&Request::get("/own-enforced/public"))
        .refused(403, "AccessDenied");
    send(Request::get("/own-enforced/theirs"), &OTHER).refused(403, "AccessDenied");
    send(Request::get("/own-enforced/theirs"), &ROOT).expect(200);
    for path in [
        "/own-enforced",
        "/own-enforced/theirs",
        "/own-enforced/public",
    ] {
        let reply = acl(&server, path);
        assert_eq!(reply.elements("ID"), ["root", "root"], "{reply:?}");
        assert_eq!(reply.elements("Permission"), ["FULL_CONTROL"], "{reply:?}");
        set(&server, path, "public-read").refused(400, "AccessControlListNotSupported");
    }
    let put = |name: &str, value: &str| {
        let request = Request::put("/own-enforced/new", "x").header(name, value);
        send(request, &ROOT)
    };
    put("x-amz-acl", "public-read").refused(400, "AccessControlListNotSupported");
    put("x-amz-grant-read", "id=other").refused(400, "AccessControlListNotSupported");
    assert_eq!(server.content("/own-enforced/new"), None);
    put("x-amz-acl", "bucket-owner-full-control").expect(200);
    put("x-amz-acl", "private").expect(200);
    put("x-amz-grant-full-control", "id=root").expect(200);

    // What was said before counts again where lists do.
    let end = Request::delete("/own-enforced?ownershipControls");
    send(end, &ROOT).expect(204);
    server
        .send(&Request::get("/own-enforced/public"))
        .expect(200);
    send(Request::get("/own-enforced/theirs"), &OTHER).expect(200);
}

/// A gateway whose lists are those of a dialect.
fn start(settings: &str) -> Server {
    Server::start(&Settings {
        policy: format!(
            "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  location: {{source: 'builtin:location'}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
    settings: {settings}
  - use: location
"
        ),
        ..Settings::default()
    })
}

#[test]
fn in_other_dialects_a_permission_opens_something_else() {
    const OWNED: &[&str] = &["FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"];
    const OWNED_AND_READ: &[&str] = &[
        "FULL_CONTROL",
        "OBJECT_READ",
        "READ",
        "READ_ACP",
        "WRITE",
        "WRITE_ACP",
    ];
    for (profile, reads) in [("dsnet", true), ("list-only", false)] {
        let server = start(&format!("{{profile: {profile}}}"));
        let bucket = server.bucket("dialect");
        server.object("/dialect/key", "x");
        let check = |permissions: &[&str], expected: &[&str]| {
            grant(&server, &bucket, permissions).expect(200);
            let opened = opened(&server, &bucket, "key");
            assert_eq!(opened, expected, "{profile} {permissions:?}");
        };
        check(&[], &[]);
        let (read, owned, write): (&[&str], _, &[&str]) = match reads {
            true => (
                &["OBJECT_READ", "READ"],
                OWNED_AND_READ,
                &["OBJECT_READ", "READ", "WRITE"],
            ),
            false => (&["READ"], OWNED, &["READ", "WRITE"]),
        };
        check(&["READ"], read);
        check(&["READ", "WRITE"], write);
        for permission in ["READ_ACP", "WRITE_ACP", "FULL_CONTROL"] {
            check(&[permission], owned);
            let reply = acl(&server, &bucket);
            assert_eq!(
                reply.elements("Permission"),
                ["FULL_CONTROL", "FULL_CONTROL"]
            );
        }
        grant(&server, &bucket, &["WRITE"]).refused(400, "InvalidRequest");
        for canned in ["authenticated-read", "log-delivery-write"] {
            set(&server, &bucket, canned).refused(400, "InvalidArgument");
        }
        for canned in ["bucket-owner-read", "bucket-owner-full-control"] {
            set(&server, "/dialect/key", canned).refused(400, "InvalidArgument");
        }
        set(&server, "/dialect/key", "authenticated-read").expect(200);
        server
            .send(&Request::get("/dialect/key").signed(&OTHER))
            .expect(200);
        // As the contract names the permissions.
        let body = "<AccessControlPolicy><Owner><ID>root</ID></Owner><AccessControlList><Grant>\
                    <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"AmazonCustomerByEmail\"><EmailAddress>other</EmailAddress></Grantee>\
                    <Permission>READ_ACL</Permission></Grant></AccessControlList></AccessControlPolicy>";
        let named = Request::put("/dialect/key?acl", body).with_md5();
        server.send(&named.signed(&ROOT)).expect(200);
        server
            .send(&Request::get("/dialect/key?acl").signed(&OTHER))
            .expect(200);
    }
}

#[test]
fn new_buckets_have_the_ownership_that_the_operator_chose() {
    let server = start("{object_ownership: BucketOwnerEnforced}");
    server.bucket("chosen");
    let reply = server.send(&Request::get("/chosen?ownershipControls").signed(&ROOT));
    reply
        .expect(200)
        .expect_element("ObjectOwnership", "BucketOwnerEnforced");
    set(&server, "/chosen", "public-read").refused(400, "AccessControlListNotSupported");
    let bucket = owned(&server, "said", Some("ObjectWriter"));
    set(&server, &bucket, "public-read").expect(200);
}

#[test]
fn each_version_has_a_list_and_to_change_it_makes_no_version() {
    let server = Server::shared();
    server.bucket("acl-versions");
    let send = |request: Request| server.send(&request.with_md5().signed(&ROOT)).expect(200);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    send(Request::put("/acl-versions?versioning", enabled));
    let put = |body: &str| {
        let reply = send(Request::put("/acl-versions/key", body));
        let version = reply.header("x-amz-version-id").expect("a version");
        format!("/acl-versions/key?versionId={version}")
    };
    let (first, second) = (put("1"), put("2"));
    let open = |at: &str| {
        let request = Request::put(&at.replace('?', "?acl&"), "");
        send(request.header("x-amz-acl", "public-read"));
    };
    let seen = |expected: [bool; 3]| {
        let paths = ["/acl-versions/key", &first, &second];
        for (path, expected) in paths.into_iter().zip(expected) {
            let reply = server.send(&Request::get(path));
            let status = if expected { 200 } else { 403 };
            assert_eq!(reply.status, status, "{path}: {reply:?}");
        }
    };
    seen([false, false, false]);
    open(&first);
    seen([false, true, false]);
    let shown = |at: &str| send(Request::get(&at.replace('?', "?acl&")));
    assert_eq!(
        shown(&first).elements("Permission"),
        ["FULL_CONTROL", "READ"]
    );
    assert_eq!(shown(&second).elements("Permission"), ["FULL_CONTROL"]);
    set(&server, "/acl-versions/key", "public-read").expect(200);
    seen([true, true, true]);
    let versions = send(Request::get("/acl-versions?versions"));
    assert_eq!(versions.elements("VersionId").len(), 2, "{versions:?}");
    server
        .send(&Request::get("/acl-versions?versions").signed(&OTHER))
        .refused(403, "AccessDenied");
    grant(&server, "/acl-versions", &["READ"]).expect(200);
    server
        .send(&Request::get("/acl-versions?versions").signed(&OTHER))
        .expect(200);
    let delete = |at: &str| server.send(&Request::delete(at).signed(&OTHER));
    delete(&first).refused(403, "AccessDenied");
    grant(&server, "/acl-versions", &["WRITE"]).expect(200);
    delete(&first).expect(204);
    // A marker has no list, and hides what has one.
    delete("/acl-versions/key").expect(204);
    server
        .send(&Request::get("/acl-versions/key"))
        .refused(403, "AccessDenied");
    set(&server, "/acl-versions/key", "private").refused(404, "NoSuchKey");
}
