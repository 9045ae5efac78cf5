//! What the head of a request says about its body.
//!
//! Everything here is known before the first byte of the body is read, so that
//! a client that waits for `100 Continue` is refused without sending it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::checksum::{self, Algorithm};
use crate::encode::unhex;
use crate::error::{Code, Error};
use crate::form::Form;
use crate::head::Head;
use crate::operation::Operation;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// How long the content is, after decoding. `None` where the client does
    /// not say.
    pub length: Option<u64>,
    /// How long it must be.
    pub length_min: u64,
    /// How long it may be, whatever the client says.
    pub length_max: u64,
    pub content_md5: Option<[u8; 16]>,
    pub sha256: ContentSha256,
    pub checksum: Option<ExpectedChecksum>,
    /// The checksum to compute where none is expected: S3 keeps one with every
    /// object.
    pub algorithm: Option<Algorithm>,
    /// A checksum to compute besides, where it is another.
    pub besides: Option<Algorithm>,
    /// The content comes in chunks of `aws-chunked`.
    pub aws_chunked: bool,
}

/// What `x-amz-content-sha256` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentSha256 {
    Absent,
    Unsigned,
    Digest([u8; 32]),
    Streaming { signed: bool, trailer: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedChecksum {
    /// In base64.
    Header(Algorithm, String),
    /// It will come behind the content.
    Trailer(Algorithm),
}

impl ExpectedChecksum {
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Header(algorithm, _) | Self::Trailer(algorithm) => *algorithm,
        }
    }
}

impl Payload {
    /// What one request can bring: an object or a part.
    pub const CONTENT_LEN_MAX: u64 = 5 << 30;

    pub fn of(head: &Head) -> Result<Self, Error> {
        let sha256 = ContentSha256::of(head)?;
        let encoded = head
            .headers
            .get_all(http::header::CONTENT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|coding| coding.trim().eq_ignore_ascii_case("aws-chunked"));
        let decoded_length = head.header("x-amz-decoded-content-length");
        let aws_chunked = match sha256 {
            ContentSha256::Streaming { .. } => true,
            // A client without credentials streams too, and signs nothing.
            ContentSha256::Absent | ContentSha256::Unsigned => {
                encoded && (decoded_length.is_some() || head.header("x-amz-trailer").is_some())
            }
            ContentSha256::Digest(_) => false,
        };
        let length = match &head.form {
            // That of the form says little of its file.
            Some(_) => None,
            None if aws_chunked => length(decoded_length)?,
            None => content_length(head)?,
        };
        let (length_min, length_max) = head.form.as_ref().map_or((0, u64::MAX), Form::length_range);
        if let Some(length) = length
            && length > Self::CONTENT_LEN_MAX
        {
            return Err(too_large(length, Self::CONTENT_LEN_MAX));
        }
        let content_md5 = head.header("content-md5").map(content_md5).transpose()?;
        let checksum = expected_checksum(head, aws_chunked, sha256)?;
        let algorithm = asked_algorithm(head, checksum.as_ref())?;
        Ok(Self {
            length,
            length_min,
            length_max: length_max.min(Self::CONTENT_LEN_MAX),
            content_md5,
            sha256,
            checksum,
            algorithm,
            besides: None,
            aws_chunked,
        })
    }
}

impl Payload {
    /// The payload of a document whose loss or damage would do harm: the client
    /// must say what it is a digest of.
    pub fn of_document(head: &Head) -> Result<Self, Error> {
        let payload = Self::of(head)?;
        if payload.content_md5.is_some() || payload.checksum.is_some() {
            return Ok(payload);
        }
        Err(Error::new(Code::InvalidRequest).because(
            "Missing required header for this request: Content-MD5 or a checksum such as x-amz-checksum-crc32",
        ))
    }

    /// The payload of what somebody else than the gateway serves.
    pub fn of_claimed(head: &Head) -> Result<Self, Error> {
        match head.operation {
            // Those who write it sign it, and do not all send another digest.
            Operation::PutBucketRequestPayment if Self::is_signed(head)? => Self::of(head),
            operation if operation.needs_document() => Self::of_document(head),
            // A list may be in headers as well; its document is signed in the same way.
            Operation::PutBucketAcl | Operation::PutObjectAcl => {
                let payload = Self::of(head)?;
                match payload.length {
                    None | Some(0) => Ok(payload),
                    Some(_) if Self::is_signed(head)? => Ok(payload),
                    Some(_) => Self::of_document(head),
                }
            }
            _ => Self::of(head),
        }
    }

