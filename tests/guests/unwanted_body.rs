//! A guest that refuses while a large body arrives, or before it does.

use std::io::ErrorKind;

use sluice_tests::{Connection, ROOT, Request, Server};

use crate::guest::{Guest, constant};
use crate::support::gateway;

const LEN: u64 = 5 << 30;
/// Far less than would have to be sent, far more than a gateway reads to be polite.
const SENT_MAX: usize = 64 << 20;

fn upload(server: &Server, expect: &[(&str, &str)]) -> Connection {
    let mut request = Request::new("PUT", "/bucket/key")
        .header("content-length", &LEN.to_string())
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    for (name, value) in expect {
        request = request.header(name, value);
    }
    let mut connection = server.connect();
    connection
        .write(&request.signed(&ROOT).head_bytes())
        .unwrap();
    connection
}

/// Refuses what is uploaded, and permits the rest.
fn refusing() -> Guest {
    let writes = [s3::Operation::PutObject];
    Guest::denying("AccessDenied")
        .prepare(|image| constant(image.ok()))
        .only(host::Phase::Authorize, &writes)
}

#[test]
fn a_denial_does_not_wait_for_the_body() {
    let (server, _folder) = gateway("refuses", &refusing(), "");
    server.bucket("bucket");
    let mut connection = upload(&server, &[]);
    let block = vec![7; 1 << 20];
    let mut sent = 0;
    let end = loop {
        if sent >= SENT_MAX {
            break None;
        }
        match connection.write(&block) {
            Ok(()) => sent += block.len(),
            Err(error) => break Some(error.kind()),
        }
    };
    // It closed the connection, or had no more room for what came.
    let cut = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(
        end.is_some_and(|kind| cut.contains(&kind)),
        "{end:?} after {sent} bytes"
    );
    assert_eq!(server.content("/bucket/key"), None);
}

#[test]
fn a_client_that_waits_to_be_asked_is_refused_instead() {
    let (server, _folder) = gateway("refuses", &refusing(), "");
    server.bucket("bucket");
    let mut connection = upload(&server, &[("expect", "100-continue")]);
    let reply = connection.any_reply("PUT", "an unwanted body").unwrap();
    reply.refused(403, "AccessDenied");
    assert!(connection.is_closed(), "nobody knows what it would send");
}

#[test]
fn a_client_is_asked_only_after_the_last_vote() {
    // A vote that takes its time, so that an answer before it would be seen.
    let (server, _folder) = gateway("hesitates", &hesitating(), "limits: {cpu: 5s, wall: 20s}");
    let server = &server;
    server.bucket("bucket");
    let mut connection = upload(server, &[("expect", "100-continue")]);
    assert!(
        connection.is_silent(std::time::Duration::from_millis(20)),
        "it is asked before the vote"
    );
    let reply = connection.any_reply("PUT", "an expected body").unwrap();
    assert_eq!(reply.status, 100);
}

fn hesitating() -> Guest {
    Guest::new()
        .authorize(|image| {
            let allow = image.allow();
            format!(
                "(local $left i64) (local.set $left (i64.const 200000000))
                 (loop (br_if 0 (i64.ne (i64.const 0)
                     (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
                 (i32.const {allow})"
            )
        })
        .only(host::Phase::Authorize, &[s3::Operation::PutObject])
}
