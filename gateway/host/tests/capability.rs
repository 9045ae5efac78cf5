//! What plugins reach beyond their request: counts, services and secrets.

#![expect(
    clippy::unwrap_used,
    reason = "what a guest or a probe cannot do here is a mistake of the test"
)]

mod guest;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use guest::{Guest, Image, constant, constants};
use host::{
    BaseUrl, Endpoint, Grant, Host, Mode, Outbound, Outgoing, Principal, Probe, Question, Scenery,
    Secret, Served, Services, Settings, Time, Unanswered,
};
use http::{HeaderMap, HeaderValue, Method, Response};
use s3::Operation;
use storage::Timestamp;

/// Where the host writes results.
const RESULT: usize = 60000;

/// Serves a request with whatever `body` does to this reply.
fn serving(body: impl FnOnce(&mut Image, usize) -> String) -> Guest {
    Guest::new().serve(Operation::GetBucketCors, |image| {
        let reply = image.reply(200, &[], [0, 0]);
        let body = body(image, reply);
        format!("{body} {}", constant(reply))
    })
}

/// Writes the number of an error into the status of a reply, as 500 and more,
/// unless the result is a success, which is taken care of by `done`. What the
/// result is of lies at `inner`.
fn or_failure(reply: usize, inner: usize, done: &str) -> String {
    format!(
        "(if (i32.load8_u (i32.const {RESULT}))
            (then (i32.store16 (i32.const {status}) (i32.add (i32.const 500) (i32.load8_u (i32.const {error})))))
            (else {done}))",
        status = reply + 4,
        error = inner,
    )
}

fn copy(from: usize, to: usize) -> String {
    format!("(i32.store (i32.const {to}) (i32.load (i32.const {from})))")
}

fn serve(probe: &Probe) -> Result<Served, host::Failure> {
    let facts = guest::facts("GET", "/prod-a?cors");
    let question = Question {
        resource: Some(guest::resource(&facts)),
        facts,
        principal: Principal::Anonymous,
        creation: None,
    };
    Ok(probe.serve(&question, Bytes::new())?.unwrap())
}

fn scenery() -> Scenery {
    Scenery::new(Arc::new(guest::People), Time::At(Timestamp(1000)))
}

fn probe(guest: &Guest, scenery: Scenery) -> Probe {
    let plugin = guest.load(guest::host());
    Probe::new(plugin, serde_json::Value::Null, scenery).unwrap()
}

/// Serves the sum of a count, in its status.
fn counting(key: &str, n: u64, window_ms: u64) -> Guest {
    serving(|image, reply| {
        let key = constants(image.text(key));
        let add = format!("(call $add {key} (i64.const {n}) (i64.const {window_ms}))");
        let status = reply + 4;
        format!("(i32.store16 (i32.const {status}) (i32.add (i32.const 200) (i32.wrap_i64 {add})))")
    })
    .grant(Grant::Counters)
    .import("counters", "add", "(param i32 i32 i64 i64) (result i64)")
}

#[test]
fn counts_last_from_one_request_to_the_next() {
    let probe = probe(&counting("k", 2, 1000), scenery());
    for sum in [2, 4, 6] {
        assert_eq!(serve(&probe).unwrap().status.as_u16(), 200 + sum);
    }
}

#[test]
fn a_probe_counts_on_from_what_it_is_given() {
    let scenery = Scenery {
        counts: BTreeMap::from([("k".to_owned(), 10), ("other".to_owned(), 50)]),
        ..scenery()
    };
    let counting = probe(&counting("k", 0, 5000), scenery);
    for _ in 0..2 {
        assert_eq!(serve(&counting).unwrap().status.as_u16(), 210);
    }
}

