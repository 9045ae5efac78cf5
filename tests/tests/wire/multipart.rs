//! CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload,
//! AbortMultipartUpload, ListParts, ListMultipartUploads.

use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use sluice_tests::{OTHER, ROOT, Reply, Request, Server, Settings, checksum, crc32, encode};

const MIB: usize = 1024 * 1024;
const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// An upload to `/<bucket>/key` that has begun.
struct Upload {
    server: std::sync::Arc<Server>,
    path: String,
    id: String,
}

impl Upload {
    fn begin(bucket: &str) -> Self {
        let server = Server::shared();
        server.bucket(bucket);
        Self::begin_in(server, bucket, &[])
    }

    fn begin_in(server: std::sync::Arc<Server>, bucket: &str, headers: &[(&str, &str)]) -> Self {
        let path = format!("/{bucket}/key");
        let request = Request::post(&format!("{path}?uploads"), "");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let begun = server.send(&request.signed(&ROOT)).expect(200);
        let id = begun.element("UploadId").expect("an id").to_owned();
        begun.expect_xml(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult {NAMESPACE}>\
             <Bucket>{bucket}</Bucket><Key>key</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ));
        Self { server, path, id }
    }

    fn query(&self, rest: &str) -> String {
        format!("{}?uploadId={}{rest}", self.path, encode(&self.id))
    }

    fn put(&self, number: &str, body: &[u8]) -> Reply {
        self.server
            .send(&Request::put(&self.query(&format!("&partNumber={number}")), body).signed(&ROOT))
    }

    fn part(&self, number: u32, body: &[u8]) -> (u32, String) {
        let put = self.put(&number.to_string(), body).expect(200);
        (number, put.header("etag").expect("an etag").to_owned())
    }

    fn complete(&self, parts: &[(u32, String)]) -> Reply {
        self.server
            .send(&Request::post(&self.query(""), document(parts)).signed(&ROOT))
    }

    fn list(&self, rest: &str) -> Reply {
        self.server
            .send(&Request::get(&self.query(rest)).signed(&ROOT))
    }
}

fn document(parts: &[(u32, String)]) -> String {
    let part = |(number, etag): &(u32, String)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload {NAMESPACE}>{parts}</CompleteMultipartUpload>")
}

fn blob(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8 ^ seed).collect()
}

fn crc64nvme(bytes: impl AsRef<[u8]>) -> String {
    checksum("crc64nvme", bytes)
}

#[test]
fn parts_become_one_object() {
    let server = Server::shared();
    server.bucket("mp-whole");
    let upload = Upload::begin_in(
        server,
        "mp-whole",
        &[
            ("x-amz-meta-colour", "blue"),
            ("content-type", "text/plain"),
        ],
    );
    let (first, second) = (blob(5 * MIB, 1), blob(1000, 2));
    // In any order, and once more: the last one of a number counts.
    let two = upload.part(2, &second);
    upload.part(1, b"replaced");
    let one = upload.part(1, &first);
    let unused = upload.part(3, b"unused");
    assert_ne!(two, unused);

    let done = upload.complete(&[one, two]).expect(200);
    let etag = done.element("ETag").expect("an etag").to_owned();
    assert!(etag.ends_with("-2&quot;"), "{etag}");
    done.expect_xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUploadResult {NAMESPACE}>\
         <Location>http://s3.test/mp-whole/key</Location><Bucket>mp-whole</Bucket><Key>key</Key><ETag>{etag}</ETag>\
         <ChecksumCRC64NVME>{}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>\
         </CompleteMultipartUploadResult>",
        crc64nvme([&first[..], &second].concat())
    ));

    let got = upload
        .server
        .send(&Request::get("/mp-whole/key").signed(&ROOT))
        .expect(200);
    assert!(
        got.body == [&first[..], &second].concat(),
        "the parts in their order"
    );
    let got = got
        .expect_header("x-amz-meta-colour", "blue")
        .expect_header("content-type", "text/plain");
    got.expect_header("etag", &etag.replace("&quot;", "\""));

    let part = upload
        .server
        .send(&Request::get("/mp-whole/key?partNumber=2").signed(&ROOT))
        .expect(206);
    assert!(part.body == second, "the second part");
    part.expect_header("x-amz-mp-parts-count", "2")
        .expect_header(
            "content-range",
            &format!(
                "bytes {}-{}/{}",
                first.len(),
                first.len() + 999,
                first.len() + 1000
            ),
        );
    upload
        .server
        .send(&Request::get("/mp-whole/key?partNumber=3").signed(&ROOT))
        .refused(416, "InvalidPartNumber");
    let seam = format!("bytes={}-{}", first.len() - 2, first.len() + 1);
    let got = upload
        .server
        .send(
            &Request::get("/mp-whole/key")
                .header("range", &seam)
                .signed(&ROOT),
        )
        .expect(206);
    assert_eq!(got.body, [&first[first.len() - 2..], &second[..2]].concat());

    // The upload is over.
    upload.list("").refused(404, "NoSuchUpload");
    upload.put("1", b"late").refused(404, "NoSuchUpload");
}

