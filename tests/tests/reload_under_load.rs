//! A thousand reloads while clients go on: no request fails, none is decided by
//! a generation that was not current while it ran, and nothing is left behind.
//!
//! This is a test binary of its own, because the memory it looks at is that of
//! the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use sluice_tests::{ROOT, Reply, Request, Server, Settings};

const RELOADS: u64 = 1000;

const CLIENTS: u64 = 4;

/// So often the code of the plugin is another, which has to be compiled.
const CODE_EVERY: u64 = 100;

/// By then everything has its size that grows to one: caches are full, and the
/// allocator has as many arenas as there are threads.
const WARM_AFTER: u64 = RELOADS / 2;

/// Resident memory, from then to the end: 8 KiB for each reload, a fraction of what
/// a generation takes.
const GROWTH_KIB_MAX: u64 = 4 * 1024;

/// Those that the clients and the reloads have open, each once at a time, come and go.
const DESCRIPTORS_MAX: usize = 8;

#[test]
fn a_thousand_reloads_under_load_cost_no_request_no_wrong_verdict_and_no_memory() {
    let server = start();
    // A generation is current at some time between its being asked for and the next one's being there.
    let asked = AtomicU64::new(2);
    let there = AtomicU64::new(2);
    let stop = AtomicBool::new(false);
    let first = Usage::now();
    let (mut warm, mut requests) = (first, 0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (server, asked, there, stop) = (&server, &asked, &there, &stop);
                    move || load(server, client, asked, there, stop)
                })
            })
            .collect();
        // Also when a reload fails, so that the test ends.
        let stopping = OnDrop(|| stop.store(true, Ordering::SeqCst));
        for generation in 3..RELOADS + 3 {
            server.edit(|text| {
                let (before, _) = text.split_once("plugins:").unwrap();
                before.to_owned() + &policy(generation)
            });
            asked.store(generation, Ordering::SeqCst);
            let reply = server.reload().expect(200);
            assert!(
                reply
                    .text()
                    .contains(&format!("\"generation\": {generation},")),
                "{reply:?}"
            );
            there.store(generation, Ordering::SeqCst);
            if generation == WARM_AFTER {
                warm = Usage::now();
            }
        }
        drop(stopping);
        requests = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum();
    });
    let status = server.ask_admin(&Request::get("/status"));
    assert!(status.text().contains("\"draining\": []"), "{status:?}");

    let end = Usage::now();
    println!("{requests} requests; {first:?} -> {warm:?} -> {end:?}");
    assert!(
        requests > RELOADS,
        "only {requests} requests were made meanwhile"
    );
    assert!(end.kib < warm.kib + GROWTH_KIB_MAX, "{warm:?} -> {end:?}");
    assert!(
        end.descriptors < warm.descriptors + DESCRIPTORS_MAX,
        "{warm:?} -> {end:?}"
    );
    assert!(end.threads <= warm.threads + 4, "{warm:?} -> {end:?}");
}

/// Requests one after the other on one connection; returns how many.
fn load(
    server: &Server,
    client: u64,
    asked: &AtomicU64,
    there: &AtomicU64,
    stop: &AtomicBool,
) -> u64 {
    let mut connection = server.connect();
    let mut requests = 0;
    // By the chain, and by what is inserted for a bucket.
    let paths = [format!("/data/{client}"), format!("/special/{client}")];
    while !stop.load(Ordering::SeqCst) {
        for path in &paths {
            let oldest = there.load(Ordering::SeqCst);
            let put = connection.send(&Request::put(path, "no").signed(&ROOT));
            let newest = asked.load(Ordering::SeqCst);
            let decided = generation_of(&put.refused(403, "AccessDenied"));
            assert!(
                (oldest..=newest).contains(&decided),
                "generation {decided} decided {path} between {oldest} and {newest}"
            );
        }
        let get = connection.send(&Request::get("/data/key").signed(&ROOT));
        assert_eq!(get.expect(200).body, b"content");
        let notice = connection.send(&Request::get(NOTICE).signed(&ROOT));
        assert_eq!(notice.expect(200).text(), "All sales are vain.");
        requests += 4;
    }
    requests
}

/// The refusal names the tag that it misses, which names the generation.
fn generation_of(refused: &Reply) -> u64 {
    let message = refused.element("Message").unwrap();
    let tag = message.split('`').nth(1).unwrap();
    tag.strip_prefix("generation-").unwrap().parse().unwrap()
}

fn start() -> Server {
    let server = Server::start(&Settings::default());
    server.bucket("data");
    server.bucket("special");
    server.object("/data/key", "content");
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist");
    let component = |name: &str| fs::read(dist.join(name).with_extension("wasm")).unwrap();
    for name in ["legal-notice", "rate-limit"] {
        let file = server.data().join(name).with_extension("wasm");
        fs::write(file, component(name)).unwrap();
    }
    let mut require_tag = component("require-tag");
    fs::write(server.data().join("0.wasm"), &require_tag).unwrap();
    // A custom section without content: other code, which does the same.
    require_tag.extend([0, 2, 1, b'x']);
    fs::write(server.data().join("1.wasm"), &require_tag).unwrap();
    server.edit(|text| text.to_owned() + &policy(2));
    server.reload().expect(200);
    let notice = Request::put(NOTICE, "All sales are vain.").signed(&ROOT);
    server.send(&notice).expect(200);
    server
}

const NOTICE: &str = "/data?legal-notice";

/// Uploads need a tag that names the generation, by the chain or, in one bucket, by
/// what is inserted there. The others have what a generation may leave behind: an
/// instance that is reused, counters, a sub-resource with its documents.
fn policy(generation: u64) -> String {
    let code = format!("{}.wasm", generation / CODE_EVERY % 2);
    format!(
        "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  require-tag: {{source: 'file:{code}'}}
  rate-limit: {{source: 'file:rate-limit.wasm', grants: [counters], instances: reuse}}
  legal-notice: {{source: 'file:legal-notice.wasm', grants: [documents]}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: require-tag
    match: {{buckets: [data]}}
    settings: {{key: generation-{generation}}}
  - use: rate-limit
    settings: {{requests: 1000000000, window: 1s}}
  - use: legal-notice
buckets:
  - match: [special]
    insert: [{{after: acl, use: require-tag, settings: {{key: generation-{generation}}}}}]
"
    )
}

/// What this process has of the machine.
#[derive(Debug, Clone, Copy)]
struct Usage {
    kib: u64,
    threads: u64,
    descriptors: usize,
}

impl Usage {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| -> u64 {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Self {
            kib: field("VmRSS:"),
            threads: field("Threads:"),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
