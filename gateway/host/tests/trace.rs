//! What a request leaves behind for those who ask why it was answered so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guest;

use guest::{Guest, bucket, chain, constant, facts, facts_with, resource};
use host::{
    Chain, Facts, Glob, Grant, Match, Mismatch, Mode, Outcome, Part, Phase, Principal, Review, Run,
    Said, Trace, Unasked,
};
use http::StatusCode;
use s3::{Access, Action, Operation};
use std::sync::Arc;
use storage::{BucketName, ObjectKey};

/// The parts of the steps in one moment, in one line.
fn shown(review: &Review) -> String {
    let part = |part: &Part| match part {
        Part::Asked(call) => said(&call.said),
        Part::Unasked(why) => format!("({})", unasked(*why)),
    };
    let outcome = match &review.moment.outcome {
        Outcome::Open => "open".to_owned(),
        Outcome::Identified(principal) => who(principal),
        Outcome::Passed => "passed".to_owned(),
        Outcome::Served(status) => status.as_u16().to_string(),
        Outcome::Refused(error) => error.code_name().to_owned(),
    };
    let by = review.moment.decided_by;
    let by = by.map_or(String::new(), |step| format!(" by {step}"));
    let steps: Vec<_> = review.steps.iter().map(part).collect();
    format!("{}: {outcome}{by}", steps.join(", "))
}

fn who(principal: &Principal) -> String {
    match principal {
        Principal::Anonymous => "anonymous".to_owned(),
        Principal::Account(account) => account.id.clone(),
    }
}

fn said(said: &Said) -> String {
    match said {
        Said::Abstained => "abstain".to_owned(),
        Said::Allowed => "allow".to_owned(),
        Said::Denied(error) => format!("deny {}", error.code_name()),
        Said::Asserted(principal) => who(principal),
        Said::Prepared(deeds) => format!("attach [{}]", deeds.attached.join(" ")),
        Said::Served(status) => format!("serve {}", status.as_u16()),
        Said::Added(names) => format!("add {names:?}"),
        Said::Failed(failure) => format!("fail {}", failure.kind),
    }
}

fn unasked(why: Unasked) -> &'static str {
    match why {
        Unasked::Off => "off",
        Unasked::Decided => "decided",
        Unasked::NoClaim => "no claim",
        Unasked::Failed => "failed",
        Unasked::Unmatched(mismatch) => match mismatch {
            Mismatch::Operation => "operation",
            Mismatch::Phase => "phase",
            Mismatch::Interest => "interest",
            Mismatch::InterestHeader => "header",
            Mismatch::InterestQuery => "query",
            Mismatch::InterestDocument => "document",
            Mismatch::Bucket => "bucket",
            Mismatch::BucketRule => "bucket rule",
            Mismatch::Prefix => "prefix",
            Mismatch::Principal => "principal",
            Mismatch::Header => "header",
        },
    }
}

fn phase(run: &Run, phase: Phase) -> String {
    let all = run.review();
    let mut of_phase = all.iter().filter(|review| review.moment.phase == phase);
    shown(of_phase.next_back().unwrap())
}

fn within(matching: Match) -> Guest {
    Guest::allowing().matching(matching)
}

