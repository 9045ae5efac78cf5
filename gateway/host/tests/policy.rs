//! What a chain makes of the answers of its plugins.

mod guest;

use guest::{
    Guest, Image, SECRET, chain, code, constant, constants, decide, facts, facts_with, resource,
    run,
};
use host::{
    Directory, FailureKind, FailurePolicy, Glob, Grant, HeaderPattern, Match, Mode, OnFailure,
    Part, Plugin, Principal, Probe, Question, Scenery, Selector, Time, Unasked, Verdict, Who,
};
use http::{HeaderMap, StatusCode};
use s3::sigv4::SigningKey;
use s3::{Action, Operation};
use std::sync::Arc;
use storage::{BucketName, ObjectKey, Timestamp};

#[test]
fn a_denial_outweighs_every_permission_and_silence_permits_nothing() {
    let (allow, abstain, deny) = (Guest::allowing, Guest::abstaining, || Guest::denying("Own"));
    let trap = || Guest::new().authorize(|_| "(unreachable)".to_owned());
    let open = || {
        trap().on_failure(FailurePolicy {
            default: OnFailure::Open,
            accept_risk: true,
            ..FailurePolicy::default()
        })
    };
    let closed = || trap().on_failure(FailurePolicy::default());
    for (guests, expected) in [
        (vec![], "AccessDenied"),
        (vec![allow()], "ok"),
        (vec![abstain()], "AccessDenied"),
        (vec![deny()], "Own"),
        (vec![abstain(), allow()], "ok"),
        (vec![allow(), abstain()], "ok"),
        (vec![allow(), deny()], "Own"),
        (vec![deny(), allow()], "Own"),
        (vec![abstain(), deny(), allow()], "Own"),
        (vec![allow(), trap()], "trap"),
        (vec![allow(), closed()], "AccessDenied"),
        (vec![allow(), open()], "ok"),
        (vec![open()], "AccessDenied"),
        (vec![open(), deny()], "Own"),
        // In shadow, nothing counts; switched off, nothing is asked.
        (vec![allow(), deny().mode(Mode::Shadow)], "ok"),
        (vec![allow(), trap().mode(Mode::Shadow)], "ok"),
        (vec![allow().mode(Mode::Shadow)], "AccessDenied"),
        (vec![deny(), allow().mode(Mode::Shadow)], "Own"),
        (vec![allow(), deny().mode(Mode::Off)], "ok"),
    ] {
        assert_eq!(decide(&chain(&guests)), expected, "{guests:?}");
    }
}

#[test]
fn what_was_denied_by_failure_says_so_without_saying_more() {
    let trap = Guest::new().authorize(|_| "(unreachable)".to_owned());
    let chain = chain(&[trap.on_failure(FailurePolicy::default())]);
    let get = facts("GET", "/prod-a/key");
    let error = chain
        .begin(get.clone())
        .authorize(&resource(&get))
        .unwrap_err();
    assert_eq!(error.status(), StatusCode::FORBIDDEN);
    assert!(error.message().contains("could not be evaluated"));
    assert!(!error.message().contains("unreachable"));
}

#[test]
fn a_broken_plugin_is_never_passed_over_in_silence() {
    let host = guest::host();
    let policy = |kind: FailureKind, on: OnFailure, accept_risk: bool| FailurePolicy {
        kinds: [(kind, on)].into(),
        accept_risk,
        ..FailurePolicy::default()
    };
    let answer = || OnFailure::Answer {
        code: "ServiceUnavailable".to_owned(),
        status: None,
    };
    let (load, settings) = (FailureKind::Load, FailureKind::Settings);
    // A plugin that is interested in nothing: it has a say all the same.
    let refusing = Guest::new().configure(|image| constant(image.refusal("`key` is missing")));
    let crashing = Guest::new().configure(|_| "(unreachable)".to_owned());
    for (on, accept_risk, expected) in [
        (None, false, None),
        (Some(OnFailure::Deny), false, Some("AccessDenied")),
        (Some(answer()), false, Some("ServiceUnavailable")),
        (Some(OnFailure::Open), true, Some("ok")),
        (Some(OnFailure::Open), false, None),
    ] {
        let of = |kind| match &on {
            Some(on) => policy(kind, on.clone(), accept_risk),
            None => FailurePolicy::default(),
        };
        let broken = Plugin::broken("test", of(load), "no such file".to_owned());
        let mut all = vec![broken];
        for guest in [&refusing, &crashing] {
            all.push(Some(guest.clone().on_failure(of(settings)).load(host)));
        }
        for plugin in all {
            let name = format!("{on:?} {plugin:?}");
            let chain = plugin.and_then(|plugin| {
                let broken = host::Step {
                    plugin,
                    matching: Match {
                        buckets: vec![Glob::parse("prod-*").unwrap()],
                        ..Match::default()
                    },
                    settings: serde_json::Value::Null,
                    mode: Mode::Enforce,
                };
                let steps = vec![Guest::allowing().step(host), broken];
                host::Chain::new(steps, Arc::new(guest::People)).ok()
            });
            assert_eq!(chain.as_ref().map(decide).as_deref(), expected, "{name}");
            // It is not asked about what it is not used for.
            if let Some(chain) = chain {
                let other = facts("GET", "/test-a/key");
                let decision = chain.begin(other.clone()).authorize(&resource(&other));
                assert_eq!(code(&decision), "ok", "{name}");
            }
        }
    }
}

