//! `sluice plugin`, as an author of plugins uses it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn dist(name: &str) -> String {
    let file = root().join("plugins/dist").join(name);
    file.with_extension("wasm").display().to_string()
}

/// Whether it succeeded, what it reported, and what it complained about.
fn plugin(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("plugin")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(args: &[&str]) -> Value {
    let (_, out, err) = plugin(&[args, &["--format", "json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

#[test]
fn a_component_says_what_it_is_and_what_it_must_be_granted() {
    let seen = json(&["inspect", &dist("jwt-bearer")]);
    assert_eq!(seen["name"], "jwt-bearer");
    assert_eq!(seen["interests"][0]["phase"], "authenticate");
    let grants: Vec<_> = seen["grants"].as_array().unwrap().iter().collect();
    assert_eq!(grants, ["identity", "directory", "clock", "secrets"]);
    assert_eq!(seen["settings"]["required"][0], "secret");

    let (well, out, _) = plugin(&["inspect", &dist("acl")]);
    assert!(well);
    for part in [
        "GetBucketAcl",
        "x-amz-grant-*",
        "grants: [documents, directory, placement]",
    ] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    assert!(!out.contains('\u{1b}'), "nobody reads this on a terminal");
}

#[test]
fn what_is_no_component_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, words) in [
        (&b"fn main() {}\n"[..], "this is a text"),
        (b"\0asm\x01\0\0\0", "core WebAssembly module"),
        (b"\x7fELF\x02", "not WebAssembly"),
        (b"", "empty"),
    ] {
        let file = folder.path().join("plugin.wasm");
        fs::write(&file, bytes).unwrap();
        let (well, _, err) = plugin(&["inspect", &file.display().to_string()]);
        assert!(!well && err.contains(words), "{err}");
    }
}

#[test]
fn one_request_is_put_to_a_plugin() {
    let file = dist("require-tag");
    let ask = |header: &str| {
        let told = json(&[
            "run",
            &file,
            "--request",
            "PUT /bucket/key",
            "--settings",
            "{key: team}",
            "--header",
            header,
        ]);
        told[0].clone()
    };
    let refused = ask("x-a: b");
    assert_eq!(refused["phase"], "authorize");
    assert_eq!(refused["concerned"], true);
    let answer = refused["answer"].as_str().unwrap();
    assert!(answer.starts_with("deny AccessDenied"), "{answer}");
    assert!(refused["host_calls"].as_u64().unwrap() > 0);
    assert_eq!(ask("x-amz-tagging: team=a")["answer"], "abstain");

    let (well, _, err) = plugin(&["run", &file, "--request", "PUT /bucket/key"]);
    assert!(!well && err.contains("`key` is missing"), "{err}");
}

#[test]
fn cases_that_come_out_otherwise_are_told_and_counted() {
    let cases = root().join("plugin-sdk/examples/require-tag/cases");
    let (well, out, err) = plugin(&[
        "test",
        &dist("require-tag"),
        "--cases",
        &cases.display().to_string(),
    ]);
    assert!(well, "{out}{err}");

    let folder = tempfile::tempdir().unwrap();
    let wrong = "
given: {phase: authorize, request: PUT /bucket/k, operation: PutObject, action: PutObject, settings: {key: team}}
cases:
- {name: right, expect: {deny: {code: AccessDenied}}}
- {name: wrong, expect: allow}";
    fs::write(folder.path().join("a.yaml"), wrong).unwrap();
    let cases = folder.path().display().to_string();
    let test = ["test", &dist("require-tag"), "--cases", &cases];
    let tested = json(&test);
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&1.into(), &1.into())
    );
    let (well, out, _) = plugin(&test);
    assert!(!well && out.contains("expected  allow"), "{out}");
    assert!(plugin(&[&test[..], &["--filter", "right"]].concat()).0);
    assert!(!plugin(&[&test[..], &["--filter", "no such case"]].concat()).0);
}

#[test]
fn a_case_that_no_gateway_would_ask_is_told_of_unless_it_says_so() {
    let check = |more: &str, passed: u64, told: &str| {
        let folder = tempfile::tempdir().unwrap();
        let given = "phase: authorize, action: PutObject, settings: {key: team}";
        let case = format!("name: one, {more}, expect: {{deny: {{code: AccessDenied}}}}");
        let table = format!("given: {{{given}}}\ncases: [{{{case}}}]");
        fs::write(folder.path().join("a.yaml"), table).unwrap();
        let cases = folder.path().display().to_string();
        let tested = json(&["test", &dist("require-tag"), "--cases", &cases]);
        assert_eq!(tested["passed"], passed, "{more}: {tested}");
        let came = tested["cases"][0]["sandbox"].as_str().unwrap();
        assert!(came.contains(told), "{more}: {came}");
    };
    check("request: PUT /bucket/k, operation: PutObject", 1, "deny");
    let misread = "takes this request for GetObject, not for PutObject";
    check("request: GET /bucket/k, operation: PutObject", 0, misread);
    check(
        "request: GET /bucket/k, operation: PutObject, as_is: true",
        1,
        "deny",
    );
    check(
        "request: PUT /B/k, operation: PutObject",
        0,
        "refuses this request",
    );
    check(
        "request: PUT /B/k, operation: PutObject, as_is: true",
        1,
        "deny",
    );
}

#[test]
fn what_leaves_nothing_to_ask_is_explained() {
    let folder = root().join("plugin-sdk/examples/require-tag/cases");
    let cases = folder.display().to_string();
    let run = |request: &str, more: &[&str]| {
        let file = dist("ip-allow-list");
        let args = [
            "run",
            &file,
            "--settings",
            "{allow: [0.0.0.0/0]}",
            "--request",
            request,
        ];
        plugin(&[&args[..], more].concat())
    };
    let (well, _, err) = run("POST /bucket?delete", &[]);
    assert!(!well && err.contains("say --action DeleteObject"), "{err}");
    assert!(run("POST /bucket?delete", &["--action", "DeleteObject"]).0);
    let preflight = [
        "--header",
        "origin: a",
        "--header",
        "access-control-request-method: GET",
    ];
    let (well, _, err) = run("OPTIONS /bucket/key", &preflight);
    assert!(
        !well && err.contains("nothing to authorize in Preflight"),
        "{err}"
    );

    let both = [
        "bench",
        &dist("require-tag"),
        "--cases",
        &cases,
        "--settings",
        "{key: a}",
    ];
    let (well, _, err) = plugin(&both);
    assert!(!well && err.contains("cannot be used with"), "{err}");
}

#[test]
fn a_plugin_is_asked_at_the_time_that_it_is() {
    let file = dist("write-once");
    let ask = |more: &[&str]| {
        let args = [
            "run",
            &file,
            "--request",
            "PUT /bucket/key",
            "--settings",
            "{window: 1h}",
        ];
        let only = ["--bucket-owner", "alice", "--phase", "prepare"];
        json(&[&args[..], &only, more].concat())[0]["answer"].to_string()
    };
    assert!(ask(&["--now", "7"]).contains("7000"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // The digits that change every twelfth day.
    let about = (now.unwrap().as_secs() / 1_000_000).to_string();
    assert!(ask(&[]).contains(&about), "{}", ask(&[]));
}

#[test]
fn a_call_is_measured_fresh_and_reused() {
    let rows = json(&[
        "bench",
        &dist("require-tag"),
        "--request",
        "PUT /bucket/key",
        "--settings",
        "{key: team}",
        "--reuse",
    ]);
    assert_eq!(
        (&rows[0]["instances"], &rows[1]["instances"]),
        (&"fresh".into(), &"reused".into())
    );
    for row in rows.as_array().unwrap() {
        assert!(row["p50"].as_f64().unwrap() <= row["p99"].as_f64().unwrap());
    }
}

#[test]
fn a_new_plugin_has_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["authorizer", "authenticator", "sub-resource", "headers"] {
        let place = folder.path().join(kind);
        let place = place.display().to_string();
        let new = ["new", "first-try", "--kind", kind, "--folder", &place];
        let (well, out, err) = plugin(&new);
        assert!(well && out.contains("cargo test"), "{out}{err}");
        let source = fs::read_to_string(Path::new(&place).join("src/lib.rs")).unwrap();
        assert!(source.contains("impl Plugin for FirstTry"), "{source}");
        let config = Path::new(&place).join("sluice.yaml");
        config::Config::load(&config).unwrap_or_else(|report| panic!("{kind}: {report}"));
        let (well, _, err) = plugin(&new);
        assert!(!well && err.contains("is there already"), "{err}");
    }
    let (well, _, err) = plugin(&["new", "First Try"]);
    assert!(!well && err.contains("cannot be the name"), "{err}");
}

/// As `cargo` and `sluice` find it in a folder far from the checkout.
#[test]
fn a_new_plugin_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    // Kept, so that the SDK and the standard library are compiled once.
    let target = root().canonicalize().unwrap().join("target/begun");
    let begin = |kind: &str| {
        let place = folder.path().join(kind);
        let name = format!("begun-{kind}");
        let shown = place.display().to_string();
        let (well, out, err) = plugin(&["new", &name, "--kind", kind, "--folder", &shown]);
        assert!(well, "{out}{err}");
        // The packages that are here already.
        fs::copy(root().join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
        place
    };
    let run = |place: &Path, program: &str, args: &[&str]| {
        let output = Command::new(program)
            .args(args)
            .current_dir(place)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{}: {out}{err}", place.display());
        out
    };
    for kind in ["authorizer", "authenticator", "headers"] {
        let out = run(&begin(kind), env!("CARGO"), &["test", "--quiet", "--lib"]);
        assert!(out.contains("1 passed"), "{kind}: {out}");
    }
    let sluice = env!("CARGO_BIN_EXE_sluice");
    let place = begin("sub-resource");
    let tested = run(&place, sluice, &["plugin", "test", "--format", "json"]);
    let tested: Value = serde_json::from_str(&tested).unwrap();
    assert_eq!(tested["native"], true, "{tested}");
    assert_eq!(tested["passed"], tested["cases"].as_array().unwrap().len());
    assert!(place.join("begun-sub-resource.wasm").is_file());
}
