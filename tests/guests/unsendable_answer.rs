//! A guest that answers what HTTP cannot carry, or what is not its own to say.

use http::StatusCode;
use s3::Operation;

use crate::guest::{Guest, Image, chain, code, constant, facts, resource};

#[test]
fn what_http_cannot_carry_is_not_sent() {
    let cors = facts("GET", "/prod-a?cors");
    for (status, name, value, expected) in [
        (200, "x-own", "fine", "ok"),
        (200, "x-own", "a\r\nset-cookie: b", "invalid"),
        (200, "x-own", "a\rb", "invalid"),
        (200, "x-own", "a\nb", "invalid"),
        (200, "x-own", "a\0b", "invalid"),
        (200, "x-own\r\nset-cookie", "b", "invalid"),
        (200, "x own", "b", "invalid"),
        (200, "", "b", "invalid"),
        (200, "content-length", "5", "invalid"),
        (200, "Content-Length", "5", "invalid"),
        (200, "transfer-encoding", "chunked", "invalid"),
        (200, "connection", "close", "invalid"),
        (200, "keep-alive", "5", "invalid"),
        (200, "upgrade", "h2c", "invalid"),
        (200, "trailer", "x", "invalid"),
        (200, "te", "trailers", "invalid"),
        (200, "x-amz-request-id", "mine", "invalid"),
        (0, "x-own", "fine", "invalid"),
        (99, "x-own", "fine", "invalid"),
        (100, "x-own", "fine", "invalid"),
        (101, "x-own", "fine", "invalid"),
        (199, "x-own", "fine", "invalid"),
        (600, "x-own", "fine", "invalid"),
        (700, "x-own", "fine", "invalid"),
        (65535, "x-own", "fine", "invalid"),
        (204, "x-own", "fine", "invalid"),
        (205, "x-own", "fine", "invalid"),
        (304, "x-own", "fine", "invalid"),
    ] {
        let guest = Guest::new()
            .serve(Operation::GetBucketCors, |image| {
                let body = image.text("body");
                constant(image.reply(status, &[(name, value)], body))
            })
            .respond(|image| constant(image.headers(&[(name, value)])));
        let chain = chain(&[guest]);
        let served = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
        assert_eq!(code(&served), expected, "{status} {name}: {value:?}");
        let added = chain.begin(cors.clone()).respond(StatusCode::OK).len();
        let fine = name == "x-own" && value == "fine";
        assert_eq!(added, usize::from(fine), "{name}: {value:?}");
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
