//! Writes under a condition: of many that race, exactly one wins.

use std::sync::Barrier;
use std::thread;

use sluice_tests::{ROOT, Reply, Request, Server};

const WRITERS: usize = 64;

/// Sends all requests at the same time, and returns the answers in their order.
/// Only the last byte of each is missing when they are let go.
fn race(server: &Server, requests: impl Iterator<Item = Request>) -> Vec<Reply> {
    let begun = requests.map(|request| {
        let request = request.signed(&ROOT);
        let (mut connection, mut bytes) = (server.connect(), request.bytes());
        let last = bytes.pop().expect("no request is empty");
        connection.write(&bytes).expect("it is sent");
        (connection, request, last)
    });
    let begun: Vec<_> = begun.collect();
    let start = Barrier::new(begun.len());
    thread::scope(|scope| {
        let start = &start;
        let running = begun.into_iter().map(|(mut connection, request, last)| {
            scope.spawn(move || {
                start.wait();
                connection.write(&[last]).expect("it is sent");
                connection.reply(&request.method, &request.target)
            })
        });
        let running: Vec<_> = running.collect();
        let replies = running.into_iter();
        replies
            .map(|reply| reply.join().expect("no panic").expect("an answer"))
            .collect()
    })
}

/// The number of the one that won; the others have lost as they should.
#[track_caller]
fn winner(replies: Vec<Reply>) -> usize {
    let mut won = Vec::new();
    for (number, reply) in replies.into_iter().enumerate() {
        match reply.status {
            200 | 204 => won.push(number),
            409 => drop(reply.refused(409, "ConditionalRequestConflict")),
            // Somebody has deleted what was meant.
            404 => drop(reply.refused(404, "NoSuchKey")),
            _ => drop(reply.refused(412, "PreconditionFailed")),
        }
    }
    assert_eq!(won.len(), 1, "{won:?} have won");
    won[0]
}

/// Uploads one part, and returns the request that completes it.
fn upload(server: &Server, path: &str, content: &str) -> Request {
    let send = |request: Request| server.send(&request.signed(&ROOT)).expect(200);
    let begun = send(Request::post(&format!("{path}?uploads"), ""));
    let id = begun.element("UploadId").expect("an id");
    let target = format!("{path}?uploadId={id}");
    let part = send(Request::put(&format!("{target}&partNumber=1"), content));
    let etag = part.header("etag").expect("an etag");
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    Request::post(&target, list)
}

/// Every version of a bucket is kept from now on.
fn keep_versions(server: &Server, bucket: &str) {
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let request = Request::put(&format!("/{bucket}?versioning"), enabled).with_md5();
    server.send(&request.signed(&ROOT)).expect(200);
}

fn versions(server: &Server, bucket: &str) -> Reply {
    let list = Request::get(&format!("/{bucket}?versions"));
    server.send(&list.signed(&ROOT)).expect(200)
}

#[test]
fn of_64_writers_that_want_to_be_the_first_one_is() {
    let server = Server::shared();
    server.bucket("race-first");
    let put = |number| Request::put("/race-first/key", format!("{number}"));
    let requests = (0..WRITERS).map(|number| put(number).header("if-none-match", "*"));
    let first = winner(race(&server, requests));
    let stored = server.content("/race-first/key").expect("it is there");
    assert_eq!(stored, first.to_string().into_bytes());
}

#[test]
fn of_64_writers_that_replace_the_same_version_one_does() {
    let server = Server::shared();
    server.bucket("race-next");
    let etag = server.object("/race-next/key", "before");
    let etag = etag.header("etag").expect("an etag");
    let put = |number| Request::put("/race-next/key", format!("{number}"));
    let requests = (0..WRITERS).map(|number| put(number).header("if-match", etag));
    let next = winner(race(&server, requests));
    let stored = server.content("/race-next/key").expect("it is there");
    assert_eq!(stored, next.to_string().into_bytes());
}

