//! A plugin that asks a service over HTTP: what the service answers decides, and
//! what becomes of no answer is the operator's word.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use host::Phase;
use s3::Operation;
use sluice_tests::{ROOT, Reply, Request, Server, Settings};

use crate::guest::{Guest, constants};

/// Asks the endpoint `opa` about the key of an upload: `yes` leaves it to others.
fn asking() -> Guest {
    // Where the host writes the key, and the answer.
    const KEY: usize = 60000;
    const ANSWER: usize = 60100;
    Guest::new()
        .import("access", "key", "(param i32)")
        .import(
            "http",
            "fetch",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .authorize(|image| {
            let [endpoint, endpoint_len] = image.text("opa");
            let [method, method_len] = image.text("GET");
            let named = constants([endpoint, endpoint_len, method, method_len]);
            let no_headers_no_body = constants([0, 0, 0, 0, ANSWER]);
            let abstain = image.abstain();
            let [refused, unreachable, timeout, failed] =
                ["Refused", "Unreachable", "TooSlow", "Failed"].map(|code| image.deny(code));
            let (key, key_len) = (KEY + 4, KEY + 8);
            let (status, failure) = (ANSWER + 4, ANSWER + 4);
            let (body, body_len) = (ANSWER + 16, ANSWER + 20);
            format!(
                "(call $key (i32.const {KEY}))
                 (call $fetch {named} (i32.load (i32.const {key})) (i32.load (i32.const {key_len}))
                    {no_headers_no_body})
                 (if (i32.load8_u (i32.const {ANSWER})) (then
                    (if (i32.eq (i32.load8_u (i32.const {failure})) (i32.const 2))
                        (then (return (i32.const {unreachable}))))
                    (if (i32.eq (i32.load8_u (i32.const {failure})) (i32.const 3))
                        (then (return (i32.const {timeout}))))
                    (return (i32.const {failed}))))
                 (if (i32.ne (i32.load16_u (i32.const {status})) (i32.const 200))
                    (then (return (i32.const {failed}))))
                 (if (i32.ne (i32.load (i32.const {body_len})) (i32.const 3))
                    (then (return (i32.const {refused}))))
                 (select (i32.const {abstain}) (i32.const {refused})
                    (i32.eq (i32.load8_u (i32.load (i32.const {body}))) (i32.const {yes})))",
                yes = u32::from(b'y'),
            )
        })
        .only(Phase::Authorize, &[Operation::PutObject])
}

/// A service on a loopback port, which remembers what it was asked.
struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::default();
        let service = Self {
            address,
            asked: Arc::clone(&asked),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, asked) = (stream.expect("a client"), Arc::clone(&asked));
                thread::spawn(move || answer(stream, &asked));
            }
        });
        service
    }

    /// The heads of all requests so far.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

/// `yes` under `/v1/allowed`; nothing at all under `/v1/slow`.
fn answer(stream: TcpStream, asked: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).expect("a head") == 0 {
            return;
        }
    }
    let (status, body) = match head.split(' ').nth(1) {
        Some("/v1/allowed") => ("200 OK", "yes"),
        Some("/v1/broken") => ("500 Internal Server Error", "yes"),
        Some("/v1/slow") => ("", ""),
        _ => ("200 OK", "no"),
    };
    asked.lock().expect("nobody panicked").push(head);
    if status.is_empty() {
        // Until the other side gives up.
        let _ = stream.read(&mut [0]);
        return;
    }
    let len = body.len();
    let whole =
        format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}");
    let _ = stream.get_mut().write_all(whole.as_bytes());
}

/// The members of the plugin and of its endpoint are in YAML's flow style.
fn policy(plugin: &str, url: &str, endpoint: &str) -> String {
    format!(
        "plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  provisioning: {{source: 'builtin:provisioning', grants: [placement]}}
  acl: {{source: 'builtin:acl', grants: [documents, directory, placement]}}
  asks:
    source: file:asks.wasm
    grants: [http]
    endpoints: {{opa: {{url: '{url}', headers: {{authorization: of the operator}}, {endpoint}}}}}
    {plugin}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: default, templates: [{{name: default}}]}}}}
  - use: acl
  - use: asks
