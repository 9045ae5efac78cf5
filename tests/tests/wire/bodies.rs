//! Bodies: `aws-chunked` in its variants, digests, and leave to send them.

use std::time::{Duration, Instant};

use sluice_tests::{Framing, Key, OTHER, ROOT, Request, Server, Settings, Streamed, crc32};

const BODY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn stream(path: &str, framing: Framing) -> Streamed {
    Streamed::new(Request::put(path, BODY), framing, &ROOT, 10)
}

#[test]
fn streamed_bodies_are_stored_unframed() {
    let server = Server::shared();
    server.bucket("streamed");
    for framing in [
        Framing::Signed,
        Framing::SignedTrailer,
        Framing::UnsignedTrailer,
    ] {
        for request in [
            stream("/streamed/key", framing).sized(),
            stream("/streamed/key", framing).unsized_(),
        ] {
            let put = server.send(&request).expect(200);
            if framing != Framing::Signed {
                put.expect_header("x-amz-checksum-crc32", &crc32(BODY));
            }
            let got = server
                .send(&Request::get("/streamed/key").signed(&ROOT))
                .expect(200);
            assert_eq!(got.body, BODY, "{framing:?}");
            assert_eq!(
                got.header("content-encoding"),
                None,
                "{framing:?}: the encoding was of the transfer only"
            );
            server
                .send(&Request::delete("/streamed/key").signed(&ROOT))
                .expect(204);
        }
    }
    let empty = Streamed::new(
        Request::put("/streamed/empty", ""),
        Framing::UnsignedTrailer,
        &ROOT,
        10,
    );
    server.send(&empty.unsized_()).expect(200);
    assert_eq!(server.content("/streamed/empty").as_deref(), Some(&b""[..]));

    // JavaScript sends no length at all, not even the decoded one.
    let mut nameless =
        Request::put("/streamed/js", BODY).header("x-amz-trailer", "x-amz-checksum-crc32");
    nameless = nameless.header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let nameless = nameless
        .header("content-encoding", "aws-chunked")
        .signed(&ROOT);
    let frames = stream("/x", Framing::UnsignedTrailer).sized().body;
    server.send(&nameless.body(frames).chunked(7)).expect(200);
    assert_eq!(server.content("/streamed/js").as_deref(), Some(BODY));
}

