//! What the plugins answer in the sandbox: the case files that their own tests
//! run natively, run here on the components as they are shipped. Both must come
//! out the same, so that a plugin's author can trust the quick way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use host::{FailurePolicy, Grant, Host, Instances, Limits, Plugin, Services, Settings, Source};
use sluice_plugin::testing::cases::{self, Case, Outcome};
use trial::Trial;

#[test]
fn the_authenticator_answers_in_the_sandbox_as_it_does_natively() {
    check("plugins/auth", &[Grant::Identity, Grant::Clock]);
}

#[test]
fn access_control_lists_answer_in_the_sandbox_as_they_do_natively() {
    check(
        "plugins/acl",
        &[Grant::Documents, Grant::Directory, Grant::Placement],
    );
}

#[test]
fn cross_origin_requests_are_answered_in_the_sandbox_as_they_are_natively() {
    check("plugins/cors", &[Grant::Documents]);
}

#[test]
fn the_location_answers_in_the_sandbox_as_it_does_natively() {
    check("plugins/location", &[]);
}

#[test]
fn provisioning_answers_in_the_sandbox_as_it_does_natively() {
    check("plugins/provisioning", &[Grant::Placement]);
}

#[test]
fn requests_are_paid_in_the_sandbox_as_they_are_natively() {
    check(
        "plugins/request-payment",
        &[Grant::Documents, Grant::Metering],
    );
}

#[test]
fn tags_are_kept_in_the_sandbox_as_they_are_natively() {
    check("plugins/tagging", &[Grant::Documents]);
}

#[test]
fn the_examples_answer_in_the_sandbox_as_they_do_natively() {
    check("plugin-sdk/examples/ip-allow-list", &[]);
    check(
        "plugin-sdk/examples/jwt-bearer",
        &[
            Grant::Identity,
            Grant::Directory,
            Grant::Secrets,
            Grant::Clock,
        ],
    );
    check("plugin-sdk/examples/rate-limit", &[Grant::Counters]);
    check("plugin-sdk/examples/require-tag", &[]);
    check(
        "plugin-sdk/examples/write-once",
        &[Grant::Documents, Grant::Clock],
    );
}

#[test]
fn every_plugin_has_cases_and_a_component_and_is_checked_here() {
    let here = include_str!("plugin_cases.rs");
    let mut found = 0;
    for parent in ["plugins", "plugin-sdk/examples"] {
        for entry in std::fs::read_dir(root().join(parent)).unwrap() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_str().unwrap();
            let Ok(package) = std::fs::read_to_string(folder.join("Cargo.toml")) else {
                continue;
            };
            // What builds plugins is not one.
            if !package.contains("cdylib") {
                continue;
            }
            let cases = cases::load_all(&folder.join("cases")).unwrap();
            assert!(!cases.is_empty(), "{name} has no cases");
            assert!(component(name).is_file(), "{name} has no component");
            let folder = format!("\"{parent}/{name}\",");
            assert!(here.contains(&folder), "{name} is not checked here");
            found += 1;
        }
    }
    assert!(found >= 8, "only {found} plugins were found");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn component(plugin: &str) -> PathBuf {
    root()
        .join("plugins/dist")
        .join(plugin)
        .with_extension("wasm")
}

#[test]
fn an_instance_that_is_reused_stays_as_small_as_its_first_requests() {
    const REQUESTS: usize = 10_000;
    let folder = "plugin-sdk/examples/rate-limit";
    let plugin = load(folder, &[Grant::Counters], Instances::Reuse);
    let cases = cases::load_all(&root().join(folder).join("cases")).unwrap();
    let refused = |case: &&Case| matches!(case.expect.answer, Some(cases::Expect::Deny(_)));
    let case = cases.iter().find(refused).unwrap();
    let trial = Trial::new(&plugin, case, &case.request().unwrap()).unwrap();
    let mut memory = Vec::new();
    for _ in 0..REQUESTS {
        // Each makes a dozen texts: the name of the counter, the message, the headers.
        let outcome = trial.ask().unwrap();
        assert!(!matches!(outcome, Outcome::Prepared(prepared) if prepared.answer.is_ok()));
        memory.push(trial.effort().memory);
    }
    assert!(
        memory[99] > 0 && memory[99] == memory[REQUESTS - 1],
        "{:?} grew",
        &memory[99..102]
    );
}

/// Runs the cases of a plugin on its component, which is granted this much and
/// has the limits of any plugin.
fn check(folder: &str, grants: &[Grant]) {
    let plugin = load(folder, grants, Instances::Fresh);
    let cases = cases::load_all(&root().join(folder).join("cases")).unwrap();
    cases::check_all(&cases, |case, request| {
        trial::answer(&plugin, case, request).map_err(|error| error.to_string())
    });
}

fn load(folder: &str, grants: &[Grant], instances: Instances) -> Arc<Plugin> {
    static HOST: LazyLock<Arc<Host>> = LazyLock::new(|| Host::new(Settings::default()).unwrap());
    let folder = root().join(folder);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let plugin = HOST.load(Source {
        name: name.to_owned(),
        component: std::fs::read(component(name)).unwrap(),
        digest: None,
        grants: BTreeSet::from_iter(grants.iter().copied()),
        services: Services::default(),
        limits: Limits::default(),
        on_failure: FailurePolicy::default(),
        breaker: None,
        instances,
    });
    plugin.unwrap_or_else(|error| panic!("{error}"))
}
