//! The JSON Schema of the whole file, for editors.
//!
//! Every mapping takes its keys from the list that its reader uses: a key that
//! has no rule here cannot be asked for without a panic, which the tests would
//! see. What a schema cannot say, such as that a name is used once, only the
//! reader finds.

use s3::Operation;
use serde_json::{Map, Value as Json, json};

use crate::words::{FailureKind, Grant, Instances, Mode};
use crate::{
    account, chain, config, decisions, endpoint, failure, matching, plugin, server, storage, unit,
    uploads,
};

/// What `sluice check --schema` prints.
pub fn schema() -> Json {
    let mut schema = object(
        config::KEYS,
        &["version", "storage", "accounts"],
        |key| match key {
            "version" => about("The version of this format.", json!({"const": 1})),
            "listeners" => about("Where S3 is served.", filled(listener())),
            "admin" => about(
                "The private listener for health, metrics and reloads; without it there is none.",
                admin(),
            ),
            "storage" => storage(),
            "region" => about(
                "What clients sign for.",
                json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$", "default": "us-east-1"}),
            ),
            "accounts" => about("Who may sign requests.", filled(account())),
            "plugins" => about(
                "The catalogue: what code there is, and what it may ever do.",
                json!({"type": "object", "propertyNames": {"pattern": PLUGIN_NAME}, "additionalProperties": plugin()}),
            ),
            "chain" => about("What a request passes, in this order.", list(step())),
            "buckets" => about("What some buckets have in addition.", list(entry())),
            "enforced" => about(
                "Plugins that every request must pass.",
                list(plugin_name("The name of a plugin.")),
            ),
            "decisions" => decisions(),
            "uploads" => uploads(),
            "plugin_cache" => text(
                "A folder for the compiled code of plugins, or `off`; a relative path starts at `storage.data`.",
            ),
            other => unknown(other),
        },
    );
    let head = [
        ("$schema", "https://json-schema.org/draft/2020-12/schema"),
        ("title", "The configuration of sluice"),
    ];
    for (key, value) in head {
        schema[key] = value.into();
    }
    schema
}

const NAME: &str = "^[A-Za-z0-9._-]{1,64}$";
const PLUGIN_NAME: &str = "^[a-z0-9_-]{1,64}$";

fn unknown(key: &str) -> Json {
    unreachable!("the key `{key}` has no rule in the schema")
}