    /// Whether the signature covers the bytes of the body.
    fn is_signed(head: &Head) -> Result<bool, Error> {
        Ok(matches!(Self::of(head)?.sha256, ContentSha256::Digest(_)))
    }

    /// The payload of a part of an upload that keeps checksums of one kind:
    /// computed where the client sends none, and refused where it sends another.
    /// Where the upload was begun without saying which, a part may bring any, and
    /// the default is computed as well, since the object will have that.
    pub fn of_part(head: &Head, kept: Option<Algorithm>) -> Result<Self, Error> {
        let payload = Self::of(head)?;
        let Some(kept) = kept else {
            return Ok(Self {
                besides: Some(Algorithm::DEFAULT),
                ..payload
            });
        };
        let asked = head.header("x-amz-checksum-algorithm");
        let brought = payload.checksum.as_ref().map(ExpectedChecksum::algorithm);
        match brought.or_else(|| asked.and_then(Algorithm::parse)) {
            Some(other) if other != kept => Err(checksum::mismatch(kept, other)),
            _ => Ok(Self {
                algorithm: Some(kept),
                ..payload
            }),
        }
    }
}

impl ContentSha256 {
    fn of(head: &Head) -> Result<Self, Error> {
        let header = head.header("x-amz-content-sha256");
        let Some(text) = header.or_else(|| head.query.get("X-Amz-Content-Sha256")) else {
            // A URL is signed by somebody who does not have the body.
            let mut signatures = ["X-Amz-Signature", "Signature"].iter();
            return Ok(if signatures.any(|name| head.query.has(name)) {
                Self::Unsigned
            } else {
                Self::Absent
            });
        };
        let streaming = |signed, trailer| Self::Streaming { signed, trailer };
        Ok(match text {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => streaming(false, true),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => streaming(true, false),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => streaming(true, true),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(Error::new(Code::NotImplemented)
                    .because("Signatures of version 4A are not supported.")
                    .with("Header", "x-amz-content-sha256"));
            }
            digest => unhex(digest)
                .and_then(|bytes| bytes.try_into().ok())
                .map(Self::Digest)
                .ok_or_else(|| {
                    Error::new(Code::InvalidArgument)
                        .because(
                            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                         STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                         STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
                        )
                        .argument("x-amz-content-sha256", text)
                })?,
        })
    }
}

/// How long the body is, as it is sent.
pub(crate) fn content_length(head: &Head) -> Result<Option<u64>, Error> {
    length(head.header("content-length"))
}

pub(crate) fn too_small(length: u64, min: u64) -> Error {
    Error::new(Code::EntityTooSmall)
        .with("ProposedSize", length.to_string())
        .with("MinSizeAllowed", min.to_string())
}

pub(crate) fn too_large(length: u64, max: u64) -> Error {
    Error::new(Code::EntityTooLarge)
        .with("ProposedSize", length.to_string())
        .with("MaxSizeAllowed", max.to_string())
}

fn length(text: Option<&str>) -> Result<Option<u64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(length) if digits => Ok(Some(length)),
        _ => Err(Error::new(Code::InvalidArgument)
            .because("The length of the content is not a number.")
            .argument("Content-Length", text)),
    }
}

fn content_md5(text: &str) -> Result<[u8; 16], Error> {
    let decoded = BASE64_STANDARD.decode(text).ok();
    decoded
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::new(Code::InvalidDigest).with("Content-MD5", text))
}

