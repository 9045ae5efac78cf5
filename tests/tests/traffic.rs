//! What copies and completions move: nothing, where they need not.
//!
//! This is a test binary of its own, because the counters it looks at are those
//! of the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sluice_tests::{ROOT, Reply, Request, Server, Settings, crc32};

const MIB: usize = 1 << 20;

/// Bytes that were read from drives, and written to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Traffic {
    read: u64,
    written: u64,
}

fn traffic(server: &Server) -> Traffic {
    let metrics = server.ask_admin(&Request::get("/metrics"));
    let metrics = metrics.text();
    let bytes = |direction: &str| {
        let name = format!("sluice_drive_bytes_total{{direction=\"{direction}\"}} ");
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(&name));
        value
            .unwrap_or_else(|| panic!("{metrics}"))
            .parse()
            .unwrap()
    };
    Traffic {
        read: bytes("read"),
        written: bytes("written"),
    }
}

#[track_caller]
fn send(server: &Server, request: Request) -> Reply {
    server.send(&request.signed(&ROOT)).expect(200)
}

fn copy(target: &str, source: &str) -> Request {
    Request::put(target, "").header("x-amz-copy-source", source)
}

/// What a request moves.
#[track_caller]
fn moved(server: &Server, request: Request) -> Traffic {
    let before = traffic(server);
    send(server, request);
    let after = traffic(server);
    Traffic {
        read: after.read - before.read,
        written: after.written - before.written,
    }
}

#[test]
fn a_copy_within_one_geometry_moves_no_data() {
    const NOTHING: Traffic = Traffic {
        read: 0,
        written: 0,
    };
    let server = Server::start(&Settings::default());
    let (from, to) = (server.bucket("copied-from"), server.bucket("copied-to"));
    let body = vec![7; 6 * MIB];
    for (name, length) in [("small", 1000), ("large", body.len())] {
        let source = format!("{from}/{name}");
        let body = &body[..length];
        let stored = moved(&server, Request::put(&source, body));
        assert!(stored.written >= length as u64, "{name}: {stored:?}");

        let replace = |request: Request| request.header("x-amz-metadata-directive", "REPLACE");
        for request in [
            copy(&format!("{to}/{name}"), &source),
            copy(&format!("{to}/{name}"), &source).header("x-amz-tagging-directive", "COPY"),
            replace(copy(&source, &source)),
        ] {
            assert_eq!(moved(&server, request.clone()), NOTHING, "{request:?}");
        }
        assert_eq!(server.content(&format!("{to}/{name}")).unwrap(), body);

        // A checksum that is not known must be computed, and nothing be written.
        let summed = copy(&format!("{to}/{name}"), &source);
        let summed = summed.header("x-amz-checksum-algorithm", "CRC32");
        let read = moved(&server, summed);
        assert_eq!(read.written, 0, "{name}: {read:?}");
        let reply = send(
            &server,
            copy(&format!("{to}/{name}"), &format!("{to}/{name}"))
                .header("x-amz-metadata-directive", "REPLACE"),
        );
        assert_eq!(reply.element("ChecksumCRC32"), Some(crc32(body).as_str()));
    }

    // Nor does an upload that is made of copies.
    let begun = send(&server, Request::post(&format!("{to}/parts?uploads"), ""));
    let upload = format!("{to}/parts?uploadId={}", begun.element("UploadId").unwrap());
    let mut list = String::new();
    for (number, source) in [(1, "large"), (2, "small")] {
        let part = copy(
            &format!("{upload}&partNumber={number}"),
            &format!("{from}/{source}"),
        );
        let before = traffic(&server);
        let copied = send(&server, part);
        assert_eq!(traffic(&server), before, "{source}");
        let etag = copied.element("ETag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    assert_eq!(moved(&server, Request::post(&upload, list)), NOTHING);
    let whole = server.content(&format!("{to}/parts")).unwrap();
    assert_eq!(whole.len(), body.len() + 1000);
}
