//! A file that changes while it is loaded: what is compiled is what was hashed.

use std::sync::atomic::{AtomicBool, Ordering};

use config::Config;

use crate::guest::{Guest, constant};
use crate::support::policy;

#[test]
fn what_is_compiled_has_the_digest_that_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let expected = Guest::allowing();
    let other = Guest::allowing().configure(|image| constant(image.refusal("it is the other one")));
    let digest = expected.load(crate::guest::host()).digest().unwrap();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = file("guest.wasm");
    let policy = policy("changes", &path, &format!("digest: 'sha256:{digest}'"));
    let text = format!(
        "version: 1
listeners: [{{address: 127.0.0.1:0}}]
storage: {{data: ., sets: [{{drives: [d1, d2, d3], data_shards: 2, parity_shards: 1}}]}}
accounts: [{{id: root, keys: [{{access_key: root, secret_key: 'a-secret-of-tests'}}]}}]
{policy}"
    );
    for drive in ["d1", "d2", "d3"] {
        std::fs::create_dir(file(drive)).unwrap();
    }
    let config = Config::parse(&text, "test.yaml", folder.path());
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    let swap = |guest: &Guest| {
        std::fs::write(file("next.wasm"), guest.component()).unwrap();
        std::fs::rename(file("next.wasm"), &path).unwrap();
    };
    swap(&expected);
    sluice::serve::check(&config).unwrap_or_else(|error| panic!("{error}"));

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swap(&other);
                swap(&expected);
            }
        });
        for _ in 0..10 {
            if let Err(error) = sluice::serve::check(&config) {
                let message = error.to_string();
                assert!(!message.contains("the other one"), "it ran: {message}");
                assert!(message.contains("digest"), "{message}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    swap(&other);
    let error = sluice::serve::check(&config).unwrap_err().to_string();
    assert!(error.contains(&digest), "{error}");
}
