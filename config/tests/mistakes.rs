//! What is wrong is said at its place, with the keys that lead there, and all
//! of it at once.

use std::path::Path;

use config::{Config, Report};

/// A configuration without mistakes, as sections that cases replace.
const SECTIONS: [(&str, &str); 6] = [
    ("version", "version: 1"),
    ("listeners", "listeners: [{address: \"127.0.0.1:9000\"}]"),
    (
        "storage",
        "storage: {sets: [{drives: [a, b, c], data_shards: 2, parity_shards: 1}]}",
    ),
    (
        "accounts",
        "accounts: [{id: me, roles: [auditor], keys: [{access_key: AKIAME, secret_key: sesame-sesame}]}]",
    ),
    (
        "plugins",
        "plugins: {auth: {source: builtin:auth}, acl: {source: builtin:acl}}",
    ),
    ("chain", "chain: [{use: auth}, {use: acl}]"),
];

/// The sections, the one with the name of `section`'s first key replaced by it.
fn with(section: &str) -> String {
    let name = section.split(':').next().unwrap_or_default();
    let mut lines: Vec<String> = SECTIONS
        .iter()
        .map(|(key, text)| if *key == name { section } else { text })
        .map(str::to_owned)
        .collect();
    if SECTIONS.iter().all(|(key, _)| *key != name) {
        lines.push(section.to_owned());
    }
    lines.join("\n") + "\n"
}

fn parse(text: &str) -> Result<Config, Report> {
    Config::parse(text, "sluice.yaml", Path::new("/etc/sluice"))
}

/// One mistake: its place, its keys, and pieces of what is said and of what is to be done.
type Case<'a> = (&'a str, (usize, usize), &'a str, &'a str, &'a str);

/// What is not said as expected.
fn check((text, at, path, message, help): Case<'_>) -> Result<(), String> {
    let Err(report) = parse(text) else {
        return Err(format!("nothing was found wrong with\n{text}"));
    };
    let [found] = report.diagnostics.as_slice() else {
        return Err(format!("not one mistake, but\n{report}"));
    };
    let place = format!("sluice.yaml:{}:{}: ", at.0, at.1);
    let as_expected = (found.line, found.column) == at
        && found.path == path
        && found.message.contains(message)
        && found.help.contains(help)
        && report.to_string().starts_with(&place);
    match as_expected {
        true => Ok(()),
        false => Err(format!(
            "not {at:?} {path}: {message} = {help}, but\n{report}"
        )),
    }
}

/// What only a reader finds: how values fit together, and how large a size or a
/// duration is.
const BEYOND_THE_SCHEMA: &[&str] = &[
    "already",
    "exclude one another",
    "inside of one another",
    "shards need",
    "shards are",
    "` is out of range",
    "is less than the",
    "cannot be those of",
    "in a private network",
    "there is no plugin",
    "there is no account",
    "no account has",
    "the chain does not use",
    "the same for all buckets",
    "lets requests past it",
    "JSON does not have",
];

/// Whether an editor that has the schema would have said that something is wrong.
fn refused_by_schema(schema: &jsonschema::Validator, text: &str) -> bool {
    // Where it is no YAML, or has a key twice, the editor says so itself.
    serde_yaml::from_str(text).map_or(true, |value: serde_json::Value| !schema.is_valid(&value))
}

