//! A guest that fails in every way, in every phase, under every policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use host::{
    Account, Chain, Credential, Directory, FailureKind, FailurePolicy, Grant, OnFailure, Phase,
};
use http::StatusCode;
use s3::Operation;

use crate::guest::{self, Guest, Image, LOOP, code, constants, facts, resource};
use crate::support::CPU;

/// Knows everybody, until it knows nobody.
#[derive(Default)]
struct Forgetful(AtomicBool);

impl Directory for Forgetful {
    fn credential(&self, _access_key_id: &str) -> Option<Credential> {
        None
    }

    fn by_id(&self, id: &str) -> Option<Arc<Account>> {
        (!self.0.load(Ordering::Relaxed)).then(|| {
            Arc::new(Account {
                id: id.to_owned(),
                display_name: id.to_owned(),
                email: None,
                roles: Vec::new(),
            })
        })
    }

    fn by_email(&self, email: &str) -> Option<Arc<Account>> {
        self.by_id(email)
    }
}

/// Fails in this way whatever it is asked, but not before a request.
fn failing(kind: FailureKind) -> Guest {
    let always = |guest: Guest, body: &str| {
        let body = |_: &mut Image| body.to_owned();
        guest
            .authenticate(body)
            .authorize(body)
            .prepare(body)
            .serve(Operation::GetBucketCors, body)
            .respond(body)
    };
    let logging = || Guest::new().import("log", "log", "(param i32 i32 i32)");
    match kind {
        FailureKind::Trap => always(Guest::new(), "(unreachable)"),
        FailureKind::Timeout => always(Guest::new().limits(|limits| limits.cpu = CPU), LOOP),
        FailureKind::Memory => always(
            Guest::new(),
            "(drop (memory.grow (i32.const 1000))) (unreachable)",
        ),
        FailureKind::Output => {
            let line = constants([0, 65536, 100_000]);
            always(logging(), &format!("(call $log {line}) (unreachable)"))
        }
        FailureKind::HostCalls => {
            let line = constants([0, 65536, 1]);
            let guest = logging().limits(|limits| limits.host_calls = 3);
            always(
                guest,
                &format!("(loop (call $log {line}) (br 0)) (unreachable)"),
            )
        }
        FailureKind::Overload => {
            let guest = Guest::new().limits(|limits| limits.concurrency = 0);
            always(guest, "(unreachable)")
        }
        // It refuses its settings once the directory knows nobody.
        FailureKind::Instantiate => {
            let guest = Guest::new()
                .import("directory", "by-id", "(param i32 i32 i32)")
                .grant(Grant::Directory)
                .configure(|image| {
                    let [id, len] = image.text("alice");
                    let arguments = constants([id, len, 60000]);
                    let (ok, refusal) = (image.ok(), image.refusal("nobody is there"));
                    format!(
                        "(call $by-id {arguments})
                         (select (i32.const {ok}) (i32.const {refusal}) (i32.load8_u (i32.const 60000)))"
                    )
                });
            always(guest, "(unreachable)")
        }
        FailureKind::Invalid => always(Guest::new(), "(i32.const 3)"),
        FailureKind::Breaker | FailureKind::Load | FailureKind::Settings => {
            unreachable!("of what does not run there is no guest")
        }
    }
}

/// What a guest that runs can fail by. The others have their tests with the host.
fn kinds() -> impl Iterator<Item = FailureKind> {
    use FailureKind::{Breaker, Load, Settings};
    let mut all = FailureKind::ALL.into_iter();
    std::iter::from_fn(move || all.find(|kind| !matches!(kind, Breaker | Load | Settings)))
}

/// Where nothing else is configured.
fn default_code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Overload | FailureKind::Breaker => "SlowDown",
        FailureKind::Trap
        | FailureKind::Timeout
        | FailureKind::Memory
        | FailureKind::Output
        | FailureKind::HostCalls
        | FailureKind::Instantiate
        | FailureKind::Invalid
        | FailureKind::Load
        | FailureKind::Settings => "AccessDenied",
    }
}

/// What each phase comes to: `ok`, or the code of the error.
fn outcome(chain: &Arc<Chain>, phase: Phase) -> String {
    let cors = facts("GET", "/prod-a?cors");
    let about = resource(&cors);
    let mut run = chain.begin(cors);
    match phase {
        Phase::Authenticate => code(&run.authenticate()),
        Phase::Authorize => code(&run.authorize(&about)),
        Phase::Prepare => code(&run.prepare(&about)),
        Phase::Serve => code(&run.serve(&about, "".into())),
        Phase::Respond => {
            let added = run.respond(StatusCode::OK);
            assert!(added.is_empty(), "{added:?}");
            "ok".to_owned()
        }
    }
}

#[test]
fn every_kind_of_failure_comes_to_what_the_policy_says_in_every_phase() {
    let host = guest::host();
    let answer = |code: &str, status| OnFailure::Answer {
        code: code.to_owned(),
        status,
    };
    let policies = [
        OnFailure::Deny,
        OnFailure::Open,
        answer("ServiceUnavailable", None),
        answer("Own.Code", Some(StatusCode::IM_A_TEAPOT)),
    ];
    let mut cases = 0;
    for kind in kinds() {
        // Compiled once for all of these.
        let _compiled = failing(kind).load(host);
        for policy in &policies {
            // Of this kind alone, or of all that have none of their own.
            let of_kind = FailurePolicy {
                default: answer("WrongOne", None),
                kinds: [(kind, policy.clone())].into(),
                accept_risk: true,
            };
            let of_all = FailurePolicy {
                default: policy.clone(),
                accept_risk: true,
                ..FailurePolicy::default()
            };
            for on_failure in [of_kind, of_all] {
                let directory = Arc::new(Forgetful::default());
                let steps = vec![
                    Guest::allowing().step(host),
                    failing(kind).on_failure(on_failure).step(host),
                ];
                let chain = Chain::new(steps, directory.clone()).unwrap();
                directory.0.store(true, Ordering::Relaxed);
                for phase in Phase::ALL {
                    let expected = match (policy, phase) {
                        // The answer is there already.
                        (_, Phase::Respond) => "ok",
                        // Nobody else could answer.
                        (OnFailure::Deny, _) | (OnFailure::Open, Phase::Serve) => {
                            default_code(kind)
                        }
                        (OnFailure::Open, _) => "ok",
                        (OnFailure::Answer { code, .. }, _) => code,
                    };
                    let found = outcome(&chain, phase);
                    assert_eq!(found, expected, "{kind} in {}: {policy:?}", phase.name());
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(
        cases,
        kinds().count() * policies.len() * 2 * Phase::ALL.len()
    );
}
