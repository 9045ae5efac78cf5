//! Why a request was refused, and what another configuration would say to it, as
//! an operator finds out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests use a part of it")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use support::{Gateway, PATIENCE, get, output, sluice};

const HEAD: &str = "\
version: 1
admin: {address: 127.0.0.1:9001}
storage: {data: data, sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts:
  - {id: root, roles: [bucket-provisioner], keys: [{access_key: AKIAROOT, secret_key: sesame-sesame}]}
  - {id: bob, keys: [{access_key: AKIABOB, secret_key: sesame-sesame-bob}]}
decisions: {file: decisions.jsonl, sample: 1}
plugins:
  auth: {source: 'builtin:auth', grants: [identity, clock]}
  acl: {source: 'builtin:acl', grants: [documents, directory, placement]}
  networks: {source: 'file:networks.wasm'}
  require-tag: {source: 'file:require-tag.wasm'}
chain:
  - use: auth
";

/// Lets clients of the network `192.0.2.0/24` in, and of others as `mode` says.
const NETWORKS: &str = "  - {use: networks, settings: {allow: [192.0.2.0/24]}}\n";
const SHADOWED: &str = "  - {use: networks, settings: {allow: [192.0.2.0/24]}, mode: shadow}\n";
const ACL: &str = "  - use: acl\n";
const TAGS: &str = "  - {use: require-tag, settings: {key: team}, match: {buckets: ['prod-*']}}\n";

/// A folder with the plugins, and a file for each of these chains.
fn folder(chains: &[(&str, &[&str])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist");
    for (name, component) in [
        ("networks", "ip-allow-list"),
        ("require-tag", "require-tag"),
    ] {
        let to = folder.path().join(format!("{name}.wasm"));
        fs::copy(dist.join(format!("{component}.wasm")), to).unwrap();
    }
    for (name, steps) in chains {
        fs::write(folder.path().join(name), HEAD.to_owned() + &steps.concat()).unwrap();
    }
    folder
}

fn start(folder: &Path, file: &str) -> Gateway {
    Gateway::start_with(folder, &["--config", file], &[])
}

/// The id that an answer names its request by.
#[track_caller]
fn request_id(reply: &str) -> &str {
    let header = reply
        .lines()
        .find_map(|line| line.strip_prefix("x-amz-request-id: "));
    header.unwrap().trim()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    // Blanks only align.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in expected {
        assert!(words.contains(expected), "{expected:?} in {text}");
    }
}

#[test]
fn a_client_that_was_refused_has_an_id_which_explains_by_whom() {
    let folder = folder(&[("a.yaml", &[NETWORKS, ACL])]);
    let gateway = start(folder.path(), "a.yaml");
    let headers = "x-api-key: geheim\r\ncookie: geheim\r\nx-note: seen\r\n";
    let reply = get(gateway.address(), "/?token=geheim", headers).unwrap();
    assert!(reply.starts_with("HTTP/1.1 403"), "{reply}");
    let id = request_id(&reply);

    let (good, said) = sluice(folder.path(), &["explain", id, "--admin", gateway.admin()]);
    assert!(good, "{said}");
    check(
        &said,
        &[
            "GET /?token=REDACTED 403 AccessDenied",
            "ListBuckets by nobody known from 127.0.0.1 (no TLS)",
            &format!("request {id}"),
            "generation 1",
            "authenticate: nobody known",
            "authorize ListAllMyBuckets (all buckets): AccessDenied",
            "2 networks deny ◀ AccessDenied: requests from this address are not accepted",
            "a.yaml:15:5",
            "3 acl - it was decided before",
            "Refused by step 2, `networks`, in authorize: AccessDenied",
            "To change it:",
        ],
    );
    assert!(
        !said.contains('\u{1b}'),
        "there are no colours where there is no terminal"
    );

    // For machines, here and at the private listener; without secrets in both.
    let json = [
        "explain",
        id,
        "--admin",
        gateway.admin(),
        "--format",
        "json",
    ];
    let (_, json) = sluice(folder.path(), &json);
    let record: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(record["denied"], true);
    assert_eq!(record["moments"][1]["decided_by"], 1);
    assert_eq!(record["moments"][1]["parts"][1]["vote"], "deny");
    let hidden = serde_json::json!(["cookie", "token", "x-api-key"]);
    assert_eq!(record["hidden"], hidden);
    let kept = get(gateway.admin(), &format!("/decisions/{id}"), "").unwrap();
    assert!(kept.contains("x-note") && kept.contains("seen"), "{kept}");
    for text in [&said, &json, &kept] {
        assert!(!text.contains("geheim"), "{text}");
    }
    gateway.stop();
}

#[test]
fn the_private_listener_lists_decisions_by_their_verdict() {
    let folder = folder(&[("a.yaml", &[SHADOWED, ACL])]);
    let gateway = start(folder.path(), "a.yaml");
    let refused = get(gateway.address(), "/", "").unwrap();
    // A bucket that is not there is no decision of a plugin, but here all are recorded.
    let missing = get(gateway.address(), "/missing", "").unwrap();
    let (refused, missing) = (request_id(&refused), request_id(&missing));
    for (query, expected, unexpected) in [
        ("?denied=true&limit=10", refused, missing),
        ("?denied=false", missing, refused),
        ("?limit=1", missing, refused),
    ] {
        let listed = get(gateway.admin(), &format!("/decisions{query}"), "").unwrap();
        assert!(listed.contains(expected), "{query}: {listed}");
        assert!(!listed.contains(unexpected), "{query}: {listed}");
    }
    for (path, expected) in [
        ("/decisions?denied=maybe", "400 Bad Request"),
        ("/decisions/0000000000000000", "404 Not Found"),
        ("/decisionsmore", "404 Not Found"),
    ] {
        let reply = get(gateway.admin(), path, "").unwrap();
        assert!(reply.contains(expected), "{path}: {reply}");
    }
    // In shadow a plugin is shown, and decides nothing.
    let (_, said) = sluice(
        folder.path(),
        &["explain", refused, "--admin", gateway.admin()],
    );
    check(
        &said,
        &[
            "2 networks deny (shadow) AccessDenied: requests from this address",
            "3 acl abstain",
            "Refused because nobody permitted it: of 2 plugins that were asked none allowed it",
            "sign the request",
        ],
    );
    gateway.stop();
}

#[test]
fn what_cannot_be_explained_says_what_to_do() {
    let folder = folder(&[("a.yaml", &[ACL])]);
    fs::write(
        folder.path().join("bad.yaml"),
        "method: GET\ntarget: /a\nbukcet: missing\n",
    )
    .unwrap();
    fs::write(folder.path().join("no.txt"), "nothing\n").unwrap();
    fs::write(
        folder.path().join("who.yaml"),
        "method: GET\ntarget: /abc\nprincipal: eve\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("broken.yaml"),
        "method: BREW\ntarget: /abc\n",
    )
    .unwrap();
    for (args, expected) in [
        (&["explain"][..], "REQUEST_ID"),
        (&["explain", "abc"], "16 hexadecimal digits"),
        (
            &["explain", "0123456789ABCDEF", "--admin", "127.0.0.1:1"],
            "the gateway at 127.0.0.1:1 cannot be asked",
        ),
        (
            &["explain", "--request", "gone.yaml", "--config", "a.yaml"],
            "gone.yaml: ",
        ),
        (
            &["explain", "--request", "bad.yaml", "--config", "a.yaml"],
            "unknown field `bukcet`",
        ),
        (
            &["explain", "--http", "no.txt", "--config", "a.yaml"],
            "there is no request line in it",
        ),
        (
            &["explain", "--request", "who.yaml", "--config", "a.yaml"],
            "there is no account \"eve\"",
        ),
        (
            &["explain", "--request", "broken.yaml", "--config", "a.yaml"],
            "no plugin would be asked",
        ),
        (
            &["explain", "--request", "bad.yaml", "--http", "no.txt"],
            "cannot be used with",
        ),
        (
            &["replay", "--decisions", "gone.jsonl", "--config", "a.yaml"],
            "gone.jsonl: ",
        ),
        (
            &["replay", "--decisions", "no.txt", "--config", "a.yaml"],
            "the line is not a recorded decision: no.txt:1",
        ),
        (
            &["replay", "--decisions", "no.txt", "--config", "gone.yaml"],
            "gone.yaml",
        ),
    ] {
        let output = output(folder.path(), args);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(said.contains(expected), "{args:?}: {said}");
        if args[0] == "replay" {
            assert_eq!(output.status.code(), Some(2), "{args:?}");
        }
    }
}

#[test]
fn a_described_request_is_decided_by_the_same_plugins() {
    let folder = folder(&[("a.yaml", &[NETWORKS, ACL, TAGS])]);
    let near = "source: 192.0.2.7\n";
    for (request, expected) in [
        (
            "method: GET\ntarget: /photos/a\nprincipal: root\nbucket: {owner: root}\nobject: {owner: root}\n",
            &["403 AccessDenied", "Refused by step 2, `networks`"][..],
        ),
        (
            "method: GET\ntarget: /photos/a\nprincipal: root\nbucket: {owner: root}\nobject: {owner: root}\nsource: 192.0.2.7\n",
            &[
                "200",
                "authentication is skipped",
                "Allowed by step 3, `acl`",
            ],
        ),
        (
            "method: GET\ntarget: /photos/a\naccess_key: AKIABOB\nbucket: {owner: root}\nobject: {owner: root}\nsource: 192.0.2.7\n",
            &[
                "GetObject by bob",
                "nobody permitted it",
                "permit it to bob",
            ],
        ),
        (
            "method: GET\ntarget: /photos/a\nprincipal: root\nobject: missing\nbucket: {owner: root}\nsource: 192.0.2.7\n",
            &["200", "Allowed by step 3"],
        ),
        (
            "method: GET\ntarget: /photos/a\nprincipal: root\nbucket: missing\nsource: 192.0.2.7\n",
            &["404 NoSuchBucket", "No plugin refused it"],
        ),
        (
            "method: PUT\ntarget: /prod-a/a\nprincipal: root\nbucket: {owner: root}\nsource: 192.0.2.7\n",
            &[
                "4 require-tag deny ◀",
                "tag `team` is required",
                "a.yaml:17:5",
            ],
        ),
        (
            "method: PUT\ntarget: /test-a/a\nprincipal: root\nbucket: {owner: root}\nsource: 192.0.2.7\n",
            &[
                "4 require-tag - `match.buckets` does not cover this bucket",
                "Allowed by step 3",
            ],
        ),
        (
            "method: POST\ntarget: /photos?delete\nprincipal: bob\nsource: 192.0.2.7\nbucket: {owner: root}\n\
             object: missing\ndelete: [one, two]\n",
            &[
                "DeleteObject photos/one: AccessDenied",
                "DeleteObject photos/two: AccessDenied",
            ],
        ),
        (
            "method: GET\ntarget: /photos/a\nprincipal: root\nsource: 192.0.2.7\n",
            &[
                "the bucket photos is assumed to be there and to belong to root",
                "the object photos/a is assumed",
            ],
        ),
        // Nobody says who asks, so that the authenticator does.
        (
            "method: GET\ntarget: /photos/a\nsource: 192.0.2.7\nheaders: {authorization: 'AWS4-HMAC-SHA256 nonsense'}\n",
            &["1 auth deny ◀", "in authenticate", "check the keys"],
        ),
        (
            "method: GET\ntarget: /photos?cors\nprincipal: root\nsource: 192.0.2.7\nbucket: {owner: root}\n",
            &["501 NotImplemented", "No plugin refused it"],
        ),
    ] {
        fs::write(folder.path().join("request.yaml"), request).unwrap();
        let args = ["explain", "--request", "request.yaml", "--config", "a.yaml"];
        let (good, said) = sluice(folder.path(), &args);
        assert!(good, "{request}: {said}");
        check(&said, expected);
        assert_eq!(
            request.contains(near),
            !said.contains("Refused by step 2"),
            "{said}"
        );
    }
}

#[test]
fn a_plugin_that_would_call_a_service_is_named() {
    let folder = folder(&[("a.yaml", &[NETWORKS, ACL])]);
    let calls = "networks: {grants: [http], endpoints: {opa: {url: 'https://opa.example.com/'}}, ";
    let text = fs::read_to_string(folder.path().join("a.yaml")).unwrap();
    let text = text.replace("networks: {", calls);
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let request = "method: GET\ntarget: /\nprincipal: root\n";
    fs::write(folder.path().join("request.yaml"), request).unwrap();
    let args = ["explain", "--request", "request.yaml", "--config", "a.yaml"];
    let (good, said) = sluice(folder.path(), &args);
    assert!(good, "{said}");
    check(&said, &["note: the services of `networks` are not called"]);
}

#[test]
fn a_captured_request_is_decided_as_of_its_time() {
    let folder = folder(&[("a.yaml", &[ACL])]);
    // Signed with the secret key of root, long ago.
    let url = "/photos/a?AWSAccessKeyId=AKIAROOT&Expires=1767225600&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D";
    let capture = format!(
        "* Trying 127.0.0.1:9000...\n> GET {url} HTTP/1.1\n> Host: localhost:9000\n\
         > Date: Wed, 31 Dec 2025 00:00:00 GMT\n>\n< HTTP/1.1 403 Forbidden\n"
    );
    fs::write(folder.path().join("said.txt"), capture).unwrap();
    let base = ["explain", "--http", "said.txt", "--config", "a.yaml"];
    for (more, expected) in [
        // It is not expired then, but not signed either.
        (&[][..], &["SignatureDoesNotMatch", "1 auth deny ◀"][..]),
        (
            &[
                "--principal",
                "root",
                "--bucket-owner",
                "bob",
                "--object-owner",
                "root",
            ],
            &[
                "GetObject by root",
                "200",
                "Allowed by step 2, `acl`",
                "Signature=REDACTED",
            ],
        ),
        (
            &[
                "--principal",
                "anonymous",
                "--bucket-owner",
                "bob",
                "--object-owner",
                "bob",
            ],
            &["403 AccessDenied", "sign the request"],
        ),
    ] {
        let (good, said) = sluice(folder.path(), &[&base, more].concat());
        assert!(good, "{said}");
        check(&said, expected);
    }
}

#[test]
fn a_form_is_kept_by_its_fields_and_decided_on_again() {
    let folder = folder(&[("a.yaml", &[ACL]), ("strict.yaml", &[NETWORKS, ACL])]);
    let gateway = start(folder.path(), "a.yaml");
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    // {"expiration": "2100-01-01T00:00:00Z", "conditions": []}
    let policy = "eyJleHBpcmF0aW9uIjogIjIxMDAtMDEtMDFUMDA6MDA6MDBaIiwgImNvbmRpdGlvbnMiOiBbXX0=";
    let body = [
        field("key", "user/${filename}"),
        field("policy", policy),
        field("AWSAccessKeyId", "AKIABOB"),
        field("signature", "geheim"),
        field("file", "content"),
        "--b--\r\n".to_owned(),
    ]
    .concat();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /photos HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\
         content-type: multipart/form-data; boundary=b\r\n\r\n{body}"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.contains("SignatureDoesNotMatch"), "{reply}");
    let id = request_id(&reply);

    let json = [
        "explain",
        id,
        "--admin",
        gateway.admin(),
        "--format",
        "json",
    ];
    let (_, json) = sluice(folder.path(), &json);
    let record: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(record["operation"], "PostObject");
    let kept = serde_json::json!([
        ["key", "user/"],
        ["policy", policy],
        ["awsaccesskeyid", "AKIABOB"],
        ["signature", "REDACTED"],
    ]);
    assert_eq!(record["form"], kept);
    gateway.stop();

    let args = [
        "replay",
        "--decisions",
        "data/decisions.jsonl",
        "--config",
        "strict.yaml",
    ];
    let replayed = output(folder.path(), &args);
    let said = String::from_utf8([replayed.stdout, replayed.stderr].concat()).unwrap();
    assert!(!said.contains("not understood"), "{said}");

    // The same, described by somebody who asks what would be.
    let described = "method: POST\ntarget: /photos\nprincipal: bob\nbucket: {owner: bob}\n\
                     form: {key: a, acl: public-read}\n";
    fs::write(folder.path().join("form.yaml"), described).unwrap();
    let args = ["explain", "--request", "form.yaml", "--config", "a.yaml"];
    let (_, said) = sluice(folder.path(), &args);
    check(
        &said,
        &[
            "PostObject by bob",
            "authorize PutObject photos/a",
            "authorize PutObjectAcl photos/a",
        ],
    );
}

#[test]
fn a_replay_finds_exactly_the_verdicts_that_would_be_others() {
    let folder = folder(&[
        ("a.yaml", &[SHADOWED, ACL]),
        ("strict.yaml", &[NETWORKS, ACL]),
        ("same.yaml", &[ACL]),
    ]);
    let gateway = start(folder.path(), "a.yaml");
    let reply = get(gateway.address(), "/", "").unwrap();
    let id = request_id(&reply).to_owned();
    get(gateway.address(), "/missing", "").unwrap();
    let bad = "authorization: AWS4-HMAC-SHA256 nonsense\r\n";
    get(gateway.address(), "/", bad).unwrap();
    gateway.stop();

    let file = folder.path().join("data/decisions.jsonl");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let recorded = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = recorded.lines().collect();
    assert_eq!(lines.len(), 3, "{recorded}");

    // One that was allowed, of which another chain refuses one key of two; and one
    // of which not all facts are known.
    let allowed = |id: &str, extra: &str| {
        format!(
            r#"{{"time":"2026-01-01T00:00:00Z","request_id":"{id}","generation":1,"denied":false,"status":200,
            "operation":"PutObject","method":"PUT","path":"/prod-a/k","query":"","headers":[["host","h"]],
            "source":"192.0.2.1","secure":true,"principal":{{"account":{{"id":"root","display_name":"root"}}}},
            "buckets":{{"prod-a":{{"owner":"root"}}}},
            "accesses":[{{"action":"PutObject","bucket":"prod-a","key":"k"}}],"steps":[],{extra}
            "moments":[{{"phase":"authorize","access":0,"outcome":"passed","parts":[]}},
                       {{"phase":"prepare","outcome":"passed","parts":[]}}]}}"#
        )
        .replace('\n', " ")
    };
    let missing = r#""missing":["the document acl/acl of prod-a"],"#;
    let more = [
        allowed("1111111111111111", ""),
        allowed("2222222222222222", missing),
    ];
    let missing_all_facts = more[1].clone();
    // The gateway was killed while it wrote the last one.
    let torn = r#"{"time":"2026-01-01T00:00"#;
    fs::write(&file, recorded.clone() + &more.join("\n") + "\n" + torn).unwrap();
    fs::write(
        folder.path().join("tags.yaml"),
        HEAD.to_owned() + ACL + TAGS,
    )
    .unwrap();
    fs::write(
        folder.path().join("gone.yaml"),
        (HEAD.to_owned() + ACL).replace("id: root", "id: toor"),
    )
    .unwrap();

    let replay = |config: &str, more: &[&str]| {
        let args = [
            "replay",
            "--decisions",
            "data/decisions.jsonl",
            "--config",
            config,
        ];
        let output = output(folder.path(), &[&args, more].concat());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let begun = Instant::now();
    for (config, code, expected) in [
        (
            "same.yaml",
            0,
            &["0 would be different of 2 verdicts in 2 of 6 recorded decisions"][..],
        ),
        // The code is the same, whoever refuses.
        ("strict.yaml", 0, &["0 would be different of 2 verdicts"]),
        (
            "tags.yaml",
            3,
            &[
                "1111111111111111 PutObject prod-a/k root allowed AccessDenied require-tag tags.yaml:16:5",
                "1 would be different of 2 verdicts",
            ],
        ),
        (
            "gone.yaml",
            3,
            &[
                "1111111111111111 PutObject prod-a/k root allowed no such account",
                "1 would be different",
            ],
        ),
    ] {
        let (found, said) = replay(config, &["--fail-on-difference"]);
        assert_eq!(found, Some(code), "{config}: {said}");
        check(&said, expected);
        check(
            &said,
            &[
                "1 not replayed: it was answered with NoSuchBucket before anything was decided",
                "1 not replayed: it was refused before it was known who asked",
                "1 not replayed: the document acl/acl of prod-a was too much to be kept",
                "1 not replayed: the line is not a recorded decision",
                "data/decisions.jsonl:6: EOF while parsing",
                "nobody was authenticated again",
                "1 of the records have hidden values (authorization)",
            ],
        );
        assert!(!said.contains(&id), "{config}: {said}");
        assert_eq!(replay(config, &[]).0, Some(0), "nobody asked for a code");
    }
    assert!(begun.elapsed() < PATIENCE);
    let (_, json) = replay("tags.yaml", &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["different"], 1);
    assert_eq!(
        report["differences"][0]["would_be"]["refused"],
        "AccessDenied"
    );
    assert_eq!(report["differences"][0]["at"], "tags.yaml:16:5");
    assert_eq!(report["records"], 6);

    // Nothing that could be compared is no agreement.
    fs::write(&file, missing_all_facts).unwrap();
    for more in [&[][..], &["--fail-on-difference"]] {
        let (code, said) = replay("same.yaml", more);
        assert_eq!(code, Some(2), "{said}");
        check(
            &said,
            &[
                "0 would be different of 0 verdicts in 0 of 1",
                "none of the decisions could be made again",
            ],
        );
    }
}