fn check_all<'a>(cases: impl IntoIterator<Item = Case<'a>>) {
    let schema = jsonschema::validator_for(&config::schema()).expect("a valid schema");
    let check = |case: Case<'_>| {
        check(case)?;
        let said = parse(case.0).map_or_else(|report| report.to_string(), |_| String::new());
        let beyond = BEYOND_THE_SCHEMA.iter().any(|words| said.contains(words));
        match beyond || refused_by_schema(&schema, case.0) {
            true => Ok(()),
            false => Err(format!(
                "not refused by the schema, {}:\n{}",
                case.3, case.0
            )),
        }
    };
    let failures: Vec<String> = cases
        .into_iter()
        .filter_map(|case| check(case).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_sections_are_without_mistakes() {
    if let Err(report) = parse(&with("version: 1")) {
        panic!("{report}");
    }
}

#[test]
fn a_mistake_is_reported_with_its_place_its_keys_and_what_to_do() {
    let digest = format!("sha256:{}g", "0".repeat(63));
    let plugin = |fields: &str| {
        format!(
            "plugins: {{auth: {{source: builtin:auth, {fields}}}, acl: {{source: builtin:acl}}}}"
        )
    };
    let endpoint =
        |fields: &str| plugin(&format!("grants: [http], endpoints: {{opa: {{{fields}}}}}"));
    let cases: &[Case<'_>] = &[
        // The top level.
        (
            "version: 2",
            (1, 10),
            "version",
            "version 2 is not known",
            "`version: 1`",
        ),
        ("version: one", (1, 10), "version", "not `one`", "number"),
        (
            "version: \"1\"",
            (1, 10),
            "version",
            "whole number",
            "write a number",
        ),
        (
            "regoin: eu",
            (7, 1),
            "regoin",
            "unknown key `regoin`",
            "did you mean `region`?",
        ),
        ("region: EU", (7, 9), "region", "lower-case", "us-east-1"),
        ("region: 5", (7, 9), "region", "text is expected", "quotes"),
        (
            "region:",
            (7, 7),
            "region",
            "has no value",
            "leave the key out",
        ),
        (
            "color: red",
            (7, 1),
            "color",
            "unknown key",
            "one of `accounts`, `admin`",
        ),
        (
            "version: 1\nversion: 1",
            (2, 1),
            "version",
            "already on line 1",
            "keep one",
        ),
        // Decisions and the cache.
        (
            "decisions: {sample: 2}",
            (7, 21),
            "decisions.sample",
            "a number from 0 to 1",
            "0.01",
        ),
        (
            "decisions: {sample: 1%}",
            (7, 21),
            "decisions.sample",
            "not `1%`",
            "0.01",
        ),
        (
            "decisions: {keep: 100001}",
            (7, 19),
            "decisions.keep",
            "out of range",
            "0 to 100000",
        ),
        (
            "decisions: {file_size: 1KiB}",
            (7, 24),
            "decisions.file_size",
            "out of range",
            "64KiB to 1TiB",
        ),
        (
            "decisions: {file: a/log}",
            (7, 19),
            "decisions.file",
            "inside of one another",
            "own directory",
        ),
        (
            "uploads: {expire_after: 0s}",
            (7, 25),
            "uploads.expire_after",
            "out of range",
            "1s to",
        ),
        (
            "uploads: {expire_after: 7w}",
            (7, 25),
            "uploads.expire_after",
            "not a duration",
            "1s to",
        ),
        (
            "uploads: {expire: 7d}",
            (7, 11),
            "uploads.expire",
            "unknown key",
            "`expire_after`",
        ),
        (
            "decisions: {flie: a}",
            (7, 13),
            "decisions.flie",
            "unknown key",
            "`file`",
        ),
        (
            "plugin_cache: [a]",
            (7, 15),
            "plugin_cache",
            "text is expected",
            "write some text",
        ),
        (
            "plugin_cache: b",
            (7, 15),
            "plugin_cache",
            "inside of one another",
            "own directory",
        ),
        (
            "accounts: [{id: anonymous}]",
            (4, 17),
            "accounts[0].id",
            "nobody signed",
            "another id",
        ),
        // Listeners.
        (
            "listeners: []",
            (2, 12),
            "listeners",
            "empty",
            "127.0.0.1:9000",
        ),
        (
            "listeners: 9000",
            (2, 12),
            "listeners",
            "a list is expected",
            "- ..",
        ),
        (
            "listeners: [9000]",
            (2, 13),
            "listeners[0]",
            "a mapping is expected",
            "key: value",
        ),
        (
            "listeners: [{address: localhost:9000}]",
            (2, 23),
            "listeners[0].address",
            "`localhost:9000` is not an address",
            "IP address",
        ),
        (
            "listeners: [{domain: s3.example.com}]",
            (2, 13),
            "listeners[0]",
            "`address` is missing",
            "address: 127.0.0.1:9000",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\"}, {address: \"1.2.3.4:1\"}]",
            (2, 47),
            "listeners[1].address",
            "already the address at `listeners[0].address` (line 2)",
            "once",
        ),
        (
            "listeners: [{address: \"0.0.0.0:9000\"}, {address: \"127.0.0.1:9000\"}]",
            (2, 50),
            "listeners[1].address",
            "`127.0.0.1:9000` and `0.0.0.0:9000` at `listeners[0].address` (line 2) exclude one another",
            "another port",
        ),
        (
            "listeners: [{address: \"127.0.0.1:9000\"}, {address: \"[::]:9000\"}]",
            (2, 52),
            "listeners[1].address",
            "exclude one another",
            "all addresses",
        ),
        (
            "admin: {address: \"127.0.0.1:9000\"}",
            (7, 18),
            "admin.address",
            "already the address at `listeners[0].address`",
            "once",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", domain: \"*.example.com\"}]",
            (2, 44),
            "listeners[0].domain",
            "not a domain",
            "without `*.`",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", domain: [a.b, \"a..b\"]}]",
            (2, 50),
            "listeners[0].domain[1]",
            "not a domain",
            "host name",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", tls: {certificate: c.pem}}]",
            (2, 41),
            "listeners[0].tls",
            "`key` is missing",
            "key: key.pem",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", limits: {header_bytes: 32K}}]",
            (2, 59),
            "listeners[0].limits.header_bytes",
            "`32K` is not a size",
            "8KiB to 1MiB",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", limits: {header_bytes: 2MiB}}]",
            (2, 59),
            "listeners[0].limits.header_bytes",
            "out of range",
            "8KiB to 1MiB",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", limits: {idle_timeout: 60}}]",
            (2, 59),
            "listeners[0].limits.idle_timeout",
            "`60` is not a duration",
            "100ms to 3600s",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", limits: {connections: 0}}]",
            (2, 58),
            "listeners[0].limits.connections",
            "0 is out of range",
            "1 to 1000000",
        ),
        (
            "listeners: [{address: \"1.2.3.4:1\", limits: {conections: 5}}]",
            (2, 45),
            "listeners[0].limits.conections",
            "unknown key",
            "`connections`",
        ),
        // Storage.
        (
            "storage: {data: x}",
            (3, 10),
            "storage",
            "`sets` is missing",
            "sets: [{drives",
        ),
        (
            "storage: {sets: [{drives: [a, b], data_shards: 2, parity_shards: 1}]}",
            (3, 27),
            "storage.sets[0].drives",
            "2 data and 1 parity shards need 3 drives, but 2 are named",
            "change the list",
        ),
        (
            "storage: {sets: [{drives: [a, b], data_shards: 2, parity_shards: 0}]}",
            (3, 66),
            "storage.sets[0].parity_shards",
            "0 is out of range",
            "1 to 32",
        ),
        (
            "storage: {sets: [{drives: [a, b], data_shards: 33, parity_shards: 1}]}",
            (3, 48),
            "storage.sets[0].data_shards",
            "33 is out of range",
            "1 to 32",
        ),
        (
            "storage: {sets: [{drives: [a, b], data_shards: 17, parity_shards: 16}]}",
            (3, 18),
            "storage.sets[0]",
            "are 33",
            "at most 32",
        ),
        (
            "storage: {sets: [{drives: [a, b, c], data_shards: 1, parity_shards: 2}]}",
            (3, 69),
            "storage.sets[0].parity_shards",
            "2 parity shards are more than 1 data shards",
            "or fewer",
        ),
        (
            "storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}, {drives: [c, d], data_shards: 1, parity_shards: 1}]}",
            (3, 70),
            "storage.sets[1]",
            "one set of drives",
            "into one set",
        ),
        (
            "storage: {sets: [{drives: [a, ./b/../a], data_shards: 1, parity_shards: 1}]}",
            (3, 31),
            "storage.sets[0].drives[1]",
            "`/etc/sluice/sluice-data/a` is already the drive at `storage.sets[0].drives[0]`",
            "once",
        ),
        (
            "storage: {sets: [{drives: [a, a/b], data_shards: 1, parity_shards: 1}]}",
            (3, 31),
            "storage.sets[0].drives[1]",
            "inside of one another",
            "own directory",
        ),
        (
            "storage: {index: a, sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}",
            (3, 38),
            "storage.sets[0].drives[0]",
            "already",
            "once",
        ),
        (
            "storage: {sets: [{drives: [a, 7], data_shards: 1, parity_shards: 1}]}",
            (3, 31),
            "storage.sets[0].drives[1]",
            "text is expected here, not `7`",
            "quotes",
        ),
        (
            "storage: {sets: [{drvies: [a, b], data_shards: 1, parity_shards: 1}]}",
            (3, 19),
            "storage.sets[0].drvies",
            "unknown key",
            "`drives`",
        ),
        // Accounts.
        (
            "accounts: []",
            (4, 11),
            "accounts",
            "empty",
            "nobody can sign",
        ),
        (
            "accounts: [{id: me}, {id: me}]",
            (4, 27),
            "accounts[1].id",
            "already the account id at `accounts[0].id`",
            "once",
        ),
        (
            "accounts: [{id: a b}]",
            (4, 17),
            "accounts[0].id",
            "`a b` is not a name",
            "letters",
        ),
        (
            "accounts: [{id: a, email: A@b.c}, {id: b, email: a@B.c}]",
            (4, 50),
            "accounts[1].email",
            "already the email address",
            "once",
        ),
        (
            "accounts: [{id: a, email: nobody}]",
            (4, 27),
            "accounts[0].email",
            "not an email address",
            "name@example.com",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA, secret_key: sesame-1}, {access_key: AKIA, secret_key: sesame-2}]}]",
            (4, 82),
            "accounts[0].keys[1].access_key",
            "`AKIA` is already the access key",
            "once",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AK, secret_key: sesame-sesame}]}]",
            (4, 40),
            "accounts[0].keys[0].access_key",
            "cannot be used",
            "3 to 128",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA, secret_key: short}]}]",
            (4, 58),
            "accounts[0].keys[0].secret_key",
            "cannot be used",
            "8 to 128",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA, secret_key: {evn: X}}]}]",
            (4, 59),
            "accounts[0].keys[0].secret_key.evn",
            "unknown key",
            "`env`",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA, secret_key: {env: X, file: y}}]}]",
            (4, 58),
            "accounts[0].keys[0].secret_key",
            "exactly one of `env` and `file`",
            "keep one",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA, secret_key: {env: A-B}}]}]",
            (4, 64),
            "accounts[0].keys[0].secret_key.env",
            "not the name of a variable",
            "environment",
        ),
        (
            "accounts: [{id: a, keys: [{access_key: AKIA}]}]",
            (4, 27),
            "accounts[0].keys[0]",
            "`secret_key` is missing",
            "{env: SECRET_KEY}",
        ),
        // Plugins.
        (
            "plugins: {auth: {}, acl: {source: builtin:acl}}",
            (5, 17),
            "plugins.auth",
            "`source` is missing",
            "builtin:NAME",
        ),
        (
            "plugins: {auth: {source: auth}, acl: {source: builtin:acl}}",
            (5, 26),
            "plugins.auth.source",
            "`auth` does not say where",
            "`file:PATH`",
        ),
        (
            &plugin(&format!("digest: {digest}")),
            (5, 48),
            "plugins.auth.digest",
            "not a digest",
            "64 hexadecimal",
        ),
        (
            &plugin("grants: [clok]"),
            (5, 49),
            "plugins.auth.grants[0]",
            "no grant `clok`",
            "`clock`",
        ),
        (
            &plugin("limits: {cpu: 1h}"),
            (5, 54),
            "plugins.auth.limits.cpu",
            "out of range",
            "1ms to 10s",
        ),
        (
            &plugin("instances: once"),
            (5, 51),
            "plugins.auth.instances",
            "`once`",
            "`fresh`, `reuse`",
        ),
        (
            &plugin("on_failure: {trap: open}"),
            (5, 59),
            "plugins.auth.on_failure.trap",
            "gets past it",
            "accept_risk: true",
        ),
        (
            &plugin("on_failure: {traps: deny}"),
            (5, 53),
            "plugins.auth.on_failure.traps",
            "unknown key",
            "`trap`",
        ),
        (
            &plugin("on_failure: {overload: {code: SlowDwon}}"),
            (5, 70),
            "plugins.auth.on_failure.overload.code",
            "no S3 error code `SlowDwon`",
            "`SlowDown`",
        ),
        (
            &plugin("limits: {cpu: 50ms, wall: 49ms}"),
            (5, 66),
            "plugins.auth.limits.wall",
            "less than the 50ms of `cpu`",
            "at least as long",
        ),
        (
            &plugin("limits: {wall: 2m}"),
            (5, 55),
            "plugins.auth.limits.wall",
            "out of range",
            "1ms to 60s",
        ),
        (
            &plugin("on_failure: {load: ignore}"),
            (5, 59),
            "plugins.auth.on_failure.load",
            "no answer to a failure `ignore`",
            "`refuse`",
        ),
        (
            &plugin("on_failure: {trap: refuse}"),
            (5, 59),
            "plugins.auth.on_failure.trap",
            "no answer to a failure `refuse`",
            "`deny`",
        ),
        (
            &plugin("on_failure: {settings: open}"),
            (5, 63),
            "plugins.auth.on_failure.settings",
            "gets past it",
            "accept_risk: true",
        ),
        (
            &plugin("breaker: {failure: 3}"),
            (5, 50),
            "plugins.auth.breaker.failure",
            "unknown key",
            "`failures`",
        ),
        (
            &plugin("breaker: {failures: 3, clients: 4}"),
            (5, 72),
            "plugins.auth.breaker.clients",
            "cannot be those of 4 clients",
            "at most as many",
        ),
        (
            &plugin("breaker: {pause: 1ms}"),
            (5, 57),
            "plugins.auth.breaker.pause",
            "out of range",
            "100ms to 3600s",
        ),
        (
            &plugin("breaker: on"),
            (5, 49),
            "plugins.auth.breaker",
            "no breaker `on`",
            "`off`",
        ),
        // What a plugin may reach.
        (
            &plugin("grants: [http]"),
            (5, 48),
            "plugins.auth.grants",
            "there are no `endpoints`",
            "or remove the grant",
        ),
        (
            &plugin("grants: [secrets], secrets: {}"),
            (5, 48),
            "plugins.auth.grants",
            "there are no `secrets`",
            "or remove the grant",
        ),
        (
            &plugin("endpoints: {opa: {url: \"https://opa.example.com/\"}}"),
            (5, 51),
            "plugins.auth.endpoints",
            "not granted",
            "add `http` to the `grants`",
        ),
        (
            &plugin("secrets: {hook: {env: HOOK}}"),
            (5, 49),
            "plugins.auth.secrets",
            "not granted",
            "add `secrets` to the `grants`",
        ),
        (
            &endpoint("url: \"ftp://x/\""),
            (5, 79),
            "plugins.auth.endpoints.opa.url",
            "does not begin with `http://`",
            "a host",
        ),
        (
            &endpoint("url: \"https://x/?a=b\""),
            (5, 79),
            "plugins.auth.endpoints.opa.url",
            "query belongs to the calls",
            "no user",
        ),
        (
            &endpoint("url: \"https://u@x/\""),
            (5, 79),
            "plugins.auth.endpoints.opa.url",
            "a user and a password",
            "no user",
        ),
        (
            &endpoint("url: \"http://127.0.0.1:8181/\""),
            (5, 79),
            "plugins.auth.endpoints.opa.url",
            "in a private network",
            "private_addresses: true",
        ),
        (
            &endpoint("methods: [POST]"),
            (5, 73),
            "plugins.auth.endpoints.opa",
            "`url` is missing",
            "https://HOST",
        ),
        (
            &endpoint("url: \"https://x/\", methods: [get]"),
            (5, 103),
            "plugins.auth.endpoints.opa.methods[0]",
            "no method `get`",
            "`GET`",
        ),
        (
            &endpoint("url: \"https://x/\", methods: []"),
            (5, 102),
            "plugins.auth.endpoints.opa.methods",
            "empty",
            "leave the key out",
        ),
        (
            &endpoint("url: \"https://x/\", timeout: 31s"),
            (5, 102),
            "plugins.auth.endpoints.opa.timeout",
            "out of range",
            "30s",
        ),
        (
            &endpoint("url: \"https://x/\", response: 2MiB"),
            (5, 103),
            "plugins.auth.endpoints.opa.response",
            "out of range",
            "1MiB",
        ),
        (
            &endpoint("url: \"https://x/\", private_address: true"),
            (5, 93),
            "plugins.auth.endpoints.opa.private_address",
            "unknown key",
            "`private_addresses`",
        ),
        (
            &endpoint("url: \"https://x/\", headers: {Authorization: a}"),
            (5, 118),
            "plugins.auth.endpoints.opa.headers.Authorization",
            "in lower case",
            "`authorization`",
        ),
        (
            &endpoint("url: \"https://x/\", headers: {content-length: a}"),
            (5, 119),
            "plugins.auth.endpoints.opa.headers.content-length",
            "the gateway itself",
            "remove",
        ),
        (
            &endpoint("url: \"https://x/\", headers: {authorization: \"a\\nb\"}"),
            (5, 118),
            "plugins.auth.endpoints.opa.headers.authorization",
            "cannot be used",
            "visible ASCII",
        ),
        (
            &plugin("grants: [secrets], secrets: {\"a b\": {env: A}}"),
            (5, 76),
            "plugins.auth.secrets.\"a b\"",
            "cannot name a secret",
            "letters",
        ),
        (
            &plugin("grants: [secrets], secrets: {a: {env: A, file: b}}"),
            (5, 72),
            "plugins.auth.secrets.a",
            "exactly one of `env` and `file`",
            "keep one",
        ),
        (
            &plugin("grants: [secrets], secrets: {a: \"\"}"),
            (5, 72),
            "plugins.auth.secrets.a",
            "cannot be used",
            "1 to 4096",
        ),
        (
            "plugins: {auth: {source: builtin:auth}, acl: {source: builtin:acl}, \"a/b\": {source: builtin:x}}",
            (5, 76),
            "plugins.\"a/b\"",
            "cannot name a plugin",
            "letters",
        ),
        (
            "plugins: {auth: {source: builtin:auth}, acl: {source: builtin:acl}, My.Plugin: {source: builtin:x}}",
            (5, 80),
            "plugins.\"My.Plugin\"",
            "cannot name a plugin",
            "lower-case letters",
        ),
        (
            "plugins: {auth: {source: builtin:auth}, auth: {source: builtin:auth}, acl: {source: builtin:acl}}",
            (5, 41),
            "plugins.auth",
            "already on line 5",
            "keep one",
        ),
        // The chain.
        (
            "chain: [{use: auht}, {use: acl}]",
            (6, 15),
            "chain[0].use",
            "no plugin `auht`",
            "`auth`",
        ),
        (
            "chain: [{use: auth, mode: on}]",
            (6, 27),
            "chain[0].mode",
            "no mode `on`",
            "`off`",
        ),
        (
            "chain: [{use: auth, match: {operations: [PutObjekt]}}]",
            (6, 42),
            "chain[0].match.operations[0]",
            "no operation `PutObjekt`",
            "`PutObject`",
        ),
        (
            "chain: [{use: auth, match: {operations: []}}]",
            (6, 41),
            "chain[0].match.operations",
            "empty",
            "leave the key out",
        ),
        (
            "chain: [{use: auth, match: {buckets: [Prod]}}]",
            (6, 39),
            "chain[0].match.buckets[0]",
            "not a pattern",
            "lower-case",
        ),
        (
            "chain: [{use: auth, match: {prefix: [a]}}]",
            (6, 29),
            "chain[0].match.prefix",
            "unknown key",
            "`prefixes`",
        ),
        (
            "chain: [{use: auth, match: {prefixes: [\"\"]}}]",
            (6, 40),
            "chain[0].match.prefixes[0]",
            "begins with nothing",
            "no pattern",
        ),
        (
            "chain: [{use: auth, match: {principals: [nobody]}}]",
            (6, 42),
            "chain[0].match.principals[0]",
            "there is no account `nobody`",
            "`anonymous`, `me`",
        ),
        (
            "chain: [{use: auth, match: {principals: [anonymus]}}]",
            (6, 42),
            "chain[0].match.principals[0]",
            "there is no account `anonymus`",
            "did you mean `anonymous`?",
        ),
        (
            "chain: [{use: auth, match: {principals: [\"role:auditr\"]}}]",
            (6, 42),
            "chain[0].match.principals[0]",
            "no account has the role `auditr`",
            "did you mean `auditor`?",
        ),
        (
            "chain: [{use: auth, match: {principals: [\"group:me\"]}}]",
            (6, 42),
            "chain[0].match.principals[0]",
            "names nobody",
            "role:NAME",
        ),
        (
            "chain: [{use: auth, match: {headers: [X-Amz-Acl]}}]",
            (6, 39),
            "chain[0].match.headers[0]",
            "in lower case",
            "x-amz-acl",
        ),
        (
            "chain: [{use: auth, match: {headers: [\"*\"]}}]",
            (6, 39),
            "chain[0].match.headers[0]",
            "not the name of a header",
            "its beginning",
        ),
        (
            "chain: [{use: auth, settings: {a: .nan}}]",
            (6, 35),
            "chain[0].settings.a",
            "JSON does not have",
            "quotes",
        ),
        (
            "chain: [{use: auth, settings: {a: 1, a: 2}}]",
            (6, 38),
            "chain[0].settings.a",
            "already on line 6",
            "keep one",
        ),
        (
            "buckets: [{match: [a-b], insert: [{after: ack, use: acl}]}]",
            (7, 43),
            "buckets[0].insert[0].after",
            "does not use a plugin `ack`",
            "`acl`",
        ),
        (
            "buckets: [{match: [a-b], insert: [{use: acl}]}]",
            (7, 35),
            "buckets[0].insert[0]",
            "exactly one of `after` and `before`",
            "keep one",
        ),
        (
            "buckets: [{match: [a-b], insert: [{after: acl, use: acl, match: {buckets: [x-y]}}]}]",
            (7, 75),
            "buckets[0].insert[0].match.buckets",
            "those of its entry",
            "another entry",
        ),
        (
            "buckets: [{insert: [{after: acl, use: acl}]}]",
            (7, 11),
            "buckets[0]",
            "does not say which buckets",
            "prod-*",
        ),
        (
            "buckets: [{templates: [], insert: [{after: acl, use: acl}]}]",
            (7, 23),
            "buckets[0].templates",
            "empty",
            "leave the key out",
        ),
        (
            "buckets: [{templates: [a b], insert: [{after: acl, use: acl}]}]",
            (7, 24),
            "buckets[0].templates[0]",
            "cannot name a template",
            "letters, digits",
        ),
        (
            "buckets: [{match: [a-b]}]",
            (7, 11),
            "buckets[0]",
            "nothing is different",
            "`shadow`",
        ),
        (
            "buckets: [{match: [a-b], settings: {}, shadow: []}]",
            (7, 11),
            "buckets[0]",
            "nothing is different",
            "`settings`",
        ),
        (
            "buckets: [{match: [a-b], settings: {ack: {}}}]",
            (7, 42),
            "buckets[0].settings.ack",
            "does not use a plugin `ack`",
            "`acl`",
        ),
        (
            "buckets: [{match: [a-b], shadow: [ack]}]",
            (7, 35),
            "buckets[0].shadow[0]",
            "does not use a plugin `ack`",
            "`acl`",
        ),
        (
            "buckets: [{match: [a-b], settings: {acl: {}}}]\nenforced: [acl]",
            (7, 42),
            "buckets[0].settings.acl",
            "the same for all buckets",
            "`enforced`",
        ),
        (
            "buckets: [{match: [a-b], shadow: [acl]}]\nenforced: [acl]",
            (7, 35),
            "buckets[0].shadow[0]",
            "the same for all buckets",
            "`enforced`",
        ),
        (
            "enforced: [audit]",
            (7, 12),
            "enforced[0]",
            "no plugin `audit`",
            "`acl`, `auth`",
        ),
    ];
    let texts: Vec<String> = cases.iter().map(|case| with(case.0)).collect();
    check_all(
        texts
            .iter()
            .zip(cases)
            .map(|(text, case)| (text.as_str(), case.1, case.2, case.3, case.4)),
    );
}

