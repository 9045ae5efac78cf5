//! A plugin of one's own owns a sub-resource that S3 does not have.

use std::path::Path;

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, Settings};

/// The longest notice that the plugin is told to take.
const LEN_MAX: usize = 100;

/// The longest body that the gateway hands to a plugin.
const BODY_LEN_MAX: usize = 1024 * 1024;

fn start() -> Server {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist/legal-notice.wasm");
    let server = Server::start(&Settings {
        policy: format!(
            "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  legal-notice: {{source: 'file:{}', grants: [documents], limits: {{output: 2MiB, memory: 16MiB, cpu: 100ms}}}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: legal-notice
    settings: {{len_max: {LEN_MAX}}}
",
            component.display()
        ),
        ..Settings::default()
    });
    server.bucket("shop");
    server
}

const NOTICE: &str = "/shop?legal-notice";

#[track_caller]
fn put(server: &Server, target: &str, notice: impl AsRef<[u8]>) -> Reply {
    server.send(&Request::put(target, notice).signed(&ROOT))
}

/// The notice there is, if there is one.
#[track_caller]
fn notice(server: &Server, target: &str) -> Option<String> {
    let reply = server.send(&Request::get(target).signed(&ROOT));
    match reply.status {
        200 => Some(reply.text().to_owned()),
        _ => {
            reply.refused(404, "NoSuchLegalNotice");
            None
        }
    }
}

#[test]
fn a_plugin_serves_what_it_owns_and_the_gateway_keeps_it() {
    let server = start();
    assert_eq!(notice(&server, NOTICE), None);
    put(&server, NOTICE, "All sales are final.").expect(200);
    let reply = server.send(&Request::get(NOTICE).signed(&ROOT));
    reply
        .expect(200)
        .expect_header("content-type", "text/plain; charset=utf-8")
        .expect_header("content-length", "20");
    put(&server, NOTICE, "All sales are vain.").expect(200);
    assert_eq!(
        notice(&server, NOTICE).as_deref(),
        Some("All sales are vain.")
    );

    // By the name of the host, with a value, and presigned, it is the same.
    let hosted = Request::get("/?legal-notice").host("shop.s3.test");
    assert_eq!(
        server.send(&hosted.signed(&ROOT)).expect(200).text(),
        "All sales are vain."
    );
    assert!(notice(&server, "/shop?legal-notice=").is_some());
    let presigned = Request::get(NOTICE).presigned(&ROOT);
    assert_eq!(
        server.send(&presigned).expect(200).text(),
        "All sales are vain."
    );
    let presigned = Request::put(NOTICE, "Presigned.").presigned(&ROOT);
    server.send(&presigned).expect(200);
    assert_eq!(notice(&server, NOTICE).as_deref(), Some("Presigned."));

    // Deleting it twice is as good as once, as it is with an object.
    for _ in 0..2 {
        server
            .send(&Request::delete(NOTICE).signed(&ROOT))
            .expect(204);
        assert_eq!(notice(&server, NOTICE), None);
    }
}

#[test]
fn it_is_no_listing_and_no_listing_is_it() {
    let server = start();
    server.object("/shop/key", "x");
    put(&server, NOTICE, "Beware of the dog.").expect(200);
    let list = server
        .send(&Request::get("/shop?list-type=2").signed(&ROOT))
        .expect(200);
    assert_eq!(list.elements("Key"), ["key"]);
    assert_eq!(list.header("x-has-legal-notice"), Some("yes"));
    // A prefix of that name is not the sub-resource, and an object is another thing.
    let list = server
        .send(&Request::get("/shop?prefix=legal-notice").signed(&ROOT))
        .expect(200);
    assert_eq!(list.element("Name"), Some("shop"));
    server.object("/shop/legal-notice", "an object");
    assert_eq!(
        notice(&server, NOTICE).as_deref(),
        Some("Beware of the dog.")
    );
    assert_eq!(
        server.content("/shop/legal-notice").as_deref(),
        Some(&b"an object"[..])
    );
    // Two sub-resources at once are neither.
    let both = server.send(&Request::get("/shop?legal-notice&acl").signed(&ROOT));
    assert!((400..500).contains(&both.status), "{both:?}");
}

#[test]
fn only_what_the_plugin_said_can_be_done_to_it() {
    let server = start();
    server.object("/shop/key", "x");
    for (method, target) in [
        ("POST", NOTICE),
        // Of an object there is nothing to delete.
        ("DELETE", "/shop/key?legal-notice"),
        ("POST", "/shop/key?legal-notice"),
    ] {
        let reply = server.send(&Request::new(method, target).signed(&ROOT));
        reply.refused(405, "MethodNotAllowed");
    }
    assert_eq!(server.content("/shop/key").as_deref(), Some(&b"x"[..]));
}