#[test]
fn a_list_of_parts_must_fit_what_was_uploaded() {
    let upload = Upload::begin("mp-misfit");
    let one = upload.part(1, &blob(5 * MIB, 1));
    let two = upload.part(2, b"small");
    let three = upload.part(3, b"smaller");
    let wrong = |number| (number, "\"00000000000000000000000000000000\"".to_owned());

    upload
        .complete(&[two.clone(), one.clone()])
        .refused(400, "InvalidPartOrder")
        .expect_element("UploadId", &upload.id);
    upload
        .complete(&[one.clone(), one.clone()])
        .refused(400, "InvalidPartOrder");
    upload
        .complete(&[wrong(1)])
        .refused(400, "InvalidPart")
        .expect_element("PartNumber", "1");
    upload
        .complete(&[one.clone(), wrong(4)])
        .refused(400, "InvalidPart")
        .expect_element("PartNumber", "4");
    upload
        .complete(&[(1, String::new())])
        .refused(400, "InvalidPart");
    upload
        .complete(&[one.clone(), two.clone(), three])
        .refused(400, "EntityTooSmall")
        .expect_element("PartNumber", "2");
    let complete = |body: &str| {
        upload
            .server
            .send(&Request::post(&upload.query(""), body).signed(&ROOT))
    };
    complete(&document(&[])).refused(400, "MalformedXML");
    complete("<CompleteMultipartUpload>").refused(400, "MalformedXML");
    complete("<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>")
        .refused(400, "MalformedXML");
    complete("<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>")
        .refused(400, "MalformedXML");
    complete("no xml").refused(400, "MalformedXML");
    let sized = |size: &str| {
        let request = Request::post(&upload.query(""), document(&[one.clone(), two.clone()]))
            .header("x-amz-mp-object-size", size);
        upload.server.send(&request.signed(&ROOT))
    };
    sized("1").refused(400, "InvalidRequest");

    // After all of this nothing is stored, and nothing is lost.
    assert_eq!(upload.server.content(&upload.path), None);
    sized(&(5 * MIB + 5).to_string()).expect(200);
    assert_eq!(
        upload.server.content(&upload.path).map(|body| body.len()),
        Some(5 * MIB + 5)
    );
}

#[test]
fn part_numbers_are_from_1_to_10000() {
    let upload = Upload::begin("mp-numbers");
    for number in ["0", "10001", "-1", "x", "", "1.0", "+1", "99999999999"] {
        upload
            .put(number, b"x")
            .refused(400, "InvalidArgument")
            .expect_element("ArgumentName", "partNumber");
    }
    let last = upload.part(10_000, b"x");
    let request = Request::put(&format!("{}?uploadId=x", upload.path), "").signed(&ROOT);
    upload.server.send(&request).refused(400, "InvalidArgument");
    let request = Request::put(&format!("{}?partNumber=1", upload.path), "").signed(&ROOT);
    upload.server.send(&request).refused(400, "InvalidArgument");
    upload.complete(&[last]).expect(200);
}

#[test]
fn an_upload_that_does_not_exist_is_named_so() {
    let server = Server::shared();
    server.bucket("mp-none");
    for id in [
        "nonsense",
        "",
        "00000000000000000000000000000000",
        "..%2F..",
        "%00",
    ] {
        let path = format!("/mp-none/key?uploadId={id}");
        let refused = |request: Request| {
            server
                .send(&request.signed(&ROOT))
                .refused(404, "NoSuchUpload")
        };
        refused(Request::put(&format!("{path}&partNumber=1"), "x"));
        refused(Request::get(&path));
        refused(Request::delete(&path));
        refused(Request::post(&path, document(&[(1, "\"x\"".into())])));
    }
    // One of another key is none of this.
    let upload = Upload::begin_in(server, "mp-none", &[]);
    let elsewhere = format!(
        "/mp-none/elsewhere?uploadId={}&partNumber=1",
        encode(&upload.id)
    );
    upload
        .server
        .send(&Request::put(&elsewhere, "x").signed(&ROOT))
        .refused(404, "NoSuchUpload");
}