#[test]
fn an_enforced_plugin_cannot_be_passed_by() {
    for (chain, message) in [
        ("[{use: acl}]", "the chain does not use it"),
        (
            "[{use: auth, mode: shadow}]",
            "its use on line 6 lets requests past it",
        ),
        ("[{use: auth, mode: off}]", "lets requests past it"),
        (
            "[{use: auth, match: {buckets: [prod]}}]",
            "lets requests past it",
        ),
        (
            "[{use: auth, match: {operations: [GetObject]}}]",
            "lets requests past it",
        ),
    ] {
        let text = with(&format!("chain: {chain}")) + "enforced: [auth]\n";
        check_all([(text.as_str(), (7, 12), "enforced[0]", message, "auth")]);
    }
    let narrowed_and_not = "chain: [{use: auth, mode: shadow}, {use: auth}]";
    let text = with(narrowed_and_not) + "enforced: [auth]\n";
    assert!(parse(&text).is_ok());
}

#[test]
fn a_text_that_is_not_yaml_is_reported_at_its_place() {
    check_all([
        (
            "version: [1\nlisteners: 2\n",
            (2, 10),
            "",
            "not valid YAML",
            "brackets",
        ),
        ("", (1, 1), "", "empty", "version: 1"),
        (
            "version: 1\n---\nversion: 1\n",
            (2, 1),
            "",
            "second document",
            "---",
        ),
        (
            "- version: 1\n",
            (1, 1),
            "",
            "a mapping is expected",
            "key: value",
        ),
    ]);
}

