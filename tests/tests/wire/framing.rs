//! HTTP/1.1 as it must not be sent: the answer is an error, and nothing of it
//! is taken for another request.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use sluice_tests::{Connection, ROOT, Request, Server, Settings};

/// A second request hides behind the first one; it must not be answered.
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: s3.test\r\n\r\n";

fn refused(server: &Server, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let mut connection = server.connect();
    let _ = connection.write(bytes);
    let _ = connection.write(NEXT.as_bytes());
    match connection.any_reply("PUT", &shown) {
        Ok(reply) => {
            assert_eq!(reply.status, 400, "{shown:?}: {reply:?}");
            assert!(reply.element("Code").is_some(), "{shown:?}: {reply:?}");
            let id = reply.header("x-amz-request-id");
            assert_eq!(id, reply.element("RequestId"), "{shown:?}: {reply:?}");
        }
        Err(error) => assert!(
            matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
            ),
            "{shown:?}: {error}"
        ),
    }
    assert!(
        connection.is_closed(),
        "{shown:?}: something more was answered"
    );
}

#[test]
fn ambiguous_framing_closes_the_connection() {
    let server = Server::shared();
    let put = |headers: &str, body: &str| {
        refused(
            &server,
            format!("PUT /framing/key HTTP/1.1\r\nhost: s3.test\r\n{headers}\r\n\r\n{body}")
                .as_bytes(),
        );
    };
    put("content-length: 5\r\ncontent-length: 6", "01234");
    put("content-length: 5, 6", "01234");
    put("content-length: +5", "01234");
    put("content-length: -1", "");
    put("content-length: 0x5", "01234");
    put("content-length: 99999999999999999999999", "01234");
    put("transfer-encoding: gzip", "01234");
    put("transfer-encoding: chunked, gzip", "01234");
    put("transfer-encoding: xchunked", "0\r\n\r\n");
    put("x: a\r\n b", "");
    put("x: a\0b", "");
    put("x : a", "");
    put("x: a\rb", "");
    put(": a", "");
    put("no colon", "");
}

#[test]
fn a_length_beside_chunks_ends_the_connection() {
    let server = Server::shared();
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let mut connection = server.connect();
        let request = format!(
            "PUT /framing/key HTTP/1.1\r\nhost: s3.test\r\n{headers}\r\n\r\n0\r\n\r\n{NEXT}"
        );
        connection.write(request.as_bytes()).expect("it is sent");
        let reply = connection.reply("PUT", headers).expect("an answer");
        assert!(matches!(reply.status, 400 | 404), "{reply:?}");
        assert!(
            connection.is_closed(),
            "{headers}: something more was answered"
        );
    }
}

