//! The same plugin in C and in JavaScript: built with what is installed, and run
//! in a chain.
//!
//! Where a toolchain is missing, its plugin is left out, with a line that says
//! so; `SLUICE_TEST_LANGUAGES=require` makes that a failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../gateway/host/tests/guest/mod.rs"]
mod guest;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use guest::{Guest, People, code, facts, resource};
use host::{Chain, FailurePolicy, Instances, Limits, Match, Mode, Source, Step};
use serde_json::{Value, json};

#[test]
fn a_plugin_in_c_decides() {
    let folder = examples().join("c-deny-prefix");
    if !installed("clang") || !installed("wasm-ld") {
        return skip("there is no clang with a linker for WebAssembly (Debian: clang, lld)");
    }
    let work = tempfile::tempdir().unwrap();
    let out = work.path().join("deny_prefix.wasm");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["run", "--quiet", "--package", "plugins-foreign", "--", "c"])
        .arg(&folder)
        .arg("--out")
        .arg(&out)
        .arg("--work")
        .arg(work.path())
        .current_dir(root());
    assert!(build.status().unwrap().success());
    let component = fs::read(&out).unwrap();
    // It needs no more than a plugin in Rust.
    for instances in [Instances::Fresh, Instances::Reuse] {
        decides(
            &component,
            instances,
            &Limits {
                cpu: Duration::from_millis(200),
                ..Limits::default()
            },
        );
    }
}

#[test]
fn a_plugin_in_javascript_decides() {
    let folder = examples().join("js-deny-prefix");
    if !installed("npm") {
        return skip("there is no npm (Debian: npm)");
    }
    // Its packages are fetched once.
    let work = root().join("target/js-deny-prefix");
    fs::create_dir_all(&work).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), work.join(entry.file_name())).unwrap();
        }
    }
    if !work
        .join("node_modules/componentize-qjs/package.json")
        .is_file()
    {
        let mut install = Command::new("npm");
        install.args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--silent",
        ]);
        if !install.current_dir(&work).status().unwrap().success() {
            return skip("npm cannot fetch what the plugin is built with");
        }
    }
    let mut build = Command::new("node");
    build
        .arg("build.mjs")
        .arg(root().join("plugin-sdk/wit"))
        .current_dir(&work);
    assert!(build.status().unwrap().success());
    let component = fs::read(work.join("deny_prefix.wasm")).unwrap();
    decides(
        &component,
        Instances::Reuse,
        &Limits {
            cpu: Duration::from_millis(500),
            memory: 64 << 20,
            ..Limits::default()
        },
    );
}

/// Runs the plugin behind one that permits everything, again and again, and
/// tries its settings.
fn decides(component: &[u8], instances: Instances, limits: &Limits) {
    let host = guest::host();
    let source = Source {
        name: "deny-prefix".to_owned(),
        component: component.to_vec(),
        limits: limits.clone(),
        on_failure: FailurePolicy::default(),
        instances,
        // No grants: it imports nothing that would need one.
        ..Guest::new().source()
    };
    let plugin = host.load(source).unwrap();
    let chain = |settings: Value| {
        let step = Step {
            plugin: plugin.clone(),
            matching: Match::default(),
            settings,
            mode: Mode::Enforce,
        };
        Chain::new(vec![Guest::allowing().step(host), step], Arc::new(People))
    };
    for refused in [json!(null), json!({"prefix": ""}), json!({"prefix": 1})] {
        let errors = chain(refused.clone()).unwrap_err();
        assert!(
            errors[0].to_string().contains("`prefix`"),
            "{refused}: {errors:?}"
        );
    }
    let chain = chain(json!({"prefix": "private/"})).unwrap();
    for _ in 0..50 {
        for (method, target, decision) in [
            ("PUT", "/bucket/public/a", "ok"),
            ("PUT", "/bucket/private/a", "AccessDenied"),
            ("PUT", "/bucket/private", "ok"),
            ("POST", "/bucket/private/a?uploads", "AccessDenied"),
            ("GET", "/bucket/private/a", "ok"),
        ] {
            let facts = facts(method, target);
            let decided = chain.begin(facts.clone()).authorize(&resource(&facts));
            assert_eq!(code(&decided), decision, "{method} {target}");
            if let Err(error) = decided {
                assert!(error.message().contains("not written"), "{error:?}");
            }
        }
    }
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap().to_owned()
}

fn examples() -> PathBuf {
    root().join("plugin-sdk/examples")
}

fn installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg("--version").stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn skip(reason: &str) {
    assert!(
        std::env::var("SLUICE_TEST_LANGUAGES").as_deref() != Ok("require"),
        "SLUICE_TEST_LANGUAGES=require, but {reason}"
    );
    // Past the test runner's capture: who runs the tests shall see it.
    let _ = writeln!(io::stderr(), "\nskipped: {reason}");
}
