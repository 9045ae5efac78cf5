//! A body as it comes off the wire, turned into content that is what the client
//! signed and announced.
//!
//! Content is handed on before it is known to be right: only [`Verifier::finish`]
//! says so. Who stores content makes it visible after that, and not before.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::checksum::{Algorithm, Hasher};
use crate::chunked::{Decoder, Piece};
use crate::encode::hex;
use crate::error::{Code, Error};
use crate::payload::{ContentSha256, ExpectedChecksum, Payload, too_large, too_small};
use crate::sigv4::StreamKey;

/// What is known of content that has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub length: u64,
    pub md5: [u8; 16],
    /// In base64; `None` where the payload neither brings one nor asks for one.
    pub checksum: Option<(Algorithm, String)>,
    /// What the payload asks for besides.
    pub besides: Option<(Algorithm, String)>,
}

impl Digests {
    /// The etag of an object that consists of this content alone.
    pub fn etag(&self) -> String {
        hex(&self.md5)
    }
}

#[derive(Debug)]
pub struct Verifier {
    decoder: Option<Box<Decoder>>,
    content: Content,
    expected_md5: Option<[u8; 16]>,
    expected_sha256: Option<[u8; 32]>,
    expected_checksum: Option<ExpectedChecksum>,
    /// Once wrong, always wrong.
    failure: Option<Error>,
}

#[derive(Debug)]
struct Content {
    length: u64,
    length_expected: Option<u64>,
    length_min: u64,
    length_max: u64,
    md5: Md5,
    sha256: Option<Sha256>,
    checksum: Option<Hasher>,
    besides: Option<Hasher>,
}

impl Verifier {
    /// `key` is what the signatures of chunks continue from; it is there if the
    /// head was signed.
    pub fn new(payload: &Payload, key: Option<StreamKey>) -> Result<Self, Error> {
        let decoder = if payload.aws_chunked {
            Some(Box::new(Decoder::new(payload, key)?))
        } else {
            None
        };
        let expected_sha256 = match payload.sha256 {
            ContentSha256::Digest(digest) => Some(digest),
            _ => None,
        };
        let expected = payload.checksum.as_ref().map(ExpectedChecksum::algorithm);
        let algorithm = expected.or(payload.algorithm);
        let besides = payload.besides.filter(|other| algorithm != Some(*other));
        Ok(Self {
            decoder,
            content: Content {
                length: 0,
                length_expected: payload.length,
                length_min: payload.length_min,
                length_max: payload.length_max,
                md5: Md5::new(),
                sha256: expected_sha256.map(|_| Sha256::new()),
                checksum: algorithm.map(Hasher::new),
                besides: besides.map(Hasher::new),
            },
            expected_md5: payload.content_md5,
            expected_sha256,
            expected_checksum: payload.checksum.clone(),
            failure: None,
        })
    }

