//! `aws-chunked`: content in chunks that may be signed, with trailers behind it.
//!
//! The decoder works byte by byte over whatever pieces the body comes in, copies
//! no content, and keeps no more than one line of framing.

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use crate::checksum::Algorithm;
use crate::error::{Code, Error};
use crate::payload::{ContentSha256, ExpectedChecksum, Payload};
use crate::sigv4::{SignatureChain, StreamKey};

/// Longer than a size of 16 digits with a signature.
const CHUNK_LINE_MAX: usize = 256;
const TRAILER_LINE_MAX: usize = 1024;
const TRAILER_LINES_MAX: usize = 16;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    line: Vec<u8>,
    signing: Option<Signing>,
    trailers: Trailers,
}

/// What a body turns out to consist of.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A chunk of this length begins.
    Chunk(u64),
    Content(Bytes),
}

#[derive(Debug)]
enum State {
    ChunkLine,
    Data { left: u64 },
    DataEnd { seen_cr: bool },
    TrailerLine,
    Done,
}

/// How a body is signed: chunk by chunk, each by the line before it.
#[derive(Debug)]
struct Signing {
    chain: SignatureChain,
    content: Sha256,
    claimed: String,
}

#[derive(Debug)]
struct Trailers {
    allowed: bool,
    /// The one trailer that the head has announced.
    expected: Option<Algorithm>,
    checksum: Option<String>,
    lines: usize,
    /// What the signature of the trailers covers; `None` where there is no
    /// signature to come, or no more.
    unsigned: Option<Sha256>,
}

impl Decoder {
    pub(crate) fn new(payload: &Payload, key: Option<StreamKey>) -> Result<Self, Error> {
        let (signed, trailer) = match payload.sha256 {
            ContentSha256::Streaming { signed, trailer } => (signed, trailer),
            _ => (false, true),
        };
        let signing = match (signed, key) {
            (false, _) => None,
            (true, Some(key)) => Some(Signing {
                chain: SignatureChain::new(key),
                content: Sha256::new(),
                claimed: String::new(),
            }),
            (true, None) => {
                return Err(Error::new(Code::AccessDenied)
                    .because("The chunks of the body are signed, but the request is not."));
            }
        };
        let expected = match &payload.checksum {
            Some(ExpectedChecksum::Trailer(algorithm)) => Some(*algorithm),
            _ => None,
        };
        Ok(Self {
            state: State::ChunkLine,
            line: Vec::new(),
            signing,
            trailers: Trailers {
                allowed: trailer,
                expected,
                checksum: None,
                lines: 0,
                unsigned: (signed && trailer).then(Sha256::new),
            },
        })
    }