fn object(keys: &[&str], required: &[&str], rule: impl Fn(&str) -> Json) -> Json {
    let properties: Map<String, Json> = keys
        .iter()
        .map(|key| ((*key).to_owned(), rule(key)))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn about(words: &str, mut rule: Json) -> Json {
    rule["description"] = words.into();
    rule
}

fn list(items: Json) -> Json {
    let mut rule = json!({"type": "array"});
    rule["items"] = items;
    rule
}

fn filled(items: Json) -> Json {
    let mut rule = list(items);
    rule["minItems"] = 1.into();
    rule
}

fn text(words: &str) -> Json {
    about(words, json!({"type": "string", "minLength": 1}))
}

fn name(words: &str) -> Json {
    about(words, json!({"type": "string", "pattern": NAME}))
}

fn plugin_name(words: &str) -> Json {
    about(words, json!({"type": "string", "pattern": PLUGIN_NAME}))
}

fn words(words: &[&str]) -> Json {
    json!({"enum": words})
}

fn boolean(words: &str, default: bool) -> Json {
    about(words, json!({"type": "boolean", "default": default}))
}

fn count(words: &str, min: u64, max: u64, default: Option<u64>) -> Json {
    let mut rule = json!({"type": "integer", "minimum": min, "maximum": max});
    if let Some(default) = default {
        rule["default"] = default.into();
    }
    about(words, rule)
}

fn duration(words: &str, default: &str) -> Json {
    let pattern = format!("^[0-9]+ *({})$", unit::durations().join("|"));
    about(
        words,
        json!({"type": "string", "pattern": pattern, "default": default}),
    )
}

fn size(words: &str, default: &str) -> Json {
    let pattern = format!("^[0-9]+ *({})$", unit::sizes().join("|"));
    about(
        words,
        json!({"type": ["string", "integer"], "pattern": pattern, "minimum": 0, "default": default}),
    )
}

fn listener() -> Json {
    object(server::LISTENER_KEYS, &["address"], |key| match key {
        "address" => address(),
        "domain" => about(
            "The names under which buckets are found as `BUCKET.DOMAIN`.",
            json!({"anyOf": [domain(), filled(domain())]}),
        ),
        "tls" => object(server::TLS_KEYS, server::TLS_KEYS, |key| match key {
            "certificate" => text("A chain of certificates in PEM, that of the server first."),
            "key" => text("The private key of the first certificate, in PEM."),
            other => unknown(other),
        }),
        "limits" => object(server::LIMITS_KEYS, &[], |key| match key {
            "connections" => count(
                "Connections that are open at the same time.",
                1,
                1_000_000,
                Some(1024),
            ),
            "header_bytes" => size("Of the head of one request.", "32KiB"),
            "header_timeout" => duration(
                "From the first byte of a request's head to its last.",
                "10s",
            ),
            "idle_timeout" => duration("A connection without a request.", "60s"),
            "body_timeout" => duration("A body of which no byte comes.", "60s"),
            "drain_timeout" => duration(
                "What a shutdown allows for requests that have begun.",
                "30s",
            ),
            other => unknown(other),
        }),
        other => unknown(other),
    })
}

fn domain() -> Json {
    json!({"type": "string", "maxLength": 253, "pattern": "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$"})
}

fn address() -> Json {
    about(
        "An IP address and a port.",
        json!({"type": "string", "pattern": "^([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$"}),
    )
}

fn admin() -> Json {
    object(server::ADMIN_KEYS, server::ADMIN_KEYS, |key| match key {
        "address" => address(),
        other => unknown(other),
    })
}

fn storage() -> Json {
    let set = object(storage::SET_KEYS, storage::SET_KEYS, |key| match key {
        "drives" => about(
            "A directory for each drive.",
            filled(text("A directory; a relative path starts at `data`.")),
        ),
        "data_shards" => count("What an object is cut into.", 1, 32, None),
        "parity_shards" => count(
            "How many drives may be lost; not more than data shards.",
            1,
            32,
            None,
        ),
        other => unknown(other),
    });
    object(storage::STORAGE_KEYS, &["sets"], |key| match key {
        "data" => text("Where relative paths of the storage start."),
        "index" => text("The directory of the index; it can be rebuilt from the drives."),
        "sets" => about(
            "The drives, of which there is one set.",
            json!({"type": "array", "items": set, "minItems": 1, "maxItems": 1}),
        ),
        other => unknown(other),
    })
}

/// A text, or where it is to be found.
fn reference(words: &str, literal: &str) -> Json {
    let indirect = |key: &str, rule: Json| {
        assert!(account::REFERENCE_KEYS.contains(&key), "`{key}` is read");
        json!({
            "type": "object", "properties": {key: rule}, "required": [key], "additionalProperties": false,
        })
    };
    about(
        words,
        json!({"anyOf": [
            {"type": "string", "pattern": literal},
            indirect("env", json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})),
            indirect("file", json!({"type": "string"})),
        ]}),
    )
}

fn account() -> Json {
    let key = object(account::KEY_KEYS, account::KEY_KEYS, |key| match key {
        "access_key" => reference(
            "What a request names the key by.",
            "^[A-Za-z0-9._-]{3,128}$",
        ),
        "secret_key" => reference("What a request is signed with.", "^[!-~]{8,128}$"),
        other => unknown(other),
    });
    object(account::ACCOUNT_KEYS, &["id"], |field| match field {
        "id" => {
            let mut id = name("The canonical user id.");
            id["not"] = json!({"const": matching::ANONYMOUS});
            id
        }
        "display_name" => about(
            "The id, if left out.",
            json!({"type": "string", "minLength": 1, "maxLength": 128}),
        ),
        "email" => about(
            "Where grants may name it.",
            json!({"type": "string", "maxLength": 254, "pattern": "^[^@\\s]+@[^@\\s]+$"}),
        ),
        "roles" => about("What plugins know an account by.", list(name("A role."))),
        "keys" => list(key.clone()),
        other => unknown(other),
    })
}

fn plugin() -> Json {
    let mut plugin = object(plugin::PLUGIN_KEYS, &["source"], |key| match key {
        "source" => about(
            "`builtin:NAME`, or `file:PATH` relative to this file.",
            json!({"type": "string", "pattern": "^(builtin:[a-z0-9_-]{1,64}|file:.+)$"}),
        ),
        "digest" => about(
            "What the code must be.",
            json!({"type": "string", "pattern": "^sha256:[0-9A-Fa-f]{64}$"}),
        ),
        "grants" => about("What it may use.", list(words(Grant::WORDS))),
        "endpoints" => about(
            "With the grant `http`: the services it may call, each by its name.",
            json!({"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": endpoint()}),
        ),
        "secrets" => about(
            "With the grant `secrets`: keys that the gateway computes with for it.",
            json!({
                "type": "object", "propertyNames": {"pattern": NAME},
                "additionalProperties": reference("A key, or where it is.", "^[\\s\\S]{1,4096}$"),
            }),
        ),
        "limits" => limits(),
        "on_failure" => on_failure(),
        "breaker" => about(
            "When it is not called for a while; `off` for never.",
            json!({"anyOf": [{"const": "off"}, breaker()]}),
        ),
        "instances" => about(
            "One for every request, or one for many.",
            words(Instances::WORDS),
        ),
        other => unknown(other),
    });
    plugin["allOf"] = json!([
        granted(Grant::Http, "endpoints"),
        granted(Grant::Secrets, "secrets"),
    ]);
    plugin
}

