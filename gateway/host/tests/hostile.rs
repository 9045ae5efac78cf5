//! What hostile guests do, and that it stays with them.

mod guest;

use std::time::Duration;

use guest::{
    Guest, Image, LOOP, chain, chain_on, code, constant, constants, decide, facts, resource, run,
};
use host::{Grant, Host, LoadError, Settings};
use http::StatusCode;
use rustix::time::{ClockId, clock_gettime};
use s3::Operation;

const CPU: Duration = Duration::from_millis(5);

/// A guest that shows this behaviour in `authorize` fails in this way, and the
/// next request to it is none the worse.
fn check(kind: &str, guest: Guest) {
    let chain = chain(&[guest]);
    for _ in 0..3 {
        assert_eq!(decide(&chain), kind);
    }
}

fn authorizing(body: &str) -> Guest {
    Guest::new().authorize(|_| body.to_owned())
}

#[test]
fn an_endless_loop_is_stopped_in_every_phase() {
    let endless = |_: &mut Image| LOOP.to_owned();
    let quick = |limits: &mut host::Limits| limits.cpu = CPU;
    let claimed = Operation::GetBucketCors;
    let guest = Guest::new()
        .limits(quick)
        .authenticate(endless)
        .authorize(endless)
        .prepare(endless)
        .respond(endless)
        .serve(claimed, endless);
    let chain = chain(&[guest]);
    let cors = facts("GET", "/prod-a?cors");
    let about = resource(&cors);
    let began = thread_time();
    let begin = || chain.begin(cors.clone());
    assert_eq!(code(&begin().authenticate()), "timeout");
    assert_eq!(code(&begin().authorize(&about)), "timeout");
    assert_eq!(code(&begin().prepare(&about)), "timeout");
    assert_eq!(code(&begin().serve(&about, "".into())), "timeout");
    assert!(begin().respond(StatusCode::OK).is_empty());
    // Five times 5 ms, and what it takes to start them. The clock of this thread
    // does not run while the machine does other things.
    let spent = thread_time() - began;
    assert!(spent < Duration::from_millis(250), "{spent:?}");
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("no time before it began")
}

#[test]
fn an_endless_loop_before_the_first_phase_is_stopped_as_well() {
    let host = guest::host();
    let loops = LOOP.to_owned();
    for guest in [
        Guest::new().describe(LOOP),
        Guest::new().start("(loop (br 0))"),
    ] {
        let error = host.load(guest.source()).unwrap_err().to_string();
        assert!(error.contains("timeout"), "{error}");
    }
    let step = Guest::new().configure(|_| loops).step(host);
    let errors = host::Chain::new(vec![step], std::sync::Arc::new(guest::People)).unwrap_err();
    assert!(errors[0].to_string().contains("timeout"), "{errors:?}");
}

#[test]
fn a_loop_around_host_calls_ends() {
    let asking = authorizing("(loop (drop (call $operation)) (br 0)) (unreachable)").import(
        "request",
        "operation",
        "(result i32)",
    );
    check("host_calls", asking.clone());
    check(
        "timeout",
        asking.limits(|limits| {
            limits.host_calls = u32::MAX;
            limits.cpu = CPU;
        }),
    );
}

#[test]
fn a_guest_ends_with_its_time_by_the_clock_on_the_wall() {
    let patient = authorizing(LOOP).limits(|limits| {
        limits.cpu = Duration::from_secs(60);
        limits.wall = CPU;
    });
    let began = std::time::Instant::now();
    check("timeout", patient);
    assert!(began.elapsed() < Duration::from_secs(10), "three times");
}

#[test]
fn one_deadline_does_not_shorten_another() {
    let slow = authorizing(LOOP)
        .limits(|limits| limits.cpu = CPU)
        .mode(host::Mode::Shadow);
    // About 20 ms of work, in a guest that may take 200.
    let patient = Guest::new().authorize(|image| {
        let allow = image.allow();
        format!(
            "(local $left i64) (local.set $left (i64.const 20000000))
             (loop (local.tee $left (i64.sub (local.get $left) (i64.const 1)))
                   (br_if 0 (i64.ne (i64.const 0))))
             (i32.const {allow})"
        )
        .replace(
            "(loop (local.tee $left (i64.sub (local.get $left) (i64.const 1)))
                   (br_if 0 (i64.ne (i64.const 0))))",
            "(loop (br_if 0 (i64.ne (local.tee $left (i64.sub (local.get $left) (i64.const 1))) (i64.const 0))))",
        )
    });
    let chain = chain(&[slow, patient]);
    assert_eq!(decide(&chain), "ok");
}

