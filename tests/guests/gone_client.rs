//! A guest that works for a client that goes away, wherever the gateway waits.

use std::time::Duration;

use sluice_tests::{ROOT, Request};

use crate::guest::{Guest, constant};
use crate::support::{eventually, gateway};

#[test]
fn nothing_stays_taken() {
    /// All places of the pool would be taken after so many, if each kept those
    /// of its three plugins.
    const ROUNDS: usize = 80;
    // About a millisecond, for the client to go meanwhile.
    let busy = "(local $left i32) (local.set $left (i32.const 1000000))
        (loop (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let guest = Guest::new()
        .authorize(|image| format!("{busy} {}", constant(image.allow())))
        .prepare(|image| constant(image.ok()))
        .serve(s3::Operation::PutBucketCors, |image| {
            constant(image.reply(200, &[], [0, 0]))
        })
        .respond(|image| constant(image.headers(&[("x-own", "1")])));
    let (server, _folder) = gateway("works", &guest, "limits: {cpu: 200ms, concurrency: 2}");
    let request = |request: Request| request.signed(&ROOT);
    eventually("a bucket is made", || {
        server.send(&request(Request::put("/bucket", ""))).status == 200
    });
    let put = request(Request::put("/bucket/large", vec![7; 4_000_000]));
    server.send(&put).expect(200);

    let small = request(Request::put("/bucket/small", [7; 1000])).bytes();
    let cors = request(Request::put("/bucket?cors", [7; 1000])).bytes();
    let get = request(Request::get("/bucket/large")).bytes();
    let head = |bytes: &[u8]| bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    // What is sent, and how much of the answer is read.
    let stages: [(&str, &[u8], usize); 9] = [
        ("before the first byte", &[], 0),
        ("within the head", &small[..50], 0),
        ("before the body", &small[..head(&small)], 0),
        ("within the body", &small[..small.len() - 1], 0),
        (
            "before the body that a plugin serves",
            &cors[..head(&cors)],
            0,
        ),
        (
            "within the body that a plugin serves",
            &cors[..cors.len() - 1],
            0,
        ),
        ("before the answer", &small, 0),
        ("before the answer of a plugin", &cors, 0),
        ("within the answer", &get, 1),
    ];
    for round in 0..ROUNDS {
        for (what, sent, received) in stages {
            let mut connection = server.connect();
            connection
                .write(sent)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            match (received, round % 3) {
                // It goes in the midst of what the gateway does then, sooner or later.
                (0, pause) => std::thread::sleep(Duration::from_millis(pause as u64)),
                _ => assert!(!connection.is_closed(), "{what}: there is an answer"),
            }
        }
    }
    // A place that was kept would be missing now: two may be inside, one needs it.
    eventually("the last of them are gone", || {
        let reply = server.send(&request(Request::get("/bucket/large")));
        reply.status == 200
    });
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                eventually("there is place for two", || {
                    server.send(&request(Request::get("/bucket/small"))).status == 200
                });
            });
        }
    });
}