/// What a grant is for is there exactly where it is granted.
fn granted(grant: Grant, key: &str) -> Json {
    let granted = json!({"contains": {"const": grant.name()}});
    json!({
        "if": {"required": ["grants"], "properties": {"grants": granted}},
        "then": {"required": [key], "properties": {key: {"minProperties": 1}}},
        "else": {"properties": {key: {"maxProperties": 0}}},
    })
}

fn endpoint() -> Json {
    object(endpoint::ENDPOINT_KEYS, &["url"], |key| match key {
        "url" => about(
            "What the paths of calls are appended to: no user, query or fragment.",
            json!({"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\s]+(/[^?#\\s]*)?$"}),
        ),
        "methods" => filled(words(endpoint::METHODS)),
        "timeout" => duration("For a call and its whole answer; at most 30s.", "500ms"),
        "response" => size("The largest answer; at most 1MiB.", "64KiB"),
        "private_addresses" => boolean(
            "Whether its host may be on this machine or in a private network.",
            false,
        ),
        "headers" => about(
            "What the gateway adds to each call.",
            json!({
                "type": "object", "propertyNames": {"pattern": HEADER, "not": {"enum": endpoint::FRAMING}},
                "additionalProperties": reference("Its value, or where it is.", "^[!-~]([ -~]{0,4094}[!-~])?$"),
            }),
        ),
        other => unknown(other),
    })
}

const HEADER: &str = "^[a-z0-9!#$%&'*+.^_`|~-]+$";

fn limits() -> Json {
    object(plugin::LIMITS_KEYS, &[], |key| match key {
        "cpu" => duration("Processor time of one call into it.", "5ms"),
        "wall" => duration(
            "The same, with all that it waits for; not less than `cpu`.",
            "1s",
        ),
        "memory" => size("Of one instance; at most 256MiB.", "8MiB"),
        "output" => size("Of what one call hands out.", "64KiB"),
        "host_calls" => count("In one call.", 1, 1_000_000, Some(1024)),
        "log_lines" => count(
            "For each request; more are dropped.",
            0,
            1_000_000,
            Some(20),
        ),
        "concurrency" => count("Requests inside at the same time.", 1, 1_000_000, Some(256)),
        other => unknown(other),
    })
}

fn on_failure() -> Json {
    let codes: Vec<&str> = s3::Code::ALL.iter().map(|code| code.name()).collect();
    let answer = |possible: &[&str]| {
        let code = object(failure::ANSWER_KEYS, failure::ANSWER_KEYS, |_| {
            words(&codes)
        });
        json!({"anyOf": [words(possible), code]})
    };
    let mut on_failure = object(failure::ON_FAILURE_KEYS, &[], |key| match key {
        "default" => about(
            "What a request is answered with when the plugin fails.",
            answer(&["deny", "open"]),
        ),
        "accept_risk" => boolean("Must be true where a failure lets requests pass.", false),
        "load" => about("Where it cannot be loaded.", answer(failure::START_WORDS)),
        "settings" => about(
            "Where it refuses its settings.",
            answer(failure::START_WORDS),
        ),
        kind if FailureKind::parse(kind).is_some() => answer(&["deny", "open"]),
        other => unknown(other),
    });
    let keys = failure::ON_FAILURE_KEYS.iter();
    let closed: Map<String, Json> = keys
        .map(|key| ((*key).to_owned(), json!({"not": {"const": "open"}})))
        .collect();
    on_failure["if"] = json!({"properties": closed});
    on_failure["else"] =
        json!({"required": ["accept_risk"], "properties": {"accept_risk": {"const": true}}});
    on_failure
}

fn breaker() -> Json {
    object(failure::BREAKER_KEYS, &[], |key| match key {
        "failures" => count("So many in a row.", 1, 10_000, Some(10)),
        "clients" => count("Of so many clients.", 1, 100, Some(3)),
        "pause" => duration("How long it is not called then.", "5s"),
        other => unknown(other),
    })
}

