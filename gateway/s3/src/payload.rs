//! What the head of a request says about its body.
//!
//! Everything here is known before the first byte of the body is read, so that
//! a client that waits for `100 Continue` is refused without sending it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::checksum::{self, Algorithm};
use crate::encode::unhex;
use crate::error::{Code, Error};
use crate::head::Head;
use crate::operation::Operation;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// How long the content is, after decoding. `None` where the client does
    /// not say.
    pub length: Option<u64>,
    /// How long it may be, whatever the client says.
    pub length_max: u64,
    pub content_md5: Option<[u8; 16]>,
    pub sha256: ContentSha256,
    pub checksum: Option<ExpectedChecksum>,
    /// The checksum to compute where none is expected: S3 keeps one with every
    /// object.
    pub algorithm: Option<Algorithm>,
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
        let length = if aws_chunked {
            length(decoded_length)?
        } else {
            length(head.header("content-length"))?
        };
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
            length_max: Self::CONTENT_LEN_MAX,
            content_md5,
            sha256,
            checksum,
            algorithm,
            aws_chunked,
        })
    }
}

impl ContentSha256 {
    fn of(head: &Head) -> Result<Self, Error> {
        let header = head.header("x-amz-content-sha256");
        let Some(text) = header.or_else(|| head.query.get("X-Amz-Content-Sha256")) else {
            return Ok(if head.query.has("X-Amz-Signature") {
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

fn asked_algorithm(
    head: &Head,
    checksum: Option<&ExpectedChecksum>,
) -> Result<Option<Algorithm>, Error> {
    let named = |header: &'static str| {
        let Some(text) = head.header(header) else {
            return Ok(None);
        };
        Algorithm::parse(text).map(Some).ok_or_else(|| {
            Error::new(Code::InvalidRequest)
                .because("Checksum algorithm provided is unsupported.")
                .argument(header, text)
        })
    };
    let kept = named("x-amz-checksum-algorithm")?;
    let sent = named("x-amz-sdk-checksum-algorithm")?;
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
                Some(Algorithm::Crc64Nvme)
            }
            _ => None,
        })),
    }
}
