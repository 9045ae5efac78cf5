//! `?requestPayment`: who pays for the requests to a bucket, and has to say so.

use sluice_tests::{Form, OTHER, ROOT, Reply, Request, Server, md5};

const PAYER: (&str, &str) = ("x-amz-request-payer", "requester");

fn document(payer: &str) -> String {
    format!(
        "<RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Payer>{payer}</Payer></RequestPaymentConfiguration>"
    )
}

fn set(server: &Server, bucket: &str, payer: &str) -> Reply {
    let request = Request::put(&format!("{bucket}?requestPayment"), document(payer));
    server.send(&request.with_md5().signed(&ROOT))
}

/// A bucket whose requesters pay, with an object in it. Everybody may do with both
/// what a list can grant.
fn bucket(server: &Server, name: &str) -> String {
    let bucket = server.bucket(name);
    let open = |path: &str| {
        let acl = Request::put(&format!("{path}?acl"), "").header("x-amz-acl", "public-read-write");
        server.send(&acl.signed(&ROOT)).expect(200);
    };
    open(&bucket);
    let object = format!("{bucket}/key");
    server.object(&object, "x");
    open(&object);
    set(server, &bucket, "Requester").expect(200);
    bucket
}

fn charged(reply: &Reply) -> Option<&str> {
    reply.header("x-amz-request-charged")
}

#[test]
fn the_owner_says_who_pays() {
    let server = Server::shared();
    let bucket = server.bucket("pay-life");
    let payer = |expected: &str| {
        let request = Request::get("/pay-life?requestPayment").signed(&ROOT);
        let reply = server.send(&request).expect(200);
        let document = document(expected);
        reply.expect_xml(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{document}"
        ));
    };
    payer("BucketOwner");
    let reply = set(&server, &bucket, "Requester").expect(200);
    assert!(reply.body.is_empty(), "{reply:?}");
    payer("Requester");
    set(&server, &bucket, "BucketOwner").expect(200);
    payer("BucketOwner");

    for body in [
        "".to_owned(),
        "payer".to_owned(),
        document("Uploader"),
        document("requester"),
        document(""),
        "<RequestPaymentConfiguration/>".to_owned(),
        "<RequestPaymentConfiguration><Payer>Requester</Payer>".to_owned(),
    ] {
        let code = match body.as_str() {
            "" => "MissingRequestBodyError",
            _ => "MalformedXML",
        };
        let request = Request::put("/pay-life?requestPayment", body).with_md5();
        server.send(&request.signed(&ROOT)).refused(400, code);
    }
    let undigested = Request::put("/pay-life?requestPayment", document("Requester"));
    let mistaken = undigested.clone().header("content-md5", &md5("other"));
    let undigested = undigested.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let undigested = undigested.signed(&ROOT);
    server.send(&undigested).refused(400, "InvalidRequest");
    server
        .send(&mistaken.signed(&ROOT))
        .refused(400, "BadDigest");
    payer("BucketOwner");
    set(&server, "/pay-missing", "Requester").refused(404, "NoSuchBucket");
}

#[test]
fn who_pays_is_up_to_the_owner_alone() {
    let server = Server::shared();
    server.bucket("pay-rights");
    let acl = Request::put("/pay-rights?acl", "").header("x-amz-grant-full-control", "id=other");
    server.send(&acl.signed(&ROOT)).expect(200);
    for request in [
        Request::get("/pay-rights?requestPayment"),
        Request::put("/pay-rights?requestPayment", document("Requester")).with_md5(),
    ] {
        server.send(&request).refused(403, "AccessDenied");
        let request = request.header(PAYER.0, PAYER.1);
        server
            .send(&request.signed(&OTHER))
            .refused(403, "AccessDenied");
    }
}