fn matching(keys: &[&str]) -> Json {
    let operations: Vec<&str> = Operation::ALL.iter().map(|op| op.name()).collect();
    let rules = object(keys, &[], |key| match key {
        "operations" => filled(words(&operations)),
        "buckets" => buckets(),
        "prefixes" => about(
            "What keys of objects begin with.",
            filled(json!({"type": "string", "minLength": 1, "maxLength": 1024})),
        ),
        "principals" => about(
            "Ids of accounts, `role:NAME` or `anonymous`.",
            filled(json!({"type": "string", "pattern": "^(role:)?[A-Za-z0-9._-]{1,64}$"})),
        ),
        "headers" => about(
            "Of these, one is present; names in lower case, or a beginning and `*`.",
            filled(json!({"type": "string", "pattern": HEADER, "not": {"const": "*"}})),
        ),
        other => unknown(other),
    });
    about(
        "Only for some requests: all keys must hold, of each one item.",
        rules,
    )
}

fn buckets() -> Json {
    about(
        "Names of buckets, or patterns with `*` and `?`.",
        filled(json!({"type": "string", "pattern": "^[a-z0-9.*?-]{1,63}$"})),
    )
}

fn use_of(key: &str, matched: &[&str]) -> Json {
    match key {
        "use" => plugin_name("The name of a plugin of the catalogue."),
        "match" => matching(matched),
        "settings" => settings(),
        "mode" => about(
            "In shadow, the plugin is evaluated and reported only.",
            words(Mode::WORDS),
        ),
        other => unknown(other),
    }
}

fn settings() -> Json {
    about(
        "What the plugin makes of them is in its documentation.",
        json!({"type": ["object", "array", "string", "number", "boolean"]}),
    )
}

fn step() -> Json {
    object(chain::STEP_KEYS, &["use"], |key| {
        use_of(key, matching::MATCH_KEYS)
    })
}

fn entry() -> Json {
    // The buckets of an insert are those of its entry.
    let matched: Vec<&str> = matching::MATCH_KEYS
        .iter()
        .copied()
        .filter(|key| *key != "buckets")
        .collect();
    let mut insert = object(chain::INSERT_KEYS, &["use"], |key| match key {
        "after" | "before" => plugin_name("The name of a plugin that the chain uses."),
        other => use_of(other, &matched),
    });
    insert["oneOf"] = json!([{"required": ["after"]}, {"required": ["before"]}]);
    let mut entry = object(chain::ENTRY_KEYS, &[], |key| match key {
        "match" => buckets(),
        "templates" => about(
            "What buckets were made by, beside those that `match` names.",
            filled(name("The name of a template.")),
        ),
        "insert" => about("Steps that they have besides.", filled(insert.clone())),
        "settings" => about(
            "By plugins of the chain: what their uses have instead of their settings.",
            json!({"type": "object", "propertyNames": {"pattern": PLUGIN_NAME}, "additionalProperties": settings()}),
        ),
        "shadow" => about(
            "Plugins of the chain that are evaluated and reported only.",
            list(plugin_name("The name of a plugin that the chain uses.")),
        ),
        other => unknown(other),
    });
    let filled = |key: &str, rule: Json| json!({"required": [key], "properties": {key: rule}});
    let changes = json!([
        filled("insert", json!({"minItems": 1})),
        filled("settings", json!({"minProperties": 1})),
        filled("shadow", json!({"minItems": 1})),
    ]);
    let selectors = json!([{"required": ["match"]}, {"required": ["templates"]}]);
    entry["allOf"] = json!([{"anyOf": selectors}, {"anyOf": changes}]);
    entry
}

fn decisions() -> Json {
    let rules = object(decisions::DECISIONS_KEYS, &[], |key| match key {
        "file" => text(
            "Lines of JSON; without it, the latest are kept in memory only. A relative path starts at `storage.data`.",
        ),
        "sample" => about(
            "The share of allowed requests.",
            json!({"type": "number", "minimum": 0, "maximum": 1, "default": 0.01}),
        ),
        "keep" => count("The latest, in memory.", 0, 100_000, Some(1000)),
        "file_size" => size(
            "How long the file becomes before it is moved aside, once.",
            "64MiB",
        ),
        other => unknown(other),
    });
    about(
        "What is kept of decisions: every denial, and a sample of what was allowed.",
        rules,
    )
}

fn uploads() -> Json {
    let rules = object(uploads::UPLOADS_KEYS, &[], |key| match key {
        "expire_after" => about(
            "How long after its beginning an upload that was not completed is aborted, or `never`.",
            json!({
                "type": "string",
                "pattern": format!("^([0-9]+ *({})|never)$", unit::durations().join("|")),
                "default": "never",
            }),
        ),
        other => unknown(other),
    });
    about(
        "What becomes of multipart uploads that nobody finishes.",
        rules,
    )
}
