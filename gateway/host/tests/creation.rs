//! What plugins say of what a request creates: how a bucket is made, and whose
//! it is what is created.

mod guest;

use guest::{Guest, Image, chain, code, constant, constants, facts, resource};
use host::{Changes, Creation, Grant, Match, Mode, Ownership, Plan, Said, Selector};
use s3::Scope;

/// Where the host writes results.
const RESULT: usize = 60000;

const PLAN: &str = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32)";

/// Plans the bucket in this call. Where it cannot be, the plugin refuses in the
/// words of the host.
fn plan(image: &mut Image, template: &str, tags: &[(&str, &str)]) -> String {
    let (location, acl) = (image.text("eu"), image.text("private"));
    let before = [
        &image.text(template)[..],
        &location,
        // 4 + 2, versioned, of 9 bytes.
        &[1, 4, 2, 1, 1],
    ]
    .concat();
    let tags = image.pairs(tags);
    let after = [&[1][..], &acl, &tags, &[RESULT]].concat();
    let list = |words: &[usize]| words.iter().map(|word| constant(*word)).collect::<String>();
    let (ok, refusal) = (image.ok(), image.error("Refused"));
    format!(
        "(call $plan-bucket {} (i64.const 9) {})
         (if (result i32) (i32.load8_u (i32.const {RESULT}))
            (then
                (i32.store (i32.const {}) (i32.load (i32.const {})))
                (i32.store (i32.const {}) (i32.load (i32.const {})))
                (i32.const {refusal}))
            (else (i32.const {ok})))",
        list(&before),
        list(&after),
        refusal + 12,
        RESULT + 4,
        refusal + 16,
        RESULT + 8,
    )
}

fn planner() -> Guest {
    Guest::new()
        .grant(Grant::Placement)
        .import("placement", "plan-bucket", PLAN)
}

fn planning(template: &str, tags: &[(&str, &str)]) -> Guest {
    planner()
        .named(template)
        .prepare(|image| plan(image, template, tags))
}

fn giving() -> Guest {
    Guest::new()
        .grant(Grant::Placement)
        .import("placement", "give-to-bucket-owner", "")
        .prepare(|image| format!("(call $give-to-bucket-owner) {}", constant(image.ok())))
}

/// Attaches what it is told of the bucket: the text at this place.
fn telling(at: usize) -> Guest {
    Guest::new()
        .named("telling")
        .grant(Grant::Documents)
        .import("creation", "bucket", "(param i32)")
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .prepare(|image| {
            let name = constants(image.text("told"));
            let scope = Scope::Bucket as usize;
            format!(
                "(call $bucket (i32.const {RESULT}))
                 (call $put (i32.const {scope}) {name} (i32.load (i32.const {})) (i32.load (i32.const {})))
                 {}",
                RESULT + at,
                RESULT + at + 4,
                constant(image.ok()),
            )
        })
}

fn prepare(guests: &[Guest], method: &str, target: &str) -> Result<Changes, s3::Error> {
    let facts = facts(method, target);
    let creation = Creation {
        location_constraint: Some("eu".to_owned()),
        tags: vec![("team".to_owned(), "mine".to_owned())],
        acl: None,
    };
    let mut run = chain(guests).begin(facts.clone());
    run.prepare_bucket(&resource(&facts), creation)
}

#[test]
fn a_bucket_is_planned_by_one_plugin() {
    let gold = || planning("gold", &[("tier", "gold"), ("team", "theirs")]);
    let planned = prepare(&[gold()], "PUT", "/prod-a").unwrap().plan;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = Plan {
        template: "gold".to_owned(),
        location: "eu".to_owned(),
        geometry: Some((4, 2)),
        versioning: true,
        quota: Some(9),
        acl: Some("private".to_owned()),
        tags: vec![pair("tier", "gold"), pair("team", "theirs")],
    };
    assert_eq!(planned, Some(expected));

    let refused = |guests: &[Guest]| {
        let error = prepare(guests, "PUT", "/prod-a").unwrap_err();
        (error.code_name().to_owned(), error.message().to_owned())
    };
    let by_another = "the bucket is planned by `gold` already".to_owned();
    let silver = || planning("silver", &[]);
    assert_eq!(
        refused(&[gold(), silver()]),
        ("Refused".to_owned(), by_another)
    );
    // The same plugin thinks better of it.
    let twice = planner().prepare(|image| {
        let first = plan(image, "first", &[]);
        format!("(drop {first}) {}", plan(image, "second", &[]))
    });
    let planned = prepare(&[twice], "PUT", "/prod-a").unwrap().plan;
    assert_eq!(planned.unwrap().template, "second");
    // What it says in shadow, and what it said before it failed, is not kept.
    let shadow = silver().mode(Mode::Shadow);
    let planned = prepare(&[shadow.clone(), gold(), shadow], "PUT", "/prod-a");
    assert_eq!(planned.unwrap().plan.unwrap().template, "gold");
    let failing = planner()
        .prepare(|image| format!("(drop {}) (unreachable)", plan(image, "failing", &[])))
        .on_failure(host::FailurePolicy {
            default: host::OnFailure::Open,
            ..host::FailurePolicy::default()
        });
    let planned = prepare(&[failing, silver()], "PUT", "/prod-a");
    assert_eq!(planned.unwrap().plan.unwrap().template, "silver");
}

