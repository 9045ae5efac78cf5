//! What is loaded, and what is refused with a reason the operator understands.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail like tests"
)]

mod guest;

use std::sync::Arc;

use guest::{Guest, People, constant, host};
use host::{
    Chain, ChainError, FailurePolicy, Grant, LoadError, Mode, OnFailure, Phase, Plugin, Selector,
    Source,
};
use s3::{Operation, Scope};

fn load(source: Source) -> Result<Arc<Plugin>, LoadError> {
    host().load(source)
}

/// Loading fails, and the message has all of these words.
fn refused(source: Source, words: &[&str]) {
    let message = load(source).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn a_plugin_says_what_it_is() {
    let guest = Guest::new()
        .on(
            Phase::Authorize,
            &[Operation::PutObject],
            &["x-amz-grant-*"],
        )
        .claim(Operation::GetBucketCors);
    let plugin = load(guest.source()).unwrap();
    let manifest = plugin.manifest();
    assert_eq!(manifest.claims, [Operation::GetBucketCors]);
    let [interest] = &manifest.interests[..] else {
        panic!("{manifest:?}");
    };
    assert_eq!(interest.phase, Phase::Authorize);
    assert_eq!(interest.operations, [Operation::PutObject]);
    assert_eq!(interest.headers, ["x-amz-grant-*"]);
}

#[test]
fn an_import_without_its_grant_is_named() {
    let asking = Guest::new()
        .named("auth")
        .import("clock", "now-ms", "(result i64)")
        .authorize(|image| format!("(drop (call $now-ms)) {}", constant(image.abstain())));
    let import = "sluice:policy/clock@0.1.0";
    refused(asking.source(), &["`auth`", import, "grant `clock`"]);
    refused(asking.clone().grant(Grant::Identity).source(), &[import]);
    load(asking.grant(Grant::Clock).source()).unwrap();
}

#[test]
fn every_capability_is_granted_by_its_name() {
    for (grant, function, signature) in [
        (
            Grant::Counters,
            "add",
            "(param i32 i32 i64 i64) (result i64)",
        ),
        (Grant::Secrets, "hmac-sha256", "(param i32 i32 i32 i32 i32)"),
        (
            Grant::Http,
            "fetch",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        ),
    ] {
        // What is imported and not used would not be in the component.
        let arguments: String = signature
            .split(['(', ')', ' '])
            .skip_while(|word| *word != "param")
            .take_while(|word| *word != "result")
            .filter(|word| matches!(*word, "i32" | "i64"))
            .map(|word| format!("({word}.const 0)"))
            .collect();
        let call = match signature.contains("result") {
            true => format!("(drop (call ${function} {arguments}))"),
            false => format!("(call ${function} {arguments})"),
        };
        let asking = Guest::new()
            .import(grant.name(), function, signature)
            .authorize(|image| format!("{call} {}", constant(image.abstain())));
        let import = format!("sluice:policy/{grant}@0.1.0");
        let needed = format!("needs the grant `{grant}`");
        refused(asking.source(), &[&import, &needed]);
        load(asking.grant(grant).source()).unwrap();
    }
}

/// A component that imports this, and nothing else of interest.
fn importing(import: &str) -> Source {
    let component = format!("(component (import \"{import}\" (instance)))");
    Source {
        component: wat::parse_str(component).unwrap(),
        ..Guest::new().named("odd").source()
    }
}

#[test]
fn an_import_that_is_not_in_the_contract_is_named() {
    for import in [
        "wasi:cli/environment@0.2.0",
        "sluice:policy/sockets@0.1.0",
        "sluice:other/request@0.1.0",
        "env",
    ] {
        refused(importing(import), &["`odd`", import]);
    }
    refused(
        importing("sluice:policy/request@0.2.0"),
        &["another version", "0.2.0"],
    );
    refused(importing("sluice:policy/request"), &["another version"]);
}

#[test]
fn a_component_without_all_exports_is_refused() {
    // The encoder would not build one that has some.
    let empty = Source {
        component: wat::parse_str("(component)").unwrap(),
        ..Guest::new().source()
    };
    refused(empty, &["does not fit the contract", "no export"]);
}

#[test]
fn what_is_not_a_component_is_refused() {
    let sound = Guest::allowing().component();
    let broken = |component: Vec<u8>| Source {
        component,
        ..Guest::new().source()
    };
    let not_a_component = ["`test`", "not a WebAssembly component"];
    for len in [0, 1, 4, 7, 9, sound.len() / 2, sound.len() - 1] {
        refused(broken(sound[..len].to_vec()), &not_a_component);
    }
    refused(broken(b"(component)".to_vec()), &not_a_component);
    refused(broken(b"\x7fELF\x02\x01\x01".to_vec()), &not_a_component);
    refused(
        broken(wat::parse_str("(module)").unwrap()),
        &not_a_component,
    );
    // Code that was compiled elsewhere would be believed without a check.
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&sound).unwrap();
    refused(broken(compiled), &not_a_component);
}

