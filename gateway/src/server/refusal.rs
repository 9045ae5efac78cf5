//! What hyper refuses by itself — a head that is too large or not HTTP — gets a
//! bare status line from it. Here the client is told what was wrong, as S3 does
//! it, and the refusal is counted and logged like any other.

use s3::{Code, Error};
use storage::Timestamp;

use crate::stage;

/// The response to send in place of one of hyper's own, if `bytes` are one.
/// hyper closes the connection after it.
pub(super) fn in_place_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let error = match status {
        b"400" => Error::new(Code::InvalidRequest).because("The request is not valid HTTP/1.1."),
        b"414" => Error::new(Code::InvalidURI).because("The request target is too long."),
        b"431" => Error::new(Code::RequestHeaderSectionTooLarge),
        _ => return None,
    };
    let (body, request_id) = stage::refuse_unread(&error);
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nx-amz-request-id: {request_id}\r\n\
         server: sluice\r\ndate: {}\r\nconnection: close\r\n\r\n",
        error.status(),
        body.len(),
        s3::time::http_date(Timestamp::now()),
    );
    Some([head.as_bytes(), body.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answers_that_hyper_makes_itself_are_replaced() {
        for (answer, code) in [
            ("HTTP/1.1 400 Bad Request\r\n", Some("InvalidRequest")),
            ("HTTP/1.1 414 URI Too Long\r\n", Some("InvalidURI")),
            (
                "HTTP/1.1 431 Request Header Fields Too Large\r\n",
                Some("RequestHeaderSectionTooLarge"),
            ),
            ("HTTP/1.1 404 Not Found\r\n", None),
            ("HTTP/1.1 100 Continue\r\n", None),
            ("HTTP/1.1", None),
            ("", None),
        ] {
            let replaced =
                in_place_of(answer.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(replaced.is_some(), code.is_some(), "{answer}");
            if let (Some(replaced), Some(code)) = (replaced, code) {
                assert!(
                    replaced.contains(&format!("<Code>{code}</Code>")),
                    "{replaced}"
                );
                assert!(replaced.contains("x-amz-request-id: "), "{replaced}");
            }
        }
    }
}
