//! What is allowed and probably not meant is found, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, PluginFacts};
use s3::Operation;

/// What `uploads` and `deletes` say of themselves; of others, nothing is known.
fn facts() -> BTreeMap<&'static str, PluginFacts> {
    let concerned = |operations: &[Operation]| PluginFacts {
        operations: vec![operations.to_vec()],
        guards: true,
    };
    BTreeMap::from([
        ("uploads", concerned(&[Operation::PutObject])),
        ("deletes", concerned(&[Operation::DeleteObject])),
        ("all", concerned(&[])),
        (
            "adds-headers",
            PluginFacts {
                guards: false,
                ..concerned(&[])
            },
        ),
    ])
}

/// Whether anybody can make buckets is left out: most chains here are about other things.
fn warnings(plugins: &str, rest: &str) -> Vec<String> {
    let found = all_warnings(plugins, rest).into_iter();
    found
        .filter(|found| !found.contains("can make a bucket"))
        .collect()
}

fn all_warnings(plugins: &str, rest: &str) -> Vec<String> {
    let text = format!(
        "version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: me}}]
plugins: {{{plugins}}}
{rest}
"
    );
    let config = Config::parse(&text, "sluice.yaml", Path::new(""));
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    let found = config.analyse(&facts()).into_iter();
    found
        .map(|found| format!("{}: {}", found.path, found.message))
        .collect()
}

#[test]
fn steps_that_no_request_can_reach_are_found() {
    let plugins =
        "uploads: {source: builtin:a}, deletes: {source: builtin:b}, other: {source: builtin:c}";
    let all_used = "{use: uploads}, {use: deletes}, {use: other}";
    for (chain, expected) in [
        ("", vec![]),
        (
            "{use: other, mode: off}",
            vec!["chain[3]: this step is off"],
        ),
        (
            "{use: other}",
            vec!["chain[3]: this step repeats the one on line 5"],
        ),
        ("{use: other, settings: {a: 1}}", vec![]),
        ("{use: other, mode: shadow}", vec![]),
        (
            "{use: uploads, match: {operations: [GetObject]}}",
            vec!["chain[3]: `uploads` is concerned by none of these operations"],
        ),
        ("{use: other, match: {operations: [GetObject]}}", vec![]),
        (
            "{use: uploads, match: {operations: [GetObject, PutObject]}}",
            vec![],
        ),
        // One that does at once what others do one by one.
        ("{use: uploads, match: {operations: [CopyObject]}}", vec![]),
        (
            "{use: deletes, match: {operations: [DeleteObjects]}}",
            vec![],
        ),
        (
            "{use: uploads, match: {operations: [PutObjectAcl]}}",
            vec![],
        ),
        (
            "{use: deletes, match: {operations: [PutObjectAcl]}}",
            vec!["chain[3]: `deletes` is concerned by none of these operations"],
        ),
        (
            "{use: other, match: {buckets: [\"a*\", \"a?c\", \"*\", abc]}}",
            vec![],
        ),
        (
            "{use: other, match: {buckets: [ab, \"-a*\", \"*a.\", \"a..b*\", 1.2.3.4]}}",
            vec![
                "chain[3]: no bucket can have a name like `ab`",
                "chain[3]: no bucket can have a name like `-a*`",
                "chain[3]: no bucket can have a name like `*a.`",
                "chain[3]: no bucket can have a name like `a..b*`",
                "chain[3]: no bucket can have a name like `1.2.3.4`",
            ],
        ),
    ] {
        let separator = if chain.is_empty() { "" } else { ", " };
        let rest = format!("chain: [{all_used}{separator}{chain}]");
        assert_eq!(warnings(plugins, &rest), expected, "{chain}");
    }
    let unused = warnings(plugins, "chain: [{use: uploads}, {use: other}]");
    assert_eq!(
        unused,
        ["plugins.deletes: no step uses the plugin `deletes`"]
    );
}