#[test]
fn a_streamed_body_that_is_wrong_leaves_nothing() {
    let server = Server::shared();
    server.bucket("streamed-wrong");
    const PATH: &str = "/streamed-wrong/key";
    let refused = |what: &str, request: &Request, codes: &[&str]| {
        let mut connection = server.connect();
        // A gateway that refuses early may close before it has read everything.
        let _ = connection.write(&request.bytes());
        let reply = connection
            .reply("PUT", what)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let code = reply.element("Code").unwrap_or_default();
        assert!(codes.contains(&code), "{what}: {reply:?}");
        assert_eq!(server.content(PATH), None, "{what}");
    };
    let signature = &["SignatureDoesNotMatch"];
    let cut = &[
        "IncompleteBody",
        "SignatureDoesNotMatch",
        "MalformedTrailerError",
        "InvalidRequest",
    ];
    let change = |framing, change: &dyn Fn(&mut Streamed)| {
        let mut streamed = stream(PATH, framing);
        change(&mut streamed);
        streamed
    };
    for framing in [Framing::Signed, Framing::SignedTrailer] {
        let bad = change(framing, &|streamed| streamed.chunks[1][90] ^= 1);
        refused("a changed byte", &bad.clone().sized(), signature);
        refused("a changed byte", &bad.unsized_(), signature);
        refused(
            "a changed signature",
            &change(framing, &|streamed| streamed.chunks[2][25] ^= 1).sized(),
            signature,
        );
        refused(
            "chunks swapped",
            &change(framing, &|streamed| streamed.chunks.swap(0, 1)).sized(),
            signature,
        );
        refused(
            "a chunk repeated",
            &change(framing, &|streamed| {
                let chunk = streamed.chunks[1].clone();
                streamed.chunks.insert(1, chunk);
            })
            .sized(),
            cut,
        );
        refused(
            "a chunk dropped",
            &change(framing, &|streamed| drop(streamed.chunks.remove(1))).sized(),
            cut,
        );
        refused(
            "no signature",
            &change(framing, &|streamed| {
                streamed.chunks[0].drain(1..82).for_each(drop);
            })
            .sized(),
            cut,
        );
    }
    for framing in [
        Framing::Signed,
        Framing::SignedTrailer,
        Framing::UnsignedTrailer,
    ] {
        refused(
            "no final chunk",
            &change(framing, &|streamed| drop(streamed.chunks.pop())).sized(),
            cut,
        );
        refused(
            "nothing",
            &change(framing, &|streamed| {
                streamed.chunks.clear();
                streamed.trailer.clear();
            })
            .sized(),
            cut,
        );
        refused(
            "a size that is none",
            &change(framing, &|streamed| streamed.chunks[0][0] = b'x').sized(),
            cut,
        );
        refused(
            "an enormous size",
            &change(framing, &|streamed| {
                streamed.chunks[0].splice(0..1, b"ffffffffffffffff".iter().copied());
            })
            .sized(),
            &[cut, &["InvalidChunkSizeError", "EntityTooLarge"][..]].concat(),
        );
        refused(
            "an endless header",
            &change(framing, &|streamed| {
                streamed.chunks[0].splice(0..0, std::iter::repeat_n(b'0', 100_000));
            })
            .sized(),
            cut,
        );
        refused(
            "a wrong decoded length",
            &Streamed::new(
                Request::put(PATH, BODY).header("x-amz-decoded-content-length", "35"),
                framing,
                &ROOT,
                10,
            )
            .sized(),
            cut,
        );
        refused(
            "a longer decoded length",
            &Streamed::new(
                Request::put(PATH, BODY).header("x-amz-decoded-content-length", "37"),
                framing,
                &ROOT,
                10,
            )
            .sized(),
            cut,
        );
    }
    let trailer = |framing, text: &str| {
        change(framing, &|streamed| {
            streamed.trailer = text.as_bytes().to_vec();
        })
        .sized()
    };
    let other = format!("x-amz-checksum-crc32:{}\r\n\r\n", crc32("other"));
    refused(
        "a wrong checksum",
        &trailer(Framing::UnsignedTrailer, &other),
        &["BadDigest"],
    );
    refused(
        "no trailer",
        &trailer(Framing::UnsignedTrailer, "\r\n"),
        &["MalformedTrailerError"],
    );
    refused(
        "another trailer",
        &trailer(Framing::UnsignedTrailer, "x-other:1\r\n\r\n"),
        &["MalformedTrailerError"],
    );
    refused(
        "a trailer that is none",
        &trailer(Framing::UnsignedTrailer, "nonsense\r\n\r\n"),
        &["MalformedTrailerError"],
    );
    refused(
        "a checksum that is none",
        &trailer(Framing::UnsignedTrailer, "x-amz-checksum-crc32:x\r\n\r\n"),
        &["InvalidRequest", "MalformedTrailerError"],
    );
    refused(
        "an endless trailer",
        &trailer(
            Framing::UnsignedTrailer,
            &format!("x-a:{}", "b".repeat(100_000)),
        ),
        cut,
    );
    let unsigned = format!("x-amz-checksum-crc32:{}\r\n\r\n", crc32(BODY));
    refused(
        "an unsigned trailer",
        &trailer(Framing::SignedTrailer, &unsigned),
        cut,
    );
}

#[test]
fn a_body_must_be_as_long_as_it_says() {
    let server = Server::shared();
    server.bucket("lengths");
    let mut connection = server.connect();
    connection
        .write(
            &Request::put("/lengths/key", "0123456789")
                .signed(&ROOT)
                .with("content-length", "11")
                .bytes(),
        )
        .expect("sent");
    connection.finish();
    if let Ok(reply) = connection.reply("PUT", "a truncated body") {
        reply.refused(400, "IncompleteBody");
    }
    assert!(connection.is_closed());
    assert_eq!(server.content("/lengths/key"), None);

    let unsigned = |length: &str| {
        Request::put("/lengths/key", "")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .signed(&ROOT)
            .with("content-length", length)
    };
    let mut connection = server.connect();
    connection
        .write(
            &unsigned("5368709121")
                .header("expect", "100-continue")
                .head_bytes(),
        )
        .expect("sent");
    connection
        .reply("PUT", "a body above 5 GiB")
        .expect("an answer")
        .refused(400, "EntityTooLarge");
    assert_eq!(server.content("/lengths/key"), None);

    let none = Request::new("PUT", "/lengths/none")
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .signed(&ROOT);
    let bytes = String::from_utf8(none.head_bytes())
        .expect("text")
        .replace("content-length: 0\r\n", "");
    let mut connection = server.connect();
    connection.write(bytes.as_bytes()).expect("sent");
    connection
        .reply("PUT", "no length at all")
        .expect("an answer")
        .refused(411, "MissingContentLength");
    assert_eq!(server.content("/lengths/none"), None);
}