#[test]
fn without_the_plugin_in_the_chain_nobody_has_it() {
    let server = Server::shared();
    server.bucket("no-notice");
    for request in [
        Request::get("/no-notice?legal-notice"),
        Request::put("/no-notice?legal-notice", "x"),
        Request::delete("/no-notice?legal-notice"),
    ] {
        let reply = server.send(&request.signed(&ROOT));
        reply.refused(501, "NotImplemented");
    }
    server
        .send(&Request::head("/no-notice").signed(&ROOT))
        .expect(200);
}

#[test]
fn whoever_may_not_change_a_bucket_may_not_change_what_plugins_bring_to_it() {
    let server = start();
    server.object("/shop/key", "x");
    put(&server, NOTICE, "Mine.").expect(200);
    for (target, method) in [
        (NOTICE, "GET"),
        (NOTICE, "PUT"),
        (NOTICE, "DELETE"),
        ("/shop/key?legal-notice", "GET"),
        ("/shop/key?legal-notice", "PUT"),
    ] {
        let request = || Request::new(method, target).body("Yours.");
        server
            .send(&request().signed(&OTHER))
            .refused(403, "AccessDenied");
        server.send(&request()).refused(403, "AccessDenied");
        let tampered = Request::new(method, target).presigned(&ROOT);
        let tampered = tampered.tampered("legal-notice", "legal-notice&x-id=x");
        server.send(&tampered).refused(403, "SignatureDoesNotMatch");
        server
            .send(&request().expired(&ROOT))
            .refused(403, "AccessDenied");
    }
    assert_eq!(notice(&server, NOTICE).as_deref(), Some("Mine."));
    assert_eq!(notice(&server, "/shop/key?legal-notice"), None);
}

#[test]
fn what_the_plugin_refuses_is_not_stored_although_it_was_written() {
    let server = start();
    put(&server, NOTICE, "The first.").expect(200);
    for (notice, status, code) in [
        (vec![b'x'; LEN_MAX + 1], 400, "InvalidArgument"),
        (b"\xff\xfe".to_vec(), 400, "InvalidArgument"),
        (Vec::new(), 400, "InvalidArgument"),
        (
            vec![b'x'; BODY_LEN_MAX + 1],
            400,
            "MaxMessageLengthExceeded",
        ),
    ] {
        put(&server, NOTICE, notice).refused(status, code);
    }
    // More than a document holds, whatever the plugin would take.
    assert!(put(&server, NOTICE, vec![b'x'; BODY_LEN_MAX]).status >= 400);
    assert_eq!(notice(&server, NOTICE).as_deref(), Some("The first."));
    put(&server, NOTICE, vec![b'x'; LEN_MAX]).expect(200);
    assert_eq!(
        notice(&server, NOTICE).map(|notice| notice.len()),
        Some(LEN_MAX)
    );

    // A bucket is made with its notice, or not at all.
    let create = |notice: &str| {
        let create = Request::put("/market", "").header("x-legal-notice", notice);
        server.send(&create.signed(&ROOT))
    };
    create(&"x".repeat(LEN_MAX + 1)).refused(400, "InvalidArgument");
    server
        .send(&Request::head("/market").signed(&ROOT))
        .expect(404);
    create("Haggling is welcome.").expect(200);
    assert_eq!(
        notice(&server, "/market?legal-notice").as_deref(),
        Some("Haggling is welcome.")
    );
}

#[test]
fn it_is_gone_with_what_it_belongs_to() {
    let server = start();
    server.object("/shop/key", "one");
    put(&server, NOTICE, "Of the bucket.").expect(200);
    put(&server, "/shop/key?legal-notice", "Of the object.").expect(200);
    assert_eq!(
        notice(&server, "/shop/key?legal-notice").as_deref(),
        Some("Of the object.")
    );
    assert_eq!(server.content("/shop/key").as_deref(), Some(&b"one"[..]));

    // Another object of that key is another one.
    server.object("/shop/key", "two");
    assert_eq!(notice(&server, "/shop/key?legal-notice"), None);
    put(&server, "/shop/none?legal-notice", "Of nothing.").refused(404, "NoSuchKey");

    server
        .send(&Request::delete("/shop/key").signed(&ROOT))
        .expect(204);
    server
        .send(&Request::delete("/shop").signed(&ROOT))
        .expect(204);
    server
        .send(&Request::get(NOTICE).signed(&ROOT))
        .refused(404, "NoSuchBucket");
    server.bucket("shop");
    assert_eq!(notice(&server, NOTICE), None);
    let listed = server
        .send(&Request::get("/shop").signed(&ROOT))
        .expect(200);
    assert_eq!(listed.header("x-has-legal-notice"), None);
}
