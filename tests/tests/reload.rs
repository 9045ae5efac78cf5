//! A configuration is swapped in a running gateway, whole or not at all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sluice_tests::{Key, OTHER, ROOT, Request, Server, Settings};

/// Long enough for a debug build on a busy machine to compile a plugin.
const PATIENCE: Duration = Duration::from_secs(60);

fn dist(plugin: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plugins/dist/{plugin}.wasm"))
}

/// Uploads need the tag `gen1`.
fn start() -> Server {
    let server = Server::start(&Settings {
        policy: format!(
            "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  location: {{source: 'builtin:location'}}
  tagging: {{source: 'builtin:tagging', grants: [documents]}}
  require-tag: {{source: 'file:{}'}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: tagging
  - use: location
  - use: require-tag
    settings: {{key: gen1}}
",
            dist("require-tag").display()
        ),
        ..Settings::default()
    });
    server.bucket("data");
    server
}

/// Which tag an upload needs, as the refusal says.
#[track_caller]
fn needed(server: &Server) -> String {
    let reply = server.send(&Request::put("/data/key", "x").signed(&ROOT));
    let reply = reply.refused(403, "AccessDenied");
    let message = reply.element("Message").unwrap();
    message.split('`').nth(1).unwrap().to_owned()
}

fn replace(from: &str, to: &str) -> impl FnOnce(&str) -> String {
    move |text| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    }
}

#[track_caller]
fn status(server: &Server) -> String {
    server
        .ask_admin(&Request::get("/status"))
        .expect(200)
        .text()
        .to_owned()
}

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_reload_swaps_settings_and_tells_what_is_different() {
    let server = start();
    assert_eq!(needed(&server), "gen1");
    server.edit(replace("gen1", "gen2"));
    assert_eq!(
        needed(&server),
        "gen1",
        "a change of the file alone changes nothing"
    );
    let reply = server.reload().expect(200);
    assert!(reply.text().contains("\"generation\": 2"), "{reply:?}");
    assert!(
        reply
            .text()
            .contains("step 6 of the chain, `require-tag`, is another"),
        "{reply:?}"
    );
    assert_eq!(needed(&server), "gen2");

    server.edit(replace(
        "  - use: require-tag\n    settings: {key: gen2}\n",
        "",
    ));
    let reply = server.reload().expect(200);
    assert!(
        reply
            .text()
            .contains("the chain was auth, provisioning, acl, tagging, location, require-tag and is auth, provisioning, acl, tagging, location"),
        "{reply:?}"
    );
    server.object("/data/key", "x");
}

#[test]
fn a_generation_that_cannot_be_used_leaves_the_old_one_serving_and_says_why() {
    let server = start();
    fs::write(server.data().join("garbage.wasm"), "not a component").unwrap();
    let whole = fs::read(dist("require-tag")).unwrap();
    fs::write(server.data().join("half.wasm"), &whole[..whole.len() / 2]).unwrap();
    let good = fs::read_to_string(server.file()).unwrap();
    let plugin = format!("'file:{}'", dist("require-tag").display());
    for (from, to, expected) in [
        ("chain:", "chain: [", "test.yaml:"),
        ("chain:", "chian:", "did you mean `chain`"),
        ("version: 1", "version: 2", "version 2 is not known"),
        (
            "- use: location",
            "- use: nobody",
            "there is no plugin `nobody`",
        ),
        (
            "builtin:auth",
            "builtin:oauth",
            "there is no bundled plugin `oauth`",
        ),
        (
            &plugin,
            "'file:missing.wasm'",
            "missing.wasm cannot be read",
        ),
        (
            &plugin,
            "'file:garbage.wasm'",
            "not a WebAssembly component",
        ),
        (&plugin, "'file:half.wasm'", "not a WebAssembly component"),
        (
            "grants: [identity, clock]",
            "grants: [clock]",
            "which needs the grant `identity`",
        ),
        (
            "'}\nchain",
            &format!("', digest: 'sha256:{:064}'}}\nchain", 0),
            "has the digest sha256:",
        ),
        ("{key: gen1}", "{key: ''}", "chain[5].settings.key: "),
        ("{key: gen1}", "{kez: gen1}", "kez"),
        (
            "limits: {}",
            "limits: {connections: 7}",
            "`listeners` differs",
        ),
        (
            "admin: {address: 127.0.0.1:0}",
            "admin: {address: 127.0.0.1:1}",
            "`admin` differs",
        ),
        ("d6]", "d7]", "`storage` differs"),
        (
            "secret_key: root-secret-of-the-tests",
            "secret_key: {file: gone}",
            "gone cannot be read",
        ),
        (
            "secret_key: root-secret-of-the-tests",
            "secret_key: {env: SLUICE_IS_NOT_SET}",
            "is not set",
        ),
    ] {
        server.edit(replace(from, to));
        let reply = server.reload().expect(409);
        assert!(reply.text().contains(expected), "{expected} in {reply:?}");
        assert_eq!(needed(&server), "gen1", "{expected}");
        let status = status(&server);
        assert!(status.contains("\"generation\": 1"), "{status}");
        assert!(status.contains("\"result\": \"refused\""), "{status}");
        server.edit(|_| good.clone());
    }
    // What was wrong leaves nothing behind.
    server.reload().expect(200);
    let metrics = server.ask_admin(&Request::get("/metrics"));
    for line in [
        "sluice_generation ",
        "sluice_reloads_total{result=\"refused\"} ",
        "sluice_reloads_total{result=\"ok\"} ",
    ] {
        assert!(
            metrics.text().contains(line),
            "{line} in {}",
            metrics.text()
        );
    }
}

