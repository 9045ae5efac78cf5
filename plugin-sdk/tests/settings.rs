//! What `#[derive(Settings)]` and `#[plugin]` make of a type.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_plugin::prelude::*;
use sluice_plugin::setting::Size;

/// One of everything.
///
/// This is for readers of the code.
#[derive(Debug, Clone, PartialEq, Settings)]
#[setting(check = Everything::check)]
struct Everything {
    /// Which tag.
    #[setting(min_len = 1, max_len = 4)]
    key: String,
    #[setting(default = "eu")]
    region: String,
    #[setting(default)]
    loud: bool,
    #[setting(default = 7, min = 1, max = 9)]
    level: u8,
    #[setting(default = -1, min = -5)]
    offset: i64,
    #[setting(default = 0.5, max = 1.0)]
    share: f64,
    #[setting(default = "5s", min = "100ms", max = "1m")]
    patience: Duration,
    #[setting(default = "8KiB", max = "1MiB")]
    body: Size,
    #[setting(min = 3)]
    least: Option<u32>,
    #[setting(default = ["a", "b"], min_len = 1, max_len = 3)]
    names: Vec<String>,
    #[setting(default = [])]
    weights: Vec<u32>,
    #[setting(one_of = ["red", "green"])]
    colour: Option<String>,
    #[setting(one_of = [4, 6], default = 4)]
    family: u8,
    #[setting(default = "first_one")]
    mode: Mode,
    nested: Nested,
    #[setting(default = [])]
    list: Vec<Nested>,
    #[setting(rename = "match")]
    pattern: Option<String>,
    r#type: Option<String>,
}

impl Everything {
    fn check(&self) -> Result<(), String> {
        match self.region.as_str() {
            "nowhere" => Err("`region` is nowhere".to_owned()),
            _ => Ok(()),
        }
    }
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Settings)]
enum Mode {
    FirstOne,
    #[setting(rename = "2nd")]
    Second,
}

/// What lies within.
#[derive(Debug, Clone, PartialEq, Settings)]
struct Nested {
    #[setting(default = 3)]
    depth: u32,
    inner: Option<Inner>,
}

#[derive(Debug, Clone, PartialEq, Settings)]
struct Inner {
    name: String,
}

fn read(json: &Value) -> Result<Everything, String> {
    Settings::from_json(&json.to_string()).read()
}

fn with(key: &str, value: Value) -> Value {
    let mut settings = json!({"key": "team"});
    settings[key] = value;
    settings
}

#[test]
fn what_is_absent_has_its_default() {
    let read = read(&json!({"key": "team"})).unwrap();
    let nested = Nested {
        depth: 3,
        inner: None,
    };
    let expected = Everything {
        key: "team".to_owned(),
        region: "eu".to_owned(),
        loud: false,
        level: 7,
        offset: -1,
        share: 0.5,
        patience: Duration::from_secs(5),
        body: Size(8192),
        least: None,
        names: vec!["a".to_owned(), "b".to_owned()],
        weights: Vec::new(),
        colour: None,
        family: 4,
        mode: Mode::FirstOne,
        nested,
        list: Vec::new(),
        pattern: None,
        r#type: None,
    };
    assert_eq!(read, expected);
}

