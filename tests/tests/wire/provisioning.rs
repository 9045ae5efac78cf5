//! Who makes and removes buckets, and what they are made like: templates, the
//! role, the mode, and what a bucket then is.

use std::fs;

use sluice_tests::{OTHER, ROOT, Reply, Request, Server, Settings};

const CATALOGUE: &str = "plugins:
  auth: {source: 'builtin:auth', grants: [identity, clock]}
  provisioning: {source: 'builtin:provisioning', grants: [placement]}
  acl: {source: 'builtin:acl', grants: [documents, directory, placement]}
";

/// `settings` are those of the plugin, in YAML's flow style.
fn start(settings: &str) -> Server {
    Server::start(&Settings {
        policy: policy(settings),
        ..Settings::default()
    })
}

fn policy(settings: &str) -> String {
    format!(
        "{CATALOGUE}chain:
  - use: auth
  - {{use: provisioning, settings: {{{settings}}}}}
  - use: acl
"
    )
}

const TEMPLATE: &str = "default_template: default, templates: [{name: default}]";

fn configuration(location: &str) -> String {
    format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
    )
}

#[track_caller]
fn create(server: &Server, name: &str, body: &str) -> Reply {
    server.send(&Request::put(&format!("/{name}"), body).signed(&ROOT))
}

#[track_caller]
fn message(reply: &Reply) -> &str {
    reply.element("Message").expect("an error has a message")
}

/// Changes the mode, and whether `other` has the role.
#[track_caller]
fn change(server: &Server, mode: &str, has_role: bool) {
    server.edit(|text| {
        let (accounts, _) = text.split_once("plugins:").expect("there is a policy");
        let (root, other) = accounts.split_once("id: other").expect("there is another");
        let role = match has_role {
            true => "roles: [bucket-provisioner]",
            false => "roles: []",
        };
        let lines = other
            .lines()
            .map(|line| match line.trim_start().starts_with("roles:") {
                true => format!("    {role}\n"),
                false => format!("{line}\n"),
            });
        let other: String = lines.collect();
        let policy = policy(&format!("mode: {mode}, {TEMPLATE}"));
        format!("{root}id: other{other}{policy}")
    });
    server.reload().expect(200);
}

#[test]
fn a_bucket_is_made_and_removed_where_role_grant_and_mode_allow_it() {
    let server = start(&format!("mode: create-delete, {TEMPLATE}"));
    // One bucket for each case of deletion, of which `other` has full control or not.
    let full_control = "x-amz-grant-full-control";
    let mut buckets = Vec::new();
    for (at, grant) in [true, false].into_iter().cycle().take(12).enumerate() {
        let name = format!("removed-{at}");
        let mut made = Request::put(&format!("/{name}"), "");
        if grant {
            made = made.header(full_control, "id=root, id=other");
        }
        server.send(&made.signed(&ROOT)).expect(200);
        buckets.push((name, grant));
    }
    let mut buckets = buckets.into_iter();
    for mode in ["disabled", "create", "create-delete"] {
        for role in [true, false] {
            change(&server, mode, role);
            let name = format!("made-{mode}-{role}");
            let made = server.send(&Request::put(&format!("/{name}"), "").signed(&OTHER));
            match (mode, role) {
                ("disabled", _) => {
                    let refused = made.refused(403, "AccessDenied");
                    assert!(message(&refused).contains("provisioning is disabled"));
                }
                (_, false) => {
                    let refused = made.refused(403, "AccessDenied");
                    assert!(message(&refused).contains("`bucket-provisioner`"));
                }
                (_, true) => {
                    made.expect(200)
                        .expect_header("location", &format!("/{name}"));
                }
            }
            for (name, grant) in buckets.by_ref().take(2) {
                let path = format!("/{name}");
                let removed = server.send(&Request::delete(&path).signed(&OTHER));
                match (mode, role, grant) {
                    ("create-delete", true, true) => drop(removed.expect(204)),
                    (mode, role, _) => {
                        let refused = removed.refused(403, "AccessDenied");
                        let gate = match (mode, role) {
                            ("disabled", _) => "provisioning is disabled",
                            ("create", _) => "creating them only",
                            (_, false) => "`bucket-provisioner`",
                            (_, true) => "Access Denied",
                        };
                        assert!(
                            message(&refused).contains(gate),
                            "{mode} {role}: {refused:?}"
                        );
                        server.send(&Request::head(&path).signed(&ROOT)).expect(200);
                    }
                }
            }
        }
    }
    // The owner needs the others, too.
    change(&server, "create", true);
    server
        .send(&Request::delete("/removed-0").signed(&ROOT))
        .refused(403, "AccessDenied");
    change(&server, "create-delete", true);
    server
        .send(&Request::delete("/removed-0").signed(&ROOT))
        .expect(204);
}