    /// Takes the next piece out of a frame; `None` once nothing is left of it.
    pub(crate) fn next(&mut self, frame: &mut Bytes) -> Result<Option<Piece>, Error> {
        while !frame.is_empty() {
            match self.state {
                State::ChunkLine => {
                    if self.read_line(frame, CHUNK_LINE_MAX)? {
                        let left = self.chunk_line()?;
                        if left == 0 {
                            self.verify_chunk()?;
                            self.state = State::TrailerLine;
                        } else {
                            self.state = State::Data { left };
                            return Ok(Some(Piece::Chunk(left)));
                        }
                    }
                }
                State::Data { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX);
                    let content = frame.split_to(here.min(frame.len()));
                    if let Some(signing) = &mut self.signing {
                        signing.content.update(&content);
                    }
                    let left = left.saturating_sub(content.len() as u64);
                    self.state = State::Data { left };
                    if left == 0 {
                        self.verify_chunk()?;
                        self.state = State::DataEnd { seen_cr: false };
                    }
                    return Ok(Some(Piece::Content(content)));
                }
                State::DataEnd { seen_cr } => {
                    self.state = match (seen_cr, frame.get_u8()) {
                        (false, b'\r') => State::DataEnd { seen_cr: true },
                        (true, b'\n') => State::ChunkLine,
                        _ => return Err(malformed("A chunk does not end where it should.")),
                    };
                }
                State::TrailerLine => {
                    if self.read_line(frame, TRAILER_LINE_MAX)? {
                        let line = std::mem::take(&mut self.line);
                        if self.trailer_line(&line)? {
                            self.state = State::Done;
                        }
                    }
                }
                State::Done => return Err(malformed("Something follows the last chunk.")),
            }
        }
        Ok(None)
    }

    /// The checksum in the trailer, once everything has come.
    pub(crate) fn finish(self) -> Result<Option<String>, Error> {
        match self.state {
            State::Done => {}
            _ => return Err(malformed("The body ends before its last chunk does.")),
        }
        if self.trailers.expected.is_some() && self.trailers.checksum.is_none() {
            return Err(Error::new(Code::MalformedTrailerError)
                .because("The trailer that the request announced is missing."));
        }
        Ok(self.trailers.checksum)
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.line.len()
    }

    /// Moves bytes up to the end of a line into `self.line`; whether it is there.
    fn read_line(&mut self, frame: &mut Bytes, max: usize) -> Result<bool, Error> {
        let end = frame.iter().position(|&byte| byte == b'\n');
        let here = end.unwrap_or(frame.len());
        if self.line.len().saturating_add(here) > max {
            return Err(malformed("A line of the chunked encoding is too long."));
        }
        self.line.extend_from_slice(&frame.split_to(here));
        if end.is_some() {
            frame.advance(1);
        }
        Ok(end.is_some())
    }

    /// `size[;chunk-signature=signature]`
    fn chunk_line(&mut self) -> Result<u64, Error> {
        let line = std::mem::take(&mut self.line);
        let line = line
            .strip_suffix(b"\r")
            .and_then(|line| std::str::from_utf8(line).ok())
            .ok_or_else(|| malformed("The line before a chunk is malformed."))?;
        let (size, extension) = match line.split_once(';') {
            Some((size, extension)) => (size, Some(extension)),
            None => (line, None),
        };
        let digits =
            (1..=16).contains(&size.len()) && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| digits);
        let size = size.ok_or_else(|| malformed("The size of a chunk is not a number."))?;
        let signature = extension.and_then(|text| text.strip_prefix("chunk-signature="));
        match (&mut self.signing, signature) {
            (Some(signing), Some(signature)) => signing.claimed = signature.to_owned(),
            (Some(_), None) => {
                return Err(Error::new(Code::SignatureDoesNotMatch)
                    .because("A chunk of the body is not signed."));
            }
            (None, None) if extension.is_none() => {}
            (None, _) => return Err(malformed("The line before a chunk is malformed.")),
        }
        Ok(size)
    }

    fn verify_chunk(&mut self) -> Result<(), Error> {
        let Some(signing) = &mut self.signing else {
            return Ok(());
        };
        let content = signing.content.finalize_reset().into();
        if signing.chain.verify_chunk(content, &signing.claimed) {
            Ok(())
        } else {
            Err(Error::new(Code::SignatureDoesNotMatch)
                .because("The signature of a chunk of the body does not match."))
        }
    }

    /// Whether this line was the last one.
    ///
    /// Some clients end the line of a trailer that will be signed with LF and
    /// put an empty line behind it, so only the signature ends those.
    fn trailer_line(&mut self, line: &[u8]) -> Result<bool, Error> {
        let refuse = || Error::new(Code::MalformedTrailerError);
        let trailers = &mut self.trailers;
        trailers.lines += 1;
        if trailers.lines > TRAILER_LINES_MAX {
            return Err(refuse().because("The request has too many trailers."));
        }
        let line = std::str::from_utf8(line).map_err(|_| refuse())?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Ok(trailers.unsigned.is_none());
        }
        let (name, value) = line.split_once(':').ok_or_else(refuse)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == TRAILER_SIGNATURE {
            let (Some(signing), Some(unsigned)) = (&mut self.signing, trailers.unsigned.take())
            else {
                return Err(refuse().because("The trailers are signed where they should not be."));
            };
            let content = unsigned.finalize().into();
            if signing.chain.verify_trailer(content, value) {
                return Ok(false);
            }
            return Err(Error::new(Code::SignatureDoesNotMatch)
                .because("The signature of the trailers does not match."));
        }
        let expected = trailers.expected.is_some_and(|kind| kind.header() == name);
        let open = trailers.unsigned.is_some() || self.signing.is_none();
        if !trailers.allowed || !expected || !open || trailers.checksum.is_some() {
            return Err(refuse().because(format!("The trailer {name} was not announced.")));
        }
        if let Some(unsigned) = &mut trailers.unsigned {
            unsigned.update(format!("{name}:{value}\n"));
        }
        trailers.checksum = Some(value.to_owned());
        Ok(false)
    }
}

fn malformed(message: &'static str) -> Error {
    Error::new(Code::IncompleteBody).because(message)
}
