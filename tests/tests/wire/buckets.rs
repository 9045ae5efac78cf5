//! ListBuckets, CreateBucket, HeadBucket, DeleteBucket.

use sluice_tests::{NOBODY, OTHER, ROOT, Request, Server};

#[test]
fn a_bucket_is_created_found_and_deleted() {
    let server = Server::shared();
    let create = Request::put("/life-of-a-bucket", "").signed(&ROOT);
    let created = server
        .send(&create)
        .expect(200)
        .expect_header("location", "/life-of-a-bucket");
    assert!(created.body.is_empty(), "{created:?}");

    let head = Request::head("/life-of-a-bucket").signed(&ROOT);
    server
        .send(&head)
        .expect(200)
        .expect_header("x-amz-bucket-region", "us-east-1");

    let delete = Request::delete("/life-of-a-bucket").signed(&ROOT);
    assert_eq!(
        server.send(&delete).expect(204).header("content-length"),
        None
    );
    server.send(&head).expect(404);
    server
        .send(&delete)
        .refused(404, "NoSuchBucket")
        .expect_element("BucketName", "life-of-a-bucket");
}

#[test]
fn names_are_checked_before_anything_else() {
    let server = Server::shared();
    let refused = |path: &str| {
        for method in ["PUT", "GET", "DELETE"] {
            server
                .send(&Request::new(method, path).signed(&ROOT))
                .refused(400, "InvalidBucketName");
        }
        server.send(&Request::head(path).signed(&ROOT)).expect(400);
    };
    refused("/ab");
    refused(&format!("/{}", "a".repeat(64)));
    refused("/Upper");
    refused("/-begins");
    refused("/ends-");
    refused("/.begins");
    refused("/two..dots");
    refused("/192.168.0.1");
    refused("/with%20space");
    refused("/sl%2Fash");
    refused("/%C3%BCmlaut");

    let accepted = |name: &str| {
        let path = server.bucket(name);
        server
            .send(&Request::delete(&path).signed(&ROOT))
            .expect(204);
    };
    accepted("abc");
    accepted(&"a".repeat(63));
    accepted("1a.b-c.9");
}

#[test]
fn a_name_is_taken_once() {
    let server = Server::shared();
    server.bucket("taken-once");
    let again = Request::put("/taken-once", "");
    let reply = server
        .send(&again.clone().signed(&ROOT))
        .refused(409, "BucketAlreadyOwnedByYou");
    assert_eq!(reply.element("BucketName"), Some("taken-once"), "{reply:?}");
    server
        .send(&again.signed(&OTHER))
        .refused(409, "BucketAlreadyExists")
        .expect_element("BucketName", "taken-once");
}

#[test]
fn a_location_is_parsed_strictly() {
    let server = Server::shared();
    let create = |body: &str| server.send(&Request::put("/located", body).signed(&ROOT));
    const NAMESPACE: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;

    create("<CreateBucketConfiguration").refused(400, "MalformedXML");
    create("<Other/>").refused(400, "MalformedXML");
    create("not xml at all").refused(400, "MalformedXML");
    create("<!DOCTYPE x [<!ENTITY a \"b\">]><CreateBucketConfiguration>&a;</CreateBucketConfiguration>").refused(400, "MalformedXML");
    create(&format!("<CreateBucketConfiguration {NAMESPACE}><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>")).expect(200);
    server
        .send(&Request::delete("/located").signed(&ROOT))
        .expect(204);
    create(&format!("<CreateBucketConfiguration {NAMESPACE}/>")).expect(200);
}

#[test]
fn only_buckets_of_the_caller_are_listed() {
    let server = Server::shared();
    for name in ["mine-b", "mine-a", "mine-c"] {
        server.bucket(name);
    }
    server
        .send(&Request::put("/mine-not", "").signed(&OTHER))
        .expect(200);
    let bucket = |name: &str| {
        format!(
            "<Bucket><Name>{name}</Name><CreationDate>*</CreationDate>\
             <BucketRegion>us-east-1</BucketRegion></Bucket>"
        )
    };
    let document = |buckets: &str, end: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Owner><ID>root</ID><DisplayName>Root</DisplayName></Owner>\
             <Buckets>{buckets}</Buckets>{end}</ListAllMyBucketsResult>"
        )
    };
    let list = |query: &str| {
        server
            .send(&Request::get(&format!("/?{query}")).signed(&ROOT))
            .expect(200)
    };

    let all = ["mine-a", "mine-b", "mine-c"].map(bucket).concat();
    list("prefix=mine-").expect_xml(&document(&all, "<Prefix>mine-</Prefix>"));

    let page = list("prefix=mine-&max-buckets=2");
    let token = page
        .element("ContinuationToken")
        .expect("there is more")
        .to_owned();
    page.expect_xml(&document(
        &["mine-a", "mine-b"].map(bucket).concat(),
        "<ContinuationToken>*</ContinuationToken><Prefix>mine-</Prefix>",
    ));
    list(&format!(
        "prefix=mine-&max-buckets=2&continuation-token={}",
        sluice_tests::encode(&token)
    ))
    .expect_xml(&document(&bucket("mine-c"), "<Prefix>mine-</Prefix>"));

    list("prefix=mine-&bucket-region=us-east-1")
        .expect_xml(&document(&all, "<Prefix>mine-</Prefix>"));
    list("prefix=mine-&bucket-region=eu-west-1")
        .expect_xml(&document("", "<Prefix>mine-</Prefix>"));

    for query in ["max-buckets=0", "max-buckets=x", "continuation-token=!"] {
        server
            .send(&Request::get(&format!("/?{query}")).signed(&ROOT))
            .refused(400, "InvalidArgument");
    }
    server.send(&Request::get("/")).refused(403, "AccessDenied");
}

#[test]
fn only_an_empty_bucket_is_deleted() {
    let server = Server::shared();
    let bucket = server.bucket("not-empty");
    server.object("/not-empty/key", "x");
    let delete = Request::delete(&bucket).signed(&ROOT);
    server
        .send(&delete)
        .refused(409, "BucketNotEmpty")
        .expect_element("BucketName", "not-empty");
    server
        .send(&Request::delete("/not-empty/key").signed(&ROOT))
        .expect(204);
    server.send(&delete).expect(204);
}

#[test]
fn a_bucket_of_another_is_closed() {
    let server = Server::shared();
    server.bucket("closed");
    for method in ["GET", "DELETE"] {
        server
            .send(&Request::new(method, "/closed").signed(&OTHER))
            .refused(403, "AccessDenied");
        server
            .send(&Request::new(method, "/closed"))
            .refused(403, "AccessDenied");
        server
            .send(&Request::new(method, "/closed").signed(&NOBODY))
            .refused(403, "InvalidAccessKeyId");
    }
    server
        .send(&Request::head("/closed").signed(&OTHER))
        .expect(403);
    server.send(&Request::head("/closed")).expect(403);
    server
        .send(&Request::put("/created-by-nobody", ""))
        .refused(403, "AccessDenied");
    server
        .send(&Request::head("/created-by-nobody").signed(&ROOT))
        .expect(404);
}