#[test]
fn risks_that_were_taken_are_found() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = format!("all: {{source: \"file:a.wasm\", digest: {digest}}}");
    let endpoint = |rest: &str| {
        format!("all: {{source: builtin:a, grants: [http], endpoints: {{e: {{{rest}}}}}}}")
    };
    for (plugin, expected) in [
        ("all: {source: builtin:a}".to_owned(), None),
        ("all: {source: builtin:a, on_failure: {default: deny, accept_risk: true}}".to_owned(), None),
        (
            "all: {source: builtin:a, on_failure: {timeout: open, accept_risk: true}}".to_owned(),
            Some("plugins.all.on_failure.timeout: whoever makes this plugin fail gets past it"),
        ),
        (
            "all: {source: builtin:a, on_failure: {default: open, timeout: deny, accept_risk: true}}".to_owned(),
            Some("plugins.all.on_failure.default: whoever makes this plugin fail gets past it"),
        ),
        (
            "adds-headers: {source: builtin:a, on_failure: {timeout: open, accept_risk: true}}".to_owned(),
            None,
        ),
        (
            "adds-headers: {source: builtin:a, on_failure: {trap: open, accept_risk: true}}".to_owned(),
            Some("plugins.adds-headers.on_failure.trap: a plugin without memory may trap"),
        ),
        (
            "adds-headers: {source: builtin:a, on_failure: {default: open, trap: deny, accept_risk: true}}".to_owned(),
            Some("plugins.adds-headers.on_failure.default: a plugin without memory may trap"),
        ),
        (
            "adds-headers: {source: builtin:a, on_failure: {default: open, accept_risk: true}}".to_owned(),
            None,
        ),
        (
            "adds-headers: {source: builtin:a, on_failure: {trap: {code: SlowDown}}}".to_owned(),
            None,
        ),
        (
            "all: {source: builtin:a, on_failure: {load: open, accept_risk: true}}".to_owned(),
            Some("plugins.all.on_failure.load: a plugin that cannot be loaded lets every request pass"),
        ),
        (
            "all: {source: builtin:a, instances: reuse, grants: [identity]}".to_owned(),
            Some("plugins.all.instances: it says who makes requests"),
        ),
        ("all: {source: builtin:a, instances: reuse}".to_owned(), None),
        (
            "all: {source: \"file:a.wasm\"}".to_owned(),
            Some("plugins.all.source: whoever can write to the file"),
        ),
        (pinned, None),
        (endpoint("url: \"https://example.com/\""), None),
        (
            endpoint("url: \"http://example.com/\""),
            Some("plugins.all.endpoints.e: what is sent to this endpoint"),
        ),
        (
            endpoint("url: \"http://127.0.0.1/\", private_addresses: true"),
            Some("plugins.all.endpoints.e: this plugin may call private addresses"),
        ),
        (
            "all: {source: builtin:a, breaker: off, grants: [http], endpoints: {e: {url: \"https://example.com/\"}}}".to_owned(),
            Some("plugins.all.breaker: it calls services"),
        ),
        ("all: {source: builtin:a, breaker: off}".to_owned(), None),
    ] {
        let name = plugin.split(':').next().unwrap();
        let found = warnings(&plugin, &format!("chain: [{{use: {name}}}]"));
        assert_eq!(found.len(), usize::from(expected.is_some()), "{plugin}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{plugin}: {found}");
        }
    }
}

#[test]
fn inserts_without_anything_that_is_enforced_are_a_risk() {
    let plugins = "all: {source: builtin:a}";
    let inserted =
        "chain: [{use: all}]\nbuckets: [{match: [abc], insert: [{after: all, use: all}]}]";
    let found = warnings(plugins, inserted);
    assert_eq!(
        found,
        ["buckets: the chain is another one for some buckets, and no plugin is enforced"]
    );
    let enforced = format!("{inserted}\nenforced: [all]");
    assert!(warnings(plugins, &enforced).is_empty());
}

#[test]
fn an_entry_for_buckets_that_an_earlier_one_decides_on_is_found() {
    let plugins = "all: {source: builtin:a}, other: {source: builtin:b}";
    let with = |second: &str| {
        let first = "{match: [abc, \"x-*\"], shadow: [other]}";
        let rest = format!(
            "chain: [{{use: all}}, {{use: other}}]\nenforced: [all]\nbuckets: [{first}, {second}]"
        );
        warnings(plugins, &rest)
    };
    let hidden = with("{match: [abc], settings: {other: {a: 1}}}");
    assert_eq!(
        hidden,
        ["buckets[1].settings.other: an earlier entry says what `other` is here"]
    );
    assert!(with("{match: [abc, abd], shadow: [other]}").is_empty());
    let impossible = with("{match: [ab], shadow: [other]}");
    assert_eq!(
        impossible,
        ["buckets[1].shadow[0]: no bucket can have a name like `ab`"]
    );
}