#[test]
fn keys_accounts_and_the_region_are_swapped() {
    let server = start();
    let list = |key: &Key| server.send(&Request::get("/").signed(key));
    list(&OTHER).expect(200);

    // On a connection that was there before, too.
    let mut kept = server.connect();
    kept.send(&Request::get("/").signed(&OTHER)).expect(200);
    server.edit(replace("AKIDOTHER", "AKIDANOTHER"));
    let changes = server.reload().expect(200);
    for change in [
        "access key `AKIDANOTHER` is new",
        "access key `AKIDOTHER` is gone",
    ] {
        assert!(changes.text().contains(change), "{changes:?}");
    }
    list(&OTHER).refused(403, "InvalidAccessKeyId");
    kept.send(&Request::get("/").signed(&OTHER))
        .refused(403, "InvalidAccessKeyId");
    list(&Key {
        access: "AKIDANOTHER",
        ..OTHER
    })
    .expect(200);
    list(&ROOT).expect(200);

    server.edit(replace(
        "other-secret-of-the-tests",
        "another-secret-of-them",
    ));
    let changes = server.reload().expect(200);
    assert!(
        changes.text().contains("`AKIDANOTHER` has another secret"),
        "{changes:?}"
    );
    assert!(
        !changes.text().contains("another-secret-of-them"),
        "{changes:?}"
    );
    list(&Key {
        access: "AKIDANOTHER",
        ..OTHER
    })
    .refused(403, "SignatureDoesNotMatch");

    server.edit(replace("display_name: Root", "display_name: Superuser"));
    server.reload().expect(200);
    list(&ROOT)
        .expect(200)
        .expect_element("DisplayName", "Superuser");

    server.edit(|text| text.to_owned() + "region: eu-west-1\n");
    server.reload().expect(200);
    list(&ROOT).refused(400, "AuthorizationHeaderMalformed");
    let european = Key {
        region: "eu-west-1",
        ..ROOT
    };
    let head = server.send(&Request::head("/data").signed(&european));
    head.expect(200)
        .expect_header("x-amz-bucket-region", "eu-west-1");
}