#[test]
fn whoever_asks_anything_of_the_bucket_says_that_they_pay() {
    let server = Server::shared();
    let bucket = bucket(&server, "pay-all");
    let object = format!("{bucket}/key");
    let begin = Request::post("/pay-all/parts?uploads", "").header(PAYER.0, PAYER.1);
    let begun = server.send(&begin.signed(&OTHER)).expect(200);
    let upload = begun.element("UploadId").unwrap();
    let part = format!("/pay-all/parts?partNumber=1&uploadId={upload}");
    for request in [
        Request::get(&bucket),
        Request::get(&format!("{bucket}?list-type=2")),
        Request::head(&bucket),
        Request::get(&format!("{bucket}?acl")),
        Request::get(&object),
        Request::head(&object),
        Request::get(&format!("{object}?acl")),
        Request::put(&format!("{bucket}/new"), "x"),
        Request::put(&part, "x"),
        Request::put(&format!("{bucket}/copy"), "").header("x-amz-copy-source", "pay-all/key"),
        Request::delete(&format!("{bucket}/new")),
    ] {
        let told = format!("{} {}", request.method, request.target);
        let refused = server.send(&request.clone().signed(&OTHER)).expect(403);
        assert_eq!(charged(&refused), None, "{told}");
        if request.method != "HEAD" {
            let message = refused.element("Message").unwrap();
            assert!(message.contains("x-amz-request-payer"), "{refused:?}");
        }
        // There is nobody to charge.
        let anonymous = request.clone().header(PAYER.0, PAYER.1);
        server.send(&anonymous).expect(403);
        let other = request.clone().header(PAYER.0, "owner");
        server.send(&other.signed(&OTHER)).expect(403);

        let paid = request.clone().header(PAYER.0, "Requester");
        let reply = server.send(&paid.signed(&OTHER));
        // What a list can not grant is for others to refuse.
        match request.target.ends_with("?acl") {
            true => assert_eq!(reply.status, 403, "{told}"),
            false => {
                assert!(reply.status < 300, "{reply:?}");
                assert_eq!(charged(&reply), Some("requester"), "{told}");
            }
        }
        let owners = server.send(&request.signed(&ROOT));
        assert!(owners.status < 300, "{owners:?}");
        assert_eq!(charged(&owners), None, "{told}");
    }
    // What is not there costs something, too.
    let missing = Request::get(&format!("{bucket}/missing")).header(PAYER.0, PAYER.1);
    let missing = server
        .send(&missing.signed(&OTHER))
        .refused(404, "NoSuchKey");
    assert_eq!(charged(&missing), Some("requester"));

    set(&server, &bucket, "BucketOwner").expect(200);
    let free = server
        .send(&Request::get(&object).signed(&OTHER))
        .expect(200);
    assert_eq!(charged(&free), None);
    server.send(&Request::get(&object)).expect(200);
}

#[test]
fn what_deletes_many_keys_is_paid() {
    let server = Server::shared();
    let bucket = bucket(&server, "pay-keys");
    let body = "<Delete><Object><Key>key</Key></Object><Object><Key>other</Key></Object></Delete>";
    let delete = Request::post(&format!("{bucket}?delete"), body).with_md5();
    // Nobody reads which keys these are, or answers for each, before somebody pays.
    let anonymous = delete.clone().header(PAYER.0, PAYER.1);
    for unpaid in [delete.clone().signed(&OTHER), delete.clone(), anonymous] {
        let refused = server.send(&unpaid).refused(403, "AccessDenied");
        assert_eq!(charged(&refused), None, "{refused:?}");
    }
    let paid = delete.header(PAYER.0, PAYER.1).signed(&OTHER);
    let paid = server.send(&paid).expect(200);
    assert_eq!(paid.elements("Key"), ["key", "other"], "{paid:?}");
    assert_eq!(charged(&paid), Some("requester"), "{paid:?}");
    assert_eq!(server.content("/pay-keys/key"), None);
}

#[test]
fn what_a_copy_reads_is_paid_as_well() {
    let server = Server::shared();
    bucket(&server, "pay-source");
    let mine = Request::put("/pay-mine", "").signed(&OTHER);
    server.send(&mine).expect(200);
    let begin = Request::post("/pay-mine/parts?uploads", "").signed(&OTHER);
    let begun = server.send(&begin).expect(200);
    let upload = begun.element("UploadId").unwrap();
    for target in [
        "/pay-mine/copy".to_owned(),
        format!("/pay-mine/parts?partNumber=1&uploadId={upload}"),
    ] {
        let copy = Request::put(&target, "").header("x-amz-copy-source", "pay-source/key");
        let refused = copy.clone().signed(&OTHER);
        server.send(&refused).refused(403, "AccessDenied");
        let paid = copy.header(PAYER.0, PAYER.1).signed(&OTHER);
        let paid = server.send(&paid).expect(200);
        assert_eq!(charged(&paid), Some("requester"), "{paid:?}");
    }
    // Between buckets whose owners pay, nobody else does.
    let within = Request::put("/pay-mine/again", "").header("x-amz-copy-source", "pay-mine/copy");
    let within = within.header(PAYER.0, PAYER.1).signed(&OTHER);
    assert_eq!(charged(&server.send(&within).expect(200)), None);
}

