//! Guests that take the last instances of the pool: they are told to slow down,
//! and whatever they do to get rid of an instance gives it back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use host::{Account, Chain, Credential, Directory, FailurePolicy, Grant, Host, Settings};
use http::StatusCode;

use crate::guest::{
    Guest, Image, LOOP, chain_on, code, constant, constants, decide, facts, resource,
};
use crate::support::{CPU, authorizing};

fn host(instances_max: u32) -> Arc<Host> {
    let settings = Settings {
        instances_max,
        ..Settings::default()
    };
    Host::new(settings).unwrap()
}

#[test]
fn when_the_pool_is_empty_a_request_is_told_to_slow_down() {
    let host = host(2);
    let guest = Guest::allowing().on_failure(FailurePolicy::default());
    let chain = chain_on(&host, &[guest]);
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    let enter = || {
        let mut run = chain.begin(get.clone());
        let decision = run.authorize(&about);
        (run, code(&decision))
    };
    let (first, second) = (enter(), enter());
    assert_eq!((&*first.1, &*second.1), ("ok", "ok"));
    for _ in 0..10 {
        assert_eq!(enter().1, "SlowDown");
    }
    drop(first);
    assert_eq!(enter().1, "ok");
    assert_eq!(enter().1, "ok");
}

/// Knows nobody, and is not well.
struct Panicking;

impl Directory for Panicking {
    fn credential(&self, _access_key_id: &str) -> Option<Credential> {
        panic!("the directory panics");
    }

    fn by_id(&self, _id: &str) -> Option<Arc<Account>> {
        panic!("the directory panics");
    }

    fn by_email(&self, _email: &str) -> Option<Arc<Account>> {
        panic!("the directory panics");
    }
}

#[test]
fn an_instance_is_given_back_however_it_ends() {
    // There is one, and all of these need it.
    let host = host(1);
    let trapping = chain_on(&host, &[authorizing("(unreachable)")]);
    let looping = chain_on(
        &host,
        &[authorizing(LOOP).limits(|limits| limits.cpu = CPU)],
    );
    let growing = authorizing("(drop (memory.grow (i32.const 1000))) (unreachable)");
    let growing = chain_on(&host, &[growing]);
    let asking = Guest::new()
        .import("directory", "by-id", "(param i32 i32 i32)")
        .grant(Grant::Directory)
        .authorize(|image| {
            let [id, len] = image.text("alice");
            let arguments = constants([id, len, 60000]);
            format!("(call $by-id {arguments}) (unreachable)")
        });
    let panicking = Chain::new(vec![asking.step(&host)], Arc::new(Panicking)).unwrap();
    let fine = chain_on(&host, &[Guest::allowing()]);
    let get = facts("GET", "/prod-a/key");
    for _ in 0..20 {
        assert_eq!(decide(&trapping), "trap");
        assert_eq!(decide(&looping), "timeout");
        assert_eq!(decide(&growing), "memory");
        let panicked = catch_unwind(AssertUnwindSafe(|| decide(&panicking)));
        panicked.unwrap_err();
        // Cancelled after the vote, with its instance still there.
        let mut cancelled = fine.begin(get.clone());
        assert_eq!(code(&cancelled.authorize(&resource(&get))), "ok");
        drop(cancelled);
        assert_eq!(decide(&fine), "ok");
    }
}

#[test]
fn a_place_inside_a_plugin_is_given_back_as_well() {
    let narrow = |guest: Guest| guest.limits(|limits| limits.concurrency = 1);
    let trapping = authorizing("(unreachable)");
    for guest in [narrow(trapping), narrow(Guest::allowing())] {
        let plugin = guest.load(crate::guest::host());
        let chain = crate::guest::chain(&[guest]);
        let expected = decide(&chain);
        for _ in 0..20 {
            assert_eq!(decide(&chain), expected);
        }
        assert_eq!(plugin.running(), 0);
    }
}

#[test]
fn instances_that_wait_for_a_request_leave_the_pool_to_others() {
    let host = host(8);
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    let fill = |chain: &Arc<Chain>| {
        let runs: Vec<_> = (0..8)
            .map(|_| {
                let mut run = chain.begin(get.clone());
                let decision = code(&run.authorize(&about));
                (run, decision)
            })
            .collect();
        let inside = runs.iter().filter(|(_, decision)| decision == "ok");
        inside.count()
    };
    let fresh = chain_on(&host, &[Guest::allowing()]);
    assert_eq!(fill(&fresh), 8);
    let reused = chain_on(&host, &[Guest::allowing().reused()]);
    assert_eq!(fill(&reused), 8);
    // A quarter waits, whichever step it is of.
    assert_eq!(fill(&fresh), 6);
    let another = chain_on(&host, &[Guest::allowing().reused()]);
    assert_eq!(fill(&another), 6);
    assert_eq!(fill(&fresh), 6);
    drop(reused);
    assert_eq!(fill(&another), 8);
}

#[test]
fn no_number_of_slow_clients_takes_the_places_of_others() {
    let host = host(1);
    let responding = |body: fn(&mut Image) -> usize| {
        Guest::new()
            .limits(|limits| limits.concurrency = 1)
            .authorize(|image| constant(body(image)))
            .respond(|image| constant(image.headers(&[("x-seen", "1")])))
    };
    let allowing = chain_on(&host, &[responding(Image::allow)]);
    let denying = chain_on(&host, &[responding(|image| image.deny("Own"))]);
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    // They all send their bodies, if only for the gateway to throw them away.
    let uploads: Vec<_> = (0..10)
        .flat_map(|_| {
            let mut uploading = allowing.begin(get.clone());
            assert_eq!(code(&uploading.authorize(&about)), "ok");
            assert_eq!(code(&uploading.prepare(&about)), "ok");
            let mut refused = denying.begin(get.clone());
            assert_eq!(code(&refused.authorize(&about)), "Own");
            refused.rest();
            [uploading, refused]
        })
        .collect();
    for mut run in uploads {
        assert_eq!(run.respond(StatusCode::OK)["x-seen"], "1");
    }
}
