//! ListObjects and ListObjectsV2.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, encode};

const KEYS: [&str; 7] = ["a", "b/1", "b/2", "c d", "e+f", "ü", "ÿ/x"];

fn filled(name: &str) -> std::sync::Arc<Server> {
    let server = Server::shared();
    server.bucket(name);
    for key in KEYS {
        server.object(&format!("/{name}/{}", encode(key)), key);
    }
    server
}

fn list(server: &Server, bucket: &str, query: &str) -> Reply {
    server.send(&Request::get(&format!("/{bucket}?{query}")).signed(&ROOT))
}

#[test]
fn version_1_answers_the_whole_document() {
    let server = filled("list-v1");
    let entry = |key: &str, etag: &str, size: usize| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>*</LastModified><ETag>&quot;{etag}&quot;</ETag>\
             <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>{size}</Size>\
             <Owner><ID>root</ID><DisplayName>Root</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    list(&server, "list-v1", "prefix=b/&max-keys=5").expect(200).expect_xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>list-v1</Name><Prefix>b/</Prefix><Marker></Marker><MaxKeys>5</MaxKeys><IsTruncated>false</IsTruncated>{}{}\
         </ListBucketResult>",
        entry("b/1", "46bc882b88120fd4dc12076ba56c7dd4", 3),
        entry("b/2", "83725edea4c6f6a7dae4d7f884b59894", 3),
    ));
}

#[test]
fn version_2_answers_the_whole_document() {
    let server = filled("list-v2");
    let entry = |key: &str, etag: &str, size: usize, owner: &str| {
        format!(
            "<Contents><Key>{key}</Key><LastModified>*</LastModified><ETag>&quot;{etag}&quot;</ETag>\
             <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>{size}</Size>\
             {owner}<StorageClass>STANDARD</StorageClass></Contents>"
        )
    };
    let document = |rest: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>list-v2</Name>{rest}</ListBucketResult>"
        )
    };
    let page = list(
        &server,
        "list-v2",
        "list-type=2&delimiter=/&start-after=a&max-keys=2",
    )
    .expect(200);
    let token = page
        .element("NextContinuationToken")
        .expect("there is more")
        .to_owned();
    page.expect_xml(&document(&format!(
        "<Prefix></Prefix><StartAfter>a</StartAfter><NextContinuationToken>*</NextContinuationToken><KeyCount>2</KeyCount>\
         <MaxKeys>2</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>{}\
         <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>",
        entry("c d", "a761a01e4e85131529c1b1948648cd9a", 3, ""),
    )));
    let owner = "<Owner><ID>root</ID><DisplayName>Root</DisplayName></Owner>";
    let query = format!(
        "list-type=2&prefix=e&fetch-owner=true&continuation-token={}",
        encode(&token)
    );
    list(&server, "list-v2", &query).expect(200).expect_xml(&document(&format!(
        "<Prefix>e</Prefix><ContinuationToken>{token}</ContinuationToken><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys>\
         <IsTruncated>false</IsTruncated>{}",
        entry("e+f", "958cb75941edd505ded0adc380f1c4b9", 3, owner),
    )));
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let server = filled("list-pages");
    for size in 1..=8 {
        let (mut keys, mut marker) = (Vec::new(), String::new());
        loop {
            let page = list(
                &server,
                "list-pages",
                &format!("max-keys={size}&marker={}", encode(&marker)),
            )
            .expect(200);
            let found: Vec<_> = page
                .elements("Key")
                .into_iter()
                .map(str::to_owned)
                .collect();
            assert!(found.len() <= size, "{page:?}");
            keys.extend(found);
            if page.element("IsTruncated") == Some("false") {
                break;
            }
            marker = keys.last().expect("a truncated page has keys").clone();
        }
        assert_eq!(keys, KEYS, "version 1, pages of {size}");

        let (mut keys, mut token) = (Vec::new(), String::new());
        loop {
            let page = list(
                &server,
                "list-pages",
                &format!("list-type=2&max-keys={size}{token}"),
            )
            .expect(200);
            let found: Vec<_> = page
                .elements("Key")
                .into_iter()
                .map(str::to_owned)
                .collect();
            assert_eq!(
                page.element("KeyCount"),
                Some(found.len().to_string().as_str()),
                "{page:?}"
            );
            keys.extend(found);
            let Some(next) = page.element("NextContinuationToken") else {
                assert_eq!(page.element("IsTruncated"), Some("false"), "{page:?}");
                break;
            };
            token = format!("&continuation-token={}", encode(next));
        }
        assert_eq!(keys, KEYS, "version 2, pages of {size}");
    }
}

