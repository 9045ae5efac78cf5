use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Request;
use proptest::prelude::*;
use storage::Timestamp;

use super::*;
use crate::operation::{Action, Operation};
use crate::payload::{ContentSha256, Payload};

/// What a form should be read as: its fields, and what is in its file.
type Expected<'a> = Result<(&'a [(&'a str, &'a str)], &'a str), Code>;

/// What became of a form: its fields, and what was in its file.
type Read = Result<(Vec<(String, String)>, Vec<u8>), Code>;

const BOUNDARY: &str = "b0und";

fn head_with(headers: &[(&str, &str)]) -> Head {
    let mut request = Request::builder().method("POST").uri("/photos");
    request = request.header("host", "h");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Head::parse(&parts, &[], &[]).unwrap()
}

fn head() -> Head {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    head_with(&[("content-type", &content_type)])
}

fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{content}\r\n"
    )
}

fn end() -> String {
    format!("--{BOUNDARY}--\r\n")
}

/// Reads a body that comes in these pieces.
fn read(pieces: &[&[u8]]) -> Read {
    let try_read = || -> Result<_, Error> {
        let mut progress = Progress::Fields(Reader::new(&head())?);
        let mut content = Vec::new();
        for piece in pieces {
            let frame = Bytes::copy_from_slice(piece);
            progress = match progress {
                Progress::Fields(reader) => reader.push(frame)?,
                Progress::File(form, mut file) => {
                    file.push(frame);
                    Progress::File(form, file)
                }
            };
            if let Progress::File(_, file) = &mut progress {
                while let Some(bytes) = file.content()? {
                    content.extend_from_slice(&bytes);
                }
            }
        }
        match progress {
            Progress::Fields(reader) => Err(reader.ended()),
            Progress::File(form, file) => {
                file.finish()?;
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Ok((form.fields().map(owned).collect(), content))
            }
        }
    };
    try_read().map_err(|error| error.code().unwrap())
}

/// However the body is cut, the same comes out of it.
fn check(body: &str, expected: Expected<'_>) {
    let expected: Read = expected.map(|(fields, content)| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (
            fields.iter().map(owned).collect(),
            content.as_bytes().to_owned(),
        )
    });
    let body = body.as_bytes();
    assert_eq!(
        read(&[body]),
        expected,
        "{:?}",
        String::from_utf8_lossy(body)
    );
    for at in 0..body.len() {
        let (one, other) = body.split_at(at);
        assert_eq!(read(&[one, other]), expected, "cut at {at}");
    }
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(read(&bytes), expected, "byte by byte");
}

#[test]
fn fields_come_before_the_file_and_nothing_behind_it_counts() {
    let key = field("key", "k");
    check(
        &(key.clone() + &file("content") + &end()),
        Ok((&[("key", "k")], "content")),
    );
    check(&(file("") + &end()), Ok((&[], "")));
    check(
        &(field("Key", "a\r\nb") + &field("empty", "") + &field("", "x") + &file("c") + &end()),
        Ok((&[("key", "a\r\nb"), ("empty", ""), ("", "x")], "c")),
    );
    let preamble = "for old readers\r\n--b0un\r\n";
    check(
        &format!(
            "{preamble}{key}{}{}epilogue\r\n--{BOUNDARY}\r\n",
            file("c"),
            end()
        ),
        Ok((&[("key", "k")], "c")),
    );
    check(
        &(key.clone() + &file("c") + &field("submit", "Upload") + &field("key", "other") + &end()),
        Ok((&[("key", "k")], "c")),
    );
    // A file may have no name, and a field may have a type.
    check(
        &format!(
            "--{BOUNDARY} \t\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-disposition: form-data; name=key\r\n\r\nä\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"FILE\"\r\n\r\nc\r\n--{BOUNDARY}--"
        ),
        Ok((&[("key", "ä")], "c")),
    );
}