#[test]
fn a_location_chooses_the_template_and_is_refused_where_it_names_none() {
    let server = start(
        "mode: create-delete, default_template: standard, templates: \
         [{name: standard, aliases: [garage]}, {name: archive, provisioning_code: cold}]",
    );
    create(&server, "located-0", "").expect(200);
    for (at, location) in ["standard", "garage", "cold"].into_iter().enumerate() {
        create(&server, &format!("located-1{at}"), &configuration(location)).expect(200);
    }
    for location in ["", "archive", "Cold", "us-east-1", "nowhere"] {
        let refused = create(&server, "located-2", &configuration(location));
        let refused = refused.refused(400, "InvalidLocationConstraint");
        assert_eq!(
            refused.element("LocationConstraint"),
            Some(location),
            "{refused:?}"
        );
    }
    server
        .send(&Request::head("/located-2").signed(&ROOT))
        .expect(404);
}

#[test]
fn without_templates_or_without_a_default_no_bucket_is_made() {
    let server = start("mode: create");
    for body in [String::new(), configuration("us-east-1")] {
        let refused = create(&server, "untemplated", &body).refused(409, "InvalidBucketState");
        assert!(message(&refused).contains("no template"), "{refused:?}");
    }
    server.edit(|text| {
        text.replace(
            "{mode: create}",
            "{mode: create, templates: [{name: only}]}",
        )
    });
    server.reload().expect(200);
    let refused = create(&server, "untemplated", "").refused(400, "InvalidLocationConstraint");
    assert!(
        message(&refused).contains("no default template"),
        "{refused:?}"
    );
    create(&server, "templated", &configuration("only")).expect(200);
}

#[test]
fn what_a_template_gives_and_nothing_keeps_is_not_lost_in_silence() {
    let server = start(
        "mode: create, default_template: plain, templates: [{name: plain, acl: private}, \
         {name: tagged, tags: {a: b}}]",
    );
    let refused = create(&server, "unkept", &configuration("tagged"));
    let refused = refused.refused(409, "InvalidBucketState");
    assert!(message(&refused).contains("with tags"), "{refused:?}");
    create(&server, "unkept", "").expect(200);
}

#[test]
fn where_nobody_provisions_no_bucket_is_made() {
    let catalogue = CATALOGUE.replace(
        "  provisioning: {source: 'builtin:provisioning', grants: [placement]}\n",
        "",
    );
    let server = Server::start(&Settings {
        policy: format!("{catalogue}chain:\n  - use: auth\n  - use: acl\n"),
        ..Settings::default()
    });
    create(&server, "nobody-provisions", "").refused(403, "AccessDenied");
    let head = Request::head("/nobody-provisions").signed(&ROOT);
    server.send(&head).expect(404);
}

#[test]
fn the_refusal_of_a_name_that_is_taken_waits_for_no_body() {
    let server = start(&format!("mode: create-delete, {TEMPLATE}"));
    let acl = Request::put("/kept", "").header("x-amz-acl", "public-read");
    server.send(&acl.signed(&ROOT)).expect(200);
    // What the body says does not matter any more.
    for body in ["", "<Other/>", &configuration("nowhere")] {
        let again = Request::put("/kept", body).header("x-amz-acl", "private");
        server
            .send(&again.clone().signed(&ROOT))
            .refused(409, "BucketAlreadyOwnedByYou")
            .expect_element("BucketName", "kept");
        server
            .send(&again.signed(&OTHER))
            .refused(409, "BucketAlreadyExists")
            .expect_element("BucketName", "kept");
    }
    // Nor is its list another one now.
    server.send(&Request::get("/kept")).expect(200);
}

