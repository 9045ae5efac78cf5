use proptest::prelude::*;

use super::*;
use crate::sigv4::SigningKey;

/// AWS's "Signature Calculations: Transferring Payload in Multiple Chunks".
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const FIRST: &str = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648";
const SECOND: &str = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
const LAST: &str = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9";

/// AWS's "... with Trailing Headers", the same content.
const TRAILER_SEED: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
const TRAILER_FIRST: &str = "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2";
const TRAILER_SECOND: &str = "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7";
const TRAILER_LAST: &str = "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992";
const TRAILER_SIGNATURE: &str = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

fn key(seed: &str) -> StreamKey {
    StreamKey {
        key: SigningKey::derive(
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "20130524",
            "us-east-1",
            "s3",
        ),
        timestamp: "20130524T000000Z".into(),
        scope: "20130524/us-east-1/s3/aws4_request".into(),
        seed_signature: seed.into(),
    }
}

fn plain(length: Option<u64>) -> Payload {
    Payload {
        length,
        length_min: 0,
        length_max: Payload::CONTENT_LEN_MAX,
        content_md5: None,
        sha256: ContentSha256::Unsigned,
        checksum: None,
        algorithm: None,
        besides: None,
        aws_chunked: false,
    }
}

fn streaming(signed: bool, trailer: Option<Algorithm>, length: u64) -> Payload {
    Payload {
        sha256: ContentSha256::Streaming {
            signed,
            trailer: trailer.is_some() || !signed,
        },
        checksum: trailer.map(ExpectedChecksum::Trailer),
        besides: None,
        aws_chunked: true,
        ..plain(Some(length))
    }
}

fn chunk(content: &[u8], signature: Option<&str>) -> Vec<u8> {
    let mut chunk = format!("{:x}", content.len()).into_bytes();
    if let Some(signature) = signature {
        chunk.extend_from_slice(format!(";chunk-signature={signature}").as_bytes());
    }
    chunk.extend_from_slice(b"\r\n");
    chunk.extend_from_slice(content);
    if !content.is_empty() {
        chunk.extend_from_slice(b"\r\n");
    }
    chunk
}

fn example(signatures: [&str; 3], end: &str) -> Vec<u8> {
    [
        chunk(&[b'a'; 65536], Some(signatures[0])),
        chunk(&[b'a'; 1024], Some(signatures[1])),
        chunk(b"", Some(signatures[2])),
        end.as_bytes().to_vec(),
    ]
    .concat()
}

/// Pushes a body in pieces of these lengths, again and again.
fn verify(
    payload: &Payload,
    seed: Option<&str>,
    body: &[u8],
    lengths: &[usize],
) -> Result<(Vec<u8>, Digests), Code> {
    let code = |error: Error| error.code().unwrap();
    let mut verifier = Verifier::new(payload, seed.map(key)).map_err(code)?;
    let mut out = Vec::new();
    let mut rest = Bytes::copy_from_slice(body);
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| *length);
        let frame = rest.split_to(length.clamp(1, rest.len()));
        verifier.push(frame, &mut out).map_err(code)?;
    }
    let digests = verifier.finish(None).map_err(code)?;
    Ok((out.concat(), digests))
}

fn refused(payload: &Payload, seed: Option<&str>, body: &[u8], expected: Code) {
    for lengths in [&[][..], &[1], &[7, 64], &[4096]] {
        let verified = verify(payload, seed, body, lengths);
        assert_eq!(verified.err(), Some(expected), "{lengths:?}");
    }
}

#[test]
fn the_published_example_of_signed_chunks_verifies() {
    let body = example([FIRST, SECOND, LAST], "\r\n");
    assert_eq!(body.len(), 66824);
    let payload = streaming(true, None, 66560);
    for lengths in [&[][..], &[1], &[3, 1000, 8192], &[65536]] {
        let (content, digests) = verify(&payload, Some(SEED), &body, lengths).unwrap();
        assert!(content.iter().all(|&byte| byte == b'a'));
        assert_eq!((content.len(), digests.length), (66560, 66560));
    }
}

#[test]
fn the_published_example_of_signed_trailers_verifies_however_its_lines_end() {
    let payload = streaming(true, Some(Algorithm::Crc32c), 66560);
    let signatures = [TRAILER_FIRST, TRAILER_SECOND, TRAILER_LAST];
    for (line, end) in [("\r\n", "\r\n\r\n"), ("\n\r\n", "\r\n\r\n"), ("\n", "\n\n")] {
        let trailers = format!(
            "x-amz-checksum-crc32c:sOO8/Q=={line}x-amz-trailer-signature:{TRAILER_SIGNATURE}{end}"
        );
        let body = example(signatures, &trailers);
        for lengths in [&[][..], &[1], &[5000, 3]] {
            let (_, digests) = verify(&payload, Some(TRAILER_SEED), &body, lengths).unwrap();
            assert_eq!(
                digests.checksum,
                Some((Algorithm::Crc32c, "sOO8/Q==".into()))
            );
        }
    }
}