#[test]
fn what_looks_almost_like_a_boundary_is_content() {
    for content in [
        "\r\n",
        "\r",
        "\n",
        "\r\n-",
        "\r\n--",
        "\r\n--b0un",
        "\r\n--b0unx",
        "\r\r\n--b0un",
        "--b0und",
        "\r\n\r\n--b0un\r\n--b0un",
        "x\n--b0und",
        "\r--b0und",
        "\r\n-\r\n--b0un",
    ] {
        check(&(file(content) + &end()), Ok((&[], content)));
    }
}

#[test]
fn a_body_that_is_no_form_is_refused() {
    let malformed = Err(Code::MalformedPOSTRequest);
    let files = Err(Code::IncorrectNumberOfFilesInPostRequest);
    let (key, file, end) = (field("key", "k"), file("content"), end());
    check("", malformed);
    check("key=k", malformed);
    check("--other\r\n", malformed);
    // Each of these ends too early.
    check(&key, malformed);
    check(&(key.clone() + &file), malformed);
    check(&format!("{key}{file}--{BOUNDARY}"), malformed);
    check(&format!("{key}{file}--{BOUNDARY}-"), malformed);
    check(&format!("{key}{file}--{BOUNDARY}\r\n"), malformed);
    check(&format!("{key}{file}--{BOUNDARY}x--\r\n"), malformed);
    check(&format!("{key}--{BOUNDARY} --\r\n"), malformed);
    check(
        &format!("--{BOUNDARY}\nContent-Disposition: form-data; name=a\n\nb\n"),
        malformed,
    );
    check(&format!("--{BOUNDARY}\r\n\r\nno head\r\n{end}"), malformed);
    check(
        &format!("--{BOUNDARY}\r\nX: y\r\n\r\nno name\r\n{end}"),
        malformed,
    );
    check(&(key.clone() + &end), files);
    check(&end, files);
    check(&(file.clone() + &file + &end), files);
    check(&(file.clone() + &field("a", "b") + &file + &end), files);
    let other = file.replace("name=\"file\"", "name=\"attachment\"");
    check(&(other.clone() + &file + &end), files);
    check(&(file + &other + &end), files);
    check(
        &(key.clone() + &key + &self::file("c") + &end),
        Err(Code::InvalidArgument),
    );
    check(
        &(key + &field("KEY", "l") + &self::file("c") + &end),
        Err(Code::InvalidArgument),
    );
    let latin = [
        &field("a", "?").into_bytes()[..],
        self::file("c").as_bytes(),
        end.as_bytes(),
    ]
    .concat();
    let latin: Vec<u8> = latin
        .iter()
        .map(|byte| if *byte == b'?' { 0xe4 } else { *byte })
        .collect();
    assert_eq!(read(&[&latin]), Err(Code::MalformedPOSTRequest));
}