#[test]
fn a_client_that_vanishes_leaves_nothing() {
    let server = Server::shared();
    server.bucket("vanished");
    let request = Request::put("/vanished/key", vec![7; 3_000_000])
        .signed(&ROOT)
        .bytes();
    for sent in [request.len() / 2, request.len() - 1] {
        let mut connection = server.connect();
        connection.write(&request[..sent]).expect("it is sent");
        drop(connection);
    }
    // As long as something might still happen.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.content("/vanished/key"), None);
    server
        .send(&Request::delete("/vanished").signed(&ROOT))
        .expect(204);
}

#[test]
fn a_client_is_asked_for_the_body_once_it_may_send_it() {
    let server = Server::shared();
    server.bucket("continue");
    let put = |path: &str| Request::put(path, BODY).header("expect", "100-continue");
    let ask = |request: &Request| {
        let mut connection = server.connect();
        connection.write(&request.head_bytes()).expect("it is sent");
        connection
    };

    let granted = put("/continue/key").signed(&ROOT);
    let mut connection = ask(&granted);
    assert_eq!(
        connection
            .any_reply("PUT", "the first answer")
            .expect("an answer")
            .status,
        100
    );
    connection.write(&granted.body).expect("it is sent");
    connection
        .reply("PUT", "the second answer")
        .expect("an answer")
        .expect(200);
    assert_eq!(server.content("/continue/key").as_deref(), Some(BODY));

    let refused = |request: Request, status: u16, code: &str| {
        let mut connection = ask(&request);
        connection
            .reply("PUT", code)
            .expect("an answer")
            .refused(status, code);
        // The body that comes anyway is not a request.
        let _ = connection.write(b"GET /continue/key HTTP/1.1\r\nhost: s3.test\r\n\r\n");
        assert!(
            connection.is_closed(),
            "{code}: the connection is of no more use"
        );
    };
    refused(put("/continue/no"), 403, "AccessDenied");
    refused(put("/continue/no").signed(&OTHER), 403, "AccessDenied");
    refused(
        put("/continue/no").signed(&ROOT).tampered("/no", "/nu"),
        403,
        "SignatureDoesNotMatch",
    );
    refused(
        put("/continue-missing/no").signed(&ROOT),
        404,
        "NoSuchBucket",
    );
    refused(
        put("/continue/no").header("content-md5", "x").signed(&ROOT),
        400,
        "InvalidDigest",
    );
    refused(
        put("/continue/no")
            .header("x-amz-checksum-crc32", "x")
            .signed(&ROOT),
        400,
        "InvalidRequest",
    );
    refused(
        put("/continue/no")
            .header("x-amz-meta-a", &"x".repeat(3000))
            .signed(&ROOT),
        400,
        "MetadataTooLarge",
    );
    refused(
        put(&format!("/continue/{}", "k".repeat(1025))).signed(&ROOT),
        400,
        "KeyTooLongError",
    );
    refused(
        put("/continue/no?legal-hold").signed(&ROOT),
        501,
        "NotImplemented",
    );
    for sub_resource in ["acl", "tagging"] {
        let missing = put(&format!("/continue/missing?{sub_resource}")).with_md5();
        refused(missing.signed(&ROOT), 404, "NoSuchKey");
    }
    refused(
        put("/continue/no?uploadId=x&partNumber=1").signed(&ROOT),
        404,
        "NoSuchUpload",
    );
    assert_eq!(server.content("/continue/no"), None);

    // A client that does not wait is served all the same.
    server.send(&put("/continue/key").signed(&ROOT));
}