#[test]
fn what_is_not_http_closes_the_connection() {
    let server = Server::shared();
    refused(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    refused(&server, b"GET\r\n\r\n");
    refused(&server, b"GET /\r\n\r\n");
    refused(&server, b"GET / HTTP/9.9\r\nhost: s3.test\r\n\r\n");
    refused(&server, b"GET  / HTTP/1.1\r\nhost: s3.test\r\n\r\n");
    refused(&server, b"GET /a b HTTP/1.1\r\nhost: s3.test\r\n\r\n");
    refused(&server, b"GET /\xff HTTP/1.1\r\nhost: s3.test\r\n\r\n");
    refused(&server, b"G\0T / HTTP/1.1\r\nhost: s3.test\r\n\r\n");
    refused(&server, b"(GET) / HTTP/1.1\r\nhost: s3.test\r\n\r\n");
}

#[test]
fn a_broken_chunked_body_stores_nothing() {
    let server = Server::shared();
    server.bucket("broken-chunks");
    let broken = |body: &str| {
        let request =
            Request::put("/broken-chunks/key", body).header("transfer-encoding", "chunked");
        let mut request = request
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .signed(&ROOT);
        request
            .headers
            .push(("x-amz-decoded-content-length".into(), "5".into()));
        request.headers.pop();
        let mut connection = server.connect();
        connection.write(&request.bytes()).expect("it is sent");
        connection.finish();
        if let Ok(reply) = connection.any_reply("PUT", body) {
            assert!(reply.status >= 400, "{body:?}: {reply:?}");
        }
        assert!(connection.is_closed(), "{body:?}");
        assert_eq!(server.content("/broken-chunks/key"), None, "{body:?}");
    };
    broken("5\r\n01234\r\n");
    broken("5\r\n01234");
    broken("6\r\n01234\r\n0\r\n\r\n");
    broken("4\r\n01234\r\n0\r\n\r\n");
    broken("x\r\n01234\r\n0\r\n\r\n");
    broken("-5\r\n01234\r\n0\r\n\r\n");
    broken("fffffffffffffffff\r\n01234\r\n0\r\n\r\n");
}

#[test]
fn a_host_there_must_be_and_only_one() {
    let server = Server::shared();
    let get = |headers: &str| {
        let mut connection = server.connect();
        connection
            .write(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .expect("it is sent");
        connection
            .any_reply("GET", headers)
            .expect("an answer")
            .status
    };
    assert_eq!(get(""), 400);
    assert_eq!(get("host: a.test\r\nhost: b.test\r\n"), 400);
    assert_eq!(get("host: s3.test\r\n"), 403);
}

#[test]
fn a_bomb_of_headers_is_refused_within_bounds() {
    let server = Server::shared();
    let many: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    refused(
        &server,
        format!("GET / HTTP/1.1\r\nhost: s3.test\r\n{many}\r\n").as_bytes(),
    );
    refused(
        &server,
        format!(
            "GET / HTTP/1.1\r\nhost: s3.test\r\nx: {}\r\n\r\n",
            "y".repeat(2_000_000)
        )
        .as_bytes(),
    );
    refused(
        &server,
        format!(
            "GET /?{} HTTP/1.1\r\nhost: s3.test\r\n\r\n",
            "q=".repeat(5_000_000)
        )
        .as_bytes(),
    );
    // What fits into a head but not into a key or a query is an error of S3.
    server
        .send(&Request::get(&format!("/b?{}", "a=b&".repeat(2000))).signed(&ROOT))
        .expect(400);
    server
        .send(&Request::get("/not-there").signed(&ROOT))
        .refused(404, "NoSuchBucket");
}

#[test]
fn xml_that_is_too_large_is_refused() {
    let server = Server::shared();
    server.bucket("large-xml");
    let body = format!(
        "<Delete>{}</Delete>",
        "<Object><Key>k</Key></Object>".repeat(400_000)
    );
    let mut connection = server.connect();
    let request = Request::post("/large-xml?delete", body)
        .with_md5()
        .signed(&ROOT);
    let _ = connection.write(&request.bytes());
    if let Ok(reply) = connection.any_reply("POST", "12 MB of keys") {
        assert!(
            matches!(
                reply.element("Code"),
                Some("MalformedXML" | "MaxMessageLengthExceeded")
            ),
            "{reply:?}"
        );
    }
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let server = Server::shared();
    server.bucket("pipelined");
    let mut connection = server.connect();
    for n in 0..20 {
        let body = format!("{n}");
        connection
            .send(&Request::put("/pipelined/key", &body).signed(&ROOT))
            .expect(200);
        assert_eq!(
            connection
                .send(&Request::get("/pipelined/key").signed(&ROOT))
                .expect(200)
                .text(),
            body
        );
        connection
            .send(&Request::get("/pipelined/missing").signed(&ROOT))
            .refused(404, "NoSuchKey");
        connection
            .send(&Request::head("/pipelined/key").signed(&ROOT))
            .expect(200);
        connection
            .send(
                &Request::get("/pipelined/key")
                    .header("if-none-match", "*")
                    .signed(&ROOT),
            )
            .expect(304);
    }
    // All at once: the answers come in the order of the questions.
    let get = |range: &str| {
        Request::get("/pipelined/key")
            .header("range", range)
            .signed(&ROOT)
            .bytes()
    };
    connection
        .write(&[get("bytes=0-0"), get("bytes=1-1"), get("bytes=-2")].concat())
        .expect("it is sent");
    for body in ["1", "9", "19"] {
        assert_eq!(
            connection
                .reply("GET", "pipelined")
                .expect("an answer")
                .text(),
            body
        );
    }
}

#[test]
fn clients_that_do_not_move_are_dropped() {
    let server = Server::start(&Settings {
        limits: "header_timeout: 1s, idle_timeout: 1500ms, body_timeout: 1s".into(),
        ..Settings::default()
    });
    server.bucket("patience");
    let dropped = |mut connection: Connection, what: &str| {
        let begun = Instant::now();
        let _ = connection.any_reply("GET", what);
        assert!(connection.is_closed(), "{what}");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{what}: {:?}",
            begun.elapsed()
        );
    };
    dropped(server.connect(), "no request");

    let mut slow = server.connect();
    let begun = Instant::now();
    for byte in Request::get("/").bytes().chunks(1) {
        if slow.write(byte).is_err() || begun.elapsed() > Duration::from_secs(5) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a byte at a time is endured"
    );

    let mut stalled = server.connect();
    let request = Request::put("/patience/key", vec![1; 1_000_000])
        .signed(&ROOT)
        .bytes();
    stalled.write(&request[..500_000]).expect("it is sent");
    dropped(stalled, "half a body");
    assert_eq!(server.content("/patience/key"), None);

    let mut trickling = server.connect();
    let (head, body) = request.split_at(request.len() - 1_000_000);
    trickling.write(head).expect("it is sent");
    let begun = Instant::now();
    for byte in body.chunks(1) {
        if trickling.write(byte).is_err() || begun.elapsed() > Duration::from_secs(5) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a body of a byte at a time is endured"
    );
    assert_eq!(server.content("/patience/key"), None);

    // One that is in use is not idle.
    let mut connection = server.connect();
    for _ in 0..5 {
        connection
            .send(&Request::head("/patience").signed(&ROOT))
            .expect(200);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_connection_too_many_is_told_so() {
    let server = Server::start(&Settings {
        limits: "connections: 2".into(),
        ..Settings::default()
    });
    let mut held = [server.connect(), server.connect()];
    for connection in &mut held {
        connection
            .send(&Request::get("/").signed(&ROOT))
            .expect(200);
    }
    server
        .send(&Request::get("/").signed(&ROOT))
        .refused(503, "SlowDown");
    drop(held);
    let begun = Instant::now();
    while server.send(&Request::get("/").signed(&ROOT)).status != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "closed connections still count"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_private_listener_tells_how_it_goes() {
    let server = Server::start(&Settings::default());
    server.bucket("measured");
    let ask = |target: &str| server.ask_admin(&Request::get(target));
    ask("/health/live").expect(200);
    ask("/health/ready").expect(200);
    ask("/other").expect(404);
    let metrics = ask("/metrics").expect(200);
    for name in [
        "sluice_requests_total",
        "sluice_request_seconds",
        "sluice_drive_state",
        "sluice_plugin_seconds",
    ] {
        assert!(metrics.text().contains(name), "{name}: {metrics:?}");
    }
    // And not on the public one.
    server
        .send(&Request::get("/metrics").signed(&ROOT))
        .refused(404, "NoSuchBucket");
}
