//! `?cors` of a bucket, preflights, and what cross-origin responses carry.

use sluice_tests::{OTHER, ROOT, Reply, Request, Server};

const RULES: &str = "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <CORSRule><ID>app</ID><AllowedOrigin>https://app.example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
    <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>content-type</AllowedHeader>\
    <MaxAgeSeconds>600</MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader></CORSRule>\
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>";
const APP: &str = "https://app.example.com";
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

fn put(server: &Server, bucket: &str, rules: &str) -> Reply {
    let request = Request::put(&format!("{bucket}?cors"), rules).with_md5();
    server.send(&request.signed(&ROOT))
}

fn get(server: &Server, bucket: &str) -> Reply {
    server.send(&Request::get(&format!("{bucket}?cors")).signed(&ROOT))
}

/// A bucket with the rules above.
fn bucket(server: &Server, name: &str) -> String {
    let bucket = server.bucket(name);
    put(server, &bucket, RULES).expect(200);
    bucket
}

/// A browser asks without credentials.
fn preflight(target: &str, origin: &str, method: &str) -> Request {
    let request = Request::new("OPTIONS", target).header("origin", origin);
    request.header("access-control-request-method", method)
}

/// What a response says of the origin that may read it.
fn allowed(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

#[test]
fn rules_are_kept_shown_replaced_and_deleted() {
    let server = Server::shared();
    let bucket = server.bucket("cors-life");
    let unset = || {
        let reply = get(&server, &bucket).refused(404, "NoSuchCORSConfiguration");
        reply.expect_element("BucketName", "cors-life");
    };
    unset();
    let delete = || server.send(&Request::delete("/cors-life?cors").signed(&ROOT));
    delete().expect(204);

    let reply = put(&server, &bucket, RULES).expect(200);
    assert!(reply.body.is_empty(), "{reply:?}");
    let shown = get(&server, &bucket).expect(200);
    for (name, values) in [
        ("ID", &["app"][..]),
        ("AllowedOrigin", &[APP, "*"]),
        ("AllowedMethod", &["GET", "PUT", "HEAD"]),
        ("AllowedHeader", &["x-amz-*", "content-type"]),
        ("MaxAgeSeconds", &["600"]),
        ("ExposeHeader", &["ETag", "x-amz-request-id"]),
    ] {
        assert_eq!(shown.elements(name), values, "{shown:?}");
    }

    let other = RULES.replace("<ID>app</ID>", "");
    put(&server, &bucket, &other).expect(200);
    assert_eq!(get(&server, &bucket).expect(200).element("ID"), None);
    delete().expect(204);
    delete().expect(204);
    unset();

    for request in [
        Request::get("/cors-missing?cors"),
        Request::put("/cors-missing?cors", RULES).with_md5(),
        Request::delete("/cors-missing?cors"),
    ] {
        server
            .send(&request.signed(&ROOT))
            .refused(404, "NoSuchBucket");
    }
}

#[test]
fn rules_are_for_who_controls_the_bucket() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-rights");
    let requests = [
        Request::get("/cors-rights?cors"),
        Request::put("/cors-rights?cors", RULES).with_md5(),
        Request::delete("/cors-rights?cors"),
    ];
    for request in &requests {
        server.send(request).refused(403, "AccessDenied");
        let theirs = request.clone().signed(&OTHER);
        server.send(&theirs).refused(403, "AccessDenied");
    }
    get(&server, &bucket).expect(200);
    let grant = |header: &str| {
        let acl = Request::put("/cors-rights?acl", "").header(header, "id=other");
        server.send(&acl.signed(&ROOT)).expect(200);
    };
    grant("x-amz-grant-read");
    for request in &requests {
        let theirs = request.clone().signed(&OTHER);
        server.send(&theirs).refused(403, "AccessDenied");
    }
    grant("x-amz-grant-full-control");
    for request in requests {
        assert!(server.send(&request.signed(&OTHER)).status < 300);
    }
}

#[test]
fn rules_that_are_refused_change_nothing() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-refused");
    let rule =
        "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>";
    let of = |rules: &str| format!("<CORSConfiguration>{rules}</CORSConfiguration>");
    let refused = |rules: &str, code: &str, part: &str| {
        let reply = put(&server, &bucket, rules).refused(400, code);
        let message = reply.element("Message").unwrap_or_default();
        assert!(message.contains(part), "{reply:?}");
        let kept = get(&server, &bucket).expect(200);
        assert_eq!(kept.element("ID"), Some("app"), "{kept:?}");
    };
    refused("", "MissingRequestBodyError", "");
    refused("rules", "MalformedXML", "");
    refused("<CORSConfiguration>", "MalformedXML", "");
    refused(&of(""), "MalformedXML", "");
    let without = |element: &str| of(rule).replace(element, "");
    refused(
        &without("<AllowedOrigin>*</AllowedOrigin>"),
        "MalformedXML",
        "",
    );
    refused(
        &without("<AllowedMethod>GET</AllowedMethod>"),
        "MalformedXML",
        "",
    );
    refused(&of(rule).replace("GET", "PATCH"), "InvalidRequest", "PATCH");
    refused(&of(rule).replace('*', "a*b*c"), "InvalidRequest", "a*b*c");
    refused(&of(&rule.repeat(101)), "InvalidRequest", "100");
    let long = of(&rule.replace('*', &"o".repeat(64 << 10)));
    refused(&long, "MaxMessageLengthExceeded", "64 KB");
}