#[test]
fn a_refused_body_does_not_become_a_request() {
    let server = Server::shared();
    server.bucket("smuggled");
    let hidden = Request::put("/smuggled/hidden", "x").signed(&ROOT).bytes();
    let request = Request::put("/smuggled/key", &hidden);
    let mut connection = server.connect();
    connection
        .send(&request.clone().signed(&OTHER))
        .refused(403, "AccessDenied");
    // It was read to its end: the connection is at the start of the next request.
    connection
        .send(&Request::head("/smuggled").signed(&ROOT))
        .expect(200);
    assert_eq!(server.content("/smuggled/hidden"), None);

    // One that is too long to be read is cut off.
    let mut connection = server.connect();
    let long = Request::put("/smuggled/key", vec![0; 8_000_000]).signed(&OTHER);
    let sent = connection.write(&long.bytes());
    match connection.reply("PUT", "a long body") {
        Ok(reply) => drop(reply.refused(403, "AccessDenied")),
        Err(error) => assert!(
            sent.is_err() || error.kind() == std::io::ErrorKind::ConnectionReset,
            "{error}"
        ),
    }
    assert_eq!(server.content("/smuggled/key"), None);
}

#[test]
fn whoever_sends_a_document_slowly_or_never_keeps_no_other_from_being_read() {
    const MIB: usize = 1024 * 1024;
    let server = Server::start(&Settings::default());
    server.bucket("documents");
    server.object("/documents/key", "x");
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let nothing = "<Delete><Object><Key>missing</Key></Object></Delete>";
    let tag = || Request::put("/documents/key?tagging", tags).with_md5();
    let delete = || Request::post("/documents?delete", nothing).with_md5();
    // Announces as much as a document may have, and sends less of it.
    let begin = |key: Option<&Key>, len: usize| {
        let request = Request::post("/documents?delete", vec![b' '; 8 * MIB]).with_md5();
        let request = match key {
            Some(key) => request.signed(key),
            None => request,
        };
        let bytes = request.bytes();
        let mut connection = server.connect();
        let begun = bytes.len() - request.body.len() + len;
        connection.write(&bytes[..begun]).expect("it is sent");
        connection
    };
    let announced: Vec<_> = (0..16).map(|_| begin(None, 100)).collect();
    std::thread::sleep(Duration::from_millis(200));
    server.send(&delete()).expect(200);
    server.send(&delete().signed(&ROOT)).expect(200);
    server.send(&tag().signed(&ROOT)).expect(200);
    drop(announced);

    // What has come is kept, and is too much for others of whom nothing is known.
    let nobodys: Vec<_> = (0..2).map(|_| begin(None, 8 * MIB - 100)).collect();
    let until_refused = |request: Request| {
        let begun = Instant::now();
        while server.send(&request).status != 503 {
            assert!(begun.elapsed() < Duration::from_secs(20), "there is room");
        }
        server.send(&request).refused(503, "SlowDown");
    };
    until_refused(delete());
    server.send(&delete().signed(&ROOT)).expect(200);
    server.send(&tag().signed(&ROOT)).expect(200);

    // Nor does an account that may not do what it asks for stand in the way.
    let others: Vec<_> = (0..2).map(|_| begin(Some(&OTHER), 8 * MIB - 100)).collect();
    until_refused(delete().signed(&ROOT));
    server.send(&tag().signed(&ROOT)).expect(200);
    drop((nobodys, others));
    let begun = Instant::now();
    while server.send(&delete().signed(&ROOT)).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is kept");
    }
}

#[test]
fn a_document_that_never_ends_is_given_up() {
    let server = Server::start(&Settings {
        limits: "body_timeout: 200ms".into(),
        ..Settings::default()
    });
    server.bucket("endless");
    let request = Request::post("/endless?delete", vec![b' '; 8 * 1024 * 1024]).with_md5();
    let bytes = request.signed(&ROOT).bytes();
    let mut connection = server.connect();
    let begun = Instant::now();
    // Faster than what is too slow for any body, and yet not within a second.
    for piece in bytes.chunks(64 * 1024) {
        if connection.write(piece).is_err() || begun.elapsed() > Duration::from_secs(5) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let reply = connection.reply("POST", "an endless document");
    assert!(begun.elapsed() < Duration::from_secs(5), "{reply:?}");
    if let Ok(reply) = reply {
        reply.refused(400, "RequestTimeout");
    }
}