#[test]
fn what_is_before_the_file_behind_it_and_in_a_head_is_bounded() {
    let fields = |len: usize| {
        let around = field("a", "").len();
        // The line break before the boundary of the file is the file's.
        field("a", &"v".repeat(len - around + 2))
    };
    let limit = usize::try_from(FIELDS_LEN_MAX).unwrap();
    let sent = |fields: String| read(&[(fields + &file("c") + &end()).as_bytes()]).map(drop);
    assert_eq!(sent(fields(limit)), Ok(()));
    assert_eq!(
        sent(fields(limit + 1)),
        Err(Code::MaxPostPreDataLengthExceededError)
    );
    // Also where it never ends.
    let endless = "x".repeat(limit + 128);
    assert_eq!(
        read(&[endless.as_bytes()]),
        Err(Code::MaxPostPreDataLengthExceededError)
    );
    let endless = field("a", "").trim_end().to_owned() + "\r\n\r\n" + &endless;
    assert_eq!(
        read(&[endless.as_bytes()]),
        Err(Code::MaxPostPreDataLengthExceededError)
    );

    let with_head = |len: usize| {
        let head = "Content-Disposition: form-data; name=\"file\"\r\nX: ";
        format!(
            "--{BOUNDARY}\r\n{head}{}\r\n\r\nc\r\n{}",
            "y".repeat(len - head.len()),
            end()
        )
    };
    let limit = multipart::HEADERS_LEN_MAX;
    assert!(read(&[with_head(limit).as_bytes()]).is_ok());
    assert_eq!(
        read(&[with_head(limit + 1).as_bytes()]),
        Err(Code::MalformedPOSTRequest)
    );
    let endless = format!("--{BOUNDARY}\r\n{}", "y".repeat(limit + 1));
    assert_eq!(read(&[endless.as_bytes()]), Err(Code::MalformedPOSTRequest));
    let endless = format!("--{BOUNDARY}{}", " ".repeat(129));
    assert_eq!(read(&[endless.as_bytes()]), Err(Code::MalformedPOSTRequest));

    let with_rest = |len: u64| {
        let rest = "x".repeat(usize::try_from(len).unwrap());
        read(&[(file("c") + &end() + &rest).as_bytes()]).map(drop)
    };
    assert_eq!(with_rest(REST_LEN_MAX - 2), Ok(()));
    assert_eq!(with_rest(REST_LEN_MAX - 1), Err(Code::MalformedPOSTRequest));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused_and_cuts_make_no_difference(
        body in proptest::collection::vec(
            proptest::sample::select(vec![
                "\r\n", "--b0und", "--", "\r", "\n", "-", "b0und", ":", ";", "=", "\"", " ", "x",
                "\r\n--b0und\r\n", "Content-Disposition: form-data; name=\"", "file\"", "key\"", "\r\n\r\n",
            ]),
            0..40,
        ),
        cuts in proptest::collection::vec(0_usize..200, 0..5),
    ) {
        let body = body.concat();
        let whole = read(&[body.as_bytes()]);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts {
            pieces.push(&body.as_bytes()[begin..cut]);
            begin = cut;
        }
        pieces.push(&body.as_bytes()[begin..]);
        prop_assert_eq!(read(&pieces), whole);
    }
}

#[test]
fn only_a_form_is_read_and_it_speaks_in_fields() {
    let begun = |headers: &[(&str, &str)]| {
        let reader = Reader::new(&head_with(headers));
        reader.map(drop).map_err(|error| error.code().unwrap())
    };
    let form = ("content-type", "multipart/form-data; boundary=b");
    assert_eq!(begun(&[form]), Ok(()));
    for ok in [
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-expected-bucket-owner", "o"),
        ("x-amz-date", "d"),
        ("x-amz-cf-id", "i"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(begun(&[form, ok]), Ok(()), "{ok:?}");
    }
    for (refused, code) in [
        (("x-amz-acl", "public-read"), Code::InvalidRequest),
        (("x-amz-grant-read", "id=a"), Code::InvalidRequest),
        (("x-amz-meta-a", "b"), Code::InvalidRequest),
        (("x-amz-tagging", "a=b"), Code::InvalidRequest),
        (
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            Code::InvalidRequest,
        ),
        (("x-amz-checksum-crc32", "AAAAAA=="), Code::InvalidRequest),
        (
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            Code::InvalidRequest,
        ),
    ] {
        assert_eq!(begun(&[form, refused]), Err(code), "{refused:?}");
    }
    let typed = |content_type: &'static str| begun(&[("content-type", content_type)]);
    assert_eq!(
        typed("multipart/form-data"),
        Err(Code::MalformedPOSTRequest)
    );
    assert_eq!(
        typed("multipart/related; boundary=b"),
        Err(Code::RequestIsNotMultiPartContent)
    );
    assert_eq!(
        typed("application/x-www-form-urlencoded"),
        Err(Code::RequestIsNotMultiPartContent)
    );
    assert_eq!(begun(&[]), Err(Code::RequestIsNotMultiPartContent));
}

fn form(fields: &[(&str, &str)], filename: &str) -> Result<Form, Error> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Form::new(fields.iter().map(owned).collect(), filename)
}