#[test]
fn an_entry_for_a_template_that_there_is_not_is_found() {
    let provisioning = "provisioning: {source: builtin:provisioning}, all: {source: builtin:b}";
    let other = "provisioning: {source: \"file:p.wasm\", digest: sha256:00, grants: [placement]}, all: {source: builtin:b}";
    let other = other.replace("sha256:00", &format!("sha256:{}", "0".repeat(64)));
    let with = |plugins: &str, templates: &str| {
        let rest = format!(
            "chain: [{{use: all}}, {{use: provisioning, settings: {{templates: [{{name: gold}}]}}}}]
enforced: [all]
buckets: [{{templates: [{templates}], insert: [{{after: all, use: all, settings: {{a: 1}}}}]}}]"
        );
        warnings(plugins, &rest)
    };
    assert!(with(provisioning, "gold").is_empty());
    assert_eq!(
        with(provisioning, "gold, glod"),
        ["buckets[0].insert[0]: no bucket is made by a template `glod`"]
    );
    // Another plugin may make buckets by any.
    assert!(with(&other, "glod").is_empty());
}

#[test]
fn a_template_that_the_drives_cannot_hold_is_found() {
    let with = |geometry: &str| {
        let rest = format!(
            "chain: [{{use: p, settings: {{templates: [{{name: a}}, {{name: b, geometry: {geometry}}}]}}}}]"
        );
        warnings("p: {source: builtin:provisioning}", &rest)
    };
    let place = "chain[0].settings.templates[1].geometry: no bucket can be made by this template";
    assert!(with("{data: 1, parity: 1}").is_empty());
    assert!(with("{data: 2, parity: 0}").is_empty());
    // What is no geometry at all is for the plugin to refuse.
    assert!(with("{data: many}").is_empty());
    assert_eq!(
        with("{data: 2, parity: 1}"),
        [format!(
            "{place}: 2 data and 1 parity shards need more than the 2 drives of the set"
        )]
    );
    assert_eq!(
        with("{data: 0, parity: 1}"),
        [format!(
            "{place}: 1 parity shards are more than 0 data shards"
        )]
    );
}

#[test]
fn what_a_template_gives_and_no_later_step_keeps_is_found() {
    let with = |before: &str, after: &str| {
        let plugins = "p: {source: builtin:provisioning}, acl: {source: builtin:acl}, tagging: {source: builtin:tagging}";
        let rest = format!(
            "chain: [{before} {{use: p, settings: {{templates: [{{name: a, tags: {{}}}}, {{name: b, acl: private, tags: {{a: b}}}}]}}}}{after}]"
        );
        let found = warnings(plugins, &rest).into_iter();
        found
            .filter(|found| found.contains("keeps"))
            .collect::<Vec<_>>()
    };
    let lost = |key: &str| {
        format!(
            "chain[PLACE].settings.templates[1].{key}: no later step keeps the `{key}` of this template"
        )
    };
    assert!(with("", ", {use: acl}, {use: tagging}").is_empty());
    let place = |key: &str, place: &str| lost(key).replace("PLACE", place);
    assert_eq!(with("{use: acl},", ", {use: tagging}"), [place("acl", "1")]);
    assert_eq!(
        with("{use: tagging},", ", {use: acl}"),
        [place("tags", "1")]
    );
    assert_eq!(with("", ", {use: acl}"), [place("tags", "0")]);
}

#[test]
fn a_chain_by_which_nobody_can_make_a_bucket_is_found() {
    let found = |plugin: &str| {
        let plugins = format!("auth: {{source: builtin:auth}}, uploads: {plugin}");
        let found = all_warnings(&plugins, "chain: [{use: auth}, {use: uploads}]");
        found
            .iter()
            .any(|found| found == "chain: nobody can make a bucket: no step allows it to anybody")
    };
    assert!(found("{source: builtin:acl}"));
    assert!(!found("{source: builtin:provisioning}"));
    // What decides may allow it.
    assert!(!found("{source: 'file:a.wasm'}"));
}

#[test]
fn every_example_lets_somebody_make_buckets_that_are_what_their_templates_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = Config::load(&path).unwrap().analyse(&BTreeMap::new());
        let bad = |message: &str| {
            message.contains("bucket can")
                || message.contains("keeps")
                || message.contains("can make")
        };
        assert!(
            !found.iter().any(|found| bad(&found.message)),
            "{}: {found:?}",
            path.display()
        );
    }
}

#[test]
fn the_embedded_configuration_has_nothing_to_warn_of() {
    let config = Config::embedded(&config::Overrides::default()).unwrap();
    assert!(config.analyse(&BTreeMap::new()).is_empty());
}