#[test]
fn a_count_has_a_short_key_and_a_window_from_a_second_to_a_day() {
    for (key_len, window_ms, expected) in [
        (0, 1000, Ok(201)),
        (256, 86_400_000, Ok(201)),
        (257, 1000, Err("invalid")),
        (1, 999, Err("invalid")),
        (1, 86_400_001, Err("invalid")),
        (1, 0, Err("invalid")),
    ] {
        let probe = probe(&counting(&"k".repeat(key_len), 1, window_ms), scenery());
        let status = serve(&probe).map(|served| served.status.as_u16());
        let status = status.map_err(|failure| failure.kind.name());
        assert_eq!(status, expected, "{key_len} {window_ms}");
    }
}

/// What a chain of one with this guest answers with.
fn status(host: &Host, guest: &Guest) -> u16 {
    let facts = guest::facts("GET", "/prod-a?cors");
    let chain = guest::chain_on(host, std::slice::from_ref(guest));
    let mut run = chain.begin(facts.clone());
    let served = run.serve(&guest::resource(&facts), Bytes::new());
    served.unwrap().status.as_u16()
}

#[test]
fn counts_outlive_a_generation_and_each_plugin_has_its_own() {
    let host = Host::new(Settings::default()).unwrap();
    // Every chain loads its plugin anew.
    let counting = counting("k", 1, 86_400_000);
    assert_eq!(status(&host, &counting), 201);
    assert_eq!(status(&host, &counting), 202);
    assert_eq!(status(&host, &counting.clone().named("other")), 201);
    assert_eq!(status(&host, &counting), 203);
    let fresh = Host::new(Settings::default()).unwrap();
    assert_eq!(status(&fresh, &counting), 201);
}

#[test]
fn what_is_counted_in_shadow_is_counted_apart() {
    // Denies from the second time on.
    let limit = Guest::new()
        .named("limit")
        .grant(Grant::Counters)
        .import("counters", "add", "(param i32 i32 i64 i64) (result i64)")
        .authorize(|image| {
            let (allow, deny) = (image.allow(), image.deny("SlowDown"));
            let key = constants(image.text("k"));
            format!(
                "(select (i32.const {deny}) (i32.const {allow})
                    (i64.gt_u (call $add {key} (i64.const 1) (i64.const 86400000)) (i64.const 1)))"
            )
        });
    let host = Host::new(Settings::default()).unwrap();
    let chain = guest::chain_on(&host, &[limit.clone().mode(Mode::Shadow), limit]);
    let facts = guest::facts("GET", "/prod-a/key");
    for allowed in [true, false] {
        let decision = chain
            .begin(facts.clone())
            .authorize(&guest::resource(&facts));
        assert_eq!(decision.is_ok(), allowed);
    }
}

/// RFC 4231, test case 2.
const KEY: &str = "Jefe";
const DATA: &str = "what do ya want for nothing?";
const MAC: [u8; 32] = [
    0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
];

fn named(secret: &str) -> Scenery {
    let secrets = BTreeMap::from([(secret.to_owned(), Secret::new(KEY))]);
    Scenery {
        services: Services {
            secrets,
            ..Services::default()
        },
        ..scenery()
    }
}

#[test]
fn a_plugin_gets_proofs_under_a_named_secret_and_never_the_secret() {
    let proving = serving(|image, reply| {
        let (secret, data) = (image.text("jwt"), image.text(DATA));
        let arguments = constants([secret[0], secret[1], data[0], data[1], RESULT]);
        let body = copy(RESULT + 4, reply + 16) + &copy(RESULT + 8, reply + 20);
        let answer = or_failure(reply, RESULT + 4, &body);
        format!("(call $hmac-sha256 {arguments}) {answer}")
    })
    .grant(Grant::Secrets)
    .import("secrets", "hmac-sha256", "(param i32 i32 i32 i32 i32)");
    assert_eq!(serve(&probe(&proving, named("jwt"))).unwrap().body, MAC[..]);
    let unknown = serve(&probe(&proving, named("other"))).unwrap();
    assert_eq!(unknown.status.as_u16(), 500);
    let shown = format!("{:?}", named("jwt"));
    assert!(!shown.contains(KEY), "{shown}");
}