#[test]
fn five_mistakes_are_reported_at_once_and_in_order() {
    let text = "\
version: 1
listeners:
  - address: 127.0.0.1
    limits: {idle_timeout: soon}
storage:
  sets:
    - drives: [drive1, drive1, drive3]
      data_shards: 2
      parity_shards: 1
accounts:
  - id: root
    role: [bucket-provisioner]
plugins:
  auth: {source: builtin:auth, grants: [identity, time]}
chain:
  - use: auth
";
    let report = parse(text).unwrap_err();
    let found: Vec<_> = report
        .diagnostics
        .iter()
        .map(|found| (found.line, found.column, found.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (3, 14, "listeners[0].address"),
            (4, 28, "listeners[0].limits.idle_timeout"),
            (7, 24, "storage.sets[0].drives[1]"),
            (12, 5, "accounts[0].role"),
            (14, 51, "plugins.auth.grants[1]"),
        ],
        "{report}"
    );
    let shown = report.to_string();
    let drive = "\
sluice.yaml:7:24: storage.sets[0].drives[1]: `/etc/sluice/sluice-data/drive1` is already the drive at `storage.sets[0].drives[0]` (line 7)
7 |     - drives: [drive1, drive1, drive3]
  |                        ^^^^^^
  = every drive is named once
";
    assert!(shown.contains(drive), "{shown}");
    assert!(shown.ends_with("\n5 errors"), "{shown}");

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["diagnostics"][3]["path"], "accounts[0].role");
    assert_eq!(json["diagnostics"][3]["help"], "did you mean `roles`?");
}