#[test]
fn a_fresh_instance_knows_nothing_of_the_one_before() {
    // Permits the first call of an instance only.
    let counting = Guest::new().authorize(|image| {
        let (allow, deny) = (image.allow(), image.deny("Again"));
        format!(
            "(global.set $count (i32.add (global.get $count) (i32.const 1)))
             (i32.store (i32.const 200000) (i32.add (i32.load (i32.const 200000)) (i32.const 1)))
             (select (i32.const {allow}) (i32.const {deny})
                (i32.and (i32.eq (global.get $count) (i32.const 1))
                         (i32.eq (i32.load (i32.const 200000)) (i32.const 1))))"
        )
    });
    let fresh = chain(std::slice::from_ref(&counting));
    for _ in 0..100 {
        assert_eq!(decide(&fresh), "ok");
    }
    // All accesses are decided in the same one; those after `prepare`, which only
    // the keys of DeleteObjects are, in another.
    let get = facts("GET", "/prod-a/key");
    let about = resource(&get);
    let mut run = fresh.begin(get.clone());
    for _ in 0..2 {
        assert_eq!(code(&run.authorize(&about)), "ok");
        assert_eq!(code(&run.authorize(&about)), "Again");
        assert_eq!(code(&run.prepare(&about)), "ok");
    }
    let reused = chain(&[counting.reused()]);
    assert_eq!(decide(&reused), "ok");
    assert_eq!(decide(&reused), "Again");
}

#[test]
fn an_instance_that_crashed_is_not_used_again() {
    // Crashes at its second call. A fresh one would not.
    let crashing = Guest::new().reused().authorize(|image| {
        let allow = image.allow();
        format!(
            "(if (global.get $count) (then (unreachable)))
             (global.set $count (i32.const 1))
             (i32.const {allow})"
        )
    });
    let chain = chain(&[crashing]);
    for expected in ["ok", "trap", "ok", "trap"] {
        assert_eq!(decide(&chain), expected);
    }
    let get = facts("GET", "/prod-a/key");
    let mut run = chain.begin(get.clone());
    for expected in ["ok", "trap", "trap", "trap"] {
        assert_eq!(code(&run.authorize(&resource(&get))), expected);
    }
}

#[test]
fn the_first_authenticator_that_answers_decides() {
    let asserting = |id: &str| {
        let guest = Guest::new().authenticate(|image| constant(image.account(id)));
        guest.grant(Grant::Identity)
    };
    let abstaining = || Guest::new().authenticate(|image| constant(image.abstain()));
    let denying = || Guest::new().authenticate(|image| constant(image.deny("InvalidAccessKeyId")));
    for (guests, expected) in [
        (vec![], "anonymous"),
        (vec![abstaining()], "anonymous"),
        (vec![asserting("alice"), asserting("bob")], "alice"),
        (vec![abstaining(), asserting("bob")], "bob"),
        (vec![denying(), asserting("bob")], "InvalidAccessKeyId"),
        (vec![asserting("bob"), denying()], "bob"),
        (
            vec![asserting("alice").mode(Mode::Shadow), asserting("bob")],
            "bob",
        ),
        (vec![denying().mode(Mode::Shadow)], "anonymous"),
    ] {
        let identity = run(&chain(&guests)).authenticate();
        let found = match &identity {
            Ok(identity) => match &identity.principal {
                Principal::Anonymous => "anonymous",
                Principal::Account(account) => &account.id,
            },
            Err(error) => error.code_name(),
        };
        assert_eq!(found, expected, "{guests:?}");
    }
}

const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

