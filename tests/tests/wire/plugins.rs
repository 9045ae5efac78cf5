//! A plugin of one's own, as a component in a file, beside the bundled ones.

use std::path::Path;

use sluice_tests::{OTHER, ROOT, Request, Server, Settings};

/// Uploads to buckets of production need a tag `team`.
fn policy(mode: &str) -> String {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist/require-tag.wasm");
    format!(
        "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  tagging: {{source: 'builtin:tagging', grants: [documents]}}
  require-tag: {{source: 'file:{component}'}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: tagging
  - use: require-tag
    match: {{operations: [PutObject, CreateMultipartUpload], buckets: ['prod-*']}}
    settings: {{key: team}}
    mode: {mode}
",
        component = component.display(),
    )
}

fn start(mode: &str) -> Server {
    let server = Server::start(&Settings {
        policy: policy(mode),
        ..Settings::default()
    });
    server.bucket("prod-data");
    server.bucket("scratch");
    server
}

#[test]
fn a_plugin_in_a_file_decides_where_it_is_asked() {
    let server = start("enforce");
    let put = |path: &str| Request::put(path, "x");
    let refused = server.send(&put("/prod-data/key").signed(&ROOT));
    let refused = refused.refused(403, "AccessDenied");
    assert!(refused.text().contains("team"), "it says why: {refused:?}");
    assert_eq!(server.content("/prod-data/key"), None);
    let begin = Request::post("/prod-data/key?uploads", "").signed(&ROOT);
    server.send(&begin).refused(403, "AccessDenied");

    let tagged = put("/prod-data/key").header("x-amz-tagging", "team=storage");
    server.send(&tagged.clone().signed(&ROOT)).expect(200);
    let empty = put("/prod-data/key").header("x-amz-tagging", "team=");
    server
        .send(&empty.signed(&ROOT))
        .refused(403, "AccessDenied");

    // It is not asked about anything else, and allows nothing that is not allowed.
    server.send(&put("/scratch/key").signed(&ROOT)).expect(200);
    assert!(server.content("/prod-data/key").is_some());
    server
        .send(&tagged.signed(&OTHER))
        .refused(403, "AccessDenied");
}

#[test]
fn what_only_a_plugin_would_keep_is_refused_without_it() {
    let server = Server::start(&Settings {
        policy: "plugins:
  auth: {source: 'builtin:auth', grants: [identity, clock]}
  provisioning: {source: 'builtin:provisioning', grants: [placement]}
  acl: {source: 'builtin:acl', grants: [documents, directory, placement]}
chain:
  - use: auth
  - {use: provisioning, settings: {mode: create, default_template: default, templates: [{name: default}]}}
  - use: acl
"
        .to_owned(),
        ..Settings::default()
    });
    server.bucket("bare");
    let send = |request: Request| server.send(&request.signed(&ROOT));
    let refused = |request: Request| {
        send(request).refused(501, "NotImplemented");
        assert_eq!(server.content("/bare/key"), None);
    };
    let tags = ("x-amz-tagging", "team=storage");
    refused(Request::put("/bare/key", "x").header(tags.0, tags.1));
    refused(Request::post("/bare/key?uploads", "").header(tags.0, tags.1));
    refused(Request::put("/bare/key?tagging", "x").with_md5());
    refused(Request::put("/bare?cors", "x").with_md5());
    refused(Request::get("/bare?requestPayment"));
    refused(Request::new("OPTIONS", "/bare/key").header("origin", "http://a"));
    let tagged = "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>";
    send(Request::put("/bare-too", tagged)).refused(501, "NotImplemented");
}

#[test]
fn a_plugin_in_the_shadow_or_switched_off_refuses_nothing() {
    for mode in ["shadow", "off"] {
        let server = start(mode);
        let put = Request::put("/prod-data/key", "x").signed(&ROOT);
        server.send(&put).expect(200);
    }
}