#[test]
fn values_are_read_within_their_bounds() {
    let check = |key: &str, value: Value, expected: Result<(), &str>| {
        let settings = with(key, value);
        let got = read(&settings).map(|_| ());
        assert_eq!(got, expected.map_err(str::to_owned), "{settings}");
    };
    check("key", json!("äöüß"), Ok(()));
    check("key", json!(""), Err("`key` must not be empty"));
    check(
        "key",
        json!("abcde"),
        Err("`key` must have at most 4 characters"),
    );
    check("key", json!(1), Err("`key` must be a text"));
    check("key", json!(null), Err("`key` must be a text"));
    check("loud", json!(true), Ok(()));
    check("loud", json!("true"), Err("`loud` must be true or false"));
    check("level", json!(1), Ok(()));
    check("level", json!(9), Ok(()));
    check("level", json!(0), Err("`level` must be at least 1"));
    check("level", json!(10), Err("`level` must be at most 9"));
    check("level", json!(256), Err("`level` is out of range"));
    check("level", json!(-1), Err("`level` is out of range"));
    check("level", json!(1.5), Err("`level` must be a whole number"));
    check("level", json!([]), Err("`level` must be a whole number"));
    check("offset", json!(-5), Ok(()));
    check("offset", json!(-6), Err("`offset` must be at least -5"));
    check("share", json!(1), Ok(()));
    check("share", json!(1.01), Err("`share` must be at most 1.0"));
    check("share", json!("a"), Err("`share` must be a number"));
    check("patience", json!("100ms"), Ok(()));
    check("patience", json!("1m"), Ok(()));
    check(
        "patience",
        json!("99ms"),
        Err("`patience` must be at least 100ms"),
    );
    check(
        "patience",
        json!("61s"),
        Err("`patience` must be at most 1m"),
    );
    let shape = "`patience` must be a duration such as 100ms, 5s, 1m, 2h or 7d";
    for odd in [
        json!("5"),
        json!(5),
        json!("5 s"),
        json!("s"),
        json!(""),
        json!("99999999999999999999d"),
    ] {
        check("patience", odd, Err(shape));
    }
    check("body", json!(512), Ok(()));
    check("body", json!("1MiB"), Ok(()));
    check("body", json!("2MiB"), Err("`body` must be at most 1MiB"));
    check(
        "body",
        json!("1MB"),
        Err("`body` must be a size such as 512, 64KiB, 8MiB or 1GiB"),
    );
    check("least", json!(null), Ok(()));
    check("least", json!(2), Err("`least` must be at least 3"));
    check("names", json!([]), Err("`names` must not be empty"));
    check("names", json!(["a", 1]), Err("`names[1]` must be a text"));
    check("names", json!("a"), Err("`names` must be a list"));
    check(
        "names",
        json!(["a", "b", "c", "d"]),
        Err("`names` must have at most 3 elements"),
    );
    check("colour", json!("red"), Ok(()));
    check(
        "colour",
        json!("blue"),
        Err("`colour` must be one of `red`, `green`"),
    );
    check("family", json!(5), Err("`family` must be one of `4`, `6`"));
    check("mode", json!("2nd"), Ok(()));
    check(
        "mode",
        json!("third"),
        Err("`mode` must be one of `first_one`, `2nd`"),
    );
    check(
        "mode",
        json!("firstone"),
        Err("`mode` must be one of `first_one`, `2nd`; did you mean `first_one`?"),
    );
    check("nested", json!({"inner": {"name": "a"}}), Ok(()));
    check(
        "nested",
        json!({"inner": {}}),
        Err("`nested.inner.name` is missing"),
    );
    check("nested", json!(3), Err("`nested` must be keys with values"));
    check(
        "list",
        json!([{}, {"depht": 1}]),
        Err("`list[1].depht` is not known; did you mean `depth`?"),
    );
    check("match", json!("*"), Ok(()));
    check("type", json!("a"), Ok(()));
    check(
        "pattern",
        json!("*"),
        Err(
            "`pattern` is not known; known are `key`, `region`, `loud`, `level`, `offset`, `share`, `patience`, `body`, `least`, `names`, `weights`, `colour`, `family`, `mode`, `nested`, `list`, `match`, `type`",
        ),
    );
    check("region", json!("nowhere"), Err("`region` is nowhere"));
}