"
    )
}

fn start(policy: &str) -> Server {
    let server = Server::start(&Settings::default());
    server.bucket("data");
    let component = asking().component();
    fs::write(server.data().join("asks.wasm"), component).expect("the folder is writable");
    server.edit(|text| text.to_owned() + policy);
    server.reload().expect(200);
    server
}

fn upload(server: &Server, path: &str) -> Reply {
    server.send(&Request::put(path, "content").signed(&ROOT))
}

/// Time for a busy machine.
const PATIENT: &str = "limits: {cpu: 1s, wall: 30s}";

#[test]
fn what_a_service_answers_decides() {
    let service = Service::start();
    let url = format!("http://{}/v1/", service.address);
    let endpoint = "private_addresses: true, timeout: 20s";
    let server = start(&policy(PATIENT, &url, endpoint));
    upload(&server, "/data/allowed").expect(200);
    upload(&server, "/data/other").refused(403, "Refused");
    upload(&server, "/data/broken").refused(403, "Failed");
    assert_eq!(
        server.content("/data/allowed").as_deref(),
        Some(&b"content"[..])
    );
    assert_eq!(server.content("/data/other"), None);

    let asked = service.asked();
    let lines: Vec<_> = asked
        .iter()
        .filter_map(|head| head.lines().next())
        .collect();
    let paths = ["allowed", "other", "broken"];
    assert_eq!(lines, paths.map(|key| format!("GET /v1/{key} HTTP/1.1")));
    for head in asked {
        assert!(
            head.contains("authorization: of the operator\r\n"),
            "{head}"
        );
    }
}

#[test]
fn a_service_that_is_too_slow_is_the_plugins_to_judge_while_it_has_time_of_its_own() {
    let service = Service::start();
    let url = format!("http://{}/v1/", service.address);
    let endpoint = "private_addresses: true, timeout: 300ms";
    let server = start(&policy(PATIENT, &url, endpoint));
    upload(&server, "/data/slow").refused(403, "TooSlow");
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn a_service_that_outlasts_the_plugin_is_a_failure_of_it() {
    let service = Service::start();
    let url = format!("http://{}/v1/", service.address);
    let endpoint = "private_addresses: true, timeout: 20s";
    for (on_failure, status, code) in [
        ("{default: deny}", 403, "AccessDenied"),
        (
            "{default: deny, timeout: {code: ServiceUnavailable}}",
            503,
            "ServiceUnavailable",
        ),
    ] {
        let plugin = format!("limits: {{cpu: 200ms, wall: 500ms}}\n    on_failure: {on_failure}");
        let server = start(&policy(&plugin, &url, endpoint));
        upload(&server, "/data/slow").refused(status, code);
        assert_eq!(server.content("/data/slow"), None);
    }
    assert_eq!(service.asked().len(), 2);
}

#[test]
fn a_private_address_is_not_called_unless_the_operator_says_so() {
    let service = Service::start();
    // The loopback address, in a form that only the client of HTTP takes for one.
    let (number, port) = (u32::from(Ipv4Addr::LOCALHOST), service.address.port());
    let url = |host: &str| format!("http://{host}:{port}/v1/");
    let disguised = url(&number.to_string());
    let server = start(&policy(PATIENT, &disguised, "timeout: 20s"));
    upload(&server, "/data/allowed").refused(403, "Unreachable");
    assert!(service.asked().is_empty(), "{:?}", service.asked());

    // In any other form it is refused before a plugin could call it.
    let good = fs::read_to_string(server.file()).expect("the configuration is there");
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        server.edit(|_| good.replace(&disguised, &url(host)));
        let reply = server.reload().expect(409);
        let text = reply.text();
        assert!(text.contains("add `private_addresses: true`"), "{reply:?}");
    }

    let allowed = "timeout: 20s, private_addresses: true";
    server.edit(|_| good.replace("timeout: 20s", allowed));
    server.reload().expect(200);
    upload(&server, "/data/allowed").expect(200);
    assert_eq!(service.asked().len(), 1);
}