#[test]
fn a_report_never_shows_a_secret() {
    let secret = "Pa55word";
    for section in [
        format!("accounts: [{{id: a b, keys: [{{access_key: AKIA, secret_key: {secret}}}]}}]"),
        format!("accounts: [{{id: a, keys: [{{access_key: AKIA, secret_key: \"{secret} \"}}]}}]"),
        format!("accounts: [{{id: a, keys: [{{access_key: AKIA, secret_kye: {secret}}}]}}]"),
        format!("accounts: [{{id: a, keys: [{{access_key: AKIA, secretkey: {secret}}}]}}]"),
        format!("accounts: [{{id: a, keys: [{{access_key: AKIA, secret_key: [{secret}]}}]}}]"),
        format!(
            "accounts: [{{id: a, keys: [{{access_key: AKIA, secret_key: {{text: {secret}}}}}]}}]"
        ),
        format!("accounts: [{{id: a, keys: [{{access_key: AKIA, secret_key: {secret}}}]]"),
        format!("accounts:\n- keys:\n  - secret_key:\n     [{secret}: {{\n"),
        format!(
            "accounts:\n- id: [a]\n  keys:\n  - access_key: AKIA\n    secret_key: |\n      {secret}\n"
        ),
        format!("plugins: {{auth: {{source: builtin:auth, secrets: {{a: {secret}}}}}}}"),
        format!(
            "plugins: {{auth: {{endpoints: {{a: {{headers: {{authorization: {secret}, b: [{secret}]}}}}}}}}}}"
        ),
        format!(
            "plugins: {{auth: {{endpoints: {{a: {{haeders: {{authorization: {secret}}}}}}}}}}}"
        ),
        format!(
            "plugins:\n  auth:\n    endpoints:\n      a:\n        headers:\n          a: x\n          b: y\n          x-api-key: \"{secret}\n"
        ),
    ] {
        let report = parse(&with(&section)).unwrap_err();
        let json = serde_json::to_string(&report).unwrap();
        for shown in [report.to_string(), json, format!("{report:?}")] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let config = parse(&with("version: 1")).unwrap();
    assert!(!format!("{config:?}").contains("sesame"));
}