#[test]
fn a_bucket_is_what_its_template_says() {
    let server = start(
        "mode: create-delete, default_template: standard, templates: [{name: standard}, \
         {name: archive, geometry: {data: 3, parity: 3}, versioning: true, quota: 1MiB, \
          acl: public-read}]",
    );
    create(&server, "usual", "").expect(200);
    create(&server, "special", &configuration("archive")).expect(200);

    let versioning = |bucket: &str| {
        let request = Request::get(&format!("/{bucket}?versioning")).signed(&ROOT);
        server
            .send(&request)
            .expect(200)
            .element("Status")
            .map(str::to_owned)
    };
    assert_eq!(versioning("usual"), None);
    assert_eq!(versioning("special").as_deref(), Some("Enabled"));
    let put = |path: &str, body: &[u8]| server.send(&Request::put(path, body).signed(&ROOT));
    assert_eq!(
        put("/usual/key", b"one")
            .expect(200)
            .header("x-amz-version-id"),
        None
    );
    assert!(
        put("/special/key", b"one")
            .expect(200)
            .header("x-amz-version-id")
            .is_some()
    );

    // The list is that of the template where the client has no other.
    server
        .send(&Request::get("/usual"))
        .refused(403, "AccessDenied");
    server.send(&Request::get("/special")).expect(200);
    let own = Request::put("/own-list", configuration("archive")).header("x-amz-acl", "private");
    server.send(&own.signed(&ROOT)).expect(200);
    server
        .send(&Request::get("/own-list"))
        .refused(403, "AccessDenied");

    // All versions count for the quota.
    let half = vec![7; 512 * 1024];
    put("/special/half", &half).expect(200);
    put("/special/half", &half).refused(403, "QuotaExceeded");
    put("/special/small", b"small").expect(200);
    // What cannot fit is refused before it is sent.
    let large = Request::put("/special/large", "")
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .signed(&ROOT)
        .with("content-length", "600000")
        .header("expect", "100-continue");
    let mut connection = server.connect();
    connection.write(&large.head_bytes()).expect("sent");
    connection
        .reply("PUT", "a body that does not fit")
        .expect("an answer")
        .refused(403, "QuotaExceeded");
    put("/usual/half", &half).expect(200);
}

#[test]
fn each_template_has_its_margin_on_the_same_drives() {
    let server = start(
        "mode: create-delete, default_template: standard, templates: [{name: standard}, \
         {name: mirror, geometry: {data: 1, parity: 1}}, {name: strong, geometry: {data: 3, parity: 3}}]",
    );
    let body: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    for template in ["standard", "mirror", "strong"] {
        let name = format!("on-{template}");
        create(&server, &name, &configuration(template)).expect(200);
        server.object(&format!("/{name}/key"), &body);
    }
    // With so many drives gone, each is still read.
    let gone = |drive: &str| {
        let at = server.data().join(drive);
        fs::rename(&at, at.with_extension("gone")).expect("the drive is there");
    };
    for drive in ["d1", "d4"] {
        gone(drive);
    }
    for template in ["standard", "strong"] {
        let read = server.content(&format!("/on-{template}/key"));
        assert!(read.as_deref() == Some(&*body), "{template}");
    }
    gone("d6");
    let read = server.content("/on-strong/key");
    assert!(read.as_deref() == Some(&*body));
}