#[test]
fn memory_ends_at_the_limit() {
    // 8 MiB are 128 pages, of which four are there from the beginning.
    let growing = |pages: u32| {
        Guest::new().authorize(|image| {
            let allow = image.allow();
            format!(
                "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then (unreachable)))
                 (i32.const {allow})"
            )
        })
    };
    check("ok", growing(124));
    check("memory", growing(125));
    let begins_above = Guest::new().pages(129);
    let error = guest::host().load(begins_above.source()).unwrap_err();
    assert!(matches!(error, LoadError::Limits { .. }), "{error}");
    check("ok", Guest::allowing().pages(128));
}

#[test]
fn writing_to_all_memory_is_survived_and_not_seen_by_the_next() {
    let dirty = Guest::new().pages(128).authorize(|image| {
        let allow = image.allow();
        format!(
            "(if (i32.load8_u (i32.const 8000000)) (then (unreachable)))
             (if (i32.load8_u (i32.const 100000)) (then (unreachable)))
             (memory.fill (i32.const 65536) (i32.const 255) (i32.const 8323072))
             (i32.const {allow})"
        )
    });
    check("ok", dirty);
}

#[test]
fn crashes_stay_inside() {
    check("trap", authorizing("(unreachable)"));
    check(
        "trap",
        authorizing("(i32.div_u (i32.const 1) (i32.const 0))"),
    );
    check("trap", authorizing("(i32.load (i32.const -4))"));
    // Deep recursion.
    let deep = Guest::new().authorize(|_| "(call $start) (unreachable)".to_owned());
    let deep = deep
        .start("(if (global.get $count) (then (call $start))) (global.set $count (i32.const 1))");
    check("trap", deep);
    // A result outside of its memory, and one that is no result.
    check("invalid", authorizing("(i32.const -4)"));
    check("invalid", authorizing("(i32.const 3)"));
}

#[test]
fn output_ends_at_the_limit() {
    let claimed = Operation::GetBucketCors;
    let replying = |len: usize| {
        Guest::new().serve(claimed, |image| {
            constant(image.reply(200, &[], [65536, len]))
        })
    };
    let cors = facts("GET", "/prod-a?cors");
    let serve = |guest: Guest| {
        let served = chain(&[guest])
            .begin(cors.clone())
            .serve(&resource(&cors), "".into());
        code(&served)
    };
    assert_eq!(serve(replying(64 << 10)), "ok");
    assert_eq!(serve(replying((64 << 10) + 1)), "output");
    // Far more than it has memory: the same bytes over and over.
    let many = Guest::new().respond(|image| {
        let [text, len] = image.text([b'a'; 1000]);
        let names: Vec<usize> = [text, len, text, len].repeat(200);
        let bytes: Vec<u8> = names
            .iter()
            .flat_map(|word| (*word as u32).to_le_bytes())
            .collect();
        let [list, _] = image.text(bytes);
        let result = [list as u32, 200]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>();
        constant(image.text(result)[0])
    });
    let mut run = run(&chain(&[many]));
    assert!(run.respond(StatusCode::OK).is_empty());
}

