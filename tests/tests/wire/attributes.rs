//! GetObjectAttributes, and checksums in the answers to reads.

use sluice_tests::{ROOT, Reply, Request, Server, crc32};

const MIB: usize = 1024 * 1024;
const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
const CLOSE: &str = "</GetObjectAttributesResponse>";

fn ask(server: &Server, target: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(Request::get(target), |request, (name, value)| {
            request.header(name, value)
        });
    server.send(&request.signed(&ROOT))
}

fn wanted(names: &str) -> [(&str, &str); 1] {
    [("x-amz-object-attributes", names)]
}

#[test]
fn the_attributes_that_are_wanted_are_told() {
    let server = Server::shared();
    server.bucket("attributes");
    let sum = crc32("0123456789");
    let put = Request::put("/attributes/key", "0123456789").header("x-amz-checksum-crc32", &sum);
    server.send(&put.signed(&ROOT)).expect(200);
    let told = |names: &str, inside: &str| {
        ask(&server, "/attributes/key?attributes", &wanted(names))
            .expect(200)
            .expect_xml(&format!("{OPEN}{inside}{CLOSE}"))
    };
    let etag = "<ETag>781e5e245d69b566979b86e28d23f2c7</ETag>";
    let checksum = format!(
        "<Checksum><ChecksumCRC32>{sum}</ChecksumCRC32>\
         <ChecksumType>FULL_OBJECT</ChecksumType></Checksum>"
    );
    let reply = told("ETag", etag);
    assert!(reply.header("last-modified").is_some(), "{reply:?}");
    assert_eq!(reply.header("x-amz-version-id"), None, "{reply:?}");
    told(
        "ObjectSize,ETag,Checksum,StorageClass,ObjectParts",
        &format!(
            "{etag}{checksum}<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize>"
        ),
    );
    // As some SDKs write a list.
    let lines = [wanted("ETag"), wanted("ObjectSize")].concat();
    ask(&server, "/attributes/key?attributes", &lines)
        .expect(200)
        .expect_element("ObjectSize", "10")
        .expect_element("ETag", "781e5e245d69b566979b86e28d23f2c7");

    let target = "/attributes/key?attributes";
    ask(&server, target, &[]).refused(400, "InvalidRequest");
    ask(&server, target, &wanted("Size"))
        .refused(400, "InvalidArgument")
        .expect_element("ArgumentName", "x-amz-object-attributes")
        .expect_element("ArgumentValue", "Size");
    let missing = "/attributes/missing?attributes";
    ask(&server, missing, &wanted("ETag"))
        .refused(404, "NoSuchKey")
        .expect_element("Key", "missing");
    let absent = format!("{target}&versionId={}", "0".repeat(32));
    ask(&server, &absent, &wanted("ETag")).refused(404, "NoSuchVersion");
    let malformed = format!("{target}&versionId=x");
    ask(&server, &malformed, &wanted("ETag")).refused(400, "InvalidArgument");
}

#[test]
fn the_parts_of_an_object_are_told_in_pages() {
    let server = Server::shared();
    server.bucket("attributes-parts");
    let send = |request: Request| server.send(&request.signed(&ROOT)).expect(200);
    let begin = Request::post("/attributes-parts/key?uploads", "")
        .header("x-amz-checksum-algorithm", "CRC32");
    let begun = send(begin);
    let id = begun.element("UploadId").expect("an id").to_owned();
    let body = vec![7; 5 * MIB];
    let sum = crc32(&body);
    let mut list = String::new();
    for number in [1, 2, 4] {
        let target = format!("/attributes-parts/key?partNumber={number}&uploadId={id}");
        let put = send(Request::put(&target, &body));
        let etag = put.header("etag").expect("an etag");
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let target = format!("/attributes-parts/key?uploadId={id}");
    let whole = send(Request::post(&target, &list));
    let whole = whole.element("ChecksumCRC32").expect("a checksum");
    let value = whole.strip_suffix("-3").expect("the number of parts");

    let page = |headers: &[(&str, &str)]| {
        let headers = [&wanted("ObjectParts"), headers].concat();
        ask(&server, "/attributes-parts/key?attributes", &headers)
    };
    let first = page(&[("x-amz-max-parts", "2")]).expect(200);
    assert_eq!(first.elements("PartNumber"), ["1", "2"], "{first:?}");
    assert_eq!(first.elements("ChecksumCRC32"), [&sum, &sum], "{first:?}");
    first
        .expect_element("PartsCount", "3")
        .expect_element("IsTruncated", "true")
        .expect_element("NextPartNumberMarker", "2");
    let last = page(&[("x-amz-max-parts", "2"), ("x-amz-part-number-marker", "2")]);
    assert_eq!(last.elements("PartNumber"), ["4"], "{last:?}");
    last.expect_element("IsTruncated", "false")
        .expect_element("Size", &(5 * MIB).to_string());
    page(&[("x-amz-max-parts", "-1")]).refused(400, "InvalidArgument");
    page(&[("x-amz-part-number-marker", "x")]).refused(400, "InvalidArgument");
    ask(
        &server,
        "/attributes-parts/key?attributes",
        &wanted("Checksum"),
    )
    .expect_element("ChecksumCRC32", value)
    .expect_element("ChecksumType", "COMPOSITE");

    // A read of one part has the checksum of that part, and a range has none.
    let read = |target: &str, headers: &[(&str, &str)]| {
        let headers = [&[("x-amz-checksum-mode", "ENABLED")], headers].concat();
        let reply = ask(&server, target, &headers);
        reply.header("x-amz-checksum-crc32").map(str::to_owned)
    };
    let key = "/attributes-parts/key";
    assert_eq!(read(key, &[]).as_deref(), Some(whole));
    assert_eq!(read(&format!("{key}?partNumber=4"), &[]), Some(sum));
    assert_eq!(read(key, &[("range", "bytes=0-1")]), None);
}
