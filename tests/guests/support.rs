//! What the files of this folder share.

use std::path::Path;
use std::time::{Duration, Instant};

use sluice_tests::{Server, Settings};
use tempfile::TempDir;

use crate::guest::{Guest, chain, decide};

/// Short enough to be waited for, long enough for what begins and ends.
pub(crate) const CPU: Duration = Duration::from_millis(5);

/// A guest that does this when it is asked for its vote.
pub(crate) fn authorizing(body: &str) -> Guest {
    Guest::new().authorize(|_| body.to_owned())
}

/// A guest that shows this behaviour in `authorize` fails in this way, and the
/// next request to it is none the worse.
#[track_caller]
pub(crate) fn check(kind: &str, guest: Guest) {
    let chain = chain(&[guest]);
    for _ in 0..3 {
        assert_eq!(decide(&chain), kind);
    }
}

/// A gateway with this guest behind the bundled plugins. `members` are further
/// ones of its entry in the catalogue, in YAML's flow style.
pub(crate) fn gateway(name: &str, guest: &Guest, members: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("guest.wasm");
    std::fs::write(&component, guest.component()).unwrap();
    let policy = policy(name, &component, members);
    let settings = Settings {
        policy,
        ..Settings::default()
    };
    (Server::start(&settings), folder)
}

pub(crate) fn policy(name: &str, component: &Path, members: &str) -> String {
    format!(
        "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  {name}: {{source: 'file:{}', {members}}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: {name}
",
        component.display(),
    )
}

/// Asks again until it holds. What a client caused may take a while to end.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
