//! The checksums of S3: what comes is held against them, and what is kept is told.

use sluice_tests::{Framing, ROOT, Reply, Request, Server, Streamed};

const BODY: &str = "123456789";

/// A kind of checksum, and what it is of [`BODY`].
struct Sum {
    name: &'static str,
    header: &'static str,
    element: &'static str,
    value: &'static str,
    /// Of `other`.
    wrong: &'static str,
    /// Of an object that is one part, where there can be one.
    composite: Option<&'static str>,
    /// Whether that of an object in parts may be one of all its bytes.
    full: bool,
}

const SUMS: [Sum; 5] = [
    Sum {
        name: "CRC32",
        header: "x-amz-checksum-crc32",
        element: "ChecksumCRC32",
        value: "y/Q5Jg==",
        wrong: "2Vg1IA==",
        composite: Some("7kxlUA==-1"),
        full: true,
    },
    Sum {
        name: "CRC32C",
        header: "x-amz-checksum-crc32c",
        element: "ChecksumCRC32C",
        value: "4waSgw==",
        wrong: "uTja5A==",
        composite: Some("pzJFoA==-1"),
        full: true,
    },
    Sum {
        name: "CRC64NVME",
        header: "x-amz-checksum-crc64nvme",
        element: "ChecksumCRC64NVME",
        value: "rosUhgp5mIg=",
        wrong: "IFGErwSMGpI=",
        composite: None,
        full: true,
    },
    Sum {
        name: "SHA1",
        header: "x-amz-checksum-sha1",
        element: "ChecksumSHA1",
        value: "98O8HYCOBHMq32eZZczDTKeuNEE=",
        wrong: "0JQeaNqPOBUf+Gph/Fn3xc+fyqI=",
        composite: Some("zGcEPHvP9e6lVmvZsfPHT9mlz10=-1"),
        full: false,
    },
    Sum {
        name: "SHA256",
        header: "x-amz-checksum-sha256",
        element: "ChecksumSHA256",
        value: "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        wrong: "2SmKENGwc1g33EvYXaxkGw887yekfl1TpU8vP1svz/o=",
        composite: Some("KSsNAHVmgy25S/rmic1w0at3KBH9RLn0nYVQ7p6mpJQ=-1"),
        full: false,
    },
];

#[track_caller]
fn send(server: &Server, request: Request) -> Reply {
    server.send(&request.signed(&ROOT))
}

/// Makes sure that an object is told to have this checksum, and no other.
#[track_caller]
fn kept(server: &Server, path: &str, sum: &Sum, value: &str, kind: &str) {
    let attributes = Request::get(&format!("{path}?attributes"));
    let attributes = attributes.header("x-amz-object-attributes", "Checksum");
    let bare = value.strip_suffix("-1").unwrap_or(value);
    send(server, attributes)
        .expect(200)
        .expect_element(sum.element, bare)
        .expect_element("ChecksumType", kind);
    for method in ["GET", "HEAD"] {
        let asked = Request::new(method, path);
        let plain = send(server, asked.clone()).expect(200);
        assert_eq!(plain.header(sum.header), None, "{plain:?}");
        let asked = asked.header("x-amz-checksum-mode", "ENABLED");
        let told = send(server, asked)
            .expect(200)
            .expect_header(sum.header, value)
            .expect_header("x-amz-checksum-type", kind);
        let sums = told.headers.iter().filter(|(name, _)| {
            name.starts_with("x-amz-checksum-") && name != "x-amz-checksum-type"
        });
        assert_eq!(sums.count(), 1, "{told:?}");
    }
}

#[test]
fn a_body_is_held_against_its_checksum_in_a_header_or_behind_it() {
    let server = Server::shared();
    server.bucket("sums");
    for sum in &SUMS {
        let path = format!("/sums/{}", sum.name);
        let put = |value: &str| {
            let put = Request::put(&path, BODY).header(sum.header, value);
            send(
                &server,
                put.header("x-amz-sdk-checksum-algorithm", sum.name),
            )
        };
        let trailed = |framing, value: &str| {
            let put = Request::put(&path, BODY);
            let trailer = (sum.header, value);
            server.send(&Streamed::with_trailer(put, framing, &ROOT, 4, trailer).sized())
        };
        put(sum.wrong).refused(400, "BadDigest");
        for malformed in ["", "x", "AAAA", &format!("{}=", sum.value)] {
            put(malformed).refused(400, "InvalidRequest");
        }
        for framing in [Framing::SignedTrailer, Framing::UnsignedTrailer] {
            trailed(framing, sum.wrong).refused(400, "BadDigest");
        }
        assert_eq!(server.content(&path), None, "{}", sum.name);

        put(sum.value)
            .expect(200)
            .expect_header(sum.header, sum.value)
            .expect_header("x-amz-checksum-type", "FULL_OBJECT");
        kept(&server, &path, sum, sum.value, "FULL_OBJECT");
        for framing in [Framing::SignedTrailer, Framing::UnsignedTrailer] {
            send(&server, Request::delete(&path)).expect(204);
            trailed(framing, sum.value)
                .expect(200)
                .expect_header(sum.header, sum.value);
            kept(&server, &path, sum, sum.value, "FULL_OBJECT");
        }
        // Computed where the client only says which it wants.
        let asked = Request::put(&path, BODY).header("x-amz-checksum-algorithm", sum.name);
        send(&server, asked).expect(200);
        kept(&server, &path, sum, sum.value, "FULL_OBJECT");
    }
}

