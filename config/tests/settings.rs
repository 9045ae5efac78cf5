//! What is wrong with the settings of a step is said at its place in the file.

use std::path::Path;

use config::{Config, Report};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Line 7 has the settings, from the fourth column on.
fn check_settings(settings: &str, schema: &Value) -> Result<(), Report> {
    let text = format!(
        "version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: me}}]
plugins: {{x: {{source: builtin:x}}}}
chain:
- use: x
{settings}
"
    );
    let config = Config::parse(&text, "sluice.yaml", Path::new("")).expect("a valid file");
    config.chain[0].check_settings(schema)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": {"type": "string", "minLength": 2, "maxLength": 5, "description": "The name of the tag."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100},
            "share": {"type": "number", "exclusiveMinimum": 0},
            "mode": {"enum": ["strict", "lenient"]},
            "networks": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": {"type": "string", "enum": ["1.1.1.1", "2.2.2.2", "3.3.3.3", "10.0.0.0/8"]}},
            "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
            "rule": {"oneOf": [
                {"type": "object", "properties": {"kind": {"const": "allow"}, "who": {"type": "string"}}, "required": ["kind", "who"], "additionalProperties": false},
                {"type": "object", "properties": {"kind": {"const": "deny"}}, "required": ["kind"], "additionalProperties": false},
            ]},
            "secret": {"type": "integer"},
            "nested": {"$ref": "#/$defs/nested"},
        },
        "required": ["key"],
        "additionalProperties": false,
        "$defs": {"nested": {"type": "object", "properties": {"a/b": {"type": "boolean"}}, "additionalProperties": false}},
    })
}

#[test]
fn settings_that_fit_are_taken() {
    for settings in [
        "  settings: {key: team}",
        "  settings: {key: team, limit: 100, share: 0.5, mode: strict}",
        "  settings: {key: \"12\", networks: [10.0.0.0/8], either: a}",
        "  settings: {key: abcde, either: [a, b], rule: {kind: allow, who: me}}",
        "  settings: {key: team, nested: {a/b: true}}",
    ] {
        if let Err(report) = check_settings(settings, &schema()) {
            panic!("{settings}\n{report}");
        }
    }
}