#[test]
fn an_upload_that_has_begun_keeps_its_generation_and_the_last_to_end_frees_it() {
    let server = start();
    let body = vec![7; 1 << 20];
    let upload = Request::put("/data/long", &body)
        .header("x-amz-tagging", "gen1=yes")
        .header("expect", "100-continue")
        .signed(&ROOT);
    let mut connection = server.connect();
    connection.write(&upload.head_bytes()).unwrap();
    assert_eq!(
        connection.any_reply("PUT", "/data/long").unwrap().status,
        100
    );
    connection.write(&body[..1000]).unwrap();

    for (from, to) in [("gen1", "gen2"), ("gen2", "gen3")] {
        server.edit(replace(from, to));
        server.reload().expect(200);
    }
    assert_eq!(needed(&server), "gen3");
    let held = status(&server);
    // The second one served nobody, and is free already.
    let draining = held
        .split("\"draining\": [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    assert!(draining.contains("\"generation\": 1,"), "{held}");
    assert_eq!(draining.matches("generation").count(), 1, "{held}");

    connection.write(&body[1000..]).unwrap();
    connection.reply("PUT", "/data/long").unwrap().expect(200);
    assert_eq!(server.content("/data/long").as_deref(), Some(&*body));
    wait_until("the first generation is free", || {
        status(&server).contains("\"draining\": []")
    });
}

#[test]
fn a_file_that_changes_is_read_again_and_one_that_is_not_whole_harms_nobody() {
    let server = start();
    let whole = fs::read(dist("require-tag")).unwrap();
    let plugin = server.data().join("plugin.wasm");
    fs::write(&plugin, &whole).unwrap();
    server.watch();
    let generation = |number: u64| {
        let expected = format!("\"generation\": {number},");
        wait_until(&expected, || status(&server).contains(&expected));
    };
    // Another file is renamed into its place.
    server.edit(replace(
        &dist("require-tag").display().to_string(),
        "plugin.wasm",
    ));
    generation(2);
    // It is written over.
    let text = fs::read_to_string(server.file())
        .unwrap()
        .replace("gen1", "gen22");
    fs::write(server.file(), text).unwrap();
    generation(3);
    assert_eq!(needed(&server), "gen22");

    // A plugin is half there for a while, and then whole.
    fs::write(&plugin, &whole[..whole.len() / 2]).unwrap();
    wait_until("a refusal", || {
        status(&server).contains("\"result\": \"refused\"")
    });
    assert_eq!(needed(&server), "gen22");
    fs::write(&plugin, &whole).unwrap();
    generation(4);

    // So is a secret that a key refers to.
    fs::write(server.data().join("secret"), "the-secret-in-a-file").unwrap();
    server.edit(replace(
        "secret_key: other-secret-of-the-tests",
        "secret_key: {file: secret}",
    ));
    generation(5);
    let key = |secret| Key { secret, ..OTHER };
    let list = |secret| server.send(&Request::get("/").signed(&key(secret)));
    list("the-secret-in-a-file").expect(200);
    fs::write(server.data().join("secret"), "another-secret-in-a-file").unwrap();
    generation(6);
    list("another-secret-in-a-file").expect(200);
    list("the-secret-in-a-file").refused(403, "SignatureDoesNotMatch");
}

#[test]
fn no_page_in_a_browser_can_ask_for_a_reload() {
    let server = start();
    let post = || Request::post("/reload", "");
    let header = ("x-sluice-reload", "yes");
    for (request, status) in [
        (post(), 403),
        (post().header("content-type", "text/plain"), 403),
        (
            post()
                .header(header.0, header.1)
                .header("origin", "http://evil.test"),
            403,
        ),
        (
            post().header(header.0, header.1).header("origin", "null"),
            403,
        ),
        (
            Request::new("OPTIONS", "/reload").header("origin", "http://evil.test"),
            403,
        ),
        (Request::new("OPTIONS", "/reload"), 405),
        (Request::get("/reload").header(header.0, header.1), 405),
        (Request::post("/status", ""), 405),
        (post().header(header.0, header.1), 200),
    ] {
        let reply = server.ask_admin(&request).expect(status);
        assert_eq!(
            reply.header("access-control-allow-origin"),
            None,
            "{reply:?}"
        );
    }
}

#[test]
fn those_who_ask_while_a_reload_is_under_way_share_the_next() {
    let server = start();
    thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| server.reload().status))
            .collect();
        for one in asking {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
    let status = status(&server);
    let generation = status.split("\"generation\": ").nth(1).unwrap();
    let generation: u64 = generation.split(',').next().unwrap().parse().unwrap();
    // The first reload may begin when one has asked, or when all have.
    assert!((2..=21).contains(&generation), "{status}");
}