#[test]
fn only_a_bucket_that_is_made_is_planned_and_only_what_is_made_is_given() {
    let given = |guest: Guest, method: &str, target: &str| {
        let changes = prepare(&[guest], method, target);
        let given = changes
            .as_ref()
            .is_ok_and(|changes| changes.ownership == Ownership::BucketOwner);
        (code(&changes), given)
    };
    for (method, target, planned, owned) in [
        ("PUT", "/prod-a", "ok", "invalid"),
        ("DELETE", "/prod-a", "invalid", "invalid"),
        ("PUT", "/prod-a?cors", "invalid", "invalid"),
        ("PUT", "/prod-a/key", "invalid", "ok"),
        ("POST", "/prod-a/key?uploads", "invalid", "ok"),
        ("POST", "/prod-a", "invalid", "ok"),
        (
            "PUT",
            "/prod-a/key?uploadId=a&partNumber=1",
            "invalid",
            "invalid",
        ),
        ("POST", "/prod-a/key?uploadId=a", "invalid", "invalid"),
        ("GET", "/prod-a/key", "invalid", "invalid"),
        ("DELETE", "/prod-a/key", "invalid", "invalid"),
    ] {
        let found = given(planning("gold", &[]), method, target);
        assert_eq!(found, (planned.to_owned(), false), "{method} {target}");
        let found = given(giving(), method, target);
        assert_eq!(
            found,
            (owned.to_owned(), owned == "ok"),
            "{method} {target}"
        );
        let found = given(giving().mode(Mode::Shadow), method, target);
        assert_eq!(found, ("ok".to_owned(), false), "{method} {target}");
    }
    // Nor in any other phase.
    let early = Guest::new()
        .grant(Grant::Placement)
        .import("placement", "give-to-bucket-owner", "")
        .authorize(|image| format!("(call $give-to-bucket-owner) {}", constant(image.allow())));
    let put = facts("PUT", "/prod-a/key");
    let voted = chain(&[early])
        .begin(put.clone())
        .authorize(&resource(&put));
    assert_eq!(code(&voted), "invalid");
}

#[test]
fn who_comes_later_in_the_chain_knows_what_was_planned() {
    let told = |guests: &[Guest]| {
        let changes = prepare(guests, "PUT", "/prod-a").unwrap();
        let mut told = changes.bucket.iter();
        told.next()
            .and_then(|(_, content)| Some(String::from_utf8_lossy(content?).into_owned()))
            .unwrap()
    };
    let gold = || planning("gold", &[("tier", "gold")]);
    let (location, acl) = (8, 28);
    assert_eq!(told(&[telling(location)]), "eu");
    assert_eq!(told(&[gold(), telling(acl)]), "private");
    assert_eq!(told(&[telling(acl), gold()]), "");
    let shadow = gold().mode(Mode::Shadow);
    assert_eq!(told(&[shadow, telling(acl)]), "");
}

#[test]
fn a_rule_for_what_a_template_makes_holds_as_soon_as_the_bucket_is_planned() {
    let gold = || planning("gold", &[]);
    let of_gold = || Match {
        within: vec![Selector::Template("gold".to_owned())],
        ..Match::default()
    };
    let rest = || Match {
        except: of_gold().within,
        ..Match::default()
    };
    let check = |guests: &[Guest], expected: &str| {
        let facts = facts("PUT", "/prod-a");
        let mut about = resource(&facts);
        about.bucket = None;
        let prepared = chain(guests).begin(facts).prepare(&about);
        assert_eq!(code(&prepared), expected);
    };
    let refusing = |matching: Match| {
        Guest::new()
            .named("refusing")
            .matching(matching)
            .prepare(|image| constant(image.error("Rule")))
    };
    check(&[gold(), refusing(of_gold())], "Rule");
    check(&[gold(), refusing(rest())], "ok");
    check(&[planning("silver", &[]), refusing(of_gold())], "ok");
    check(&[planning("silver", &[]), refusing(rest())], "Rule");
    // Nothing is known of it yet, or what is said does not count.
    check(&[refusing(of_gold()), gold()], "ok");
    check(&[gold().mode(Mode::Shadow), refusing(of_gold())], "ok");
}

#[test]
fn a_plan_and_a_gift_are_told_of() {
    let deeds = |guest: Guest, method: &str, target: &str| {
        let facts = facts(method, target);
        let mut run = chain(&[guest]).begin(facts.clone());
        run.prepare(&resource(&facts)).unwrap();
        let moments: Vec<_> = run.trace().moments().collect();
        match &moments[0].1[0].said {
            Said::Prepared(deeds) => (deeds.planned.clone(), deeds.given),
            other => panic!("{other:?}"),
        }
    };
    let gold = Some("gold".to_owned());
    assert_eq!(
        deeds(planning("gold", &[]), "PUT", "/prod-a"),
        (gold, false)
    );
    assert_eq!(deeds(giving(), "PUT", "/prod-a/key"), (None, true));
}