    /// Takes a piece of the body and appends the content in it to `out`, without
    /// copying it. After an error nothing more is taken.
    pub fn push(&mut self, frame: Bytes, out: &mut Vec<Bytes>) -> Result<(), Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let pushed = self.decode(frame, out);
        if let Err(failure) = &pushed {
            self.failure = Some(failure.clone());
        }
        pushed
    }

    fn decode(&mut self, mut frame: Bytes, out: &mut Vec<Bytes>) -> Result<(), Error> {
        let Some(decoder) = &mut self.decoder else {
            self.content.announce(frame.len() as u64)?;
            self.content.take(frame, out);
            return Ok(());
        };
        while let Some(piece) = decoder.next(&mut frame)? {
            match piece {
                Piece::Chunk(length) => self.content.announce(length)?,
                Piece::Content(bytes) => self.content.take(bytes, out),
            }
        }
        Ok(())
    }

    /// Says whether everything that was handed out is what it should be. The
    /// trailers are those of HTTP, where there are any.
    pub fn finish(self, trailers: Option<&HeaderMap>) -> Result<Digests, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let trailer = match self.decoder {
            Some(decoder) => decoder.finish()?,
            None => http_trailer(self.expected_checksum.as_ref(), trailers),
        };
        let Content {
            length,
            length_expected,
            length_min,
            md5,
            sha256,
            checksum,
            besides,
            ..
        } = self.content;
        if let Some(expected) = length_expected
            && expected != length
        {
            return Err(incomplete(expected, length));
        }
        if length < length_min {
            return Err(too_small(length, length_min));
        }
        if let (Some(expected), Some(sha256)) = (self.expected_sha256, sha256) {
            let computed: [u8; 32] = sha256.finalize().into();
            if computed != expected {
                return Err(Error::new(Code::XAmzContentSHA256Mismatch)
                    .with("ClientComputedContentSHA256", hex(&expected))
                    .with("S3ComputedContentSHA256", hex(&computed)));
            }
        }
        let md5: [u8; 16] = md5.finalize().into();
        if let Some(expected) = self.expected_md5
            && expected != md5
        {
            return Err(Error::new(Code::BadDigest)
                .because("The Content-MD5 you specified did not match what we received.")
                .with("ExpectedDigest", BASE64_STANDARD.encode(expected))
                .with("CalculatedDigest", BASE64_STANDARD.encode(md5)));
        }
        let told = |hasher: Hasher| (hasher.algorithm(), hasher.finish());
        let checksum = checksum.map(told);
        let expected = match self.expected_checksum {
            None => None,
            Some(ExpectedChecksum::Header(_, value)) => Some(value),
            Some(ExpectedChecksum::Trailer(_)) => Some(trailer.ok_or_else(|| {
                Error::new(Code::MalformedTrailerError)
                    .because("The trailer that the request announced is missing.")
            })?),
        };
        if let (Some(expected), Some((algorithm, computed))) = (expected, &checksum) {
            compare(*algorithm, &expected, computed)?;
        }
        Ok(Digests {
            length,
            md5,
            checksum,
            besides: besides.map(told),
        })
    }
}

impl Content {
    /// Whether this much more may come.
    fn announce(&self, length: u64) -> Result<(), Error> {
        let length = self.length.saturating_add(length);
        match self.length_expected {
            Some(expected) if length > expected => {
                Err(incomplete(expected, length)
                    .because("The body is longer than the request says."))
            }
            _ if length > self.length_max => Err(too_large(length, self.length_max)),
            _ => Ok(()),
        }
    }

    fn take(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        if bytes.is_empty() {
            return;
        }
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.md5.update(&bytes);
        for checksum in self.checksum.iter_mut().chain(&mut self.besides) {
            checksum.update(&bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&bytes);
        }
        out.push(bytes);
    }
}

fn incomplete(expected: u64, provided: u64) -> Error {
    Error::new(Code::IncompleteBody)
        .with("NumberBytesExpected", expected.to_string())
        .with("NumberBytesProvided", provided.to_string())
}

fn compare(algorithm: Algorithm, expected: &str, computed: &str) -> Result<(), Error> {
    if !algorithm.is_value(expected) {
        let name = algorithm.header();
        return Err(Error::new(Code::InvalidRequest)
            .because(format!("Value for {name} trailing header is invalid.")));
    }
    if expected != computed {
        let name = algorithm.name();
        return Err(Error::new(Code::BadDigest)
            .because(format!(
                "The {name} you specified did not match the calculated checksum."
            ))
            .with("ExpectedDigest", expected)
            .with("CalculatedDigest", computed));
    }
    Ok(())
}

fn http_trailer(
    expected: Option<&ExpectedChecksum>,
    trailers: Option<&HeaderMap>,
) -> Option<String> {
    let Some(ExpectedChecksum::Trailer(algorithm)) = expected else {
        return None;
    };
    let value = trailers?.get(algorithm.header())?.to_str().ok()?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests;
