//! What is counted of plugins, and shown of them.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod guest;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guest::{Guest, chain, chain_on, code, constants, facts_from, resource};
use host::{Breaker, FailurePolicy, Grant, Host, Mode, Settings};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// All counters and gauges, by their names and labels.
#[derive(Debug, Default)]
struct Meters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Meters {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        self.0.lock().unwrap().entry(name).or_default().clone()
    }

    fn counter(&self, name: &str) -> Option<u64> {
        let meters = self.0.lock().unwrap();
        meters.get(name).map(|meter| meter.load(Ordering::Relaxed))
    }

    fn gauge(&self, name: &str) -> Option<f64> {
        self.counter(name).map(f64::from_bits)
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn crashing() -> Guest {
    Guest::new().authorize(|_| "(unreachable)".to_owned())
}

fn ask(chain: &Arc<host::Chain>, client: u8) -> String {
    let facts = facts_from(client, &[]);
    code(&chain.begin(facts.clone()).authorize(&resource(&facts)))
}

#[test]
fn a_failure_in_shadow_that_would_have_refused_is_a_difference() {
    let open = FailurePolicy {
        default: host::OnFailure::Open,
        accept_risk: true,
        ..FailurePolicy::default()
    };
    for (on_failure, differences) in [(FailurePolicy::default(), Some(2)), (open, None)] {
        let meters = Meters::default();
        with_local_recorder(&meters, || {
            let shadow = crashing().on_failure(on_failure).named("new");
            let chain = chain(&[Guest::allowing(), shadow.mode(Mode::Shadow)]);
            for _ in 0..2 {
                assert_eq!(ask(&chain, 1), "ok");
            }
        });
        let failures = meters.counter("sluice_plugin_failures_total new trap shadow");
        assert_eq!(failures, Some(2), "{meters:?}");
        let found = meters.counter("sluice_plugin_shadow_differences_total new authorize");
        assert_eq!(found, differences, "{meters:?}");
    }
}

#[test]
fn a_plugin_is_left_alone_across_generations_and_shown_while_it_is_there() {
    const OPEN: &str = "sluice_plugin_breaker_open fragile authorize enforce";
    const LIMIT: &str = "sluice_plugin_instances fragile limit";
    let breaker = |failures| Breaker {
        failures,
        clients: 1,
        pause: Duration::from_secs(60),
    };
    let fragile = |failures| {
        let guest = crashing().named("fragile");
        chain(&[guest.breaker(Some(breaker(failures)))])
    };
    let meters = Meters::default();
    with_local_recorder(&meters, || {
        let first = fragile(1);
        first.show();
        assert_eq!(meters.gauge(OPEN), Some(0.0));
        assert_eq!(ask(&first, 1), "trap");
        assert_eq!(ask(&first, 1), "breaker");
        first.show();
        // Its next generation, and one that is not used for anything.
        let second = fragile(1);
        drop(fragile(1));
        assert_eq!(meters.gauge(OPEN), Some(1.0));
        assert_eq!(ask(&second, 1), "breaker");
        // By other rules it is judged anew.
        assert_eq!(ask(&fragile(2), 1), "trap");
        drop(first);
        second.show();
        assert_eq!(meters.gauge(OPEN), Some(1.0));
        assert_eq!(meters.gauge(LIMIT), Some(256.0));
        drop(second);
        assert_eq!(meters.gauge(OPEN), Some(0.0));
        assert_eq!(meters.gauge(LIMIT), Some(0.0));
        // Nothing is remembered of what nobody uses.
        assert_eq!(ask(&fragile(1), 1), "trap");
    });
}

/// Meters one of the subject, and allows it.
fn metering(subject: &str) -> Guest {
    Guest::new()
        .named("payment")
        .grant(Grant::Metering)
        .import("metering", "count", "(param i32 i32 i64)")
        .authorize(|image| {
            let subject = constants(image.text(subject));
            let allow = guest::constant(image.allow());
            format!("(call $count {subject} (i64.const 3)) {allow}")
        })
}

#[test]
fn what_is_metered_is_shown_and_goes_on_in_the_next_generation() {
    let meters = Meters::default();
    let host = Host::new(Settings::default()).unwrap();
    let alice = || meters.counter("sluice_plugin_metered_total payment alice");
    with_local_recorder(&meters, || {
        for generation in 1..=3 {
            let chain = chain_on(&host, &[metering("alice")]);
            assert_eq!(ask(&chain, 1), "ok");
            assert_eq!(alice(), Some(3 * generation));
        }
        let shadow = metering("alice").mode(Mode::Shadow);
        ask(&chain_on(&host, &[shadow]), 1);
        assert_eq!(alice(), Some(9));
    });
}

#[test]
fn a_subject_is_a_short_text() {
    let host = Host::new(Settings::default()).unwrap();
    for (subject, expected) in [
        ("a", "ok"),
        ("\u{e4} b", "ok"),
        (&*"a".repeat(128), "ok"),
        (&*"a".repeat(129), "invalid"),
        ("", "invalid"),
        ("a\nb", "invalid"),
    ] {
        let chain = chain_on(&host, &[metering(subject)]);
        assert_eq!(ask(&chain, 1), expected, "{subject:?}");
    }
}

#[test]
fn there_is_an_end_to_the_subjects_of_a_plugin_in_all_its_generations() {
    let meters = Meters::default();
    let host = Host::new(Settings::default()).unwrap();
    // Eight letters, each time others.
    let flooding = Guest::new()
        .named("payment")
        .grant(Grant::Metering)
        .import("metering", "count", "(param i32 i32 i64)")
        .limits(|limits| limits.cpu = Duration::from_secs(5))
        .authorize(|image| {
            let [at, _] = image.text("aaaaaaaa");
            let allow = guest::constant(image.allow());
            format!(
                "(loop
                    (i32.store8 (i32.const {at}) (i32.add (i32.const 97) (i32.and (global.get $count) (i32.const 15))))
                    (i32.store8 (i32.const {}) (i32.add (i32.const 97) (i32.and (i32.shr_u (global.get $count) (i32.const 4)) (i32.const 15))))
                    (i32.store8 (i32.const {}) (i32.add (i32.const 97) (i32.shr_u (global.get $count) (i32.const 8))))
                    (call $count (i32.const {at}) (i32.const 8) (i64.const 1))
                    (global.set $count (i32.add (global.get $count) (i32.const 1)))
                    (br_if 0 (i32.lt_u (global.get $count) (i32.const 1010))))
                 {allow}",
                at + 1,
                at + 2,
            )
        });
    with_local_recorder(&meters, || {
        for generation in 1..=2 {
            let chain = chain_on(&host, std::slice::from_ref(&flooding));
            assert_eq!(ask(&chain, 1), "ok");
            let others = meters.counter("sluice_plugin_metered_others_total payment");
            assert_eq!(others, Some(10 * generation));
        }
    });
    let known = meters.0.lock().unwrap();
    let subjects = known
        .keys()
        .filter(|name| name.starts_with("sluice_plugin_metered_total"));
    assert_eq!(subjects.count(), 1000);
}