#[test]
fn an_aborted_upload_leaves_nothing() {
    let upload = Upload::begin("mp-aborted");
    let one = upload.part(1, b"x");
    let abort = Request::delete(&upload.query("")).signed(&ROOT);
    upload
        .server
        .send(&Request::delete(&upload.query("")).signed(&OTHER))
        .refused(403, "AccessDenied");
    upload.server.send(&abort).expect(204);
    upload.server.send(&abort).refused(404, "NoSuchUpload");
    upload.complete(&[one]).refused(404, "NoSuchUpload");
    upload.list("").refused(404, "NoSuchUpload");
    assert_eq!(upload.server.content(&upload.path), None);
    upload
        .server
        .send(&Request::delete("/mp-aborted").signed(&ROOT))
        .expect(204);
}

#[test]
fn parts_are_listed_in_pages() {
    let upload = Upload::begin("mp-parts");
    for number in [3, 1, 7] {
        upload.part(number, &blob(number as usize, 0));
    }
    let numbers = |reply: &Reply| reply.elements("PartNumber").join(",");
    let page = upload.list("&max-parts=2").expect(200);
    assert_eq!(
        (numbers(&page), page.element("IsTruncated")),
        ("1,3".into(), Some("true")),
        "{page:?}"
    );
    page.expect_element("NextPartNumberMarker", "3")
        .expect_element("MaxParts", "2");
    let page = upload
        .list("&part-number-marker=3")
        .expect_element("IsTruncated", "false");
    assert_eq!(
        (numbers(&page), page.elements("Size")),
        ("7".into(), vec!["7"]),
        "{page:?}"
    );
    assert_eq!(page.element("UploadId"), Some(upload.id.as_str()));
    assert_eq!(page.element("StorageClass"), Some("STANDARD"));
    assert_eq!(
        upload.list("&max-parts=1001").element("MaxParts"),
        Some("1000")
    );
    upload.list("&max-parts=x").refused(400, "InvalidArgument");
    upload
        .list("&part-number-marker=x")
        .refused(400, "InvalidArgument");
}

#[test]
fn uploads_are_listed_in_pages() {
    let server = Server::shared();
    server.bucket("mp-uploads");
    let mut begun = Vec::new();
    for key in ["b/2", "a", "b/1", "a"] {
        let reply = server
            .send(&Request::post(&format!("/mp-uploads/{key}?uploads"), "").signed(&ROOT))
            .expect(200);
        begun.push((key, reply.element("UploadId").expect("an id").to_owned()));
    }
    let list = |query: &str| {
        server
            .send(&Request::get(&format!("/mp-uploads?uploads{query}")).signed(&ROOT))
            .expect(200)
    };
    let all = list("");
    assert_eq!(all.elements("Key"), ["a", "a", "b/1", "b/2"], "{all:?}");
    // Two of one key in the order in which they began.
    assert_eq!(
        all.elements("UploadId")[..2],
        [&*begun[1].1, &*begun[3].1],
        "{all:?}"
    );
    all.expect_element("IsTruncated", "false");

    assert_eq!(list("&prefix=b/").elements("Key"), ["b/1", "b/2"]);
    let folded = list("&delimiter=/");
    assert_eq!(
        (folded.elements("Key"), folded.elements("CommonPrefixes")),
        (vec!["a", "a"], vec!["<Prefix>b/</Prefix>"])
    );

    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("&max-uploads=1{marker}"));
        seen.extend(page.elements("UploadId").into_iter().map(str::to_owned));
        if page.element("IsTruncated") == Some("false") {
            break;
        }
        let next = |name| {
            encode(
                page.element(name)
                    .expect("a truncated page says where it ends"),
            )
        };
        marker = format!(
            "&key-marker={}&upload-id-marker={}",
            next("NextKeyMarker"),
            next("NextUploadIdMarker")
        );
        assert!(seen.len() < 10, "pages do not end");
    }
    assert_eq!(seen.len(), 4, "each once: {seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "each once");
    server
        .send(&Request::get("/mp-uploads?uploads&max-uploads=x").signed(&ROOT))
        .refused(400, "InvalidArgument");
    server
        .send(&Request::get("/mp-uploads/key?uploads").signed(&ROOT))
        .refused(400, "InvalidRequest");
}