#[test]
fn who_pays_has_signed_it() {
    let server = Server::shared();
    bucket(&server, "pay-signed");
    let url = "/pay-signed/key";
    let presigned = Request::get(url).presigned(&OTHER);
    server.send(&presigned).refused(403, "AccessDenied");
    // Said by who shares the URL, not by who uses it.
    let in_the_url = Request::get(&format!("{url}?x-amz-request-payer=requester"));
    let reply = server.send(&in_the_url.presigned(&OTHER)).expect(200);
    assert_eq!(charged(&reply), Some("requester"));
    let added = presigned.clone().header(PAYER.0, PAYER.1);
    server.send(&added).refused(403, "AccessDenied");
    let mut appended = presigned;
    appended.target.push_str("&x-amz-request-payer=requester");
    server.send(&appended).refused(403, "SignatureDoesNotMatch");
    let added = Request::get(url).signed(&OTHER).header(PAYER.0, PAYER.1);
    server.send(&added).refused(403, "AccessDenied");
    let parameter = Request::get(&format!("{url}?x-amz-request-payer=requester"));
    server.send(&parameter.signed(&OTHER)).expect(200);
}

#[test]
fn who_signs_a_form_says_that_they_pay_in_it_and_nobody_else_does() {
    let server = Server::shared();
    bucket(&server, "pay-forms");
    let conditions = r#"{"bucket": "pay-forms"}, ["starts-with", "$key", ""]"#;
    let unpaid = Form::of("form").signed(&OTHER, conditions);
    // The policy has to allow the field.
    let added = Form::of("form").field(PAYER.0, PAYER.1);
    let added = added.signed(&OTHER, conditions);
    let by = |form: &Form, target: &str| form.clone().file("f", "x").post(target);
    for request in [
        by(&unpaid, "/pay-forms"),
        by(&unpaid, "/pay-forms").header(PAYER.0, PAYER.1),
        by(&unpaid, "/pay-forms?x-amz-request-payer=requester"),
        by(&added, "/pay-forms"),
    ] {
        let refused = server.send(&request).refused(403, "AccessDenied");
        assert_eq!(charged(&refused), None, "{refused:?}");
    }
    assert_eq!(server.content("/pay-forms/form"), None);

    let allowed = format!(r#"{conditions}, {{"x-amz-request-payer": "requester"}}"#);
    let paid = Form::of("form").field(PAYER.0, PAYER.1);
    let paid = paid.signed(&OTHER, &allowed);
    let reply = server.send(&by(&paid, "/pay-forms")).expect(204);
    assert_eq!(charged(&reply), Some("requester"));
    // Who owns the bucket does not have to say so.
    let own = Form::of("own").signed(&ROOT, conditions);
    let reply = server.send(&by(&own, "/pay-forms")).expect(204);
    assert_eq!(charged(&reply), None);
}

#[test]
fn whoever_wants_a_name_that_is_taken_is_not_asked_to_pay() {
    let server = Server::shared();
    bucket(&server, "pay-taken");
    let create = Request::put("/pay-taken", "");
    let paying = create.clone().header(PAYER.0, PAYER.1);
    for create in [create, paying] {
        let reply = server.send(&create.signed(&OTHER));
        let reply = reply.refused(409, "BucketAlreadyExists");
        assert_eq!(charged(&reply), None, "{reply:?}");
    }
}

#[test]
fn what_is_paid_is_counted_of_who_pays() {
    let server = Server::shared();
    let acl = ("x-amz-acl", "public-read-write");
    let create = Request::put("/pay-metered", "").header(acl.0, acl.1);
    server.send(&create.signed(&OTHER)).expect(200);
    let pays = Request::put("/pay-metered?requestPayment", document("Requester")).with_md5();
    server.send(&pays.signed(&OTHER)).expect(200);
    let list = Request::get("/pay-metered");
    for _ in 0..3 {
        let paid = list.clone().header(PAYER.0, PAYER.1);
        server.send(&paid.signed(&ROOT)).expect(200);
    }
    server.send(&list.clone().signed(&OTHER)).expect(200);
    server.send(&list.signed(&ROOT)).expect(403);
    // What is forbidden is not counted, also where it is so in the end.
    let denied = Request::get("/pay-metered?acl").header(PAYER.0, PAYER.1);
    server.send(&denied.signed(&ROOT)).expect(403);
    // In no other test does `root` pay, which the metrics are shared with.
    let metrics = server.ask_admin(&Request::get("/metrics")).expect(200);
    let metered = "sluice_plugin_metered_total{plugin=\"request-payment\",subject=\"root\"} 3";
    assert!(
        metrics.text().lines().any(|line| line == metered),
        "{}",
        metrics.text()
    );
}