#[test]
fn a_proof_is_right_or_wrong() {
    let wrong = |place: usize| {
        let mut mac = MAC;
        mac[place] ^= 1;
        mac.to_vec()
    };
    for (secret, data, mac, expected) in [
        ("jwt", DATA, MAC.to_vec(), 201),
        ("jwt", "other data", MAC.to_vec(), 200),
        ("jwt", DATA, wrong(0), 200),
        ("jwt", DATA, wrong(31), 200),
        ("jwt", DATA, MAC[..31].to_vec(), 200),
        ("jwt", DATA, Vec::new(), 200),
        ("jwt", DATA, [&MAC[..], &[0]].concat(), 200),
        ("other", DATA, MAC.to_vec(), 500),
    ] {
        let verifying = serving(|image, reply| {
            let texts = [
                image.text(secret),
                image.text(data),
                image.text(&mac),
            ];
            let arguments: [usize; 6] = texts.concat().try_into().unwrap();
            let arguments = constants(arguments);
            let status = reply + 4;
            let verified = RESULT + 1;
            let told = format!(
                "(i32.store16 (i32.const {status}) (i32.add (i32.const 200) (i32.load8_u (i32.const {verified}))))"
            );
            let answer = or_failure(reply, verified, &told);
            format!("(call $verify-hmac-sha256 {arguments} (i32.const {RESULT})) {answer}")
        })
        .grant(Grant::Secrets)
        .import(
            "secrets",
            "verify-hmac-sha256",
            "(param i32 i32 i32 i32 i32 i32 i32)",
        );
        let served = serve(&probe(&verifying, named("jwt"))).unwrap();
        assert_eq!(served.status.as_u16(), expected, "{secret} {data} {mac:?}");
    }
}