#[test]
fn what_http_cannot_carry_is_not_sent() {
    let claimed = Operation::GetBucketCors;
    let cors = facts("GET", "/prod-a?cors");
    for (status, name, value, expected) in [
        (200, "x-own", "fine", "ok"),
        (200, "x-own", "a\r\nset-cookie: b", "invalid"),
        (200, "x-own", "a\0b", "invalid"),
        (200, "content-length", "5", "invalid"),
        (200, "transfer-encoding", "chunked", "invalid"),
        (200, "x-amz-request-id", "mine", "invalid"),
        (101, "x-own", "fine", "invalid"),
        (700, "x-own", "fine", "invalid"),
        (204, "x-own", "fine", "invalid"),
    ] {
        let guest = Guest::new()
            .serve(claimed, |image| {
                let body = image.text("body");
                constant(image.reply(status, &[(name, value)], body))
            })
            .respond(|image| constant(image.headers(&[(name, value)])));
        let chain = chain(&[guest]);
        let served = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
        assert_eq!(code(&served), expected, "{status} {name}: {value:?}");
        let added = chain.begin(cors.clone()).respond(StatusCode::OK).len();
        let fine = name == "x-own" && value == "fine";
        assert_eq!(added, usize::from(fine), "{name}: {value:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let claimed = Operation::GetBucketCors;
    let guest = Guest::new().serve(claimed, |image| {
        // Half of a character, as the name of a header.
        let [text, _] = image.text([0xc3, 0x28]);
        let pair: Vec<u8> = [text as u32, 2, text as u32, 2]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        let [pair, _] = image.text(pair);
        let reply: Vec<u8> = [0, 200, pair as u32, 1, 0, 0]
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        constant(image.text(reply)[0])
    });
    let cors = facts("GET", "/prod-a?cors");
    let served = chain(&[guest])
        .begin(cors.clone())
        .serve(&resource(&cors), "".into());
    assert_eq!(code(&served), "invalid");
}

#[test]
fn logging_without_end_drops_lines_and_then_fails() {
    let logging = |lines: u32| {
        Guest::new()
            .import("log", "log", "(param i32 i32 i32)")
            .authorize(|image| {
                let [text, len] = image.text("\u{1b}[2J\r\nforged line");
                let allow = image.allow();
                format!(
                    "(local $left i32) (local.set $left (i32.const {lines}))
                     (loop (call $log (i32.const 0) (i32.const {text}) (i32.const {len}))
                           (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                     (i32.const {allow})"
                )
            })
    };
    check("ok", logging(1000));
    check("host_calls", logging(2000));
}

#[test]
fn a_principal_needs_the_grant_and_an_account() {
    let asserting = |id: &str| Guest::new().authenticate(|image| constant(image.account(id)));
    for (guest, expected) in [
        (asserting("bob"), "invalid"),
        (asserting("bob").grant(Grant::Identity), "ok"),
        (asserting("mallory").grant(Grant::Identity), "invalid"),
    ] {
        assert_eq!(code(&run(&chain(&[guest])).authenticate()), expected);
    }
}

#[test]
fn documents_are_written_when_they_may_be_and_never_in_anothers_name() {
    let writing = |name: &str, len: usize, scope: usize| {
        let call = |image: &mut Image| {
            let [name, name_len] = image.text(name);
            let ok = image.ok();
            let arguments = constants([scope, name, name_len, 65536, len]);
            format!("(call $put {arguments}) (i32.const {ok})")
        };
        Guest::new()
            .grant(Grant::Documents)
            .import("documents", "put", "(param i32 i32 i32 i32 i32)")
            .authorize(call)
            .prepare(call)
    };
    let get = facts("GET", "/prod-a/key");
    let list = facts("GET", "/prod-a");
    for (facts, guest, expected) in [
        (&get, writing("acl", 10, 0), "ok"),
        (&get, writing("acl", 10, 1), "ok"),
        (&list, writing("acl", 10, 1), "invalid"),
        (&get, writing("acl", 64 << 10, 0), "ok"),
        (&get, writing("acl", (64 << 10) + 1, 0), "output"),
        (&get, writing("", 10, 0), "invalid"),
        (&get, writing("../other/acl", 10, 0), "invalid"),
        (&get, writing("Acl", 10, 0), "invalid"),
        (&get, writing(&"a".repeat(65), 10, 0), "invalid"),
    ] {
        let chain = chain(&[guest]);
        let about = resource(facts);
        assert_eq!(code(&chain.begin(facts.clone()).prepare(&about)), expected);
        assert_ne!(code(&chain.begin(facts.clone()).authorize(&about)), "ok");
    }
}

#[test]
fn when_the_pool_is_empty_a_request_is_told_to_slow_down() {
    let settings = Settings {
        instances_max: 2,
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
    let guest = Guest::allowing().on_failure(host::FailurePolicy::default());
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

#[test]
fn instances_that_wait_for_a_request_leave_the_pool_to_others() {
    let settings = Settings {
        instances_max: 8,
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    let fill = |chain: &std::sync::Arc<host::Chain>| {
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
    let settings = Settings {
        instances_max: 1,
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
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

#[test]
fn a_place_is_given_back_however_the_guest_ends() {
    let settings = Settings {
        instances_max: 1,
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
    let trapping = chain_on(&host, &[authorizing("(unreachable)")]);
    let looping = chain_on(
        &host,
        &[authorizing(LOOP).limits(|limits| limits.cpu = CPU)],
    );
    let fine = chain_on(&host, &[Guest::allowing()]);
    for _ in 0..20 {
        assert_eq!(decide(&trapping), "trap");
        assert_eq!(decide(&looping), "timeout");
        assert_eq!(decide(&fine), "ok");
    }
}

#[test]
fn requests_are_decided_while_guests_spin_on_every_core() {
    let spinning = chain(&[authorizing(LOOP)]);
    let fine = chain(&[Guest::allowing()]);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| assert_eq!(decide(&spinning), "timeout"));
        }
        for _ in 0..cores {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(decide(&fine), "ok");
                }
            });
        }
    });
}