#[test]
fn every_step_is_shown_with_its_vote_or_with_why_it_was_not_asked() {
    let (allow, abstain, deny) = (Guest::allowing, Guest::abstaining, || Guest::denying("Own"));
    let on = |operations: &[Operation], headers: &[&str]| {
        Guest::new().on(Phase::Authorize, operations, headers)
    };
    let trap = || Guest::new().authorize(|_| "(unreachable)".to_owned());
    let operations = |list: &[Operation]| Match {
        operations: list.to_vec(),
        ..Match::default()
    };
    let buckets = |glob: &str| Match {
        buckets: vec![Glob::parse(glob).unwrap()],
        ..Match::default()
    };
    for (guests, expected) in [
        (vec![], ": AccessDenied"),
        (vec![abstain()], "abstain: AccessDenied"),
        (vec![abstain(), allow()], "abstain, allow: passed"),
        (
            vec![allow(), deny(), allow()],
            "allow, deny Own, (decided): Own by 1",
        ),
        (
            vec![trap(), allow().mode(Mode::Off)],
            "fail trap, (off): trap by 0",
        ),
        (
            vec![allow(), deny().mode(Mode::Shadow)],
            "allow, deny Own: passed",
        ),
        (
            vec![
                within(operations(&[Operation::PutObject])),
                within(buckets("test-*")),
                allow(),
            ],
            "(operation), (bucket), allow: passed",
        ),
        (
            vec![
                Guest::new().respond(|image| constant(image.headers(&[]))),
                on(&[Operation::PutObject], &[]),
                on(&[Operation::GetObject], &["x-amz-acl"]),
                // Of two interests, the one that came closer is told.
                on(&[], &["x-amz-acl"]).on(Phase::Authorize, &[Operation::PutObject], &[]),
            ],
            "(phase), (interest), (header), (header): AccessDenied",
        ),
    ] {
        let get = facts("GET", "/prod-a/key");
        let mut run = chain(&guests).begin(get.clone());
        let decided = run.authorize(&resource(&get));
        let shown = phase(&run, Phase::Authorize);
        assert_eq!(shown, expected);
        // What is told is what was decided.
        let told = match run.trace().moments().next().unwrap().0.outcome {
            Outcome::Passed => "ok".to_owned(),
            Outcome::Refused(ref error) => error.code_name().to_owned(),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(told, guest::code(&decided), "{shown}");
    }
}

#[test]
fn the_first_who_knows_the_client_decides_and_the_others_are_not_asked() {
    let asserting = |id: &str| {
        let guest = Guest::new().authenticate(|image| constant(image.account(id)));
        guest.grant(Grant::Identity)
    };
    let abstaining = || Guest::new().authenticate(|image| constant(image.abstain()));
    let denying = || Guest::new().authenticate(|image| constant(image.deny("Expired")));
    for (guests, expected) in [
        (vec![abstaining()], "abstain: anonymous"),
        (
            vec![abstaining(), asserting("bob"), denying()],
            "abstain, bob, (decided): bob by 1",
        ),
        (
            vec![denying(), asserting("bob")],
            "deny Expired, (decided): Expired by 0",
        ),
        (
            vec![denying().mode(Mode::Shadow), asserting("bob")],
            "deny Expired, bob: bob by 1",
        ),
    ] {
        let mut run = guest::run(&chain(&guests));
        let _ = run.authenticate();
        assert_eq!(phase(&run, Phase::Authenticate), expected);
    }
}

#[test]
fn documents_answers_and_headers_are_told_by_their_names() {
    let cors = facts("GET", "/prod-a?cors");
    let about = resource(&cors);
    let writer = Guest::new()
        .grant(Grant::Documents)
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .authorize(|image| constant(image.allow()))
        .prepare(|image| {
            let ([name, len], ok) = (image.text("rules"), constant(image.ok()));
            format!(
                "(call $put (i32.const 0) (i32.const {name}) (i32.const {len})
                            (i32.const {name}) (i32.const {len})) {ok}"
            )
        })
        .serve(Operation::GetBucketCors, |image| {
            constant(image.reply(202, &[], [0, 0]))
        })
        .respond(|image| constant(image.headers(&[("x-seen", "1")])));
    let refusing = || Guest::new().prepare(|image| constant(image.error("Own")));
    let failing = Guest::new()
        .authorize(|_| "(unreachable)".to_owned())
        .respond(|_| "(unreachable)".to_owned())
        .mode(Mode::Shadow);

    let guests = [
        writer.clone(),
        Guest::new().prepare(|image| constant(image.ok())),
        failing,
    ];
    let mut run = chain(&guests).begin(cors.clone());
    run.authorize(&about).unwrap();
    run.prepare(&about).unwrap();
    run.serve(&about, Default::default()).unwrap();
    let _ = run.respond(StatusCode::ACCEPTED);
    for (of, expected) in [
        (Phase::Authorize, "allow, (phase), fail trap: passed"),
        (
            Phase::Prepare,
            "attach [test/rules], attach [], (phase): passed",
        ),
        (Phase::Serve, "serve 202, (phase), (phase): 202 by 0"),
        (
            Phase::Respond,
            "add [\"x-seen\"], (phase), (failed): passed",
        ),
    ] {
        assert_eq!(phase(&run, of), expected, "{of:?}");
    }

    let mut run = chain(&[refusing(), writer]).begin(cors.clone());
    let _ = run.prepare(&about);
    assert_eq!(phase(&run, Phase::Prepare), "deny Own, (decided): Own by 0");
    let cases = run.review();
    assert_eq!(cases.len(), 1, "what was not got to is not told");
}

#[test]
fn a_call_is_told_with_its_time() {
    let mut run = guest::run(&chain(&[Guest::allowing()]));
    let get = facts_with("GET", "/prod-a/key", &[]);
    run.authorize(&resource(&get)).unwrap();
    let trace: &Trace = run.trace();
    let (moment, calls) = trace.moments().next().unwrap();
    let access = &moment.resource.as_ref().unwrap().access;
    assert_eq!(access.action, Action::GetObject);
    assert!(calls.iter().all(|call| !call.took.is_zero()));
}

/// Decides on so many keys of one DeleteObjects, of which one has the name.
fn delete(chain: &Arc<Chain>, request: &Arc<Facts>, keys: usize) -> Run {
    let mut run = chain.begin(request.clone());
    let name = BucketName::parse("prod-a").unwrap();
    for key in 0..keys {
        let _ = run.authorize(&host::Resource {
            access: Access {
                action: Action::DeleteObject,
                bucket: Some(name.clone()),
                key: Some(ObjectKey::parse(&format!("key-{key}")).unwrap()),
                version: None,
            },
            bucket: Some(bucket("prod-a")),
            object: None,
            marker: None,
            initiator: None,
            source: None,
            source_bucket: None,
        });
    }
    run
}

#[test]
fn of_very_many_accesses_the_refused_ones_are_kept_up_to_a_bound() {
    let request = facts("POST", "/prod-a?delete");
    // Denies what it is asked last, and all else is allowed.
    let keys = 1000;
    let last = Guest::new().authorize(|image| {
        let (allow, deny) = (image.allow(), image.deny("Last"));
        format!(
            "(global.set $count (i32.add (global.get $count) (i32.const 1)))
             (select (i32.const {deny}) (i32.const {allow})
                (i32.eq (global.get $count) (i32.const {keys})))"
        )
    });
    let run = delete(&chain(&[last]), &request, keys);
    let told: Vec<_> = run.review().iter().map(shown).collect();
    assert_eq!(told.first().unwrap(), "allow: passed");
    assert_eq!(told.last().unwrap(), "deny Last: Last by 0");
    assert_eq!(told.len() + run.trace().omitted(), keys);
    assert!(told.len() < 200);

    let run = delete(&chain(&[Guest::denying("Own")]), &request, keys);
    let told = run.review();
    assert!(
        told.iter()
            .all(|review| shown(review) == "deny Own: Own by 0")
    );
    assert!(told.len() < 300);
    assert_eq!(told.len() + run.trace().omitted(), keys);
}