#[test]
fn every_fault_of_settings_stands_at_its_place() {
    type Found<'a> = ((usize, usize), &'a str, &'a str, &'a str);
    let cases: &[(&str, &[Found<'_>])] = &[
        // What is missing is missing from the settings, or else from the step.
        (
            "",
            &[(
                (6, 3),
                "chain[0]",
                "`key` is missing",
                "add `key: ..`: The name of the tag.",
            )],
        ),
        (
            "  settings: {}",
            &[((7, 13), "chain[0].settings", "`key` is missing", "add `key")],
        ),
        (
            "  settings: {kye: team}",
            &[
                ((7, 13), "chain[0].settings", "`key` is missing", "add `key"),
                (
                    (7, 14),
                    "chain[0].settings.kye",
                    "unknown key `kye`",
                    "did you mean `key`?",
                ),
            ],
        ),
        (
            "  settings: [key]",
            &[(
                (7, 13),
                "chain[0].settings",
                "a mapping is expected here, not a list",
                "key: value",
            )],
        ),
        (
            "  settings: {key: 12}",
            &[(
                (7, 19),
                "chain[0].settings.key",
                "text is expected here, not `12`",
                "quotes",
            )],
        ),
        (
            "  settings: {key: [a]}",
            &[(
                (7, 19),
                "chain[0].settings.key",
                "text is expected here, not a list",
                "quotes",
            )],
        ),
        (
            "  settings: {key: }",
            &[(
                (7, 17),
                "chain[0].settings.key",
                "text is expected here, not nothing",
                "leave the key out",
            )],
        ),
        (
            "  settings: {key: a}",
            &[(
                (7, 19),
                "chain[0].settings.key",
                "too short",
                "at least 2 characters",
            )],
        ),
        (
            "  settings: {key: abcdef}",
            &[(
                (7, 19),
                "chain[0].settings.key",
                "too long",
                "at most 5 characters",
            )],
        ),
        (
            "  settings: {key: team, limit: 0}",
            &[(
                (7, 32),
                "chain[0].settings.limit",
                "`0` is out of range",
                "at least 1 and at most 100",
            )],
        ),
        (
            "  settings: {key: team, limit: 101}",
            &[(
                (7, 32),
                "chain[0].settings.limit",
                "`101` is out of range",
                "at most 100",
            )],
        ),
        (
            "  settings: {key: team, limit: 1.5}",
            &[(
                (7, 32),
                "chain[0].settings.limit",
                "a whole number is expected here, not `1.5`",
                "whole number",
            )],
        ),
        (
            "  settings: {key: team, share: 0}",
            &[(
                (7, 32),
                "chain[0].settings.share",
                "out of range",
                "more than 0",
            )],
        ),
        (
            "  settings: {key: team, mode: strikt}",
            &[(
                (7, 31),
                "chain[0].settings.mode",
                "`strikt` is not possible here",
                "did you mean `strict`?",
            )],
        ),
        (
            "  settings: {key: team, mode: x}",
            &[(
                (7, 31),
                "chain[0].settings.mode",
                "`x` is not possible",
                "one of `lenient`, `strict`",
            )],
        ),
        (
            "  settings: {key: team, networks: []}",
            &[(
                (7, 35),
                "chain[0].settings.networks",
                "too short",
                "at least 1",
            )],
        ),
        (
            "  settings: {key: team, networks: [1.1.1.1, 2.2.2.2, 3.3.3.3]}",
            &[(
                (7, 35),
                "chain[0].settings.networks",
                "too long",
                "at most 2",
            )],
        ),
        (
            "  settings: {key: team, networks: [1.1.1.1, 1.1.1.1]}",
            &[(
                (7, 45),
                "chain[0].settings.networks[1]",
                "in the list already",
                "once",
            )],
        ),
        (
            "  settings:\n    key: team\n    networks:\n    - 1.1.1.1\n    - all\n",
            &[(
                (11, 7),
                "chain[0].settings.networks[1]",
                "`all` is not possible here",
                "`10.0.0.0/8`",
            )],
        ),
        (
            "  settings: {key: team, either: 1}",
            &[(
                (7, 33),
                "chain[0].settings.either",
                "text or a list is expected here, not `1`",
                "write text or a list",
            )],
        ),
        (
            "  settings: {key: team, either: [1]}",
            &[(
                (7, 34),
                "chain[0].settings.either[0]",
                "text is expected here, not `1`",
                "quotes",
            )],
        ),
        (
            "  settings: {key: team, rule: {kind: allow}}",
            &[(
                (7, 31),
                "chain[0].settings.rule",
                "`who` is missing",
                "add `who",
            )],
        ),
        (
            "  settings: {key: team, rule: {kind: deny, who: me}}",
            &[(
                (7, 44),
                "chain[0].settings.rule.who",
                "unknown key `who`",
                "kind",
            )],
        ),
        (
            "  settings: {key: team, rule: {kind: x}}",
            &[(
                (7, 31),
                "chain[0].settings.rule",
                "none of what is possible",
                "documentation",
            )],
        ),
        (
            "  settings: {key: team, nested: {a/c: 1}}",
            &[(
                (7, 34),
                "chain[0].settings.nested.\"a/c\"",
                "unknown key `a/c`",
                "did you mean `a/b`?",
            )],
        ),
        (
            "  settings: {key: team, nested: {a/b: 1}}",
            &[(
                (7, 39),
                "chain[0].settings.nested.\"a/b\"",
                "`true` or `false` is expected",
                "`true`",
            )],
        ),
        (
            "  settings: {key: team, secret: sesame}",
            &[(
                (7, 33),
                "chain[0].settings.secret",
                "a whole number is expected here, not `***`",
                "number",
            )],
        ),
    ];
    let mut failures = Vec::new();
    for (settings, expected) in cases {
        let Err(report) = check_settings(settings, &schema()) else {
            failures.push(format!("nothing was found wrong with\n{settings}"));
            continue;
        };
        let as_expected = report.diagnostics.len() == expected.len()
            && report.diagnostics.iter().zip(*expected).all(
                |(found, (at, path, message, help))| {
                    (found.line, found.column) == *at
                        && found.path == *path
                        && found.message.contains(message)
                        && found.help.contains(help)
                },
            );
        if !as_expected || report.to_string().contains("sesame") {
            failures.push(format!("{expected:?}, but\n{report}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_schema_is_no_more_trusted_than_its_plugin() {
    let doubled =
        json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "allOf": [{"$ref": "#"}, {"$ref": "#"}]});
    let unknown_key = json!({"properties": {}, "additionalProperties": false});
    for (schema, message) in [
        (
            json!({"required": ["a\u{1b}[31m\nb"]}),
            Some("`a [31m b` is missing"),
        ),
        (json!(false), Some("nothing is possible here")),
        (unknown_key, Some("unknown key `key`")),
        // What refers to itself without an end ends all the same.
        (json!({"$ref": "#"}), None),
        (json!({"allOf": [{"$ref": "#"}]}), None),
        (json!({"properties": {"key": {"$ref": "#"}}}), None),
        (doubled, None),
        // What is not understood is left to the plugin.
        (json!(true), None),
        (json!(7), None),
        (
            json!({"type": "strang", "minimum": "a", "required": 1, "items": {}}),
            None,
        ),
        (json!({"$ref": "https://example.com/schema.json"}), None),
        (json!({"$ref": "#/nowhere"}), None),
        (
            json!({"patternProperties": {"^k": {}}, "additionalProperties": false}),
            None,
        ),
    ] {
        match (check_settings("  settings: {key: team}", &schema), message) {
            (Ok(()), None) => {}
            (Err(report), Some(message)) => {
                let found = &report.diagnostics[0];
                assert!(found.message.contains(message), "{schema}: {found}");
                assert!(!report.to_string().contains('\u{1b}'), "{schema}");
            }
            (checked, _) => panic!("{schema}: {checked:?}"),
        }
    }
}

/// A schema that is made of what is understood.
fn some_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "minLength": 1, "maxLength": 2})),
        Just(json!({"type": ["integer", "null"], "minimum": 0, "maximum": 3})),
        Just(json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2.5})),
        Just(json!({"type": "boolean"})),
        Just(json!({"enum": ["a", 1, null]})),
        Just(json!({"const": 2})),
        Just(json!({"$ref": "#/$defs/text"})),
        Just(json!(true)),
        Just(json!(false)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let more = prop_oneof![Just(json!(true)), Just(json!(false)), inner.clone()];
        prop_oneof![
            (inner.clone(), inner.clone(), more, any::<bool>()).prop_map(
                |(a, b, more, required)| json!({
                    "type": "object",
                    "properties": {"a": a, "b": b},
                    "required": if required { json!(["a"]) } else { json!([]) },
                    "additionalProperties": more,
                    "maxProperties": 2,
                })
            ),
            (inner.clone(), 0..3_u64).prop_map(|(items, min)| json!({
                "type": "array", "items": items, "minItems": min, "maxItems": 2,
            })),
            inner
                .clone()
                .prop_map(|items| json!({"prefixItems": [items], "uniqueItems": true})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
            prop::collection::vec(inner, 1..3).prop_map(|any| json!({"anyOf": any})),
        ]
    })
}

