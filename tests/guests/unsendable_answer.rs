//! A guest that answers what HTTP cannot carry, or what is not its own to say.

use http::StatusCode;
use s3::Operation;

use crate::guest::{Guest, Image, chain, code, constant, facts, resource};

/// What a response that a plugin writes, or only adds a header to, comes to.
#[track_caller]
fn check(status: u16, name: &str, value: &str, served: &str, added: usize) {
    let cors = facts("GET", "/prod-a?cors");
    let guest = Guest::new()
        .serve(Operation::GetBucketCors, |image| {
            let body = image.text("body");
            constant(image.reply(status, &[(name, value)], body))
        })
        .respond(|image| constant(image.headers(&[(name, value)])));
    let chain = chain(&[guest]);
    let found = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
    assert_eq!(code(&found), served, "{status} {name}: {value:?}");
    let found = chain.begin(cors).respond(StatusCode::OK).len();
    assert_eq!(found, added, "{name}: {value:?}");
}

#[test]
fn a_header_that_would_end_itself_is_not_sent() {
    check(200, "x-own", "fine", "ok", 1);
    for (name, value) in [
        ("x-own", "a\r\nset-cookie: b"),
        ("x-own", "a\rb"),
        ("x-own", "a\nb"),
        ("x-own", "a\0b"),
        ("x-own\r\nset-cookie", "b"),
        ("x-own\0", "b"),
        ("x own", "b"),
        ("", "b"),
    ] {
        check(200, name, value, "invalid", 0);
    }
}

#[test]
fn a_header_that_is_the_gateways_to_set_is_not_sent() {
    for (name, value) in [
        ("content-length", "5"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("keep-alive", "5"),
        ("upgrade", "h2c"),
        ("trailer", "x"),
        ("te", "trailers"),
        ("x-amz-request-id", "mine"),
    ] {
        check(200, name, value, "invalid", 0);
    }
}

#[test]
fn a_status_that_ends_no_request_or_has_no_body_is_not_sent_with_one() {
    for status in [
        0, 99, 100, 101, 199, 600, 700, 65535, // no answer
        204, 205, 304, // no body
    ] {
        check(status, "x-own", "fine", "invalid", 1);
    }
}

#[test]
fn a_status_that_has_no_body_is_sent_without_one() {
    let cors = facts("GET", "/prod-a?cors");
    for status in [204, 205, 304] {
        let guest = Guest::new().serve(Operation::GetBucketCors, |image| {
            constant(image.reply(status, &[], [0, 0]))
        });
        let served = chain(&[guest])
            .begin(cors.clone())
            .serve(&resource(&cors), "".into());
        assert_eq!(served.unwrap().status.as_u16(), status);
    }
}

/// As it lies in memory.
fn words(image: &mut Image, words: &[usize]) -> usize {
    let words = words.iter().map(|word| u32::try_from(*word).unwrap());
    image.text(words.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())[0]
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let cors = facts("GET", "/prod-a?cors");
    for text in [
        // Half of a character, a byte that begins none, and half of a pair.
        &[0xc3, 0x28][..],
        &[0xff],
        &[0xed, 0xa0, 0x80],
    ] {
        let guest = Guest::new()
            .serve(Operation::GetBucketCors, |image| {
                let [at, len] = image.text(text);
                let pair = words(image, &[at, len, at, len]);
                constant(words(image, &[0, 200, pair, 1, 0, 0]))
            })
            .authorize(|image| {
                let [at, len] = image.text(text);
                constant(words(image, &[2, at, len, at, len, 0, 0, 0]))
            });
        let chain = chain(&[guest]);
        let served = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
        assert_eq!(code(&served), "invalid", "{text:?}");
        let decided = chain.begin(cors.clone()).authorize(&resource(&cors));
        assert_eq!(code(&decided), "invalid", "{text:?}");
    }
}