#[test]
fn the_digest_decides_what_is_compiled() {
    let source = Guest::allowing().source();
    let digest = load(source.clone()).unwrap().digest().unwrap();
    let expecting = |digest| Source {
        digest: Some(digest),
        ..source.clone()
    };
    load(expecting(digest)).unwrap();
    refused(expecting([0; 32]), &["`test`", "sha256:0000"]);
}

#[test]
fn a_name_is_one_that_documents_can_be_kept_under() {
    for name in ["", "a/b", "Upper", "a b", "..", &"a".repeat(65)] {
        refused(Guest::new().named(name).source(), &["the name of a plugin"]);
    }
}

#[test]
fn failing_open_where_it_lets_anybody_in_needs_to_be_accepted() {
    let open = |accept_risk| FailurePolicy {
        default: OnFailure::Open,
        accept_risk,
        ..FailurePolicy::default()
    };
    let deciding = Guest::allowing().on_failure(open(false));
    refused(deciding.source(), &["accept_risk"]);
    load(deciding.on_failure(open(true)).source()).unwrap();
    let adding = Guest::new().respond(|image| constant(image.headers(&[])));
    load(adding.on_failure(open(false)).source()).unwrap();
}

/// Building a chain of these fails with these messages.
fn faulty(guests: &[Guest], faults: &[&str]) {
    let host = host();
    let steps = guests.iter().map(|guest| guest.step(host)).collect();
    let errors = Chain::new(steps, Arc::new(People)).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ChainError::to_string).collect();
    assert_eq!(errors, faults);
}

#[test]
fn an_operation_is_served_by_one_plugin_and_native_ones_by_none() {
    let cors = |name| Guest::new().named(name).claim(Operation::GetBucketCors);
    faulty(
        &[cors("one"), Guest::allowing(), cors("two")],
        &["step 2, plugin `two`: GetBucketCors is served by step 0 already"],
    );
    faulty(
        &[Guest::new().claim(Operation::GetObject)],
        &["step 0, plugin `test`: GetObject is served by the gateway itself and cannot be claimed"],
    );
    let of = |within: &[&str], except: &[&str]| {
        let globs = |globs: &[&str]| {
            let globs = globs.iter().map(|glob| host::Glob::parse(glob).unwrap());
            globs.map(Selector::Name).collect()
        };
        host::Match {
            within: globs(within),
            except: globs(except),
            ..host::Match::default()
        }
    };
    faulty(
        &[
            cors("one").matching(of(&["a", "b"], &[])),
            cors("one").matching(of(&[], &["a"])),
        ],
        &["step 1, plugin `one`: GetBucketCors is served by step 0 already"],
    );
    faulty(
        &[
            cors("one").matching(of(&["a"], &[])),
            cors("two").matching(of(&[], &["a"])),
        ],
        &["step 1, plugin `two`: GetBucketCors is served by step 0 already"],
    );
    let chain = guest::chain(&[cors("one"), cors("two").mode(Mode::Off)]);
    let claims = |chain: &Chain, method| {
        let facts = guest::facts(method, "/bucket?cors");
        chain.claims(&facts.head)
    };
    assert!(claims(&chain, "GET"));
    assert!(!claims(&chain, "PUT"));
    let shadow = guest::chain(&[cors("one").mode(Mode::Shadow)]);
    assert!(!claims(&shadow, "GET"));
}

