//! What copies and completions move: nothing, where they need not.
//!
//! This is a test binary of its own, because the counters it looks at are those
//! of the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sluice_tests::{ROOT, Reply, Request, Server, Settings, crc32};

const MIB: usize = 1 << 20;

const POLICY: &str = "plugins:
  auth: {source: 'builtin:auth', grants: [identity, clock]}
  provisioning: {source: 'builtin:provisioning', grants: [placement]}
  acl: {source: 'builtin:acl', grants: [documents, directory, placement]}
chain:
  - use: auth
  - use: provisioning
    settings:
      mode: create
      default_template: wide
      templates: [{name: wide}, {name: mirror, geometry: {data: 1, parity: 1}}]
  - use: acl
";

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

/// One gateway for both: the counters of two would be mixed up.
#[test]
fn a_copy_moves_data_only_from_one_geometry_to_another() {
    let server = Server::start(&Settings {
        policy: POLICY.to_owned(),
        ..Settings::default()
    });
    copy_within_one_geometry(&server);
    copy_across_geometries(&server);
}

fn copy_within_one_geometry(server: &Server) {
    const NOTHING: Traffic = Traffic {
        read: 0,
        written: 0,
    };
    let (from, to) = (server.bucket("copied-from"), server.bucket("copied-to"));
    let body = vec![7; 6 * MIB];
    for (name, length) in [("small", 1000), ("large", body.len())] {
        let source = format!("{from}/{name}");
        let body = &body[..length];
        let stored = moved(server, Request::put(&source, body));
        assert!(stored.written >= length as u64, "{name}: {stored:?}");

        let replace = |request: Request| request.header("x-amz-metadata-directive", "REPLACE");
        for request in [
            copy(&format!("{to}/{name}"), &source),
            copy(&format!("{to}/{name}"), &source).header("x-amz-metadata-directive", "COPY"),
            replace(copy(&source, &source)),
        ] {
            assert_eq!(moved(server, request.clone()), NOTHING, "{request:?}");
        }
        assert_eq!(server.content(&format!("{to}/{name}")).unwrap(), body);

        // A checksum that is not known must be computed, and nothing be written.
        let summed = copy(&format!("{to}/{name}"), &source);
        let summed = summed.header("x-amz-checksum-algorithm", "CRC32");
        let read = moved(server, summed);
        assert_eq!(read.written, 0, "{name}: {read:?}");
        let reply = send(
            server,
            copy(&format!("{to}/{name}"), &format!("{to}/{name}"))
                .header("x-amz-metadata-directive", "REPLACE"),
        );
        assert_eq!(reply.element("ChecksumCRC32"), Some(crc32(body).as_str()));
    }

    // Nor does an upload that is made of copies.
    let begun = send(server, Request::post(&format!("{to}/parts?uploads"), ""));
    let upload = format!("{to}/parts?uploadId={}", begun.element("UploadId").unwrap());
    let mut list = String::new();
    for (number, source) in [(1, "large"), (2, "small")] {
        let part = copy(
            &format!("{upload}&partNumber={number}"),
            &format!("{from}/{source}"),
        );
        let before = traffic(server);
        let copied = send(server, part);
        assert_eq!(traffic(server), before, "{source}");
        let etag = copied.element("ETag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    assert_eq!(moved(server, Request::post(&upload, list)), NOTHING);
    let whole = server.content(&format!("{to}/parts")).unwrap();
    assert_eq!(whole.len(), body.len() + 1000);
}

fn copy_across_geometries(server: &Server) {
    let wide = server.bucket("spread-wide");
    let mirror = "<CreateBucketConfiguration><LocationConstraint>mirror</LocationConstraint>\
                  </CreateBucketConfiguration>";
    send(server, Request::put("/mirrored", mirror));
    let body: Vec<u8> = (0..6 * MIB).map(|at| (at % 251) as u8).collect();
    let source = format!("{wide}/key");
    let stored = server.object(&source, &body);
    let length = body.len() as u64;

    let across = moved(server, copy("/mirrored/key", &source));
    assert!(across.read >= length, "{across:?}");
    assert!(across.written >= 2 * length, "each byte twice: {across:?}");
    let copied = server
        .send(&Request::get("/mirrored/key").signed(&ROOT))
        .expect(200);
    assert_eq!(copied.header("etag"), stored.header("etag"));
    assert!(copied.body == body, "the bytes are others");

    let begun = send(server, Request::post("/mirrored/parts?uploads", ""));
    let id = begun.element("UploadId").unwrap();
    let part = copy(
        &format!("/mirrored/parts?partNumber=1&uploadId={id}"),
        &source,
    );
    let range = part.header("x-amz-copy-source-range", "bytes=0-1048575");
    let across = moved(server, range);
    assert!(across.written >= 2 * MIB as u64, "{across:?}");
    assert!(across.read < length, "no more than the range: {across:?}");
}