/// Asserts whoever made this signature, and denies where nobody did.
fn verifying(key_id: &str, scope: &str, string_to_sign: &str, signature: &str) -> Guest {
    Guest::new()
        .grant(Grant::Identity)
        .import(
            "identity",
            "verify",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .authenticate(|image| {
            let [key, key_len] = image.text(key_id);
            let [scope, scope_len] = image.text(scope);
            let [string, string_len] = image.text(string_to_sign);
            let [signature, signature_len] = image.text(signature);
            let (alice, unknown) = (image.account("alice"), image.deny("InvalidAccessKeyId"));
            let mismatch = image.deny("SignatureDoesNotMatch");
            let arguments = constants([
                key,
                key_len,
                scope,
                scope_len,
                string,
                string_len,
                signature,
                signature_len,
                60000,
            ]);
            format!(
                "(call $verify {arguments})
                 (if (result i32) (i32.load8_u (i32.const 60000))
                    (then (select (i32.const {mismatch}) (i32.const {unknown})
                                  (i32.load8_u (i32.const 60004))))
                    (else (i32.const {alice})))"
            )
        })
}

#[test]
fn a_signature_is_verified_by_the_host_and_leaves_the_key_for_a_stream() {
    let string = format!(
        "AWS4-HMAC-SHA256\n20130524T000000Z\n{SCOPE}\n{}",
        "0".repeat(64)
    );
    let key = SigningKey::derive(SECRET, "20130524", "us-east-1", "s3");
    let signature = key.sign(&string);
    let form = "eyJleHBpcmF0aW9uIjoiMjAxMyJ9";
    let of_form = key.sign(form);
    let wrong = signature.replace(['0', '1'], "2");
    for (key_id, scope, string, signature, expected, streams) in [
        ("AKIDALICE", SCOPE, &*string, &*signature, "ok", true),
        ("AKIDALICE", SCOPE, form, &of_form, "ok", false),
        (
            "AKIDALICE",
            SCOPE,
            &string,
            &wrong,
            "SignatureDoesNotMatch",
            false,
        ),
        (
            "AKIDALICE",
            SCOPE,
            &string,
            "",
            "SignatureDoesNotMatch",
            false,
        ),
        (
            "AKIDALICE",
            "20130524/us-east-1/s3",
            &string,
            &signature,
            "SignatureDoesNotMatch",
            false,
        ),
        (
            "AKIDALICE",
            "20130525/us-east-1/s3/aws4_request",
            &string,
            &signature,
            "SignatureDoesNotMatch",
            false,
        ),
        (
            "AKIDNOBODY",
            SCOPE,
            &string,
            &signature,
            "InvalidAccessKeyId",
            false,
        ),
    ] {
        let chain = chain(&[verifying(key_id, scope, string, signature)]);
        // The second time with a key that is derived already.
        for _ in 0..2 {
            let identity = run(&chain).authenticate();
            assert_eq!(code(&identity), expected, "{key_id} {scope}");
            let stream_key = identity.ok().and_then(|identity| identity.stream_key);
            assert_eq!(stream_key.is_some(), streams);
            if let Some(stream_key) = stream_key {
                assert_eq!(stream_key.scope, SCOPE);
                assert_eq!(stream_key.timestamp, "20130524T000000Z");
                assert_eq!(stream_key.seed_signature, signature);
            }
        }
    }
}

#[test]
fn who_is_not_concerned_is_not_asked() {
    let trap = |operations: &[Operation], headers: &[&str]| {
        let guest = Guest::new().on(host::Phase::Authorize, operations, headers);
        guest.limits(|limits| limits.concurrency = 0)
    };
    let matching = |operations: &[Operation], bucket: &str| Match {
        operations: operations.to_vec(),
        buckets: vec![Glob::parse(bucket).unwrap()],
        ..Match::default()
    };
    use Operation::{GetObject, PutObject};
    for (guest, asked) in [
        (trap(&[], &[]), true),
        (trap(&[GetObject], &[]), true),
        (trap(&[PutObject], &[]), false),
        (trap(&[], &["x-amz-grant-*"]), true),
        (trap(&[], &["x-amz-grant-read"]), true),
        (trap(&[], &["x-amz-acl"]), false),
        (trap(&[], &[]).matching(matching(&[], "prod-*")), true),
        (trap(&[], &[]).matching(matching(&[], "test-*")), false),
        (trap(&[], &[]).matching(matching(&[PutObject], "*")), false),
        (
            trap(&[PutObject], &[]).matching(matching(&[GetObject], "*")),
            false,
        ),
    ] {
        let expected = if asked { "overload" } else { "ok" };
        let chain = chain(&[Guest::allowing(), guest.clone()]);
        assert_eq!(decide(&chain), expected, "{guest:?}");
    }
}

#[test]
fn a_use_is_for_those_requests_that_it_is_matched_with() {
    use host::Mismatch as U;
    let all = Match::default;
    let prefixes = |list: &[&str]| Match {
        prefixes: list.iter().map(|&prefix| prefix.to_owned()).collect(),
        ..all()
    };
    let principals = |list: &[&Who]| Match {
        principals: list.iter().map(|&who| who.clone()).collect(),
        ..all()
    };
    let headers = |list: &[&str]| Match {
        headers: list
            .iter()
            .map(|pattern| HeaderPattern::parse(pattern).unwrap())
            .collect(),
        ..all()
    };
    let buckets = |pattern: &str| Match {
        buckets: vec![Glob::parse(pattern).unwrap()],
        ..all()
    };
    let rule = |within: &[&str], except: &[&str]| {
        let globs = |globs: &[&str]| {
            let globs = globs.iter().map(|glob| Glob::parse(glob).unwrap());
            globs.map(Selector::Name).collect()
        };
        Match {
            within: globs(within),
            except: globs(except),
            ..all()
        }
    };
    let (alice, anyone) = (Who::Account("alice".to_owned()), Who::Anonymous);
    let (role, other_role) = (
        Who::Role("provisioner".to_owned()),
        Who::Role("auditor".to_owned()),
    );
    let known = Principal::Account(guest::People.by_id("alice").unwrap());
    let stranger = || Principal::Anonymous;
    let (get, list) = ("/prod-a/logs/1", "/prod-a");
    for (matching, principal, target, expected) in [
        (all(), stranger(), get, Ok(())),
        (prefixes(&["logs/"]), stranger(), get, Ok(())),
        (prefixes(&["data/", "logs/"]), stranger(), get, Ok(())),
        (prefixes(&["data/"]), stranger(), get, Err(U::Prefix)),
        (prefixes(&["logs/1"]), stranger(), get, Ok(())),
        (prefixes(&["logs/1/"]), stranger(), get, Err(U::Prefix)),
        (prefixes(&["logs/"]), stranger(), list, Err(U::Prefix)),
        (buckets("prod-*"), stranger(), list, Ok(())),
        (buckets("test-*"), stranger(), list, Err(U::Bucket)),
        (buckets("*"), stranger(), "/", Err(U::Bucket)),
        (rule(&["prod-*"], &[]), stranger(), get, Ok(())),
        (rule(&["test-*"], &[]), stranger(), get, Err(U::BucketRule)),
        (rule(&["*"], &[]), stranger(), "/", Err(U::BucketRule)),
        (
            rule(&["*"], &["prod-a"]),
            stranger(),
            get,
            Err(U::BucketRule),
        ),
        (
            rule(&[], &["test-*", "prod-*"]),
            stranger(),
            list,
            Err(U::BucketRule),
        ),
        (rule(&[], &["test-*"]), stranger(), list, Ok(())),
        (rule(&[], &["*"]), stranger(), "/", Ok(())),
        (principals(&[&anyone]), stranger(), get, Ok(())),
        (
            principals(&[&anyone]),
            known.clone(),
            get,
            Err(U::Principal),
        ),
        (principals(&[&alice]), known.clone(), get, Ok(())),
        (principals(&[&alice]), stranger(), get, Err(U::Principal)),
        (
            principals(&[&other_role, &role]),
            known.clone(),
            get,
            Ok(()),
        ),
        (principals(&[&role]), stranger(), get, Err(U::Principal)),
        (
            principals(&[&other_role]),
            known.clone(),
            get,
            Err(U::Principal),
        ),
        (headers(&["x-amz-grant-*"]), stranger(), get, Ok(())),
        (
            headers(&["x-a", "x-amz-grant-read"]),
            stranger(),
            get,
            Ok(()),
        ),
        (headers(&["x-amz-acl"]), stranger(), get, Err(U::Header)),
        (headers(&["x-amz-grant"]), stranger(), get, Err(U::Header)),
    ] {
        // It is refused to get in, so that a request shows whether it came.
        let guest = Guest::allowing().limits(|limits| limits.concurrency = 0);
        let chain = chain(&[Guest::allowing(), guest.matching(matching.clone())]);
        let facts = facts("GET", target);
        let mut run = chain.begin_as(facts.clone(), principal);
        let found = code(&run.authorize(&resource(&facts)));
        let asked = if expected.is_ok() { "overload" } else { "ok" };
        assert_eq!(found, asked, "{matching:?} {target}");
        let review = run.review();
        let why = match &review[0].steps[1] {
            Part::Asked(_) => Ok(()),
            Part::Unasked(Unasked::Unmatched(mismatch)) => Err(*mismatch),
            other @ Part::Unasked(_) => panic!("{other:?}"),
        };
        assert_eq!(why, expected, "{matching:?} {target}");
    }
    for pattern in ["", "*", "X-Upper", "a*b", "a b", "a:"] {
        assert!(HeaderPattern::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn each_key_is_matched_by_itself_and_a_response_by_the_request() {
    let of_logs = Match {
        prefixes: vec!["logs/".to_owned()],
        ..Match::default()
    };
    let guest = Guest::denying("Own").respond(|image| constant(image.headers(&[("x-seen", "1")])));
    let chain = chain(&[Guest::allowing(), guest.matching(of_logs)]);
    let access = |key: &str| host::Resource {
        access: s3::Access {
            action: Action::DeleteObject,
            bucket: Some(BucketName::parse("prod-a").unwrap()),
            key: Some(ObjectKey::parse(key).unwrap()),
            version: None,
        },
        bucket: Some(guest::bucket("prod-a")),
        object: None,
        marker: None,
        initiator: None,
        source: None,
        source_bucket: None,
    };
    let many = facts("POST", "/prod-a?delete");
    let mut run = chain.begin(many.clone());
    assert_eq!(code(&run.authorize(&access("data/1"))), "ok");
    assert_eq!(code(&run.authorize(&access("logs/1"))), "Own");
    assert_eq!(code(&run.authorize(&access("data/2"))), "ok");
    // The request itself is about no key, whatever was decided last.
    assert_eq!(code(&run.authorize(&access("logs/2"))), "Own");
    assert!(run.respond(StatusCode::OK).is_empty());
    // A copy is answered as one to its target, also when its source was refused.
    for (target, source, seen) in [
        ("/prod-a/logs/1", "data/1", 1),
        ("/prod-a/data/1", "logs/1", 0),
    ] {
        let copy = facts_with("PUT", target, &[("x-amz-copy-source", "/prod-a/x")]);
        let mut run = chain.begin(copy);
        let _ = run.authorize(&access(source));
        assert_eq!(run.respond(StatusCode::OK).len(), seen, "{target}");
    }
}

#[test]
fn what_is_watched_is_watched_within_other_operations_too() {
    use Operation::{
        CopyObject, DeleteObject, DeleteObjects, GetObject, PutObject, PutObjectAcl, UploadPart,
        UploadPartCopy,
    };
    const SOURCE: (&str, &str) = ("x-amz-copy-source", "/source/a");
    const PART: &str = "/prod-a/key?partNumber=1&uploadId=u";
    let acl = ("x-amz-acl", "private");
    let of_key = s3::Access {
        action: Action::DeleteObject,
        bucket: Some(BucketName::parse("prod-a").unwrap()),
        key: Some(ObjectKey::parse("key").unwrap()),
        version: None,
    };
    // The watched operation; a request; which of its accesses is asked about.
    type Case<'a> = (Operation, &'a str, &'a str, &'a [(&'a str, &'a str)], usize);
    let cases: [(Case<'_>, bool); 17] = [
        ((DeleteObject, "POST", "/prod-a?delete", &[], 0), true),
        ((DeleteObjects, "POST", "/prod-a?delete", &[], 0), true),
        ((PutObject, "POST", "/prod-a?delete", &[], 0), false),
        ((DeleteObjects, "DELETE", "/prod-a/key", &[], 0), false),
        ((GetObject, "PUT", "/prod-a/key", &[SOURCE], 0), true),
        ((GetObject, "PUT", "/prod-a/key", &[SOURCE], 1), false),
        ((PutObject, "PUT", "/prod-a/key", &[SOURCE], 0), false),
        ((PutObject, "PUT", "/prod-a/key", &[SOURCE], 1), true),
        ((CopyObject, "PUT", "/prod-a/key", &[SOURCE], 0), true),
        ((CopyObject, "PUT", "/prod-a/key", &[SOURCE], 1), true),
        ((CopyObject, "PUT", "/prod-a/key", &[], 0), false),
        ((PutObjectAcl, "PUT", "/prod-a/key", &[acl], 0), false),
        ((PutObjectAcl, "PUT", "/prod-a/key", &[acl], 1), true),
        ((PutObject, "PUT", PART, &[], 0), false),
        ((UploadPart, "PUT", PART, &[], 0), true),
        ((GetObject, "PUT", PART, &[SOURCE], 0), true),
        ((UploadPartCopy, "PUT", PART, &[SOURCE], 1), true),
    ];
    for ((watched, method, target, headers, number), asked) in cases {
        let facts = facts_with(method, target, headers);
        let mut accesses = facts.head.accesses().unwrap();
        // Only the body names what DeleteObjects asks for.
        accesses.push(of_key.clone());
        let access = accesses.swap_remove(number);
        let about = host::Resource {
            bucket: access
                .bucket
                .as_ref()
                .map(|name| guest::bucket(name.as_str())),
            object: None,
            marker: None,
            initiator: None,
            source: None,
            source_bucket: None,
            access,
        };
        let by_interest = Guest::new()
            .on(host::Phase::Authorize, &[watched], &[])
            .limits(|limits| limits.concurrency = 0);
        let by_match = Guest::denying("overload").matching(Match {
            operations: vec![watched],
            ..Match::default()
        });
        for guest in [by_interest, by_match] {
            let chain = chain(&[Guest::allowing(), guest]);
            let decision = chain.begin(facts.clone()).authorize(&about);
            let expected = if asked { "overload" } else { "ok" };
            assert_eq!(
                code(&decision),
                expected,
                "{watched} in {method} {target} {headers:?} {number}"
            );
        }
    }
}

/// Puts a document named `written`.
fn put(image: &mut Image, scope: usize) -> String {
    let [name, name_len] = image.text("written");
    let [content, len] = image.text("by the plugin");
    let arguments = constants([scope, name, name_len, content, len]);
    format!("(call $put {arguments})")
}

/// Traps unless this document has this many bytes.
fn expect(image: &mut Image, name: &str, len: usize) -> String {
    let [name, name_len] = image.text(name);
    let arguments = constants([0, name, name_len, 60000]);
    format!(
        "(call $get {arguments})
         (if (i32.ne (i32.const {len}) (i32.mul (i32.load8_u (i32.const 60000)) (i32.load (i32.const 60008))))
            (then (unreachable)))"
    )
}

#[test]
fn documents_are_kept_under_the_plugins_name_and_seen_in_later_phases() {
    let writer = Guest::new()
        .grant(Grant::Documents)
        .import("documents", "get", "(param i32 i32 i32 i32)")
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .authorize(|image| {
            let stored = expect(image, "stored", "from the store".len());
            let absent = expect(image, "written", 0);
            format!("{stored} {absent} {}", constant(image.allow()))
        })
        .prepare(|image| {
            let (bucket, object) = (put(image, 0), put(image, 1));
            let seen = expect(image, "written", "by the plugin".len());
            format!("{bucket} {object} {seen} {}", constant(image.ok()))
        })
        .respond(|image| {
            let seen = expect(image, "written", "by the plugin".len());
            format!("{seen} {}", constant(image.headers(&[("x-seen", "1")])))
        });
    let other = Guest::new()
        .named("stranger")
        .grant(Grant::Documents)
        .import("documents", "get", "(param i32 i32 i32 i32)")
        .prepare(|image| {
            let (stored, written) = (expect(image, "stored", 0), expect(image, "written", 0));
            format!("{stored} {written} {}", constant(image.ok()))
        });
    let shadow = writer.clone().named("shadow").mode(Mode::Shadow);
    // Whoever serves this may attach to both.
    let put = facts("PUT", "/prod-a/key?tagging");
    let chain = chain(&[writer, other, shadow]);
    let mut run = chain.begin(put.clone());
    let about = resource(&put);
    assert_eq!(code(&run.authorize(&about)), "ok");
    let changes = run.prepare(&about).unwrap();
    for amendment in [&changes.bucket, &changes.object] {
        let names: Vec<_> = amendment.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["test/written"]);
    }
    assert_eq!(run.respond(StatusCode::OK)["x-seen"], "1");
}

/// Attaches a document to a bucket or to an object.
fn attaching(scope: s3::Scope) -> Guest {
    Guest::new()
        .grant(Grant::Documents)
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .prepare(|image| format!("{} {}", put(image, scope as usize), constant(image.ok())))
}

#[test]
fn a_document_is_attached_only_to_what_the_operation_stores() {
    let chains = [s3::Scope::Bucket, s3::Scope::Object].map(|scope| chain(&[attaching(scope)]));
    for (method, target, expected) in [
        ("PUT", "/prod-a", ["ok", "invalid"]),
        ("HEAD", "/prod-a", ["invalid", "invalid"]),
        ("DELETE", "/prod-a", ["invalid", "invalid"]),
        ("PUT", "/prod-a/key", ["invalid", "ok"]),
        ("POST", "/prod-a/key?uploads", ["invalid", "ok"]),
        ("POST", "/prod-a/key?uploadId=a", ["invalid", "ok"]),
        (
            "PUT",
            "/prod-a/key?uploadId=a&partNumber=1",
            ["invalid", "invalid"],
        ),
        ("GET", "/prod-a/key", ["invalid", "invalid"]),
        ("DELETE", "/prod-a/key", ["invalid", "invalid"]),
        // By a plugin, for the sake of its documents.
        ("PUT", "/prod-a?cors", ["ok", "invalid"]),
        ("PUT", "/prod-a/key?tagging", ["ok", "ok"]),
    ] {
        let facts = facts(method, target);
        let found = chains
            .each_ref()
            .map(|chain| code(&chain.begin(facts.clone()).prepare(&resource(&facts))));
        assert_eq!(found, expected, "{method} {target}");
    }
}

#[test]
fn one_plugin_does_not_fill_a_record_for_all() {
    let chain = chain(&[attaching(s3::Scope::Bucket)]);
    let full = 256 << 10;
    let name = "test/other";
    let own = "test/written".len() + "by the plugin".len();
    for (method, target, stored, len, expected) in [
        ("PUT", "/prod-a?cors", name, full - own - name.len(), "ok"),
        (
            "PUT",
            "/prod-a?cors",
            name,
            full - own - name.len() + 1,
            "output",
        ),
        // What it replaces does not count, nor what others have.
        ("PUT", "/prod-a?cors", "test/written", full, "ok"),
        ("PUT", "/prod-a?cors", "tests/other", full, "ok"),
        ("PUT", "/prod-a?cors", "test", full, "ok"),
    ] {
        let facts = facts(method, target);
        let mut about = resource(&facts);
        let bucket = Arc::make_mut(about.bucket.as_mut().unwrap());
        bucket.documents = [(stored.to_owned(), vec![0; len].into())]
            .into_iter()
            .collect();
        let found = code(&chain.begin(facts).prepare(&about));
        assert_eq!(found, expected, "{stored} of {len} bytes");
    }
}

#[test]
fn a_claimed_operation_is_served_with_the_body_that_came() {
    let echo = |image: &mut Image| {
        // The body lands in a result of its own; its list becomes the reply's.
        let reply = image.reply(200, &[("content-type", "text/plain")], [0, 0]);
        format!(
            "(call $body (i32.const 60000))
             (i32.store (i32.const {}) (i32.load (i32.const 60004)))
             (i32.store (i32.const {}) (i32.load (i32.const 60008)))
             (i32.const {reply})",
            reply + 16,
            reply + 20,
        )
    };
    let guest = Guest::new()
        .import("request", "body", "(param i32)")
        .serve(Operation::PutBucketCors, echo)
        .authorize(|image| format!("(call $body (i32.const 60000)) {}", constant(image.allow())));
    let chain = chain(&[guest]);
    let cors = facts("PUT", "/prod-a?cors");
    let served = chain
        .begin(cors.clone())
        .serve(&resource(&cors), "rules".into());
    let served = served.unwrap();
    assert_eq!(served.status, StatusCode::OK);
    assert_eq!(served.headers["content-type"], "text/plain");
    assert_eq!(served.body, "rules");
    // Before that there is no body.
    assert_eq!(
        code(&chain.begin(cors.clone()).authorize(&resource(&cors))),
        "invalid"
    );
    // A body that is too long is told to the guest, which echoes the code.
    let long = vec![b'x'; (1 << 20) + 1].into();
    let served = chain.begin(cors.clone()).serve(&resource(&cors), long);
    assert_eq!(served.unwrap().body, "EntityTooLarge");
    // What nobody claims is not there.
    let tagging = facts("PUT", "/prod-a?tagging");
    let served = chain
        .begin(tagging.clone())
        .serve(&resource(&tagging), "".into());
    assert_eq!(code(&served), "NotImplemented");
}

#[test]
fn uses_of_one_plugin_serve_each_the_buckets_that_are_its_own() {
    let globs = |globs: &[&str]| -> Vec<Selector> {
        let globs = globs.iter().map(|glob| Glob::parse(glob).unwrap());
        globs.map(Selector::Name).collect()
    };
    let answering = |status: u16, within: &[&str], except: &[&str]| {
        let reply = move |image: &mut Image| constant(image.reply(status, &[], [0, 0]));
        let guest = Guest::new().serve(Operation::GetBucketCors, reply);
        guest.matching(Match {
            within: globs(within),
            except: globs(except),
            ..Match::default()
        })
    };
    let chain = chain(&[
        answering(201, &["prod-*"], &[]),
        answering(202, &["test-*"], &["prod-*"]),
        answering(203, &["shadow-*"], &["prod-*", "test-*"]).mode(Mode::Shadow),
        answering(204, &[], &["prod-*", "test-*", "shadow-*"]),
    ]);
    for (bucket, expected) in [
        ("prod-a", Ok(201)),
        ("test-a", Ok(202)),
        ("other", Ok(204)),
        // What is in shadow serves nothing, and nothing serves in its place.
        ("shadow-a", Err("NotImplemented")),
    ] {
        let cors = facts("GET", &format!("/{bucket}?cors"));
        let served = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
        match (&served, expected) {
            (Ok(served), Ok(status)) => assert_eq!(served.status, status, "{bucket}"),
            (refused, Err(expected)) => assert_eq!(code(refused), expected, "{bucket}"),
            (refused, Ok(_)) => panic!("{bucket}: {refused:?}"),
        }
    }
}

#[test]
fn headers_are_added_from_the_last_to_the_first_and_never_replaced() {
    let adding =
        |headers: &[(&str, &str)]| Guest::new().respond(|image| constant(image.headers(headers)));
    let failing = Guest::new().respond(|_| "(unreachable)".to_owned());
    let chain = chain(&[
        adding(&[("x-first", "1"), ("vary", "origin"), ("x-both", "first")]),
        failing,
        adding(&[("vary", "range"), ("x-both", "last"), ("x-both", "again")]),
        adding(&[("x-shadow", "1")]).mode(Mode::Shadow),
    ]);
    let added = run(&chain).respond(StatusCode::NOT_FOUND);
    let all = |headers: &HeaderMap, name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(all(&added, "x-both"), ["last", "again"]);
    assert_eq!(all(&added, "vary"), ["range", "origin"]);
    assert_eq!(all(&added, "x-first"), ["1"]);
    assert!(all(&added, "x-shadow").is_empty());
}

#[test]
fn an_instance_lives_up_to_prepare_and_serve_and_respond_have_others() {
    // Traps unless this is that call of its instance.
    let nth = |number: usize, result: usize| {
        format!(
            "(global.set $count (i32.add (global.get $count) (i32.const 1)))
             (if (i32.ne (global.get $count) (i32.const {number})) (then (unreachable)))
             (i32.const {result})"
        )
    };
    let counting = Guest::new()
        .authenticate(|image| nth(1, image.abstain()))
        .authorize(|image| nth(2, image.allow()))
        .prepare(|image| nth(3, image.ok()))
        .serve(Operation::GetBucketCors, |image| {
            nth(1, image.reply(200, &[], [0, 0]))
        })
        .respond(|image| nth(1, image.headers(&[("x-seen", "1")])));
    let chain = chain(&[counting]);
    let cors = facts("GET", "/prod-a?cors");
    let about = resource(&cors);
    for _ in 0..2 {
        let mut run = chain.begin(cors.clone());
        assert_eq!(code(&run.authenticate()), "ok");
        assert_eq!(code(&run.authorize(&about)), "ok");
        assert_eq!(code(&run.prepare(&about)), "ok");
        assert_eq!(code(&run.serve(&about, "".into())), "ok");
        assert_eq!(run.respond(StatusCode::OK)["x-seen"], "1");
    }
}

#[test]
fn a_probe_shows_what_a_plugin_says_itself() {
    let ask = |guest: &Guest, facts: &Arc<host::Facts>| {
        let probe = Probe::new(
            guest.load(guest::host()),
            serde_json::Value::Null,
            Scenery::new(Arc::new(guest::People), Time::Real),
        );
        let probe = probe.unwrap();
        let question = Question {
            facts: facts.clone(),
            principal: Principal::Anonymous,
            resource: Some(resource(facts)),
            creation: None,
        };
        let said = match probe.authorize(&question) {
            Ok(Verdict::Abstain) => "abstain".to_owned(),
            Ok(Verdict::Affirm(())) => "allow".to_owned(),
            Ok(Verdict::Deny(error)) => error.code_name().to_owned(),
            Err(failure) => failure.kind.name().to_owned(),
        };
        (said, probe.concerns(host::Phase::Authorize, &question))
    };
    let get = facts("GET", "/prod-a/key");
    let trap = || Guest::new().authorize(|_| "(unreachable)".to_owned());
    for (guest, said, concerned) in [
        (Guest::abstaining(), "abstain", true),
        (Guest::allowing(), "allow", true),
        (Guest::denying("Own"), "Own", true),
        (trap(), "trap", true),
        (trap().on_failure(FailurePolicy::default()), "trap", true),
        // Without an interest it is not called in a chain.
        (Guest::new(), "abstain", false),
    ] {
        assert_eq!(ask(&guest, &get), (said.to_owned(), concerned), "{guest:?}");
    }
}

#[test]
fn the_clock_of_a_probe_shows_the_time_that_it_is_given() {
    // Allows at a thousand milliseconds, and at no other time.
    let punctual = Guest::new()
        .grant(Grant::Clock)
        .import("clock", "now-ms", "(result i64)")
        .authorize(|image| {
            let (allow, abstain) = (image.allow(), image.abstain());
            format!(
                "(select (i32.const {allow}) (i32.const {abstain})
                    (i64.eq (call $now-ms) (i64.const 1000)))"
            )
        });
    let get = facts("GET", "/prod-a/key");
    for (time, allowed) in [
        (Time::At(Timestamp(1000)), true),
        (Time::At(Timestamp(1001)), false),
        (Time::Real, false),
    ] {
        let probe = Probe::new(
            punctual.load(guest::host()),
            serde_json::Value::Null,
            Scenery::new(Arc::new(guest::People), time),
        );
        let vote = probe.unwrap().authorize(&Question {
            facts: get.clone(),
            principal: Principal::Anonymous,
            resource: Some(resource(&get)),
            creation: None,
        });
        let vote = vote.unwrap();
        assert_eq!(matches!(vote, Verdict::Affirm(())), allowed, "{time:?}");
    }
}

fn object(key: &str, document: &str) -> Arc<storage::Object> {
    let documents = [(document.to_owned(), "kept".into())];
    Arc::new(storage::Object {
        key: ObjectKey::parse(key).expect("a key of the test"),
        version: storage::VersionId::Null,
        id: 1,
        owner: "alice".to_owned(),
        size: 0,
        etag: String::new(),
        modified: Timestamp(0),
        metadata: storage::Metadata::new(),
        documents: documents.into_iter().collect(),
        parts: Vec::new(),
        location: storage::Locator::new(()),
    })
}

#[test]
fn a_document_concerns_its_plugin_wherever_it_is_kept() {
    let get = facts("GET", "/prod-a/key");
    let asked = |name: &str, change: &dyn Fn(&mut host::Resource)| {
        let guest = Guest::denying("Asked").where_there_is(host::Phase::Authorize, &[name]);
        let mut about = resource(&get);
        change(&mut about);
        let chain = chain(&[Guest::allowing().named("other"), guest]);
        code(&chain.begin(get.clone()).authorize(&about)) == "Asked"
    };
    assert!(asked("stored", &|_| ()));
    assert!(!asked("stored", &|about| about.bucket = None));
    let tagged = object("key", "test/tags");
    assert!(!asked("tags", &|_| ()));
    assert!(asked("tags", &|about| about.object = Some(tagged.clone())));
    assert!(asked("tags", &|about| about.source = Some(tagged.clone())));
    let of_another = object("key", "other/tags");
    assert!(!asked("tags", &|about| about.object = Some(of_another.clone())));
}

#[test]
fn what_a_copy_reads_is_read_and_not_changed() {
    let get = "(param i32 i32 i32 i32)";
    let source = 2;
    let reading = Guest::new()
        .grant(Grant::Documents)
        .import("documents", "get", get)
        .prepare(|image| {
            let name = constants(image.text("tags"));
            let (ok, refusal) = (image.ok(), image.error("Untagged"));
            format!(
                "(call $get (i32.const {source}) {name} (i32.const 60000))
                 (select (i32.const {ok}) (i32.const {refusal}) (i32.load8_u (i32.const 60000)))"
            )
        });
    let copy = facts_with(
        "PUT",
        "/prod-a/key",
        &[("x-amz-copy-source", "prod-a/other")],
    );
    let prepared = |guest: &Guest, source: Option<Arc<storage::Object>>| {
        let mut about = resource(&copy);
        about.source = source;
        code(
            &chain(std::slice::from_ref(guest))
                .begin(copy.clone())
                .prepare(&about),
        )
    };
    assert_eq!(prepared(&reading, None), "Untagged");
    let tagged = Some(object("other", "test/tags"));
    assert_eq!(prepared(&reading, tagged.clone()), "ok");
    let writing = Guest::new()
        .grant(Grant::Documents)
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .prepare(|image| format!("{} {}", put(image, source), constant(image.ok())));
    assert_eq!(prepared(&writing, tagged), "invalid");
}

#[test]
fn a_rule_may_be_about_what_buckets_were_made_by() {
    let archive = || vec![Selector::Template("archive".to_owned())];
    let named = Selector::Name(Glob::parse("old-*").unwrap());
    let rule = Guest::denying("Rule").matching(Match {
        within: [archive(), vec![named.clone()]].concat(),
        ..Match::default()
    });
    let rest = Guest::denying("Rest").named("rest").matching(Match {
        except: [archive(), vec![named]].concat(),
        ..Match::default()
    });
    let chain = chain(&[rule, rest]);
    let check = |name: &str, template: Option<&str>, expected: &str| {
        let facts = facts("GET", &format!("/{name}/key"));
        let mut about = resource(&facts);
        let bucket = Arc::make_mut(about.bucket.as_mut().unwrap());
        bucket.placement.template = template.map(str::to_owned);
        let found = code(&chain.begin(facts).authorize(&about));
        assert_eq!(found, expected, "{name} by {template:?}");
    };
    check("prod-a", Some("archive"), "Rule");
    check("prod-a", Some("archives"), "Rest");
    check("prod-a", None, "Rest");
    check("archive", None, "Rest");
    check("old-a", None, "Rule");
    check("old-a", Some("other"), "Rule");
    // A bucket that is not there was made by nothing.
    let facts = facts("PUT", "/prod-a");
    let mut about = resource(&facts);
    about.bucket = None;
    assert_eq!(code(&chain.begin(facts).authorize(&about)), "Rest");
}

#[test]
fn a_response_is_about_what_the_request_addresses_however_far_it_got() {
    let guest = Guest::new()
        .grant(Grant::Documents)
        .import("documents", "get", "(param i32 i32 i32 i32)")
        .respond(|image| {
            let seen = expect(image, "stored", "from the store".len());
            format!("{seen} {}", constant(image.headers(&[("x-seen", "1")])))
        })
        .where_there_is(host::Phase::Respond, &["stored"]);
    let chain = chain(&[guest]);
    let get = facts("GET", "/prod-a/key");
    let seen = |run: &mut host::Run| run.respond(StatusCode::FORBIDDEN).contains_key("x-seen");
    let mut run = chain.begin(get.clone());
    assert!(!seen(&mut run), "nothing is known of it");
    let mut run = chain.begin(get.clone());
    run.address(&resource(&get));
    assert!(seen(&mut run));
    // What was decided last was about something else.
    let mut run = chain.begin(get.clone());
    run.address(&resource(&get));
    let other = facts("GET", "/other/key");
    let mut about = resource(&other);
    about.bucket = None;
    let _ = run.authorize(&about);
    assert!(seen(&mut run));
}