fn some_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-1..5_i64).prop_map(Value::from),
        prop_oneof![Just(json!(0.5)), Just(json!(2.5)), Just(json!(2.0))],
        "[ab]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn settings_fit_a_schema_exactly_where_a_validator_of_json_schema_says_so(
        mut schema in some_schema(), value in some_value()
    ) {
        // A key without a value is refused before.
        prop_assume!(!value.is_null());
        if let Some(rules) = schema.as_object_mut() {
            rules.insert("$defs".to_owned(), json!({"text": {"type": "string"}}));
        }
        let valid = jsonschema::is_valid(&schema, &value);
        let checked = check_settings(&format!("  settings: {value}"), &schema);
        prop_assert_eq!(checked.is_ok(), valid, "{} {}\n{:?}", schema, value, checked);
    }
}

#[test]
fn a_number_is_the_same_however_it_is_written() {
    let check = |schema: Value, settings: &str, fits: bool| {
        let checked = check_settings(&format!("  settings: {settings}"), &schema);
        assert_eq!(checked.is_ok(), fits, "{schema} {settings}\n{checked:?}");
        let value: Value = serde_json::from_str(settings).expect("JSON");
        let valid = jsonschema::is_valid(&schema, &value);
        assert_eq!(valid, fits, "{schema} {settings}");
    };
    let unique = || json!({"uniqueItems": true});
    check(unique(), "[2, 2.0]", false);
    check(unique(), "[0, -0.0]", false);
    check(unique(), "[2, 2.5]", true);
    check(unique(), "[2, \"2\"]", true);
    check(unique(), "[[1, 2], [1.0, 2]]", false);
    check(unique(), "[{\"a\": 1}, {\"a\": 1.0}]", false);
    check(unique(), "[{\"a\": 1}, {\"b\": 1.0}]", true);
    check(unique(), "[1.5, 1.5]", false);
    check(unique(), "[1e300, 1e300]", false);
    check(json!({"const": 2}), "2.0", true);
    check(json!({"const": [2]}), "[2.0]", true);
    check(json!({"enum": [{"a": 2.0}, 3]}), "{\"a\": 2}", true);
    check(json!({"enum": [{"a": 2.0}, 3]}), "{\"a\": 2.5}", false);
}

#[test]
fn the_faults_of_a_step_are_bounded() {
    let keys: Vec<String> = (0..1000).map(|n| format!("k{n}: 1")).collect();
    let settings = format!("  settings: {{{}}}", keys.join(", "));
    let schema = json!({"properties": {}, "additionalProperties": false});
    let report = check_settings(&settings, &schema).unwrap_err();
    assert_eq!(report.diagnostics.len(), 100);
}