#[test]
fn a_part_can_be_a_range_of_an_object() {
    let upload = Upload::begin("mp-copied");
    upload.server.object("/mp-copied/source", "0123456789");
    let copy = |number: u32, headers: &[(&str, &str)]| {
        let request = Request::put(&upload.query(&format!("&partNumber={number}")), "");
        let request = request.header("x-amz-copy-source", "/mp-copied/source");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        upload.server.send(&request.signed(&ROOT))
    };
    copy(1, &[("x-amz-copy-source-range", "bytes=2-4")]).expect(200).expect_xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CopyPartResult {NAMESPACE}>\
         <LastModified>*</LastModified><ETag>&quot;289dff07669d7a23de0ef88d2f7129e7&quot;</ETag>\
         <ChecksumCRC64NVME>{}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CopyPartResult>",
        crc64nvme("234")
    ));
    assert_eq!(upload.list("").elements("Size"), ["3"]);
    for wrong in [
        "bytes=5-10",
        "bytes=10-11",
        "bytes=4-2",
        "bytes=-3",
        "bytes=3-",
        "2-4",
        "x",
    ] {
        let reply = copy(2, &[("x-amz-copy-source-range", wrong)]);
        assert!(matches!(reply.status, 400 | 416), "{wrong}: {reply:?}");
        assert!(
            matches!(
                reply.element("Code"),
                Some("InvalidArgument" | "InvalidRange")
            ),
            "{wrong}: {reply:?}"
        );
    }
    copy(2, &[("x-amz-copy-source-if-match", "\"other\"")]).refused(412, "PreconditionFailed");
    assert_eq!(upload.list("").elements("Size"), ["3"]);

    let one = (1, "\"289dff07669d7a23de0ef88d2f7129e7\"".to_owned());
    upload.complete(&[one]).expect(200);
    assert_eq!(
        upload.server.content(&upload.path).as_deref(),
        Some(&b"234"[..])
    );
}

#[test]
fn a_part_that_arrives_wrong_is_not_stored() {
    let upload = Upload::begin("mp-wrong");
    let put = |name: &str, value: &str| {
        let request =
            Request::put(&upload.query("&partNumber=1"), "0123456789").header(name, value);
        upload.server.send(&request.signed(&ROOT))
    };
    put("content-md5", &sluice_tests::md5("other")).refused(400, "BadDigest");
    put("x-amz-checksum-crc32", &crc32("other")).refused(400, "BadDigest");
    put("x-amz-content-sha256", &"0".repeat(64)).refused(400, "XAmzContentSHA256Mismatch");
    assert!(upload.list("").elements("PartNumber").is_empty());
    put("x-amz-checksum-crc32", &crc32("0123456789"))
        .expect_header("x-amz-checksum-crc32", &crc32("0123456789"));
}