#[test]
fn who_finds_out_the_principal_cannot_be_matched_by_it() {
    let matched = |guest: Guest| {
        guest.matching(host::Match {
            principals: vec![host::Who::Anonymous],
            ..host::Match::default()
        })
    };
    let asserting = Guest::new().authenticate(|image| constant(image.abstain()));
    faulty(
        &[matched(Guest::allowing()), matched(asserting)],
        &[
            "step 1, plugin `test`: it is used for some principals only, and takes part in `authenticate`, which finds out who the principal is",
        ],
    );
}

#[test]
fn who_finds_out_the_principal_does_so_in_all_buckets() {
    let asserting = || Guest::new().authenticate(|image| constant(image.abstain()));
    let everywhere = host::Match::default;
    let buckets = || host::Match {
        buckets: vec![host::Glob::parse("partner-*").unwrap()],
        ..everywhere()
    };
    let named = || buckets().buckets.into_iter().map(Selector::Name).collect();
    let rule = || host::Match {
        within: named(),
        ..everywhere()
    };
    let rest = || host::Match {
        except: named(),
        ..everywhere()
    };
    let made = || host::Match {
        within: vec![Selector::Template("archive".to_owned())],
        ..everywhere()
    };
    let prefixes = || host::Match {
        prefixes: vec!["partner/".to_owned()],
        ..everywhere()
    };
    let operations = || host::Match {
        operations: vec![Operation::GetObject],
        ..everywhere()
    };
    for (guest, is_faulty) in [
        (asserting().matching(buckets()), true),
        (asserting().matching(prefixes()), true),
        (asserting().matching(made()), true),
        (asserting().matching(rule()), true),
        (asserting().matching(rest()), true),
        // What a request is as a whole holds in all of it.
        (asserting().matching(operations()), false),
        (asserting().matching(buckets()).mode(Mode::Shadow), false),
        (asserting().matching(buckets()).mode(Mode::Off), false),
        (Guest::allowing().matching(buckets()), false),
    ] {
        let built = Chain::new(vec![guest.step(host())], Arc::new(People));
        let fault = built.err().map(|mut errors| errors.remove(0).fault);
        let is_places = matches!(fault, Some(host::Fault::Places));
        assert_eq!(is_places, is_faulty, "{fault:?}");
        assert_eq!(fault.is_some(), is_faulty, "{fault:?}");
    }
}

#[test]
fn what_a_plugin_serves_is_reserved_while_it_serves_nothing() {
    let own = |mode| {
        Guest::new()
            .sub_resource("legal-notice", Scope::Bucket, &[Operation::PutSubResource])
            .mode(mode)
    };
    let picky = own(Mode::Enforce)
        .configure(|image| constant(image.refusal("`key` is missing")))
        .on_failure(FailurePolicy {
            kinds: [(host::FailureKind::Settings, OnFailure::Deny)].into(),
            ..FailurePolicy::default()
        });
    let head = |chain: &Chain, uri: &str| {
        let request = http::Request::put(uri).header("host", "h").body(());
        let (parts, ()) = request.unwrap().into_parts();
        s3::Head::parse(&parts, &[], chain.sub_resources())
    };
    for (guests, is_served) in [
        (vec![own(Mode::Enforce)], true),
        (vec![own(Mode::Shadow)], false),
        (vec![own(Mode::Off)], false),
        (vec![picky], false),
        (
            vec![own(Mode::Off), own(Mode::Enforce), own(Mode::Shadow)],
            true,
        ),
    ] {
        let chain = guest::chain(&guests);
        let named = head(&chain, "/abc?legal-notice").unwrap();
        assert_eq!(named.operation, Operation::PutSubResource);
        assert_eq!(chain.claims(&named), is_served);
        let valued = head(&chain, "/abc?legal-notice=v1").unwrap_err();
        assert_eq!(valued.code(), Some(s3::Code::InvalidArgument));
    }
}

#[test]
fn all_faults_of_a_chain_are_told_at_once() {
    let picky = Guest::new()
        .named("picky")
        .configure(|image| constant(image.refusal("`key` is missing")));
    let broken = Guest::new()
        .named("broken")
        .configure(|_| "(unreachable)".to_owned());
    faulty(
        &[
            picky.clone(),
            Guest::allowing(),
            broken,
            picky.mode(Mode::Off),
        ],
        &[
            "step 0, plugin `picky`: the settings are refused: `key` is missing",
            "step 2, plugin `broken`: it failed when it read its settings: trap: wasm trap: wasm `unreachable` instruction executed",
        ],
    );
}