#[test]
fn what_is_no_json_is_refused() {
    let check = |json: &str, message: &str| {
        let read = Settings::from_json(json).read::<Everything>();
        assert_eq!(read.unwrap_err(), message, "{json}");
    };
    check("", "`key` is missing");
    check("{}", "`key` is missing");
    check("[]", "must be keys with values");
    check(r#"{"key": "a", "key": "b"}"#, "`key` is there twice");
    check(r#"{"key": "a""#, "is no JSON");
    check(r#"{"key": "a"} x"#, "is no JSON");
    check(r#"{"key" "a"}"#, "is no JSON");
    check(r#"{"key": "a"#, "`key` is no JSON");
}

#[plugin(name = "everything", operations = [PutObject], authorize(documents = ["seal"]))]
impl Plugin for Everything {
    fn authorize(&self, _request: &Request, _access: &Access) -> Vote {
        deny(SlowDown).because(self.key.as_str())
    }

    fn prepare(&self, _request: &Request, _access: &Access) -> Result<(), Denial> {
        deny(InvalidRequest).because("not so")
    }
}

#[test]
fn the_manifest_is_that_of_the_phases_and_the_settings() {
    let manifest = Everything::manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("everything", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        manifest.interests,
        [
            Interest::in_phase(Phase::Authorize).documents(["seal"]),
            Interest::in_phase(Phase::Prepare).operations([Operation::PutObject]),
        ]
    );
    let schema: Value = serde_json::from_str(&manifest.settings_schema.unwrap()).unwrap();
    let check = |path: &str, expected: Value| {
        assert_eq!(schema.pointer(path), Some(&expected), "{path}");
    };
    check(
        "/$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    check("/description", json!("One of everything."));
    check("/required", json!(["key"]));
    check("/additionalProperties", json!(false));
    check(
        "/properties/key",
        json!({"type": "string", "minLength": 1, "maxLength": 4, "description": "Which tag."}),
    );
    check(
        "/properties/region",
        json!({"type": "string", "default": "eu"}),
    );
    check(
        "/properties/loud",
        json!({"type": "boolean", "default": false}),
    );
    check(
        "/properties/level",
        json!({"type": "integer", "minimum": 1, "maximum": 9, "default": 7}),
    );
    check(
        "/properties/offset",
        json!({"type": "integer", "minimum": -5, "default": -1}),
    );
    check(
        "/properties/share",
        json!({"type": "number", "maximum": 1.0, "default": 0.5}),
    );
    check(
        "/properties/patience",
        json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "default": "5s"}),
    );
    check(
        "/properties/least",
        json!({"type": "integer", "minimum": 3}),
    );
    check(
        "/properties/names",
        json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "default": ["a", "b"]}),
    );
    check("/properties/weights/default", json!([]));
    check(
        "/properties/colour",
        json!({"type": "string", "enum": ["red", "green"]}),
    );
    check(
        "/properties/mode",
        json!({"enum": ["first_one", "2nd"], "default": "first_one", "description": "How."}),
    );
    check(
        "/properties/nested/properties/inner/required",
        json!(["name"]),
    );
    check("/properties/nested/description", json!("What lies within."));
    check(
        "/properties/list/items/properties/depth",
        json!({"type": "integer", "minimum": 0, "default": 3}),
    );
}

#[test]
fn a_refusal_is_what_a_phase_asks_for() {
    use sluice_plugin::testing;
    let plugin = read(&json!({"key": "team"})).unwrap();
    let put = testing::Request::put("bucket", "key");
    assert!(matches!(put.authorize(&plugin), Vote::Deny(denial) if denial.message == "team"));
    assert!(matches!(put.prepare(&plugin).answer, Err(denial) if denial.message == "not so"));
}

/// The limits are computed when the plugin is compiled, what is written when it is
/// configured: each unit must mean the same to both.
#[test]
fn a_unit_is_the_same_in_a_limit_and_in_a_setting() {
    #[derive(Debug, Settings)]
    #[expect(dead_code, reason = "only whether they are taken is of interest")]
    struct Units {
        #[setting(min = "1ms", max = "1ms")]
        ms: Duration,
        #[setting(min = "1s", max = "1s")]
        s: Duration,
        #[setting(min = "1m", max = "1m")]
        m: Duration,
        #[setting(min = "1h", max = "1h")]
        h: Duration,
        #[setting(min = "1d", max = "1d")]
        d: Duration,
        #[setting(min = "1B", max = "1")]
        b: Size,
        #[setting(min = "1KiB", max = "1KiB")]
        kib: Size,
        #[setting(min = "1MiB", max = "1MiB")]
        mib: Size,
        #[setting(min = "1GiB", max = "1GiB")]
        gib: Size,
        #[setting(min = "1TiB", max = "1TiB")]
        tib: Size,
    }
    let written = json!({
        "ms": "1ms", "s": "1s", "m": "1m", "h": "1h", "d": "1d",
        "b": "1B", "kib": "1KiB", "mib": "1MiB", "gib": "1GiB", "tib": "1TiB",
    });
    let read = Settings::from_json(&written.to_string()).read::<Units>();
    assert!(read.is_ok(), "{read:?}");
}
