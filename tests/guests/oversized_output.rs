//! A guest that hands out more than it may.

use http::StatusCode;
use s3::Operation;

use crate::guest::{Guest, chain, code, constant, facts, resource, run};

#[test]
fn the_body_of_an_answer_ends_at_the_limit() {
    let replying = |len: usize| {
        Guest::new().serve(Operation::GetBucketCors, |image| {
            constant(image.reply(200, &[], [65536, len]))
        })
    };
    let cors = facts("GET", "/prod-a?cors");
    for (len, expected) in [
        (0, "ok"),
        (64 << 10, "ok"),
        ((64 << 10) + 1, "output"),
        (128 << 10, "output"),
    ] {
        let chain = chain(&[replying(len)]);
        let served = chain.begin(cors.clone()).serve(&resource(&cors), "".into());
        assert_eq!(code(&served), expected, "{len} bytes");
    }
}

/// The result of `respond`: the same pair of one text, over and over.
fn many_headers(pairs: usize, len: usize) -> Guest {
    Guest::new().respond(|image| {
        let words = |words: &[usize]| -> Vec<u8> {
            let words = words.iter().map(|word| u32::try_from(*word).unwrap());
            words.flat_map(u32::to_le_bytes).collect()
        };
        let [text, _] = image.text(vec![b'a'; len]);
        let [list, _] = image.text(words(&[text, len, text, len].repeat(pairs)));
        constant(image.text(words(&[list, pairs]))[0])
    })
}

#[test]
fn a_list_ends_at_the_limit_though_its_entries_lie_in_one_place() {
    let responded = |guest: Guest| run(&chain(&[guest])).respond(StatusCode::OK).len();
    assert_eq!(responded(many_headers(1, 1000)), 1);
    assert_eq!(responded(many_headers(200, 1000)), 0, "400 KB");
    assert_eq!(responded(many_headers(2000, 1)), 0, "more than 64");
}

#[test]
fn a_text_that_ends_outside_of_its_memory_is_none() {
    let guest = Guest::new().serve(Operation::GetBucketCors, |image| {
        constant(image.reply(200, &[], [65536, usize::try_from(u32::MAX).unwrap()]))
    });
    let cors = facts("GET", "/prod-a?cors");
    let served = chain(&[guest])
        .begin(cors.clone())
        .serve(&resource(&cors), "".into());
    assert_eq!(code(&served), "invalid");
}