#[test]
fn checksums_of_parts_add_up_to_one_of_the_object() {
    let server = Server::shared();
    server.bucket("mp-summed");
    let request =
        Request::post("/mp-summed/key?uploads", "").header("x-amz-checksum-algorithm", "CRC32");
    let request = request.header("x-amz-checksum-type", "FULL_OBJECT");
    let begun = server.send(&request.signed(&ROOT)).expect(200);
    let begun = begun
        .expect_header("x-amz-checksum-algorithm", "CRC32")
        .expect_header("x-amz-checksum-type", "FULL_OBJECT");
    let id = begun.element("UploadId").expect("an id").to_owned();
    let upload = Upload {
        server,
        path: "/mp-summed/key".into(),
        id,
    };
    let (first, second) = (blob(5 * MIB, 1), blob(77, 2));
    let sum = crc32([&first[..], &second].concat());
    let part = |number: u32, body: &[u8]| {
        let request = Request::put(&upload.query(&format!("&partNumber={number}")), body);
        let reply = upload
            .server
            .send(
                &request
                    .header("x-amz-checksum-crc32", &crc32(body))
                    .signed(&ROOT),
            )
            .expect(200);
        (number, reply.header("etag").expect("an etag").to_owned())
    };
    let parts = [part(1, &first), part(2, &second)];
    let complete = |claimed: &str| {
        let request = Request::post(&upload.query(""), document(&parts))
            .header("x-amz-checksum-crc32", claimed);
        upload.server.send(&request.signed(&ROOT))
    };
    complete(&crc32("other")).refused(400, "BadDigest");
    let complete_with = |name: &str, value: &str| {
        let request = Request::post(&upload.query(""), document(&parts)).header(name, value);
        upload.server.send(&request.signed(&ROOT))
    };
    complete_with("x-amz-checksum-crc64nvme", &crc64nvme("other")).refused(400, "InvalidRequest");
    complete_with("x-amz-checksum-type", "COMPOSITE").refused(400, "InvalidRequest");
    complete(&sum)
        .expect(200)
        .expect_element("ChecksumCRC32", &sum);
    let got = Request::head(&upload.path)
        .header("x-amz-checksum-mode", "ENABLED")
        .signed(&ROOT);
    upload
        .server
        .send(&got)
        .expect_header("x-amz-checksum-crc32", &sum)
        .expect_header("x-amz-checksum-type", "FULL_OBJECT");

    let begin = |algorithm: &str, kind: &str| {
        let request = Request::post("/mp-summed/key?uploads", "")
            .header("x-amz-checksum-algorithm", algorithm);
        upload
            .server
            .send(&request.header("x-amz-checksum-type", kind).signed(&ROOT))
    };
    begin("SHA256", "FULL_OBJECT").refused(400, "InvalidRequest");
    begin("CRC64NVME", "COMPOSITE").refused(400, "InvalidRequest");
    begin("CRC99", "COMPOSITE").refused(400, "InvalidRequest");
    begin("CRC32", "OTHER").refused(400, "InvalidRequest");
}

#[test]
fn completion_heeds_conditions() {
    let upload = Upload::begin("mp-condition");
    upload.server.object(&upload.path, "before");
    let one = upload.part(1, b"after");
    let complete = |name: &str, value: &str| {
        let request = Request::post(&upload.query(""), document(std::slice::from_ref(&one)))
            .header(name, value);
        upload.server.send(&request.signed(&ROOT))
    };
    complete("if-none-match", "*").refused(412, "PreconditionFailed");
    complete("if-match", "\"other\"").refused(412, "PreconditionFailed");
    assert_eq!(
        upload.server.content(&upload.path).as_deref(),
        Some(&b"before"[..])
    );
    complete("if-match", "*").expect(200);
    assert_eq!(
        upload.server.content(&upload.path).as_deref(),
        Some(&b"after"[..])
    );
}

#[test]
fn others_may_do_nothing_with_an_upload() {
    let upload = Upload::begin("mp-closed");
    let denied = |request: Request| {
        upload
            .server
            .send(&request.clone().signed(&OTHER))
            .refused(403, "AccessDenied");
        upload.server.send(&request).refused(403, "AccessDenied");
    };
    denied(Request::post("/mp-closed/key?uploads", ""));
    denied(Request::put(&upload.query("&partNumber=1"), "x"));
    denied(Request::get(&upload.query("")));
    denied(Request::post(
        &upload.query(""),
        document(&[(1, "\"x\"".into())]),
    ));
    denied(Request::get("/mp-closed?uploads"));
}

#[test]
fn a_completion_that_is_repeated_is_answered_like_the_first() {
    let upload = Upload::begin("mp-repeated");
    let parts = [upload.part(1, &blob(5 * MIB, 1)), upload.part(2, b"end")];
    let first = upload.complete(&parts).expect(200);
    let again = upload.complete(&parts).expect(200);
    assert_eq!(first.text(), again.text());

    // Of other parts the object was not made.
    upload.complete(&parts[..1]).refused(404, "NoSuchUpload");
    let other = (2, format!("\"{}\"", "0".repeat(32)));
    let others = [parts[0].clone(), other];
    upload.complete(&others).refused(404, "NoSuchUpload");
    upload.put("1", b"late").refused(404, "NoSuchUpload");

    // Where it came from is nobody's business, nor is it that of a copy.
    let got = upload
        .server
        .send(&Request::head(&upload.path).signed(&ROOT))
        .expect(200);
    let told = got.headers.iter().any(|(_, value)| *value == upload.id);
    assert!(!told, "{got:?}");
    let copy = Request::put(&upload.path, "")
        .header("x-amz-copy-source", &upload.path)
        .header("x-amz-metadata-directive", "REPLACE");
    upload.server.send(&copy.signed(&ROOT)).expect(200);
    upload.complete(&parts).refused(404, "NoSuchUpload");
}