/// The head of the write that a form with these fields is.
fn posted(fields: &[(&str, &str)]) -> Result<Head, Error> {
    let sent = [
        ("content-type", "multipart/form-data; boundary=b"),
        ("content-length", "1000"),
        ("cache-control", "no-cache"),
        ("x-amz-expected-bucket-owner", "o"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-cf-id", "i"),
        ("origin", "http://o"),
    ];
    head_with(&sent).with_form(form(fields, "C:\\dir\\f.txt")?)
}

#[test]
fn a_form_is_a_write_of_its_key_with_its_fields_for_headers() {
    let tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>c&amp;d</Value></Tag><Tag><Key>e</Key><Value/></Tag></TagSet></Tagging>";
    let head = posted(&[
        ("key", "user/${filename}"),
        ("acl", "public-read"),
        ("Tagging", tagging),
        ("Content-Type", " image/png "),
        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-meta-Colour", "grün ${filename}"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-date", "d"),
        ("success_action_status", "201"),
        ("submit", "Upload"),
    ])
    .unwrap();
    assert_eq!(head.operation, Operation::PostObject);
    assert_eq!(
        head.target.key().map(|key| key.as_str()),
        Some("user/f.txt")
    );
    let header = |name: &str| head.header(name);
    assert_eq!(header("x-amz-acl"), Some("public-read"));
    assert_eq!(header("x-amz-tagging"), Some("a%20b=c%26d&e="));
    assert_eq!(header("content-type"), Some("image/png"));
    assert_eq!(header("x-amz-meta-colour"), Some("grün f.txt"));
    assert_eq!(header("x-amz-storage-class"), Some("STANDARD"));
    assert_eq!(header("x-amz-expected-bucket-owner"), Some("o"));
    assert_eq!(header("origin"), Some("http://o"));
    // Nobody signs what is sent with a form: it makes nobody pay.
    for gone in [
        "x-amz-request-payer",
        "cache-control",
        "x-amz-date",
        "x-amz-cf-id",
        "success_action_status",
        "submit",
    ] {
        assert_eq!(header(gone), None, "{gone}");
    }
    assert!(
        head.sent_headers()
            .all(|(name, _)| name != "content-type" && name != "x-amz-acl")
    );
    let actions: Vec<_> = head
        .accesses()
        .unwrap()
        .into_iter()
        .map(|access| access.action)
        .collect();
    assert_eq!(
        actions,
        [
            Action::PutObject,
            Action::PutObjectAcl,
            Action::PutObjectTagging
        ]
    );
    let payload = Payload::of(&head).unwrap();
    assert_eq!((payload.length, payload.length_min), (None, 0));
    assert_eq!(payload.sha256, ContentSha256::Absent);
    assert!(payload.content_md5.is_some() && payload.algorithm.is_some());
}