#[test]
fn a_preflight_is_answered_to_anybody_about_anything_in_the_bucket() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-preflight");
    let missing = format!("{bucket}/not/there/yet");
    let upload = format!("{missing}?uploadId=x&partNumber=1");
    let presigned = Request::put(&missing, "").presigned(&ROOT).target;
    for target in [&bucket, &missing, &upload, &presigned] {
        let request = preflight(target, APP, "PUT").header(
            "access-control-request-headers",
            "Content-Type, x-amz-meta-a",
        );
        let reply = server.send(&request).expect(200);
        assert!(reply.body.is_empty(), "{reply:?}");
        reply
            .expect_header("access-control-allow-origin", APP)
            .expect_header("access-control-allow-credentials", "true")
            .expect_header("access-control-allow-methods", "GET, PUT")
            .expect_header("access-control-allow-headers", "content-type, x-amz-meta-a")
            .expect_header("access-control-expose-headers", "ETag, x-amz-request-id")
            .expect_header("access-control-max-age", "600")
            .expect_header("vary", VARY);
    }
    let anywhere = preflight(&bucket, "https://example.org", "HEAD");
    let reply = server.send(&anywhere).expect(200);
    assert_eq!(allowed(&reply), Some("*"), "{reply:?}");
    assert_eq!(reply.header("access-control-allow-credentials"), None);
}

#[test]
fn a_preflight_is_refused_with_what_is_wrong() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-no");
    let object = format!("{bucket}/key");
    let refused = |request: Request, status: u16, code: &str, part: &str| {
        let reply = server.send(&request).refused(status, code);
        let message = reply.element("Message").unwrap_or_default();
        assert!(message.contains(part), "{reply:?}");
        assert_eq!(allowed(&reply), None, "{reply:?}");
        reply
    };
    let options = |target: &str| Request::new("OPTIONS", target);
    let method = ("access-control-request-method", "GET");
    let anonymous = options(&object).header(method.0, method.1);
    refused(anonymous, 400, "BadRequest", "Origin");
    refused(options(&object), 400, "BadRequest", "Origin");
    let aimless = options(&object).header("origin", APP);
    refused(aimless, 400, "BadRequest", "null");
    refused(preflight(&object, APP, "PATCH"), 400, "BadRequest", "PATCH");

    let reply = refused(
        preflight(&object, APP, "DELETE"),
        403,
        "AccessForbidden",
        "not allowed",
    );
    reply
        .expect_element("Method", "DELETE")
        .expect_element("ResourceType", "OBJECT");
    let other = preflight(&bucket, "https://example.org", "GET");
    let reply = refused(other, 403, "AccessForbidden", "not allowed");
    reply.expect_element("ResourceType", "BUCKET");
    let more = preflight(&object, APP, "PUT");
    let more = more.header("access-control-request-headers", "authorization");
    refused(more, 403, "AccessForbidden", "not allowed");

    let without = server.bucket("cors-without");
    refused(
        preflight(&without, APP, "GET"),
        403,
        "AccessForbidden",
        "not enabled",
    );
    refused(
        preflight("/cors-missing", APP, "GET"),
        404,
        "NoSuchBucket",
        "",
    );
}