#[test]
fn a_delimiter_folds_keys_into_prefixes() {
    let server = filled("list-folded");
    let check = |query: &str, keys: &[&str], prefixes: &[&str]| {
        for version in ["", "list-type=2&"] {
            let page = list(&server, "list-folded", &format!("{version}{query}")).expect(200);
            assert_eq!(page.elements("Key"), keys, "{page:?}");
            let found: Vec<_> = page
                .elements("CommonPrefixes")
                .into_iter()
                .map(|text| {
                    text.trim_start_matches("<Prefix>")
                        .trim_end_matches("</Prefix>")
                })
                .collect();
            assert_eq!(found, prefixes, "{page:?}");
        }
    };
    check("delimiter=/", &["a", "c d", "e+f", "ü"], &["b/", "ÿ/"]);
    check("delimiter=/&prefix=b", &[], &["b/"]);
    check("delimiter=/&prefix=b/", &["b/1", "b/2"], &[]);
    check(
        "delimiter=+",
        &["a", "b/1", "b/2", "e+f", "ü", "ÿ/x"],
        &["c "],
    );
    check(
        "delimiter=%2B",
        &["a", "b/1", "b/2", "c d", "ü", "ÿ/x"],
        &["e+"],
    );
    check(
        "delimiter=/1",
        &["a", "b/2", "c d", "e+f", "ü", "ÿ/x"],
        &["b/1"],
    );
    check("delimiter=", &KEYS, &[]);
    check("prefix=zz", &[], &[]);
    check("prefix=%C3%BC", &["ü"], &[]);
    check(
        "delimiter=/&encoding-type=url",
        &["a", "c%20d", "e%2Bf", "%C3%BC"],
        &["b/", "%C3%BF/"],
    );

    // A prefix that was answered is not answered again on the next page.
    let page =
        list(&server, "list-folded", "delimiter=/&max-keys=2").expect_element("NextMarker", "b/");
    assert_eq!(page.elements("Key"), ["a"]);
    let page = list(&server, "list-folded", "delimiter=/&max-keys=2&marker=b/");
    assert_eq!(page.elements("Key"), ["c d", "e+f"]);
}

#[test]
fn sizes_of_pages_are_bounded() {
    let server = filled("list-bounds");
    for version in ["", "list-type=2&"] {
        let ask = |query: &str| list(&server, "list-bounds", &format!("{version}{query}"));
        ask("max-keys=0")
            .expect(200)
            .expect_element("IsTruncated", "false")
            .expect_element("MaxKeys", "0");
        assert!(ask("max-keys=0").elements("Key").is_empty());
        ask("").expect_element("MaxKeys", "1000");
        ask("max-keys=").expect_element("MaxKeys", "1000");
        ask("max-keys=1001").expect_element("MaxKeys", "1000");
        ask("max-keys=2147483647").expect_element("MaxKeys", "1000");
        for wrong in ["-1", "x", "1.5", "99999999999999999999"] {
            ask(&format!("max-keys={wrong}"))
                .refused(400, "InvalidArgument")
                .expect_element("ArgumentName", "max-keys");
        }
        ask("encoding-type=base64")
            .refused(400, "InvalidArgument")
            .expect_element("ArgumentName", "encoding-type");
    }
    list(&server, "list-bounds", "list-type=3").refused(400, "InvalidArgument");
    list(
        &server,
        "list-bounds",
        "list-type=2&continuation-token=nonsense",
    )
    .refused(400, "InvalidArgument");
    // S3 takes an empty one for the beginning.
    let whole = list(&server, "list-bounds", "list-type=2").expect(200);
    let begun = list(&server, "list-bounds", "list-type=2&continuation-token=").expect(200);
    assert_eq!(begun.elements("Key"), whole.elements("Key"));
    begun.expect_element("ContinuationToken", "");
}

#[test]
fn control_characters_do_not_break_the_document() {
    let server = Server::shared();
    server.bucket("list-control");
    server.object("/list-control/%01a", "x");
    server.object("/list-control/b%0Ac%0Dd", "x");
    let page = list(&server, "list-control", "").expect(200);
    assert!(!page.body.contains(&1), "{page:?}");
    let page = list(&server, "list-control", "encoding-type=url");
    assert_eq!(page.elements("Key"), ["%01a", "b%0Ac%0Dd"]);
}

#[test]
fn others_may_not_look() {
    let server = Server::shared();
    server.bucket("list-closed");
    server
        .send(&Request::get("/list-closed").signed(&OTHER))
        .refused(403, "AccessDenied");
    server
        .send(&Request::get("/list-closed?list-type=2"))
        .refused(403, "AccessDenied");
    list(&server, "list-nothing", "").refused(404, "NoSuchBucket");
}
