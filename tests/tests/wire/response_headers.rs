//! Headers that a plugin adds to answers, also to those of errors.

use std::fs;

use sluice_tests::{Key, OTHER, ROOT, Reply, Request, Server, Settings};

use crate::guest::{Guest, Image, constant};

/// Adds a header that says how the request ended, and tries others that are not
/// its to say. Nobody is stopped by the one behind it, which crashes.
fn start() -> Server {
    let adds = Guest::new().respond(|image| {
        let headers = |image: &mut Image, outcome: &str| {
            image.headers(&[
                ("x-outcome", outcome),
                ("vary", "x-plugin"),
                ("content-type", "text/other"),
                ("etag", "\"other\""),
            ])
        };
        let (fine, refused) = (headers(image, "fine"), headers(image, "refused"));
        // The status is what it is called with.
        format!(
            "(select (i32.const {refused}) (i32.const {fine})
                (i32.ge_u (local.get 0) (i32.const 400)))"
        )
    });
    let crashes = Guest::new().respond(|_| "(unreachable)".to_owned());
    // A header that frames the answer: none of its headers are taken.
    let frames = Guest::new()
        .respond(|image| constant(image.headers(&[("x-frames", "yes"), ("content-length", "1")])));
    let server = Server::start(&Settings::default());
    for (name, guest) in [("adds", adds), ("crashes", crashes), ("frames", frames)] {
        let file = server.data().join(name).with_extension("wasm");
        fs::write(file, guest.component()).expect("the folder is writable");
    }
    server.edit(|text| {
        text.to_owned()
            + "plugins:
  auth: {source: 'builtin:auth', grants: [identity, clock]}
  provisioning: {source: 'builtin:provisioning', grants: [placement]}
  acl: {source: 'builtin:acl', grants: [documents, directory, placement]}
  adds: {source: 'file:adds.wasm'}
  crashes: {source: 'file:crashes.wasm', breaker: off}
  frames: {source: 'file:frames.wasm', breaker: off}
chain:
  - use: auth
  - {use: provisioning, settings: {mode: create-delete, default_template: default, templates: [{name: default}]}}
  - use: acl
  - use: adds
  - use: crashes
  - use: frames
"
    });
    server.reload().expect(200);
    server.bucket("data");
    let put = Request::put("/data/key", "content").header("content-type", "text/own");
    server.send(&put.signed(&ROOT)).expect(200);
    server
}

#[track_caller]
fn check(server: &Server, request: &Request, status: u16, outcome: &str) -> Reply {
    let reply = server.send(request).expect(status);
    let vary = reply.headers.iter().filter(|(name, _)| name == "vary");
    assert!(
        vary.clone().any(|(_, value)| value.contains("x-plugin")),
        "{reply:?}"
    );
    assert_eq!(reply.header("x-frames"), None, "{reply:?}");
    assert_ne!(reply.header("content-length"), Some("1"), "{reply:?}");
    reply.expect_header("x-outcome", outcome)
}

#[test]
fn a_plugin_adds_headers_to_what_succeeds_and_replaces_none() {
    let server = start();
    for request in [Request::get("/data/key"), Request::head("/data/key")] {
        let reply = check(&server, &request.signed(&ROOT), 200, "fine");
        let reply = reply.expect_header("content-type", "text/own");
        assert_eq!(reply.header("content-length"), Some("7"), "{reply:?}");
        assert_ne!(reply.header("etag"), Some("\"other\""), "{reply:?}");
    }
    let part = Request::get("/data/key").header("range", "bytes=0-2");
    check(&server, &part.signed(&ROOT), 206, "fine");
    let known = Request::get("/data/key").header("if-none-match", "*");
    check(&server, &known.signed(&ROOT), 304, "fine");
    let list = check(&server, &Request::get("/data").signed(&ROOT), 200, "fine");
    list.expect_header("content-type", "application/xml");
    check(
        &server,
        &Request::put("/data/new", "x").signed(&ROOT),
        200,
        "fine",
    );
    check(
        &server,
        &Request::delete("/data/new").signed(&ROOT),
        204,
        "fine",
    );
}

#[test]
fn a_plugin_adds_headers_to_what_is_refused_wherever_it_is() {
    let server = start();
    let forged = Key {
        secret: "not the secret",
        ..ROOT
    };
    for (request, status, code) in [
        // In the order of the phases: authenticate, load, authorize, serve.
        (
            Request::get("/data/key").signed(&forged),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            Request::get("/nobody/key").signed(&ROOT),
            404,
            "NoSuchBucket",
        ),
        (
            Request::get("/data/key").signed(&OTHER),
            403,
            "AccessDenied",
        ),
        (
            Request::get("/data/missing").signed(&ROOT),
            404,
            "NoSuchKey",
        ),
        (
            Request::delete("/data").signed(&ROOT),
            409,
            "BucketNotEmpty",
        ),
    ] {
        let reply = check(&server, &request, status, "refused");
        reply
            .refused(status, code)
            .expect_header("content-type", "application/xml");
    }
}
