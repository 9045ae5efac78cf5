//! What one plugin does to itself and to others by failing, or by taking all it
//! can get.

mod guest;

use std::time::Duration;

use guest::{Guest, chain, chain_on, code, constants, facts, facts_from, resource};
use host::{Breaker, Host, Settings};

/// Crashes where this header is sent.
fn crashing_at(header: &str) -> Guest {
    Guest::new()
        .import("request", "header", "(param i32 i32 i32)")
        .authorize(|image| {
            let [name, len] = image.text(header);
            let (name, allow) = (constants([name, len, 60000]), image.allow());
            format!(
                "(call $header {name})
                 (if (i32.load8_u (i32.const 60000)) (then (unreachable)))
                 (i32.const {allow})"
            )
        })
}

#[test]
fn a_plugin_that_fails_for_several_clients_is_left_alone_and_tried_again() {
    let pause = Duration::from_millis(300);
    let breaker = Breaker {
        failures: 6,
        clients: 3,
        pause,
    };
    let chain = chain(&[crashing_at("x-poison").breaker(Some(breaker.clone()))]);
    let ask = |client: u8, poisoned: bool| {
        let headers: &[_] = if poisoned { &[("x-poison", "1")] } else { &[] };
        let facts = facts_from(client, headers);
        code(&chain.begin(facts.clone()).authorize(&resource(&facts)))
    };
    // One client cannot take it from the others, however often it tries.
    for _ in 0..100 {
        assert_eq!(ask(1, true), "trap");
    }
    assert_eq!(ask(2, false), "ok");
    for client in [1, 2, 1, 2, 1, 3] {
        assert_eq!(ask(client, true), "trap");
    }
    // Nobody gets to it, whether it would have crashed or not.
    assert_eq!(ask(4, false), "breaker");
    assert_eq!(ask(1, true), "breaker");
    std::thread::sleep(2 * pause);
    assert_eq!(ask(4, false), "ok");
    assert_eq!(ask(1, true), "trap");
    assert_eq!(ask(4, false), "ok");

    // Denials are answers, and without a breaker nothing is counted.
    for guest in [
        Guest::denying("Own").breaker(Some(breaker)),
        crashing_at("x-poison").breaker(None),
    ] {
        let chain = guest::chain(&[guest]);
        let mut said = std::collections::BTreeSet::new();
        for number in 0..100 {
            let facts = facts_from(number, &[("x-poison", "1")]);
            said.insert(code(
                &chain.begin(facts.clone()).authorize(&resource(&facts)),
            ));
        }
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(!said.contains("breaker"));
    }
}

#[test]
fn what_fails_in_shadow_does_not_open_the_breaker_of_what_counts() {
    let host = guest::host();
    let guest = crashing_at("x-poison").breaker(Some(Breaker {
        failures: 1,
        clients: 1,
        pause: Duration::from_secs(60),
    }));
    let plugin = guest.load(host);
    let step = |mode| host::Step {
        plugin: plugin.clone(),
        matching: host::Match::default(),
        settings: serde_json::Value::Null,
        mode,
    };
    let directory = std::sync::Arc::new(guest::People);
    let shadow = vec![Guest::allowing().step(host), step(host::Mode::Shadow)];
    let shadow = host::Chain::new(shadow, directory.clone()).unwrap();
    let counts = host::Chain::new(vec![step(host::Mode::Enforce)], directory).unwrap();
    let ask = |chain: &std::sync::Arc<host::Chain>, poisoned: bool| {
        let headers: &[_] = if poisoned { &[("x-poison", "1")] } else { &[] };
        let facts = facts_from(1, headers);
        code(&chain.begin(facts.clone()).authorize(&resource(&facts)))
    };
    for _ in 0..3 {
        assert_eq!(ask(&shadow, true), "ok");
        assert_eq!(ask(&counts, false), "ok");
    }
    assert_eq!(ask(&counts, true), "trap");
    assert_eq!(ask(&counts, false), "breaker");
}

#[test]
fn a_plugin_that_takes_the_whole_pool_leaves_places_for_others() {
    let settings = Settings {
        instances_max: 128,
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
    let chains = ["greedy", "other"].map(|name| {
        let guest = Guest::allowing().named(name);
        chain_on(&host, &[guest.limits(|limits| limits.concurrency = 1000)])
    });
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    // All at the same time, as if they waited for the store.
    let fill = |chain: &std::sync::Arc<host::Chain>| -> Vec<host::Run> {
        let begin = || chain.begin(get.clone());
        let runs = std::iter::repeat_with(begin).take(200).map(|mut run| {
            let decision = code(&run.authorize(&about));
            (run, decision)
        });
        runs.take_while(|(_, decision)| decision == "ok")
            .map(|(run, _)| run)
            .collect()
    };
    let [greedy, other] = &chains;
    let held = fill(greedy);
    assert_eq!(held.len(), 126);
    assert_eq!(fill(other).len(), 2);
    // Loading does not wait for requests either.
    drop(chain_on(&host, &[Guest::allowing().named("late")]));
    drop(held);
    assert_eq!(fill(other).len(), 126);
}

#[test]
fn all_calls_for_one_request_share_a_budget() {
    let spinning = Guest::new()
        .limits(|limits| limits.cpu = Duration::from_millis(20))
        .authorize(|image| {
            let allow = image.allow();
            format!(
                "(local $left i32)
                 (local.set $left (i32.const 2000000))
                 (loop
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br_if 0 (local.get $left)))
                 (i32.const {allow})"
            )
        });
    let chain = chain(&[spinning]);
    let facts = facts("GET", "/prod-a/key");
    let about = resource(&facts);
    for _ in 0..2 {
        let mut run = chain.begin(facts.clone());
        let mut ask = || code(&run.authorize(&about));
        // None of the calls takes as long as one may take.
        let permitted = (0..100_000).take_while(|_| ask() == "ok").count();
        assert!((40..100_000).contains(&permitted), "{permitted}");
        assert_eq!(ask(), "timeout");
    }
}