#[test]
fn a_signed_body_that_was_touched_is_refused() {
    let payload = streaming(true, None, 66560);
    let first = chunk(&[b'a'; 65536], Some(FIRST));
    let second = chunk(&[b'a'; 1024], Some(SECOND));
    let last = [chunk(b"", Some(LAST)), b"\r\n".to_vec()].concat();
    let zeros = "0".repeat(64);
    let cases: [(&str, Vec<Vec<u8>>, Code); 10] = [
        (
            "a byte changed",
            vec![chunk(&[b'b'; 65536], Some(FIRST))],
            Code::SignatureDoesNotMatch,
        ),
        (
            "a chunk dropped",
            vec![second.clone(), last.clone()],
            Code::SignatureDoesNotMatch,
        ),
        (
            "a chunk repeated",
            vec![second.clone(), second.clone()],
            Code::SignatureDoesNotMatch,
        ),
        (
            "chunks reordered",
            vec![second.clone(), first.clone()],
            Code::SignatureDoesNotMatch,
        ),
        (
            "ends early with a good signature of another chunk",
            vec![first.clone(), last.clone()],
            Code::SignatureDoesNotMatch,
        ),
        (
            "the last chunk signed wrongly",
            vec![first.clone(), second.clone(), chunk(b"", Some(&zeros))],
            Code::SignatureDoesNotMatch,
        ),
        (
            "not signed",
            vec![chunk(&[b'a'; 65536], None)],
            Code::SignatureDoesNotMatch,
        ),
        (
            "no last chunk",
            vec![first.clone(), second.clone()],
            Code::IncompleteBody,
        ),
        (
            "no end of the last chunk",
            vec![first.clone(), second.clone(), chunk(b"", Some(LAST))],
            Code::IncompleteBody,
        ),
        (
            "a trailer that is not signed",
            vec![
                first,
                second,
                chunk(b"", Some(LAST)),
                b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n".to_vec(),
            ],
            Code::MalformedTrailerError,
        ),
    ];
    for (what, body, expected) in cases {
        println!("{what}");
        refused(&payload, Some(SEED), &body.concat(), expected);
    }
    refused(&payload, None, b"", Code::AccessDenied);
}

#[test]
fn signed_trailers_that_were_touched_are_refused() {
    let payload = streaming(true, Some(Algorithm::Crc32c), 66560);
    let signatures = [TRAILER_FIRST, TRAILER_SECOND, TRAILER_LAST];
    let sum = "x-amz-checksum-crc32c:sOO8/Q==\r\n";
    let signature = format!("x-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n");
    for (trailers, expected) in [
        (format!("{sum}\r\n"), Code::IncompleteBody),
        (format!("{signature}\r\n"), Code::SignatureDoesNotMatch),
        (
            format!("x-amz-checksum-crc32c:AAAAAA==\r\n{signature}\r\n"),
            Code::SignatureDoesNotMatch,
        ),
        (
            format!("{sum}{signature}{sum}\r\n"),
            Code::MalformedTrailerError,
        ),
        (
            format!("{sum}{sum}{signature}\r\n"),
            Code::MalformedTrailerError,
        ),
        (
            format!("{sum}x-amz-meta-a:b\r\n{signature}\r\n"),
            Code::MalformedTrailerError,
        ),
        (format!("{sum}{signature}"), Code::IncompleteBody),
        (format!("{sum}{signature}\r\nx"), Code::IncompleteBody),
        ("\r\n".repeat(17), Code::MalformedTrailerError),
    ] {
        println!("{trailers}");
        let body = example(signatures, &trailers);
        refused(&payload, Some(TRAILER_SEED), &body, expected);
    }
}

