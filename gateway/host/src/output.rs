//! What guests answer, checked before anything believes it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::bindings::types;
use crate::failure::Failure;
use crate::state::{sanitise, sanitise_lines};

const HEADERS_MAX: usize = 64;
const MEMBERS_MAX: usize = 16;
const NAME_LEN_MAX: usize = 64;
const MESSAGE_LEN_MAX: usize = 1024;
/// Room for the canonical form of a request with a long query.
const MEMBER_LEN_MAX: usize = 8 << 10;

/// What a response is framed by, what belongs to one hop, and what names the
/// request: none of it is a plugin's to say.
const RESERVED: [HeaderName; 12] = [
    http::header::CONNECTION,
    http::header::CONTENT_LENGTH,
    http::header::DATE,
    http::header::HOST,
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::SERVER,
    http::header::TE,
    http::header::TRAILER,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
const RESERVED_HERE: [&str; 3] = ["proxy-connection", "x-amz-id-2", "x-amz-request-id"];

/// What a claiming plugin answered with.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn reply(reply: types::Reply) -> Result<Reply, Failure> {
    let status = match StatusCode::from_u16(reply.status) {
        Ok(status) if (200..=599).contains(&reply.status) => status,
        _ => {
            let status = reply.status;
            return Err(Failure::invalid(format!("{status} is not a final status")));
        }
    };
    let bodiless = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    if bodiless && !reply.body.is_empty() {
        return Err(Failure::invalid(format!("{status} cannot have a body")));
    }
    Ok(Reply {
        status,
        headers: headers(reply.headers)?,
        body: Bytes::from(reply.body),
    })
}

pub(crate) fn headers(list: Vec<(String, String)>) -> Result<HeaderMap, Failure> {
    if list.len() > HEADERS_MAX {
        return Err(Failure::invalid("more than 64 headers"));
    }
    let mut headers = HeaderMap::with_capacity(list.len());
    for (name, value) in list {
        let shown = || sanitise(&name, NAME_LEN_MAX).into_owned();
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(Failure::invalid(format!(
                "`{}` is not the name of a header",
                shown()
            )));
        };
        if RESERVED.contains(&parsed) || RESERVED_HERE.contains(&parsed.as_str()) {
            return Err(Failure::invalid(format!(
                "the header `{parsed}` is not a plugin's to set"
            )));
        }
        let Ok(value) = HeaderValue::from_str(&value) else {
            return Err(Failure::invalid(format!(
                "the value of the header `{parsed}` has characters that a header cannot have"
            )));
        };
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// How much of its output limit a list of headers takes.
pub(crate) fn headers_len(list: &[(String, String)]) -> usize {
    list.iter()
        .map(|(name, value)| name.len().saturating_add(value.len()))
        .sum()
}

/// A refusal. One that is badly put is a refusal all the same.
pub(crate) fn denial(denial: types::Denial) -> s3::Error {
    let types::Denial {
        mut code,
        message,
        status,
        members,
    } = denial;
    let status = StatusCode::from_u16(status.unwrap_or(403)).unwrap_or(StatusCode::FORBIDDEN);
    if code.len() > NAME_LEN_MAX {
        code.clear();
    }
    let message = sanitise(&message, MESSAGE_LEN_MAX).into_owned();
    members
        .into_iter()
        .take(MEMBERS_MAX)
        .filter(|(name, _)| name.len() <= NAME_LEN_MAX)
        .fold(
            s3::Error::custom(code, status, message),
            |error, (name, value)| error.with(name, sanitise_lines(&value, MEMBER_LEN_MAX)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_a_final_response_that_http_can_carry() {
        for (status, body, valid) in [
            (200, "x", true),
            (204, "", true),
            (304, "", true),
            (599, "x", true),
            (100, "", false),
            (101, "", false),
            (199, "", false),
            (204, "x", false),
            (205, "x", false),
            (304, "x", false),
            (600, "", false),
            (0, "", false),
            (65535, "", false),
        ] {
            let answer = types::Reply {
                status,
                headers: Vec::new(),
                body: body.into(),
            };
            assert_eq!(reply(answer).is_ok(), valid, "{status} {body}");
        }
    }

    #[test]
    fn headers_cannot_frame_a_response_or_split_it() {
        for (name, value, valid) in [
            ("x-legal-notice", "see annex", true),
            ("Access-Control-Allow-Origin", "*", true),
            ("x-a", "tab\tis fine", true),
            ("x-a", "", true),
            ("x-a", "b\r\nset-cookie: c", false),
            ("x-a", "b\n", false),
            ("x-a", "b\0", false),
            ("x-a\r\n", "b", false),
            ("x a", "b", false),
            ("", "b", false),
            ("content-length", "0", false),
            ("Content-Length", "0", false),
            ("transfer-encoding", "chunked", false),
            ("connection", "close", false),
            ("keep-alive", "1", false),
            ("upgrade", "h2c", false),
            ("trailer", "x", false),
            ("x-amz-request-id", "forged", false),
            ("X-Amz-Id-2", "forged", false),
        ] {
            let list = vec![(name.to_owned(), value.to_owned())];
            assert_eq!(headers(list).is_ok(), valid, "{name:?}: {value:?}");
        }
        let many = vec![("x-a".to_owned(), String::new()); 65];
        assert!(headers(many).is_err());
    }

    #[test]
    fn a_denial_stays_a_denial_however_it_is_put() {
        for (code, status, name, expected) in [
            ("NoSuchKey", None, "NoSuchKey", 404),
            ("NoSuchKey", Some(200), "NoSuchKey", 404),
            ("QuotaSpent", Some(429), "QuotaSpent", 429),
            ("QuotaSpent", None, "QuotaSpent", 403),
            ("QuotaSpent", Some(200), "QuotaSpent", 403),
            ("<script/>", Some(400), "AccessDenied", 400),
            ("", None, "AccessDenied", 403),
            ("a\r\nb", None, "AccessDenied", 403),
        ] {
            let error = denial(types::Denial {
                code: code.to_owned(),
                message: "because\u{0}".to_owned(),
                status,
                members: vec![("<a>".to_owned(), "b".to_owned())],
            });
            assert_eq!(error.code_name(), name, "{code}");
            assert_eq!(error.status().as_u16(), expected, "{code}");
            assert_eq!(error.message(), "because\\u{0}", "{code}");
            assert_eq!(error.members().count(), 0, "{code}");
        }
    }

    #[test]
    fn what_was_signed_is_shown_line_by_line() {
        let canonical = format!("GET\n/key\n{}\n\n", "a=b&".repeat(1000));
        let error = denial(types::Denial {
            code: "SignatureDoesNotMatch".to_owned(),
            message: "two\nlines".to_owned(),
            status: None,
            members: vec![("CanonicalRequest".to_owned(), canonical.clone())],
        });
        assert_eq!(error.message(), "two\\u{a}lines");
        let members: Vec<_> = error.members().collect();
        assert_eq!(members, [("CanonicalRequest", &*canonical)]);
    }
}