/// Remembers what it was asked, and always answers the same.
#[derive(Debug)]
struct Canned {
    answer: Result<(u16, &'static str), Unanswered>,
    calls: Mutex<Vec<(Outgoing, Duration)>>,
}

impl Canned {
    fn new(answer: Result<(u16, &'static str), Unanswered>) -> Arc<Self> {
        let calls = Mutex::default();
        Arc::new(Self { answer, calls })
    }
}

impl Outbound for Canned {
    fn send(&self, call: Outgoing, deadline: Instant) -> Result<Response<Bytes>, Unanswered> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.calls.lock().unwrap().push((call, left));
        let (status, body) = self.answer?;
        let answer = Response::builder().status(status).header("x-service", "1");
        Ok(answer.body(Bytes::from(body)).unwrap())
    }
}

/// Serves what a service answers.
fn calling(endpoint: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Guest {
    serving(|image, reply| {
        let list = image.pairs(headers);
        let texts = [
            image.text(endpoint),
            image.text(method),
            image.text(path),
            list,
            image.text("input"),
        ];
        let arguments: [usize; 10] = texts.concat().try_into().unwrap();
        let arguments = constants(arguments);
        let status = format!(
            "(i32.store16 (i32.const {}) (i32.load16_u (i32.const {})))",
            reply + 4,
            RESULT + 4
        );
        let rest: String = [8, 12, 16, 20]
            .map(|at| copy(RESULT + at, reply + at))
            .concat();
        let answer = or_failure(reply, RESULT + 4, &(status + &rest));
        format!("(call $fetch {arguments} (i32.const {RESULT})) {answer}")
    })
    .grant(Grant::Http)
    .import(
        "http",
        "fetch",
        "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
    )
}

fn reaching(outbound: Arc<Canned>) -> Scenery {
    let mut headers = HeaderMap::new();
    let mut token = HeaderValue::from_static("of the operator");
    token.set_sensitive(true);
    headers.insert("x-token", token);
    let endpoint = Endpoint {
        url: BaseUrl::parse("https://opa.example.com/v1/").unwrap(),
        methods: vec![Method::GET, Method::POST],
        timeout: Duration::from_millis(300),
        answer_len_max: 1024,
        private_addresses: false,
        headers,
    };
    Scenery {
        services: Services {
            endpoints: BTreeMap::from([("opa".to_owned(), endpoint)]),
            ..Services::default()
        },
        outbound,
        ..scenery()
    }
}

#[test]
fn a_service_is_called_with_what_the_plugin_says_and_the_operator_adds() {
    let canned = Canned::new(Ok((302, "elsewhere")));
    let guest = calling("opa", "POST", "data?q=1", &[("x-mine", "a")]);
    let served = serve(&probe(&guest, reaching(canned.clone()))).unwrap();
    assert_eq!(served.status.as_u16(), 302);
    assert_eq!(served.body, "elsewhere");
    assert_eq!(served.headers["x-service"], "1");
    assert!(!served.headers.contains_key("x-token"));
    let calls = canned.calls.lock().unwrap();
    let [(call, left)] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!(call.endpoint, "opa");
    assert_eq!(call.request.method(), Method::POST);
    assert_eq!(call.request.uri(), "https://opa.example.com/v1/data?q=1");
    assert_eq!(call.request.headers()["x-mine"], "a");
    assert_eq!(call.request.headers()["x-token"], "of the operator");
    assert_eq!(call.request.body(), "input");
    assert!(*left <= Duration::from_millis(300));
    assert!(!format!("{call:?}").contains("of the operator"));
}

#[test]
fn a_call_that_is_not_made_or_not_answered_says_why() {
    let fine = || calling("opa", "GET", "data", &[]);
    for (guest, answer, expected) in [
        (fine(), Ok((200, "ok")), Ok(200)),
        (
            calling("other", "GET", "data", &[]),
            Ok((200, "ok")),
            Ok(500),
        ),
        (calling("opa", "PUT", "data", &[]), Ok((200, "ok")), Ok(501)),
        (
            calling("opa", "GET", "../data", &[]),
            Ok((200, "ok")),
            Ok(501),
        ),
        (
            calling("opa", "GET", "data", &[("host", "evil")]),
            Ok((200, "ok")),
            Ok(501),
        ),
        (
            calling("opa", "GET", "data", &[("x-token", "mine")]),
            Ok((200, "ok")),
            Ok(501),
        ),
        (fine(), Err(Unanswered::Unreachable), Ok(502)),
        (fine(), Err(Unanswered::Timeout), Ok(503)),
        (fine(), Err(Unanswered::TooLarge), Ok(504)),
        (fine(), Err(Unanswered::Overload), Err("overload")),
        (
            fine().limits(|limits| limits.output = 10),
            Ok((200, "ok")),
            Err("output"),
        ),
    ] {
        let canned = Canned::new(answer);
        let served = serve(&probe(&guest, reaching(canned.clone())));
        let status = served.map(|served| served.status.as_u16());
        assert_eq!(
            status.map_err(|failure| failure.kind.name()),
            expected,
            "{guest:?}"
        );
        let called = !canned.calls.lock().unwrap().is_empty();
        let permitted = answer.is_err() || expected == Ok(200);
        assert_eq!(called, permitted && expected != Err("output"), "{guest:?}");
    }
}

#[test]
fn nothing_is_called_or_counted_before_there_is_a_request() {
    let key = |image: &mut Image| constants(image.text("k"));
    let counting = Guest::new()
        .grant(Grant::Counters)
        .import("counters", "add", "(param i32 i32 i64 i64) (result i64)")
        .configure(|image| {
            let add = format!("(call $add {} (i64.const 1) (i64.const 1000))", key(image));
            format!("(drop {add}) {}", constant(image.ok()))
        });
    let plugin = counting.load(guest::host());
    let faults = Probe::new(plugin, serde_json::Value::Null, scenery()).unwrap_err();
    assert!(faults[0].to_string().contains("there is no request yet"));
}