#[test]
fn unsigned_chunks_with_a_trailer_verify() {
    let check = |length: u64, body: &str, expected: Result<&str, Code>| {
        let payload = streaming(false, Some(Algorithm::Crc32), length);
        for lengths in [&[][..], &[1], &[2, 3]] {
            let verified = verify(&payload, None, body.as_bytes(), lengths);
            let content = verified.map(|(content, _)| String::from_utf8(content).unwrap());
            assert_eq!(content.as_deref(), expected.as_deref(), "{body}");
        }
    };
    let sum = "x-amz-checksum-crc32:y/Q5Jg==\r\n";
    check(
        9,
        &format!("9\r\n123456789\r\n0\r\n{sum}\r\n"),
        Ok("123456789"),
    );
    check(
        9,
        &format!("04\r\n1234\r\n5\r\n56789\r\n000\r\n{sum}\r\n"),
        Ok("123456789"),
    );
    check(0, "0\r\nX-Amz-Checksum-CRC32: AAAAAA== \r\n\r\n", Ok(""));
    let long = "0".repeat(300);
    for (length, body, expected) in [
        (
            9,
            format!("9\r\n123456789\r\n0\r\n{sum}"),
            Code::IncompleteBody,
        ),
        (
            9,
            "9\r\n123456789\r\n0\r\n\r\n".into(),
            Code::MalformedTrailerError,
        ),
        (9, "9\r\n123456789\r\n".into(), Code::IncompleteBody),
        (9, "9\r\n1234567".into(), Code::IncompleteBody),
        (9, String::new(), Code::IncompleteBody),
        (
            8,
            format!("9\r\n123456789\r\n0\r\n{sum}\r\n"),
            Code::IncompleteBody,
        ),
        (
            10,
            format!("9\r\n123456789\r\n0\r\n{sum}\r\n"),
            Code::IncompleteBody,
        ),
        (
            9,
            format!("8\r\n123456789\r\n0\r\n{sum}\r\n"),
            Code::IncompleteBody,
        ),
        (
            9,
            format!("9\n123456789\r\n0\r\n{sum}\r\n"),
            Code::IncompleteBody,
        ),
        (
            9,
            format!("9;a=b\r\n123456789\r\n0\r\n{sum}\r\n"),
            Code::IncompleteBody,
        ),
        (9, "-1\r\n".into(), Code::IncompleteBody),
        (9, "+9\r\n".into(), Code::IncompleteBody),
        (9, " 9\r\n".into(), Code::IncompleteBody),
        (9, "\r\n".into(), Code::IncompleteBody),
        (9, "ffffffffffffffff\r\n".into(), Code::IncompleteBody),
        (9, "fffffffffffffffff\r\n".into(), Code::IncompleteBody),
        (9, long, Code::IncompleteBody),
        (
            9,
            "9\r\n123456788\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n".into(),
            Code::BadDigest,
        ),
        (
            9,
            "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5\r\n\r\n".into(),
            Code::InvalidRequest,
        ),
        (
            9,
            "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n".into(),
            Code::MalformedTrailerError,
        ),
        (
            9,
            format!("9\r\n123456789\r\n0\r\n{sum}x-amz-trailer-signature:00\r\n\r\n"),
            Code::MalformedTrailerError,
        ),
        (
            9,
            "9\r\n123456789\r\n0\r\nno colon\r\n\r\n".into(),
            Code::MalformedTrailerError,
        ),
        (
            9,
            format!(
                "9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{}",
                "a".repeat(2000)
            ),
            Code::IncompleteBody,
        ),
    ] {
        check(length, &body, Err(expected));
    }
}

#[test]
fn chunks_of_a_length_that_nobody_announced_are_bounded_all_the_same() {
    let payload = Payload {
        length: None,
        length_min: 0,
        length_max: 9,
        ..streaming(false, None, 0)
    };
    assert!(verify(&payload, None, b"9\r\n123456789\r\n0\r\n\r\n", &[]).is_ok());
    refused(&payload, None, b"a\r\n", Code::EntityTooLarge);
    refused(&payload, None, b"5\r\n12345\r\n5\r\n", Code::EntityTooLarge);
}

#[test]
fn a_plain_body_is_compared_with_everything_that_the_head_says() {
    let body = b"123456789";
    let md5 = BASE64_STANDARD.decode("JfnnlDI7RTiF9RgfG2JNCw==").unwrap();
    let md5: [u8; 16] = md5.try_into().unwrap();
    let sha256: [u8; 32] = Sha256::digest(body).into();
    let header = |value: &str| Some(ExpectedChecksum::Header(Algorithm::Crc32, value.into()));
    let all = Payload {
        content_md5: Some(md5),
        sha256: ContentSha256::Digest(sha256),
        checksum: header("y/Q5Jg=="),
        ..plain(Some(9))
    };
    let (content, digests) = verify(&all, None, body, &[2]).unwrap();
    assert_eq!(content, body);
    assert_eq!(digests.etag(), "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(
        digests.checksum,
        Some((Algorithm::Crc32, "y/Q5Jg==".into()))
    );

    let (_, digests) = verify(&plain(None), None, body, &[]).unwrap();
    assert_eq!(digests.checksum, None);
    let asked = Payload {
        algorithm: Some(Algorithm::Crc32c),
        ..plain(None)
    };
    let (_, digests) = verify(&asked, None, body, &[]).unwrap();
    assert_eq!(
        digests.checksum,
        Some((Algorithm::Crc32c, "4waSgw==".into()))
    );

    for (payload, expected) in [
        (
            Payload {
                length: Some(10),
                ..all.clone()
            },
            Code::IncompleteBody,
        ),
        (
            Payload {
                length: Some(8),
                ..all.clone()
            },
            Code::IncompleteBody,
        ),
        (
            Payload {
                length: None,
                length_min: 0,
                length_max: 8,
                ..all.clone()
            },
            Code::EntityTooLarge,
        ),
        (
            Payload {
                content_md5: Some([0; 16]),
                ..all.clone()
            },
            Code::BadDigest,
        ),
        (
            Payload {
                sha256: ContentSha256::Digest([0; 32]),
                ..all.clone()
            },
            Code::XAmzContentSHA256Mismatch,
        ),
        (
            Payload {
                checksum: header("AAAAAA=="),
                ..all.clone()
            },
            Code::BadDigest,
        ),
        (
            Payload {
                checksum: Some(ExpectedChecksum::Trailer(Algorithm::Crc32)),
                ..all.clone()
            },
            Code::MalformedTrailerError,
        ),
    ] {
        refused(&payload, None, body, expected);
    }
}

