use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request};

use super::*;

/// A service that answers every connection with these bytes, and keeps what it
/// was asked. Without an answer it says nothing.
struct Service {
    address: SocketAddr,
    asked: mpsc::Receiver<String>,
    connections: Arc<AtomicUsize>,
}

impl Service {
    fn start(answer: Option<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, asked) = mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                count.fetch_add(1, Ordering::Relaxed);
                match &answer {
                    Some(answer) => {
                        let _ = heard.send(request(&mut stream));
                        let _ = stream.write_all(answer);
                    }
                    None => silent.push(stream),
                }
            }
        });
        Self {
            address,
            asked,
            connections,
        }
    }

    fn answering(status: &str, headers: &str, body: &str) -> Self {
        let len = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{headers}\r\n{body}");
        Self::start(Some(answer.into_bytes()))
    }

    fn call(&self, host: &str, private_addresses: bool) -> Outgoing {
        let port = self.address.port();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{host}:{port}/v1/data?a=b"))
            .header("x-token", "of the operator")
            .body(Bytes::from("input"));
        Outgoing {
            endpoint: "opa".to_owned(),
            path: "data?a=b".to_owned(),
            request: request.unwrap(),
            private_addresses,
            answer_len_max: 1000,
        }
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 1024];
    while !text.ends_with(b"input") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(len) => text.extend_from_slice(&buffer[..len]),
        }
    }
    String::from_utf8(text).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn a_service_gets_the_request_and_its_answer_comes_back() {
    let service = Service::answering("201 Created", "x-a: 1\r\nx-a: 2\r\n", "output");
    let answer = Services::new().send(service.call("127.0.0.1", true), soon());
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.body(), "output");
    let values: Vec<_> = answer.headers().get_all("x-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    let asked = service.asked.recv().unwrap();
    assert!(
        asked.starts_with("POST /v1/data?a=b HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("\r\nx-token: of the operator\r\n"),
        "{asked}"
    );
    assert!(asked.contains("\r\ncontent-length: 5\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\ninput"), "{asked}");
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Service::answering("200 OK", "", "secret");
    let location = format!("location: http://{}/\r\n", target.address);
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let service = Service::answering(status, &location, "");
        let answer = Services::new().send(service.call("127.0.0.1", true), soon());
        let answer = answer.unwrap();
        assert!(status.starts_with(answer.status().as_str()));
        assert!(answer.headers().contains_key("location"));
    }
    assert_eq!(target.connections.load(Ordering::Relaxed), 0);
}

#[test]
fn what_is_not_public_is_not_called_however_it_is_written() {
    let service = Service::answering("200 OK", "", "private");
    let services = Services::new();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
    ] {
        let answer = services.send(service.call(host, false), soon());
        assert_eq!(answer.unwrap_err(), Unanswered::Unreachable, "{host}");
    }
    assert_eq!(service.connections.load(Ordering::Relaxed), 0);
    for host in ["127.0.0.1", "localhost"] {
        let answer = services.send(service.call(host, true), soon());
        assert_eq!(answer.unwrap().body(), "private", "{host}");
    }
    // A connection that exists is not used by those who may not make it.
    let answer = services.send(service.call("localhost", false), soon());
    assert_eq!(answer.unwrap_err(), Unanswered::Unreachable);
}

#[test]
fn an_answer_is_read_up_to_its_limit_and_no_further() {
    let body = |len: usize| "x".repeat(len);
    let fitting = |len: usize| Service::answering("200 OK", "", &body(len));
    let chunked = |chunk: usize| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunks = format!("{chunk:x}\r\n{}\r\n", body(chunk)).repeat(3);
        Service::start(Some(format!("{head}{chunks}0\r\n\r\n").into_bytes()))
    };
    let header = format!("x-a: {}\r\n", body(1000));
    for (service, fits) in [
        (fitting(0), true),
        // The limit includes `content-length` and its value.
        (fitting(1000 - 14 - 3), true),
        (fitting(1000 - 14 - 2), false),
        (fitting(100_000), false),
        (chunked(300), true),
        (chunked(400), false),
        (Service::answering("200 OK", &header, ""), false),
    ] {
        let answer = Services::new().send(service.call("127.0.0.1", true), soon());
        match fits {
            true => assert!(answer.is_ok(), "{answer:?}"),
            false => assert_eq!(answer.unwrap_err(), Unanswered::TooLarge),
        }
    }
}

#[test]
fn who_never_answers_is_not_waited_for_longer_than_the_deadline() {
    let half = |text: &str| Service::start(Some(text.as_bytes().to_vec()));
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome";
    for (service, expected) in [
        (Service::start(None), Unanswered::Timeout),
        // These close the connection.
        (half("HTTP/1.1 200 OK\r\n"), Unanswered::Unreachable),
        (half(endless), Unanswered::Unreachable),
        (half("nonsense\r\n\r\n"), Unanswered::Unreachable),
    ] {
        let began = Instant::now();
        let deadline = match expected {
            Unanswered::Timeout => began + Duration::from_millis(200),
            _ => soon(),
        };
        let answer = Services::new().send(service.call("127.0.0.1", true), deadline);
        assert_eq!(answer.unwrap_err(), expected);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    let closed = Service::answering("200 OK", "", "");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = Service {
        address: port.unwrap(),
        ..closed
    };
    let answer = Services::new().send(nobody.call("127.0.0.1", true), soon());
    assert_eq!(answer.unwrap_err(), Unanswered::Unreachable);
    let nowhere = nobody.call("service.invalid", true);
    let answer = Services::new().send(nowhere, soon());
    assert_eq!(answer.unwrap_err(), Unanswered::Unreachable);
}

#[test]
fn no_more_calls_are_on_their_way_than_the_limit() {
    let service = Service::start(None);
    let services = Services::new();
    let deadline = Instant::now() + Duration::from_secs(3);
    let call = service.call("127.0.0.1", true);
    let send = || services.send(call.clone(), deadline);
    let outcomes = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS_MAX + 20).map(|_| scope.spawn(send)).collect();
        let mut outcomes = BTreeMap::new();
        for call in calls {
            let outcome = format!("{:?}", call.join().unwrap().unwrap_err());
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
        outcomes
    });
    assert!(outcomes["Overload"] >= 1, "{outcomes:?}");
    assert!(outcomes["Timeout"] <= CALLS_MAX, "{outcomes:?}");
    // All places are given back.
    assert_eq!(services.calls.available_permits(), CALLS_MAX);
}

#[test]
fn a_worker_that_waits_does_not_hold_up_the_others_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let service = Service::start(None);
    runtime.block_on(async {
        let call = service.call("127.0.0.1", true);
        let deadline = Instant::now() + Duration::from_secs(5);
        let services = Services::new();
        let waiting = tokio::spawn(async move { services.send(call, deadline).unwrap_err() });
        let began = Instant::now();
        while service.connections.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The only worker is taken, and this runs all the same.
        tokio::spawn(async {}).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(4));
        assert!(!waiting.is_finished());
        assert_eq!(waiting.await.unwrap(), Unanswered::Timeout);
    });
}
