//! DeleteObjects.

use sluice_tests::{OTHER, ROOT, Request, Server, crc32};

fn delete(bucket: &str, body: &str) -> Request {
    Request::post(&format!("/{bucket}?delete"), body)
}

fn named(keys: &[&str]) -> String {
    let objects: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    format!("<Delete>{objects}</Delete>")
}

const START: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";

#[test]
fn every_key_is_answered_for() {
    let server = Server::shared();
    server.bucket("delete-many");
    for key in ["a", "b", "c"] {
        server.object(&format!("/delete-many/{key}"), key);
    }
    let request = delete("delete-many", &named(&["a", "b", "missing", "&lt;&amp;>"])).with_md5();
    let deleted = |key: &str| format!("<Deleted><Key>{key}</Key></Deleted>");
    let all = ["a", "b", "missing", "&lt;&amp;>"]
        .map(deleted)
        .concat()
        .replace("&amp;>", "&amp;&gt;");
    server
        .send(&request.signed(&ROOT))
        .expect(200)
        .expect_xml(&format!("{START}{all}</DeleteResult>"));
    assert_eq!(server.content("/delete-many/a"), None);
    assert!(server.content("/delete-many/c").is_some());

    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>";
    let reply = server
        .send(&delete("delete-many", quiet).with_md5().signed(&ROOT))
        .expect(200);
    assert!(reply.elements("Deleted").is_empty(), "{reply:?}");
    assert_eq!(server.content("/delete-many/c"), None);
}

#[test]
fn a_body_needs_a_digest_that_is_right() {
    let server = Server::shared();
    server.bucket("delete-digest");
    server.object("/delete-digest/key", "x");
    let request = delete("delete-digest", &named(&["key"]));
    server
        .send(&request.clone().signed(&ROOT))
        .refused(400, "InvalidRequest");
    server
        .send(
            &request
                .clone()
                .header("content-md5", &sluice_tests::md5("other"))
                .signed(&ROOT),
        )
        .refused(400, "BadDigest");
    server
        .send(
            &request
                .clone()
                .header("x-amz-checksum-crc32", &crc32("other"))
                .signed(&ROOT),
        )
        .refused(400, "BadDigest");
    assert!(server.content("/delete-digest/key").is_some());
    let sum = crc32(&request.body);
    server
        .send(&request.header("x-amz-checksum-crc32", &sum).signed(&ROOT))
        .expect(200);
    assert_eq!(server.content("/delete-digest/key"), None);
}

#[test]
fn a_body_that_does_not_fit_the_schema_deletes_nothing() {
    let server = Server::shared();
    server.bucket("delete-malformed");
    server.object("/delete-malformed/key", "x");
    let refused = |body: &str| {
        server
            .send(&delete("delete-malformed", body).with_md5().signed(&ROOT))
            .refused(400, "MalformedXML");
        assert!(server.content("/delete-malformed/key").is_some(), "{body}");
    };
    refused("<Delete></Delete>");
    refused("<Delete><Object><Key>key</Key></Object>");
    refused("<Delete><Object></Object></Delete>");
    refused("<Delete><Object><Key></Key></Object></Delete>");
    refused("<Delete><Object><Key>key</Key></Object><Quiet>perhaps</Quiet></Delete>");
    refused("<Other><Object><Key>key</Key></Object></Other>");
    refused("<!DOCTYPE d [<!ENTITY k \"key\">]><Delete><Object><Key>&k;</Key></Object></Delete>");
    refused("{\"Objects\": [{\"Key\": \"key\"}]}");
    refused(&named(&["key"; 1001]));
    refused(&"<a>".repeat(10_000));
    server
        .send(&delete("delete-malformed", "").with_md5().signed(&ROOT))
        .refused(400, "MissingRequestBodyError");

    let thousand = delete("delete-malformed", &named(&["key"; 1000])).with_md5();
    server.send(&thousand.signed(&ROOT)).expect(200);
}

#[test]
fn a_control_character_is_a_character_of_a_key() {
    let server = Server::shared();
    server.bucket("delete-control");
    server.object("/delete-control/%01", "x");
    server
        .send(
            &delete("delete-control", &named(&["\u{1}"]))
                .with_md5()
                .signed(&ROOT),
        )
        .expect(200);
    assert_eq!(server.content("/delete-control/%01"), None);
}

#[test]
fn each_key_is_authorized_alone() {
    let server = Server::shared();
    server.bucket("delete-denied");
    server.object("/delete-denied/key", "x");
    let reply = server
        .send(
            &delete("delete-denied", &named(&["key", "other"]))
                .with_md5()
                .signed(&OTHER),
        )
        .expect(200);
    assert_eq!(
        reply.elements("Code"),
        ["AccessDenied", "AccessDenied"],
        "{reply:?}"
    );
    assert_eq!(reply.elements("Key"), ["key", "other"], "{reply:?}");
    assert!(
        reply
            .elements("Message")
            .iter()
            .all(|message| !message.is_empty()),
        "{reply:?}"
    );
    assert!(server.content("/delete-denied/key").is_some());
    server
        .send(
            &delete("delete-nothing", &named(&["key"]))
                .with_md5()
                .signed(&ROOT),
        )
        .refused(404, "NoSuchBucket");
}

#[test]
fn a_key_that_fails_does_not_keep_the_others() {
    let server = Server::shared();
    server.bucket("delete-mixed");
    let put = |key: &str| {
        let stored = server.object(&format!("/delete-mixed/{key}"), key);
        stored.header("etag").expect("an etag").to_owned()
    };
    let etag = put("right");
    for key in ["wrong", "malformed", "any", "null"] {
        put(key);
    }
    let object = |key: &str, rest: &str| format!("<Object><Key>{key}</Key>{rest}</Object>");
    let body = [
        object("right", &format!("<ETag>{etag}</ETag>")),
        object("wrong", "<ETag>\"other\"</ETag>"),
        object("absent", &format!("<ETag>{etag}</ETag>")),
        object("any", "<ETag>*</ETag>"),
        object("malformed", "<VersionId>x&lt;</VersionId>"),
        object("null", "<VersionId>null</VersionId>"),
    ]
    .concat();
    let body = format!("<Delete>{body}</Delete>");
    let reply = server.send(&delete("delete-mixed", &body).with_md5().signed(&ROOT));
    let entries = |name: &str| {
        let entries = reply.elements(name).into_iter();
        let inside = |entry: &str, name: &str| {
            let (_, rest) = entry.split_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        entries
            .map(|entry| {
                [inside(entry, "Key"), inside(entry, "Code")].map(Option::unwrap_or_default)
            })
            .collect::<Vec<_>>()
    };
    let pairs = |pairs: &[[&str; 2]]| pairs.iter().map(|pair| pair.map(str::to_owned)).collect();
    let deleted: Vec<_> = pairs(&[["right", ""], ["any", ""], ["null", ""]]);
    assert_eq!(entries("Deleted"), deleted, "{reply:?}");
    let errors: Vec<_> = pairs(&[
        ["wrong", "PreconditionFailed"],
        ["absent", "NoSuchKey"],
        ["malformed", "NoSuchVersion"],
    ]);
    assert_eq!(entries("Error"), errors, "{reply:?}");
    assert_eq!(reply.elements("VersionId"), ["x&lt;", "null"], "{reply:?}");
    for (key, there) in [
        ("right", false),
        ("wrong", true),
        ("malformed", true),
        ("null", false),
    ] {
        let content = server.content(&format!("/delete-mixed/{key}"));
        assert_eq!(content.is_some(), there, "{key}");
    }
}