#[test]
fn what_a_form_must_say_and_what_it_cannot() {
    let check = |fields: &[(&str, &str)], expected: Result<(), Code>| {
        let posted = posted(fields)
            .map(drop)
            .map_err(|error| error.code().unwrap());
        assert_eq!(posted, expected, "{fields:?}");
    };
    let key = ("key", "k");
    let policy =
        BASE64_STANDARD.encode(r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": []}"#);
    let policy = ("policy", policy.as_str());
    let longest = "k".repeat(1024);
    check(&[key], Ok(()));
    check(&[], Err(Code::UserKeyMustBeSpecified));
    check(&[("key", "")], Err(Code::InvalidArgument));
    check(&[("key", "a\0b")], Err(Code::InvalidArgument));
    check(&[("key", &longest)], Ok(()));
    check(
        &[("key", &format!("{longest}k"))],
        Err(Code::KeyTooLongError),
    );
    check(
        &[key, ("x-amz-meta-a", "b\r\nc")],
        Err(Code::InvalidArgument),
    );
    check(&[key, ("x-amz-meta-ä", "b")], Err(Code::InvalidArgument));
    check(
        &[key, ("acl", "private"), ("x-amz-acl", "private")],
        Err(Code::InvalidArgument),
    );
    check(&[key, ("tagging", "a=b")], Err(Code::MalformedXML));
    check(
        &[
            key,
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ],
        Err(Code::InvalidArgument),
    );
    check(&[key, ("anything", "goes\r\n")], Ok(()));
    check(&[key, policy, ("Signature", "s")], Ok(()));
    check(&[key, policy, ("X-Amz-Signature", "s")], Ok(()));
    check(&[key, policy], Err(Code::InvalidArgument));
    check(
        &[key, policy, ("AWSAccessKeyId", "a")],
        Err(Code::InvalidArgument),
    );
    for alone in [
        "AWSAccessKeyId",
        "signature",
        "X-Amz-Credential",
        "x-amz-algorithm",
        "x-amz-signature",
    ] {
        check(&[key, (alone, "x")], Err(Code::InvalidArgument));
    }
    check(
        &[key, ("policy", "{}"), ("signature", "s")],
        Err(Code::InvalidPolicyDocument),
    );
}

#[test]
fn the_name_of_the_file_is_what_follows_its_folders() {
    let check = |filename: &str, expected: &str| {
        let form = form(&[("key", "${filename}-${filename}-$filename")], filename).unwrap();
        assert_eq!(
            form.field("key"),
            Some(format!("{expected}-{expected}-$filename").as_str())
        );
    };
    check("a.txt", "a.txt");
    check("/pictures/me/a.txt", "a.txt");
    check("C:\\me\\a.txt", "a.txt");
    check("C:\\me/a b\u{e4}.txt", "a b\u{e4}.txt");
    check("../..", "..");
    check("dir/", "");
    check("", "");
}

#[test]
fn a_policy_bounds_the_file_and_is_about_the_bucket_of_the_request() {
    let policy = |bucket: &str| {
        let json = format!(
            r#"{{"expiration": "2030-01-01T00:00:00Z", "conditions": [{{"bucket": "{bucket}"}},
                ["eq", "$key", "user/f.txt"], ["content-length-range", 2, 4]]}}"#
        );
        BASE64_STANDARD.encode(json)
    };
    let check = |bucket: &str, allowed: bool| {
        let policy = policy(bucket);
        let fields = [
            ("key", "user/${filename}"),
            ("policy", &*policy),
            ("signature", "s"),
        ];
        let head = posted(&fields).unwrap();
        let payload = Payload::of(&head).unwrap();
        assert_eq!((payload.length_min, payload.length_max), (2, 4));
        let form = head.form.as_ref().unwrap();
        assert_eq!(
            form.check(&head.target, Timestamp(0)).is_ok(),
            allowed,
            "{bucket}"
        );
    };
    check("photos", true);
    check("other", false);
}

#[test]
fn the_name_of_a_file_makes_the_fields_no_longer_than_they_may_be() {
    let check = |places: usize, filename_len: usize, fits: bool| {
        let value = "${filename}".repeat(places);
        let filename = "f".repeat(filename_len);
        let made = form(&[("key", "k"), ("x-amz-meta-a", &value)], &filename);
        let code = made.err().and_then(|error| error.code());
        let refused = Some(Code::MaxPostPreDataLengthExceededError);
        assert_eq!(code, if fits { None } else { refused }, "{places} places");
    };
    // The names and the key are sixteen bytes.
    check(1, 20 * 1024 - 16, true);
    check(1, 20 * 1024 - 15, false);
    check(2, 10 * 1024 - 8, true);
    check(2, 10 * 1024 - 7, false);
    check(1800, 11, true);
    check(1800, 8000, false);
    check(1800, 0, true);
}
