//! Writes under a condition: of many that race, exactly one wins.

use std::thread;

use sluice_tests::{ROOT, Reply, Request, Server};

const WRITERS: usize = 64;

/// Sends all requests at the same time, and returns the answers in their order.
fn race(server: &Server, requests: Vec<Request>) -> Vec<Reply> {
    thread::scope(|scope| {
        let mut running = Vec::new();
        for request in requests {
            let mut connection = server.connect();
            let request = request.signed(&ROOT);
            running.push(scope.spawn(move || connection.send(&request)));
        }
        let replies = running.into_iter();
        replies
            .map(|reply| reply.join().expect("it was answered"))
            .collect()
    })
}

/// The number of the one that won; the others have lost as they should.
#[track_caller]
fn winner(replies: Vec<Reply>) -> usize {
    let mut won = Vec::new();
    for (number, reply) in replies.into_iter().enumerate() {
        match reply.status {
            200 => won.push(number),
            409 => drop(reply.refused(409, "ConditionalRequestConflict")),
            _ => drop(reply.refused(412, "PreconditionFailed")),
        }
    }
    assert_eq!(won.len(), 1, "{won:?} have won");
    won[0]
}

#[test]
fn of_64_writers_that_want_to_be_the_first_one_is() {
    let server = Server::shared();
    server.bucket("race-first");
    let put = |number| Request::put("/race-first/key", format!("{number}"));
    let requests = (0..WRITERS).map(|number| put(number).header("if-none-match", "*"));
    let first = winner(race(&server, requests.collect()));
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
    let next = winner(race(&server, requests.collect()));
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
        _ => {
            let begin = Request::post("/race-mixed/key?uploads", "");
            let begun = server.send(&begin.signed(&ROOT)).expect(200);
            let id = begun.element("UploadId").expect("an id").to_owned();
            let target = format!("/race-mixed/key?uploadId={id}");
            let part = Request::put(&format!("{target}&partNumber=1"), format!("{number}"));
            let part = server.send(&part.signed(&ROOT)).expect(200);
            let etag = part.header("etag").expect("an etag");
            let list = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
                 </Part></CompleteMultipartUpload>"
            );
            Request::post(&target, list).header("if-none-match", "*")
        }
    });
    let first = winner(race(&server, requests.collect()));
    let expected = match first % 2 {
        0 => "copied".to_owned(),
        _ => first.to_string(),
    };
    let stored = server.content("/race-mixed/key").expect("it is there");
    assert_eq!(stored, expected.into_bytes());
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