#[test]
fn every_part_has_the_checksum_that_its_upload_keeps() {
    let server = Server::shared();
    server.bucket("mp-kept");
    let send = |request: Request| server.send(&request.signed(&ROOT));
    let body = blob(5 * MIB, 3);
    let whole = crc32(&body);
    let put = Request::put("/mp-kept/crc32", &body).header("x-amz-checksum-crc32", &whole);
    send(put).expect(200);
    send(Request::put("/mp-kept/crc64nvme", &body)).expect(200);

    for kind in ["FULL_OBJECT", "COMPOSITE"] {
        let begin = Request::post("/mp-kept/key?uploads", "")
            .header("x-amz-checksum-algorithm", "CRC32")
            .header("x-amz-checksum-type", kind);
        let begun = send(begin).expect(200);
        let upload = Upload {
            path: "/mp-kept/key".to_owned(),
            id: begun.element("UploadId").expect("an id").to_owned(),
            server: server.clone(),
        };
        let number = |number: u32| upload.query(&format!("&partNumber={number}"));
        let other = Request::put(&number(1), &body)
            .header("x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
        send(other).refused(400, "InvalidRequest");
        // The client sends none: it is computed all the same.
        let first = upload.put("1", &body).expect(200);
        let first = first.expect_header("x-amz-checksum-crc32", &whole);
        let mut parts = vec![(1, first.header("etag").expect("an etag").to_owned())];
        // Copied from where it is known, from where it is not, and in part.
        let mut copied = |part: u32, source: &str, range: Option<&str>| {
            let copy = Request::put(&number(part), "").header("x-amz-copy-source", source);
            let copy = match range {
                Some(range) => copy.header("x-amz-copy-source-range", range),
                None => copy,
            };
            let copied = send(copy).expect(200);
            let etag = copied.element("ETag").expect("an etag");
            parts.push((part, etag.replace("&quot;", "\"")));
            copied
        };
        copied(2, "mp-kept/crc32", None).expect_element("ChecksumCRC32", &whole);
        copied(3, "mp-kept/crc64nvme", None).expect_element("ChecksumCRC32", &whole);
        let range = copied(4, "mp-kept/crc64nvme", Some("bytes=0-9"));
        range.expect_element("ChecksumCRC32", &crc32(&body[..10]));

        let done = upload.complete(&parts).expect(200);
        let expected = match kind {
            "FULL_OBJECT" => crc32([&body[..], &body, &body, &body[..10]].concat()),
            _ => {
                let decoded = |value: String| BASE64_STANDARD.decode(value).expect("base64");
                let tail = decoded(crc32(&body[..10]));
                let sums = [decoded(whole.clone()).repeat(3), tail].concat();
                format!("{}-4", crc32(sums))
            }
        };
        done.expect_element("ChecksumCRC32", &expected);
    }
}

#[test]
fn an_upload_that_began_without_a_checksum_gets_the_default_whatever_its_parts_bring() {
    let upload = Upload::begin("mp-default");
    let send = |request: Request| upload.server.send(&request.signed(&ROOT));
    let body = blob(5 * MIB, 4);
    let source = Request::put("/mp-default/source", &body);
    send(source.header("x-amz-checksum-crc32", &crc32(&body))).expect(200);

    let number = |number: u32| upload.query(&format!("&partNumber={number}"));
    let first = Request::put(&number(1), &body).header("x-amz-checksum-crc32", &crc32(&body));
    let first = send(first)
        .expect(200)
        .expect_header("x-amz-checksum-crc32", &crc32(&body));
    let copied = Request::put(&number(2), "").header("x-amz-copy-source", "mp-default/source");
    let copied = send(copied)
        .expect(200)
        .expect_element("ChecksumCRC64NVME", &crc64nvme(&body));
    let second = copied.element("ETag").expect("an etag");
    let parts = [
        (1, first.header("etag").expect("an etag").to_owned()),
        (2, second.replace("&quot;", "\"")),
        upload.part(3, b"end"),
    ];
    let list = upload.list("").expect(200);
    assert_eq!(list.element("ChecksumAlgorithm"), None, "{list:?}");

    let sum = crc64nvme([&body[..], &body, b"end"].concat());
    let complete = |headers: &[(&str, &str)]| {
        let request = Request::post(&upload.query(""), document(&parts));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        send(request)
    };
    const SUM: &str = "x-amz-checksum-crc64nvme";
    const KIND: &str = "x-amz-checksum-type";
    complete(&[(SUM, "AAAAAAAAAAA=")]).refused(400, "BadDigest");
    complete(&[("x-amz-checksum-crc32", &crc32("x"))]).refused(400, "InvalidRequest");
    complete(&[(SUM, &sum), (KIND, "COMPOSITE")]).refused(400, "InvalidRequest");
    complete(&[(KIND, "HALF")]).refused(400, "InvalidRequest");
    send(Request::head(&upload.path)).expect(404);
    complete(&[(SUM, &sum), (KIND, "FULL_OBJECT")])
        .expect(200)
        .expect_element("ChecksumCRC64NVME", &sum)
        .expect_element("ChecksumType", "FULL_OBJECT");
    send(Request::head(&upload.path).header("x-amz-checksum-mode", "ENABLED"))
        .expect_header(SUM, &sum)
        .expect_header(KIND, "FULL_OBJECT");
}

#[test]
fn an_upload_is_aborted_only_if_it_began_when_the_client_thinks() {
    let upload = Upload::begin("mp-abort-if");
    const CONDITION: &str = "x-amz-if-match-initiated-time";
    let abort = |date: &str| {
        let request = Request::delete(&upload.query("")).header(CONDITION, date);
        upload.server.send(&request.signed(&ROOT))
    };
    abort("Mon, 01 Jan 2001 00:00:00 GMT")
        .refused(412, "PreconditionFailed")
        .expect_element("Condition", CONDITION);
    abort("yesterday").refused(400, "InvalidArgument");
    let listed = Request::get("/mp-abort-if?uploads").signed(&ROOT);
    let listed = upload.server.send(&listed).expect(200);
    let initiated = listed.element("Initiated").expect("a time");
    let initiated: jiff::Timestamp = initiated.parse().expect("a time");
    let initiated = initiated.to_zoned(jiff::tz::TimeZone::UTC);
    abort(&initiated.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).expect(204);
    upload.list("").refused(404, "NoSuchUpload");
}

#[test]
fn an_upload_that_nobody_finishes_expires() {
    let server = std::sync::Arc::new(Server::start(&Settings {
        policy: "uploads: {expire_after: 1s}\n".to_owned(),
        ..Settings::default()
    }));
    server.bucket("mp-expired");
    let upload = Upload::begin_in(server, "mp-expired", &[]);
    upload.part(1, &blob(MIB, 1));
    let begun = Instant::now();
    while upload.list("").status == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not expire"
        );
        thread::sleep(Duration::from_millis(50));
    }
    upload.list("").refused(404, "NoSuchUpload");
    assert!(
        begun.elapsed() > Duration::from_millis(500),
        "it had its time"
    );
    let delete = Request::delete("/mp-expired").signed(&ROOT);
    upload.server.send(&delete).expect(204);
    let metrics = upload.server.ask_admin(&Request::get("/metrics"));
    assert!(metrics.text().contains("sluice_uploads_expired_total 1"));
}

#[test]
fn an_upload_is_read_at_once_and_may_be_empty() {
    let upload = Upload::begin("mp-at-once");
    let (number, etag) = upload.part(1, b"");
    // Some clients leave the quotes out.
    let bare = etag.trim_matches('"').to_owned();
    upload.complete(&[(number, bare)]).expect(200);
    assert_eq!(
        upload.server.content(&upload.path).as_deref(),
        Some(&b""[..])
    );
    for round in 0..20 {
        let upload = Upload::begin_in(upload.server.clone(), "mp-at-once", &[]);
        let body = format!("{round}");
        let one = upload.part(1, body.as_bytes());
        upload.complete(&[one]).expect(200);
        let copy = Request::put("/mp-at-once/copy", "").header("x-amz-copy-source", &upload.path);
        upload.server.send(&copy.signed(&ROOT)).expect(200);
        let copied = upload.server.content("/mp-at-once/copy");
        assert_eq!(copied.as_deref(), Some(body.as_bytes()));
    }
}