#[test]
fn what_is_said_of_a_checksum_must_fit_it() {
    let server = Server::shared();
    server.bucket("sums-said");
    let [crc32, _, crc64, sha1, _] = &SUMS;
    let refused = |headers: &[(&str, &str)]| {
        let put = Request::put("/sums-said/key", BODY);
        let put = headers
            .iter()
            .fold(put, |put, (name, value)| put.header(name, value));
        send(&server, put).refused(400, "InvalidRequest");
        assert_eq!(server.content("/sums-said/key"), None, "{headers:?}");
    };
    const SDK: &str = "x-amz-sdk-checksum-algorithm";
    refused(&[(crc32.header, crc32.value), (sha1.header, sha1.value)]);
    refused(&[(crc32.header, crc32.value), (SDK, "SHA1")]);
    refused(&[(SDK, "CRC32")]);
    refused(&[(SDK, "MD5")]);
    refused(&[("x-amz-checksum-algorithm", "CRC99")]);

    // Who says nothing gets the one that S3 has by default.
    send(&server, Request::put("/sums-said/key", BODY)).expect(200);
    kept(&server, "/sums-said/key", crc64, crc64.value, "FULL_OBJECT");
}

#[test]
fn an_upload_in_parts_has_the_checksum_that_it_began_with() {
    let server = Server::shared();
    server.bucket("sums-parts");
    for sum in &SUMS {
        let whole = sum.full.then_some(sum.value);
        for (kind, value) in [("COMPOSITE", sum.composite), ("FULL_OBJECT", whole)] {
            let path = format!("/sums-parts/{}-{kind}", sum.name);
            let begin = Request::post(&format!("{path}?uploads"), "")
                .header("x-amz-checksum-algorithm", sum.name)
                .header("x-amz-checksum-type", kind);
            let begun = send(&server, begin);
            let Some(value) = value else {
                begun.refused(400, "InvalidRequest");
                continue;
            };
            let id = begun.element("UploadId").expect("an id").to_owned();
            let upload = format!("{path}?uploadId={id}");
            let put = |value: &str| {
                let put = Request::put(&format!("{upload}&partNumber=1"), BODY);
                send(&server, put.header(sum.header, value))
            };
            put(sum.wrong).refused(400, "BadDigest");
            let part = put(sum.value)
                .expect(200)
                .expect_header(sum.header, sum.value);
            let etag = part.header("etag").expect("an etag");
            send(&server, Request::get(&upload))
                .expect_element("ChecksumAlgorithm", sum.name)
                .expect_element("ChecksumType", kind)
                .expect_element(sum.element, sum.value);
            let complete = |claim: &str| {
                let list = format!(
                    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
                     <{0}>{claim}</{0}></Part></CompleteMultipartUpload>",
                    sum.element
                );
                send(&server, Request::post(&upload, list))
            };
            complete(sum.wrong).refused(400, "InvalidPart");
            complete(sum.value)
                .expect(200)
                .expect_element(sum.element, value)
                .expect_element("ChecksumType", kind);
            kept(&server, &path, sum, value, kind);
        }
    }
}

#[test]
fn the_coding_of_the_transfer_is_none_of_the_content() {
    let server = Server::shared();
    server.bucket("sums-coded");
    for (sent, stored) in [
        ("gzip", Some("gzip")),
        ("aws-chunked,gzip", Some("gzip")),
        ("gzip, aws-chunked", Some("gzip")),
    ] {
        let put = Request::put("/sums-coded/key", BODY).header("content-encoding", sent);
        let streamed = Streamed::new(put, Framing::SignedTrailer, &ROOT, 4);
        server.send(&streamed.sized()).expect(200);
        let got = send(&server, Request::get("/sums-coded/key")).expect(200);
        assert_eq!(got.header("content-encoding"), stored, "{sent}");
        assert_eq!(got.text(), BODY);
    }
}