#[test]
fn a_trailer_of_http_is_one_too() {
    let payload = Payload {
        checksum: Some(ExpectedChecksum::Trailer(Algorithm::Crc32)),
        ..plain(None)
    };
    for (value, expected) in [("y/Q5Jg==", None), ("AAAAAA==", Some(Code::BadDigest))] {
        let mut verifier = Verifier::new(&payload, None).unwrap();
        let body = Bytes::from_static(b"123456789");
        verifier.push(body, &mut Vec::new()).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-amz-checksum-crc32", value.parse().unwrap());
        let error = verifier.finish(Some(&trailers)).err();
        assert_eq!(error.and_then(|error| error.code()), expected);
    }
}

#[test]
fn what_failed_once_stays_failed() {
    let mut verifier = Verifier::new(&plain(Some(1)), None).unwrap();
    let mut out = Vec::new();
    for _ in 0..2 {
        let pushed = verifier.push(Bytes::from_static(b"ab"), &mut out);
        assert_eq!(pushed.unwrap_err().code(), Some(Code::IncompleteBody));
    }
    assert!(out.is_empty());
    assert!(verifier.push(Bytes::from_static(b"a"), &mut out).is_err());
    assert!(verifier.finish(None).is_err());
}

/// A chunked body that is right but for one change.
fn damaged() -> impl Strategy<Value = (u64, Vec<u8>)> {
    let content = prop::collection::vec(any::<u8>(), 0..300);
    let chunks = prop::collection::vec(1_usize..64, 1..8);
    (
        content,
        chunks,
        any::<prop::sample::Index>(),
        any::<Option<u8>>(),
    )
        .prop_map(|(content, chunks, at, change)| {
            let mut body = Vec::new();
            let mut rest = &content[..];
            let mut lengths = chunks.iter().cycle();
            while !rest.is_empty() {
                let length = (*lengths.next().unwrap()).min(rest.len());
                body.extend(chunk(&rest[..length], None));
                rest = &rest[length..];
            }
            let mut hasher = Hasher::new(Algorithm::Crc32);
            hasher.update(&content);
            let sum = hasher.finish();
            body.extend(format!("0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n").into_bytes());
            if let Some(change) = change {
                let at = at.index(body.len());
                body[at] ^= change;
            }
            (content.len() as u64, body)
        })
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_how_the_body_is_split(
        (length, body) in damaged(),
        lengths in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let payload = streaming(false, Some(Algorithm::Crc32), length);
        let whole = verify(&payload, None, &body, &[]);
        prop_assert_eq!(whole, verify(&payload, None, &body, &lengths));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_taken_but_never_a_panic(
        body in prop::collection::vec(any::<u8>(), 0..2000),
        lengths in prop::collection::vec(1_usize..400, 1..8),
        signed: bool,
        trailer: bool,
    ) {
        let trailer = trailer.then_some(Algorithm::Sha256);
        let payload = Payload { length: None, ..streaming(signed, trailer, 0) };
        let whole = verify(&payload, Some(SEED), &body, &[]);
        prop_assert_eq!(whole, verify(&payload, Some(SEED), &body, &lengths));
    }

    #[test]
    fn what_is_kept_between_frames_is_one_line(body in "[0-9a-f;:\r\n=x-]{0,4000}") {
        let payload = streaming(false, Some(Algorithm::Crc32), 1 << 20);
        let mut decoder = Decoder::new(&payload, None).unwrap();
        for byte in body.into_bytes() {
            let mut frame = Bytes::from(vec![byte]);
            if decoder.next(&mut frame).is_err() {
                break;
            }
            prop_assert!(decoder.kept() <= 1024);
        }
    }
}