fn expected_checksum(
    head: &Head,
    aws_chunked: bool,
    sha256: ContentSha256,
) -> Result<Option<ExpectedChecksum>, Error> {
    // There the headers speak of the object, not of the list of its parts.
    if head.operation == Operation::CompleteMultipartUpload {
        return Ok(None);
    }
    let header = checksum::announced(&head.headers)?;
    let trailer = head.header("x-amz-trailer").map(str::trim);
    match (header, trailer.filter(|name| !name.is_empty())) {
        (None, None) => Ok(None),
        (Some((algorithm, value)), None) => {
            if !algorithm.is_value(&value) {
                let error = Error::new(Code::InvalidRequest);
                let name = algorithm.header();
                return Err(error.because(format!("Value for {name} header is invalid.")));
            }
            Ok(Some(ExpectedChecksum::Header(algorithm, value)))
        }
        (Some(_), Some(_)) => Err(Error::new(Code::InvalidRequest)
            .because("Expecting a single x-amz-checksum- header or trailer.")),
        (None, Some(name)) => {
            let without_trailer =
                aws_chunked && matches!(sha256, ContentSha256::Streaming { trailer: false, .. });
            match Algorithm::from_header(name) {
                Some(algorithm) if !without_trailer => {
                    Ok(Some(ExpectedChecksum::Trailer(algorithm)))
                }
                _ => Err(Error::new(Code::InvalidRequest)
                    .because("The value specified in the x-amz-trailer header is not supported")),
            }
        }
    }
}

/// The checksum that is to be kept with what the request makes, if it says so.
pub fn asked_checksum(head: &Head) -> Result<Option<Algorithm>, Error> {
    algorithm(head, "x-amz-checksum-algorithm")
}

fn algorithm(head: &Head, header: &'static str) -> Result<Option<Algorithm>, Error> {
    let Some(text) = head.header(header) else {
        return Ok(None);
    };
    Algorithm::parse(text).map(Some).ok_or_else(|| {
        Error::new(Code::InvalidRequest)
            .because(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            )
            .argument(header, text)
    })
}