#[test]
fn what_hangs_on_what_was_counted_before_is_undecidable_and_no_difference() {
    let folder = folder(&[]);
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist");
    fs::copy(
        dist.join("rate-limit.wasm"),
        folder.path().join("rate-limit.wasm"),
    )
    .unwrap();
    let limited = HEAD.replace(
        "chain:",
        "  rate-limit: {source: 'file:rate-limit.wasm', grants: [counters]}\nchain:",
    );
    let step = "  - {use: rate-limit, settings: {requests: 10}}\n";
    fs::write(folder.path().join("limited.yaml"), limited + ACL + step).unwrap();
    fs::write(folder.path().join("free.yaml"), HEAD.to_owned() + ACL).unwrap();
    let record = r#"{"time":"2026-01-01T00:00:00Z","request_id":"1111111111111111","generation":1,
        "denied":true,"status":503,"operation":"ListBuckets","method":"GET","path":"/","query":"",
        "headers":[["host","h"]],"source":"192.0.2.1","secure":true,
        "principal":{"account":{"id":"root","display_name":"root"}},
        "accesses":[{"action":"ListAllMyBuckets"}],"steps":[],
        "moments":[{"phase":"authorize","access":0,"outcome":"passed","parts":[]},
            {"phase":"prepare","parts":[],
             "outcome":{"refused":{"code":"SlowDown","status":503,"message":"slow down"}}}]}"#;
    fs::write(
        folder.path().join("decisions.jsonl"),
        record.replace('\n', " "),
    )
    .unwrap();
    for (config, code, different, undecidable) in
        [("limited.yaml", 0, 0, 1), ("free.yaml", 3, 1, 0)]
    {
        let args = [
            "replay",
            "--decisions",
            "decisions.jsonl",
            "--config",
            config,
        ];
        let more = ["--fail-on-difference", "--format", "json"];
        let output = output(folder.path(), &[&args[..], &more].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{config}: {said}");
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["different"], different, "{config}: {said}");
        assert_eq!(report["undecidable"], undecidable, "{config}: {said}");
    }
}