#[test]
fn of_64_copies_and_completions_one_is_the_first() {
    let server = Server::shared();
    server.bucket("race-mixed");
    server.object("/race-mixed/source", "copied");
    let requests = (0..WRITERS).map(|number| match number % 2 {
        0 => Request::put("/race-mixed/key", "")
            .header("x-amz-copy-source", "/race-mixed/source")
            .header("if-none-match", "*"),
        _ => upload(&server, "/race-mixed/key", &number.to_string()).header("if-none-match", "*"),
    });
    let first = winner(race(&server, requests));
    let expected = match first % 2 {
        0 => "copied".to_owned(),
        _ => first.to_string(),
    };
    let stored = server.content("/race-mixed/key").expect("it is there");
    assert_eq!(stored, expected.into_bytes());
}

#[test]
fn of_64_deletes_and_writes_that_mean_the_same_version_one_takes_it() {
    let server = Server::shared();
    for (bucket, is_versioned) in [("race-delete", false), ("race-marker", true)] {
        server.bucket(bucket);
        if is_versioned {
            keep_versions(&server, bucket);
        }
        let path = format!("/{bucket}/key");
        for deletes_among in [1, 2] {
            let etag = server.object(&path, "before");
            let etag = etag.header("etag").expect("an etag");
            let before = versions(&server, bucket).elements("IsLatest").len();
            let requests = (0..WRITERS).map(|number| {
                let request = match number % deletes_among {
                    0 => Request::delete(&path),
                    _ => Request::put(&path, number.to_string()),
                };
                request.header("if-match", etag)
            });
            let taken = winner(race(&server, requests));
            let left = match taken % deletes_among {
                0 => None,
                _ => Some(taken.to_string().into_bytes()),
            };
            assert_eq!(server.content(&path), left, "{bucket}");
            let after = versions(&server, bucket).elements("IsLatest").len();
            let one_more = match (is_versioned, &left) {
                (true, _) => before + 1,
                (false, Some(_)) => before,
                (false, None) => before - 1,
            };
            assert_eq!(after, one_more, "{bucket}");
        }
    }
}

#[test]
fn of_64_completions_that_replace_the_same_version_one_does() {
    let server = Server::shared();
    server.bucket("race-complete");
    let etag = server.object("/race-complete/key", "before");
    let etag = etag.header("etag").expect("an etag");
    let requests = (0..WRITERS).map(|number| {
        upload(&server, "/race-complete/key", &number.to_string()).header("if-match", etag)
    });
    let next = winner(race(&server, requests));
    let stored = server.content("/race-complete/key").expect("it is there");
    assert_eq!(stored, next.to_string().into_bytes());
}

#[test]
fn of_64_completions_of_one_upload_all_tell_of_one_version() {
    let server = Server::shared();
    server.bucket("race-again");
    keep_versions(&server, "race-again");
    let complete = upload(&server, "/race-again/key", "content");
    let requests = std::iter::repeat_n(complete, WRITERS);
    let replies = race(&server, requests);
    let listed = versions(&server, "race-again");
    let listed = listed.elements("VersionId");
    assert_eq!(listed.len(), 1, "{listed:?}");
    for reply in replies {
        let reply = reply.expect(200);
        assert_eq!(reply.header("x-amz-version-id"), Some(listed[0]));
    }
    assert_eq!(
        server.content("/race-again/key").as_deref(),
        Some(&b"content"[..])
    );
}

#[test]
fn a_condition_on_what_is_not_there_says_so() {
    let server = Server::shared();
    server.bucket("conditional-writes");
    server.object("/conditional-writes/source", "x");
    let send = |request: Request| server.send(&request.signed(&ROOT));
    let copy = Request::put("/conditional-writes/key", "")
        .header("x-amz-copy-source", "conditional-writes/source");
    for request in [
        Request::put("/conditional-writes/key", "x"),
        Request::delete("/conditional-writes/key"),
        copy,
    ] {
        for etag in ["\"x\"", "*"] {
            send(request.clone().header("if-match", etag))
                .refused(404, "NoSuchKey")
                .expect_element("Key", "key");
        }
        assert_eq!(server.content("/conditional-writes/key"), None);
    }
    // S3 knows neither both conditions at once, nor another absence than that of all.
    let both = Request::put("/conditional-writes/key", "x").header("if-match", "*");
    send(both.header("if-none-match", "*")).refused(501, "NotImplemented");
    let other = Request::put("/conditional-writes/key", "x").header("if-none-match", "\"x\"");
    send(other).refused(501, "NotImplemented");
    assert_eq!(server.content("/conditional-writes/key"), None);
}