fn asked_algorithm(
    head: &Head,
    checksum: Option<&ExpectedChecksum>,
) -> Result<Option<Algorithm>, Error> {
    let kept = asked_checksum(head)?;
    let sent = algorithm(head, "x-amz-sdk-checksum-algorithm")?;
    match (sent, checksum) {
        (Some(sent), Some(checksum)) if checksum.algorithm() != sent => {
            Err(Error::new(Code::InvalidRequest)
                .because("Value for x-amz-sdk-checksum-algorithm header is invalid."))
        }
        (Some(_), None) if head.operation != Operation::CompleteMultipartUpload => {
            Err(Error::new(Code::InvalidRequest).because(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding \
                 x-amz-checksum-* or x-amz-trailer headers were found.",
            ))
        }
        _ => Ok(kept.or(sent).or(match head.operation {
            Operation::PutObject | Operation::PostObject | Operation::UploadPart => {
                Some(Algorithm::DEFAULT)
            }
            _ => None,
        })),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn payload(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Payload, Code> {
        Payload::of(&head(method, uri, headers)).map_err(|error| error.code().unwrap())
    }

    fn claimed(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Payload, Code> {
        Payload::of_claimed(&head(method, uri, headers)).map_err(|error| error.code().unwrap())
    }

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Head {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "h");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Head::parse(&parts, &[], &[]).unwrap()
    }

    fn put(headers: &[(&str, &str)]) -> Result<Payload, Code> {
        payload("PUT", "/abc/k", headers)
    }

    fn plain() -> Payload {
        Payload {
            length: None,
            length_min: 0,
            length_max: Payload::CONTENT_LEN_MAX,
            content_md5: None,
            sha256: ContentSha256::Absent,
            checksum: None,
            algorithm: Some(Algorithm::Crc64Nvme),
            besides: None,
            aws_chunked: false,
        }
    }

    const CRC: (&str, &str) = ("x-amz-checksum-crc32", "y/Q5Jg==");
    const UNSIGNED_TRAILER: (&str, &str) =
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    const SIGNED: (&str, &str) = ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    const TRAILER: (&str, &str) = ("x-amz-trailer", "x-amz-checksum-crc32");

    #[test]
    fn a_payload_is_what_clients_say_of_it() {
        assert_eq!(put(&[]), Ok(plain()));
        assert_eq!(
            put(&[
                ("content-length", "9"),
                ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
                CRC
            ]),
            Ok(Payload {
                length: Some(9),
                content_md5: Some([
                    0x25, 0xf9, 0xe7, 0x94, 0x32, 0x3b, 0x45, 0x38, 0x85, 0xf5, 0x18, 0x1f, 0x1b,
                    0x62, 0x4d, 0x0b,
                ]),
                checksum: Some(ExpectedChecksum::Header(
                    Algorithm::Crc32,
                    "y/Q5Jg==".into()
                )),
                ..plain()
            })
        );
        // boto3 and the command line.
        let trailing = Payload {
            length: Some(9),
            sha256: ContentSha256::Streaming {
                signed: false,
                trailer: true,
            },
            checksum: Some(ExpectedChecksum::Trailer(Algorithm::Crc32)),
            algorithm: Some(Algorithm::Crc32),
            aws_chunked: true,
            ..plain()
        };
        let encoding = ("content-encoding", "gzip, aws-chunked");
        let decoded = ("x-amz-decoded-content-length", "9");
        let wire = ("content-length", "50");
        let sdk = ("x-amz-sdk-checksum-algorithm", "CRC32");
        assert_eq!(
            put(&[wire, decoded, encoding, UNSIGNED_TRAILER, TRAILER, sdk]),
            Ok(trailing.clone())
        );
        // The same without credentials.
        assert_eq!(
            put(&[wire, decoded, encoding, TRAILER, sdk]),
            Ok(Payload {
                sha256: ContentSha256::Absent,
                ..trailing.clone()
            })
        );
        // JavaScript does not know how long its stream is.
        assert_eq!(
            put(&[
                ("transfer-encoding", "chunked"),
                encoding,
                UNSIGNED_TRAILER,
                TRAILER,
                sdk
            ]),
            Ok(Payload {
                length: None,
                ..trailing
            })
        );
        // Java and Go.
        assert_eq!(
            put(&[wire, decoded, SIGNED]),
            Ok(Payload {
                length: Some(9),
                sha256: ContentSha256::Streaming {
                    signed: true,
                    trailer: false,
                },
                aws_chunked: true,
                ..plain()
            })
        );
        // A coding that somebody only wants to be stored.
        assert_eq!(put(&[("content-encoding", "aws-chunked")]), Ok(plain()));
    }

    #[test]
    fn the_digest_of_the_content_comes_from_a_header_or_the_query() {
        let sha256 = |uri: &str, headers: &[(&str, &str)]| {
            payload("PUT", uri, headers).map(|payload| payload.sha256)
        };
        let zeros = "00".repeat(32);
        let digest = Ok(ContentSha256::Digest([0; 32]));
        let query = format!("/abc/k?X-Amz-Content-Sha256={zeros}&X-Amz-Signature=x");
        assert_eq!(
            sha256("/abc/k", &[("x-amz-content-sha256", &zeros)]),
            digest
        );
        assert_eq!(sha256(&query, &[]), digest);
        assert_eq!(
            sha256("/abc/k?X-Amz-Signature=x", &[]),
            Ok(ContentSha256::Unsigned)
        );
        assert_eq!(
            sha256("/abc/k?AWSAccessKeyId=x&Expires=1&Signature=x", &[]),
            Ok(ContentSha256::Unsigned)
        );
        for (text, expected) in [
            ("UNSIGNED-PAYLOAD", Ok(ContentSha256::Unsigned)),
            ("", Err(Code::InvalidArgument)),
            ("unsigned-payload", Err(Code::InvalidArgument)),
            (&zeros[2..], Err(Code::InvalidArgument)),
            (&"AB".repeat(32), Err(Code::InvalidArgument)),
            (
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
                Err(Code::NotImplemented),
            ),
        ] {
            assert_eq!(
                sha256("/abc/k", &[("x-amz-content-sha256", text)]),
                expected
            );
        }
    }

    #[test]
    fn what_the_head_alone_proves_wrong_is_refused() {
        let check = |headers: &[(&str, &str)], expected: Code| {
            assert_eq!(put(headers), Err(expected), "{headers:?}");
        };
        check(&[("content-length", "x")], Code::InvalidArgument);
        check(&[("content-length", "+1")], Code::InvalidArgument);
        check(&[("content-length", "5368709121")], Code::EntityTooLarge);
        assert!(put(&[("content-length", "5368709120")]).is_ok());
        check(
            &[SIGNED, ("x-amz-decoded-content-length", "-1")],
            Code::InvalidArgument,
        );
        check(
            &[SIGNED, ("x-amz-decoded-content-length", "5368709121")],
            Code::EntityTooLarge,
        );
        check(&[("content-md5", "")], Code::InvalidDigest);
        check(&[("content-md5", "AAAA")], Code::InvalidDigest);
        check(&[("content-md5", "not base64")], Code::InvalidDigest);
        check(&[("x-amz-checksum-crc32", "AAAA")], Code::InvalidRequest);
        check(
            &[("x-amz-checksum-crc32", "y/Q5Jg==-1")],
            Code::InvalidRequest,
        );
        check(&[CRC, UNSIGNED_TRAILER, TRAILER], Code::InvalidRequest);
        check(&[SIGNED, TRAILER], Code::InvalidRequest);
        check(
            &[UNSIGNED_TRAILER, ("x-amz-trailer", "x-amz-meta-a")],
            Code::InvalidRequest,
        );
        let sdk = |name| ("x-amz-sdk-checksum-algorithm", name);
        check(&[sdk("CRC32")], Code::InvalidRequest);
        check(&[sdk("CRC32C"), CRC], Code::InvalidRequest);
        check(&[sdk("ADLER"), CRC], Code::InvalidRequest);
        check(&[("x-amz-checksum-algorithm", "")], Code::InvalidRequest);
    }

    #[test]
    fn a_completion_speaks_of_the_object_and_not_of_its_own_body() {
        let headers = [("x-amz-checksum-crc32", "y/Q5Jg==-3")];
        let completion = payload("POST", "/abc/k?uploadId=x", &headers).unwrap();
        assert_eq!(completion.checksum, None);
        let policy = payload("PUT", "/abc?cors", &[CRC]).unwrap();
        assert!(policy.checksum.is_some());
        assert_eq!(policy.algorithm, None);
    }

    #[test]
    fn a_document_comes_with_a_digest() {
        let check = |method: &str, uri: &str, headers: &[(&str, &str)], expected: bool| {
            let mut headers = headers.to_vec();
            headers.push(("content-length", "9"));
            let payload = claimed(method, uri, &headers).map(|_| ());
            let expected = expected.then_some(()).ok_or(Code::InvalidRequest);
            assert_eq!(payload, expected, "{method} {uri} {headers:?}");
        };
        let md5 = ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==");
        let sha256 = ("x-amz-content-sha256", &*"0".repeat(64));
        for (method, uri) in [
            ("PUT", "/abc?cors"),
            ("PUT", "/abc?tagging"),
            ("PUT", "/abc/k?tagging"),
            ("POST", "/abc?delete"),
        ] {
            check(method, uri, &[], false);
            check(method, uri, &[sha256], false);
            check(method, uri, &[md5], true);
            check(method, uri, &[CRC], true);
            check(method, uri, &[UNSIGNED_TRAILER, TRAILER], true);
        }
        for uri in ["/abc?acl", "/abc/k?acl", "/abc?requestPayment"] {
            check("PUT", uri, &[], false);
            check("PUT", uri, &[sha256], true);
            check("PUT", uri, &[md5], true);
        }
        assert!(claimed("PUT", "/abc?acl", &[("x-amz-acl", "private")]).is_ok());
        check("PUT", "/abc/k", &[], true);
        check("GET", "/abc?cors", &[], true);
    }

    #[test]
    fn a_part_has_the_checksum_that_its_upload_keeps() {
        let check = |headers: &[(&str, &str)],
                     kept: Option<Algorithm>,
                     expected: Result<Algorithm, Code>| {
            let request = Request::builder().method("PUT");
            let mut request = request
                .uri("/abc/k?uploadId=u&partNumber=1")
                .header("host", "h");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let payload = Payload::of_part(&Head::parse(&parts, &[], &[]).unwrap(), kept);
            let algorithm = payload
                .map(|payload| payload.algorithm.unwrap())
                .map_err(|error| error.code().unwrap());
            assert_eq!(algorithm, expected, "{headers:?} {kept:?}");
        };
        let crc32 = ("x-amz-checksum-crc32", "y/Q5Jg==");
        let asked = ("x-amz-checksum-algorithm", "SHA256");
        check(&[], None, Ok(Algorithm::Crc64Nvme));
        check(&[asked], None, Ok(Algorithm::Sha256));
        check(&[], Some(Algorithm::Sha1), Ok(Algorithm::Sha1));
        check(&[crc32], Some(Algorithm::Crc32), Ok(Algorithm::Crc32));
        check(&[crc32], Some(Algorithm::Sha1), Err(Code::InvalidRequest));
        check(&[asked], Some(Algorithm::Crc32), Err(Code::InvalidRequest));
        check(
            &[TRAILER],
            Some(Algorithm::Crc32c),
            Err(Code::InvalidRequest),
        );
    }
}