#[test]
fn a_copy_of_parts_is_one_of_parts_only_where_its_bytes_are_shared() {
    let server = start(
        "mode: create-delete, default_template: standard, templates: [{name: standard}, \
         {name: mirror, geometry: {data: 1, parity: 1}}]",
    );
    for template in ["standard", "mirror"] {
        create(&server, &format!("in-{template}"), &configuration(template)).expect(200);
    }
    let send = |request: Request| server.send(&request.signed(&ROOT));
    let begin = Request::post("/in-standard/key?uploads", "");
    let begun = send(begin.header("x-amz-checksum-algorithm", "CRC32")).expect(200);
    let upload = format!(
        "/in-standard/key?uploadId={}",
        begun.element("UploadId").expect("an id")
    );
    let large = vec![7; 5 * 1024 * 1024];
    let mut list = String::new();
    for (number, body) in [(1, &large[..]), (2, b"end")] {
        let put = send(Request::put(&format!("{upload}&partNumber={number}"), body)).expect(200);
        let etag = put.header("etag").expect("an etag");
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    let made = send(Request::post(&upload, list)).expect(200);
    let whole = [&large[..], b"end"].concat();

    for (bucket, etag, kind, sum, end) in [
        (
            "in-standard",
            made.element("ETag").expect("an etag").to_owned(),
            "COMPOSITE",
            made.element("ChecksumCRC32")
                .expect("a checksum")
                .to_owned(),
            Some(("end", "2")),
        ),
        (
            "in-mirror",
            format!("&quot;{}&quot;", sluice_tests::md5_hex(&whole)),
            "FULL_OBJECT",
            sluice_tests::crc32(&whole),
            None,
        ),
    ] {
        let path = format!("/{bucket}/copy");
        let copy = Request::put(&path, "").header("x-amz-copy-source", "in-standard/key");
        send(copy)
            .expect(200)
            .expect_element("ETag", &etag)
            .expect_element("ChecksumCRC32", &sum)
            .expect_element("ChecksumType", kind);
        let attributes = Request::get(&format!("{path}?attributes"));
        let attributes = attributes.header("x-amz-object-attributes", "ObjectParts");
        let attributes = send(attributes).expect(200);
        let part = send(Request::get(&format!("{path}?partNumber=2")));
        let Some((content, count)) = end else {
            assert_eq!(attributes.element("PartsCount"), None, "{attributes:?}");
            part.refused(416, "InvalidPartNumber");
            continue;
        };
        attributes.expect_element("PartsCount", count);
        let part = part
            .expect(206)
            .expect_header("x-amz-mp-parts-count", count);
        assert_eq!(part.text(), content);
    }
}

#[test]
fn a_template_that_the_drives_cannot_hold_says_so() {
    let server = start(
        "mode: create, default_template: wide, templates: [{name: wide, geometry: {data: 8, parity: 4}}]",
    );
    let refused = create(&server, "too-wide", "").refused(409, "InvalidBucketState");
    assert!(message(&refused).contains("8+4"), "{refused:?}");
    server
        .send(&Request::head("/too-wide").signed(&ROOT))
        .expect(404);
}

#[test]
fn the_mode_and_the_templates_change_while_it_runs() {
    let server = start(&format!("mode: create-delete, {TEMPLATE}"));
    create(&server, "before-it", "").expect(200);
    server.edit(|text| {
        text.replace("mode: create-delete", "mode: create").replace(
            "templates: [{name: default}]",
            "templates: [{name: default}, {name: new}]",
        )
    });
    create(&server, "made-new", &configuration("new")).refused(400, "InvalidLocationConstraint");
    server.reload().expect(200);
    create(&server, "made-new", &configuration("new")).expect(200);
    server
        .send(&Request::delete("/before-it").signed(&ROOT))
        .refused(403, "AccessDenied");

    // What is wrong changes nothing.
    server.edit(|text| text.replace("{name: new}", "{name: default}"));
    let refused = server.reload();
    assert!(refused.status >= 400, "{refused:?}");
    assert!(
        refused.text().contains("two templates have the name"),
        "{refused:?}"
    );
    create(&server, "made-new-2", &configuration("new")).expect(200);
}

#[test]
fn a_rule_for_a_template_holds_in_the_buckets_that_were_made_by_it() {
    let component = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../plugins/dist/require-tag.wasm"
    );
    let server = Server::start(&Settings {
        policy: format!(
            "{CATALOGUE}  require-tag: {{source: 'file:{component}'}}
chain:
  - use: auth
  - {{use: provisioning, settings: {{mode: create-delete, default_template: a, templates: [{{name: a}}, {{name: b}}]}}}}
  - use: acl
buckets:
  - templates: [b]
    insert: [{{after: acl, use: require-tag, settings: {{key: team}}}}]
"
        ),
        ..Settings::default()
    });
    create(&server, "made-by-a", "").expect(200);
    create(&server, "made-by-b", &configuration("b")).expect(200);
    let put = |path: &str| server.send(&Request::put(path, "x").signed(&ROOT));
    put("/made-by-a/key").expect(200);
    let refused = put("/made-by-b/key").refused(403, "AccessDenied");
    assert!(message(&refused).contains("team"), "{refused:?}");
}