#[test]
fn responses_and_errors_say_which_page_may_read_them() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-actual");
    let object = format!("{bucket}/key");
    server.object(&object, "x");
    let send = |request: Request, origin: &str, status: u16| {
        let request = request.header("origin", origin).signed(&ROOT);
        let reply = server.send(&request).expect(status);
        reply.expect_header("vary", VARY)
    };
    let granted = |reply: Reply| {
        reply
            .expect_header("access-control-allow-origin", APP)
            .expect_header("access-control-allow-credentials", "true")
            .expect_header("access-control-expose-headers", "ETag, x-amz-request-id");
    };
    granted(send(Request::get(&object), APP, 200));
    granted(send(Request::get(&bucket), APP, 200));
    granted(send(Request::put(&object, "y"), APP, 200));
    granted(send(Request::get(&format!("{bucket}/missing")), APP, 404));
    granted(send(Request::get(&format!("{bucket}?cors")), APP, 200));
    granted(send(Request::get(&format!("{bucket}?policy")), APP, 501));
    // A page may read why it was refused.
    let anonymous = Request::get(&object).header("origin", APP);
    granted(server.send(&anonymous).refused(403, "AccessDenied"));

    let reply = send(Request::head(&object), "https://example.org", 200);
    assert_eq!(allowed(&reply), Some("*"), "{reply:?}");
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    for (request, origin, status) in [
        (Request::get(&object), "https://example.org", 200),
        (Request::get(&object), "http://app.example.com", 200),
        (Request::delete(&object), APP, 204),
    ] {
        let reply = send(request, origin, status);
        assert_eq!(allowed(&reply), None, "{reply:?}");
    }
}

#[test]
fn a_request_that_was_refused_before_anything_was_read_says_so_as_well() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-early");
    let object = format!("{bucket}/key");
    let granted = |request: Request, status: u16, code: &str| {
        server
            .send(&request)
            .refused(status, code)
            .expect_header("access-control-allow-origin", APP);
    };
    let asking = || Request::get(&object).header("origin", APP);
    granted(asking().expired(&ROOT), 403, "AccessDenied");
    granted(
        asking().signed(&sluice_tests::NOBODY),
        403,
        "InvalidAccessKeyId",
    );
    // What the copy would read is in a bucket that is not there.
    let copy = Request::put(&object, "")
        .header("origin", APP)
        .header("x-amz-copy-source", "cors-nowhere/key");
    let copy = copy.header("access-control-request-method", "GET");
    granted(copy.signed(&ROOT), 404, "NoSuchBucket");
}

#[test]
fn what_no_browser_asks_across_origins_is_left_alone() {
    let server = Server::shared();
    let bucket = bucket(&server, "cors-plain");
    let plain = server.bucket("cors-ruleless");
    let untouched = |request: Request| {
        let reply = server.send(&request.signed(&ROOT)).expect(200);
        assert_eq!(
            (allowed(&reply), reply.header("vary")),
            (None, None),
            "{reply:?}"
        );
    };
    untouched(Request::get(&bucket));
    untouched(Request::get(&plain).header("origin", APP));
}

#[test]
fn the_worst_of_rules_and_preflights_cost_the_plugin_nothing_but_a_refusal() {
    let server = Server::shared();
    let bucket = server.bucket("cors-worst");
    let rule = |values: &str| {
        let needed = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
        format!("<CORSConfiguration><CORSRule>{needed}{values}</CORSRule></CORSConfiguration>")
    };
    let asking = |names: &[String]| {
        let request = preflight(&bucket, APP, "GET");
        request.header("access-control-request-headers", &names.join(","))
    };
    // Each pattern is almost the name that is asked for.
    let near = |len: usize| format!("<AllowedHeader>{}*b</AllowedHeader>", "a".repeat(len));
    for (len, patterns) in [(0, 1800), (30, 900), (500, 110), (60_000, 1)] {
        put(&server, &bucket, &rule(&near(len).repeat(patterns))).expect(200);
        let names = |count: usize| -> Vec<String> {
            let name = |n| format!("{}{n}", "a".repeat(len.min(75)));
            (100..100 + count).map(name).collect()
        };
        for count in [1, 100, 101, 200] {
            let reply = server.send(&asking(&names(count)));
            reply.refused(403, "AccessForbidden");
        }
        let many = vec!["a".to_owned(); 10_000];
        let reply = server.send(&asking(&many));
        reply.refused(403, "AccessForbidden");
    }

    // Whatever is repeated fits into the answer.
    let exposed = |len: usize| format!("<ExposeHeader>{}</ExposeHeader>", "e".repeat(len));
    let anything = "<AllowedHeader>*</AllowedHeader>";
    let refused = put(&server, &bucket, &rule(&exposed(60_000)));
    refused.refused(400, "InvalidRequest");
    put(&server, &bucket, &rule(&(exposed(8192) + anything))).expect(200);
    let names: Vec<_> = (100..200)
        .map(|n| "n".repeat(70) + &n.to_string())
        .collect();
    let reply = server.send(&asking(&names)).expect(200);
    let echoed = reply.header("access-control-allow-headers").unwrap();
    assert_eq!(echoed.split(", ").count(), 100);
    let long = asking(&["n".repeat(8193)]);
    server.send(&long).refused(403, "AccessForbidden");
    let method = format!("<AllowedMethod>{}</AllowedMethod>", "M".repeat(65_000));
    let refused = put(&server, &bucket, &rule(&method));
    refused.refused(400, "InvalidRequest");
}
