//! `x-amz-expected-bucket-owner`: a bucket of somebody else than was expected.

use sluice_tests::{OTHER, ROOT, Request, Server};

const EXPECTED: &str = "x-amz-expected-bucket-owner";
const OF_SOURCE: &str = "x-amz-source-expected-bucket-owner";

#[test]
fn every_operation_with_a_bucket_holds_its_owner_against_the_expected_one() {
    let server = Server::shared();
    server.bucket("owned");
    server.object("/owned/key", "x");
    let delete = "<Delete><Object><Key>key</Key></Object></Delete>";
    for request in [
        Request::get("/owned"),
        Request::get("/owned?list-type=2"),
        Request::get("/owned?location"),
        Request::get("/owned?acl"),
        Request::get("/owned?uploads"),
        Request::get("/owned/key"),
        Request::get("/owned/key?acl"),
        Request::get("/owned/key?attributes").header("x-amz-object-attributes", "ETag"),
        Request::get("/owned/missing"),
        Request::put("/owned/key", "y"),
        Request::put("/owned/key?acl", "").header("x-amz-acl", "public-read"),
        Request::put("/owned/copy", "").header("x-amz-copy-source", "/owned/key"),
        Request::post("/owned?delete", delete).with_md5(),
        Request::post("/owned/key?uploads", ""),
        Request::put("/owned/key?partNumber=1&uploadId=0", "y"),
        Request::get("/owned/key?uploadId=0"),
        Request::delete("/owned/key?uploadId=0"),
        Request::delete("/owned/key"),
        Request::delete("/owned"),
    ] {
        let other = request.clone().header(EXPECTED, "other").signed(&ROOT);
        server.send(&other).refused(403, "AccessDenied");
        let malformed = request.header(EXPECTED, "not/an/id").signed(&ROOT);
        server
            .send(&malformed)
            .refused(400, "InvalidBucketOwnerAWSAccountID")
            .expect_element("ArgumentName", EXPECTED);
    }
    for target in ["/owned", "/owned/key"] {
        let head = |owner| Request::head(target).header(EXPECTED, owner).signed(&ROOT);
        server.send(&head("other")).expect(403);
        server.send(&head("root")).expect(200);
    }
    // Nothing of all this has happened.
    assert_eq!(server.content("/owned/key").as_deref(), Some(&b"x"[..]));
    let put = Request::put("/owned/key", "y").header(EXPECTED, "root");
    server.send(&put.signed(&ROOT)).expect(200);
    let missing = Request::get("/owned-by-nobody").header(EXPECTED, "other");
    server
        .send(&missing.signed(&ROOT))
        .refused(404, "NoSuchBucket");
    // Who is not known is told nothing of it.
    let forged = Request::get("/owned").header(EXPECTED, "root");
    let forged = forged.signed(&ROOT).with(EXPECTED, "other");
    server.send(&forged).refused(403, "SignatureDoesNotMatch");
}

#[test]
fn a_copy_names_two_owners() {
    let server = Server::shared();
    server.bucket("owned-source");
    server.object("/owned-source/key", "x");
    let public = Request::put("/owned-source/key?acl", "").header("x-amz-acl", "public-read");
    server.send(&public.signed(&ROOT)).expect(200);
    let create = Request::put("/owned-target", "").signed(&OTHER);
    server.send(&create).expect(200);
    let check = |headers: &[(&str, &str)], status: u16| {
        let copy = Request::put("/owned-target/key", "");
        let copy = copy.header("x-amz-copy-source", "/owned-source/key");
        let copy = headers
            .iter()
            .fold(copy, |copy, (name, value)| copy.header(name, value));
        server.send(&copy.signed(&OTHER)).expect(status);
    };
    check(&[(EXPECTED, "other"), (OF_SOURCE, "root")], 200);
    check(&[(EXPECTED, "other")], 200);
    check(&[(OF_SOURCE, "root")], 200);
    check(&[(EXPECTED, "root"), (OF_SOURCE, "root")], 403);
    check(&[(EXPECTED, "other"), (OF_SOURCE, "other")], 403);
    check(&[(OF_SOURCE, "")], 400);
}
