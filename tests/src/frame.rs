//! Bodies in chunks: `aws-chunked` in its variants, and HTTP's own.

use crate::sign::{self, Key, Time};
use crate::{Request, crc32};

/// How the chunks of an `aws-chunked` body are vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Signed,
    SignedTrailer,
    UnsignedTrailer,
}

/// A body in chunks, not yet sent. What is wrong with it is put in by the tests.
#[derive(Debug, Clone)]
pub struct Streamed {
    pub request: Request,
    /// Each with its header and its line end, the empty one last.
    pub chunks: Vec<Vec<u8>>,
    pub trailer: Vec<u8>,
}

impl Framing {
    fn name(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}

impl Streamed {
    /// Cuts the body of a request into chunks, with a CRC32 in the trailer if
    /// the framing has one.
    pub fn new(request: Request, framing: Framing, key: &Key, chunk_len: usize) -> Self {
        let sum = crc32(&request.body);
        Self::with_trailer(
            request,
            framing,
            key,
            chunk_len,
            ("x-amz-checksum-crc32", &sum),
        )
    }

    /// The same with this name and value in the trailer, if the framing has one.
    pub fn with_trailer(
        request: Request,
        framing: Framing,
        key: &Key,
        chunk_len: usize,
        (name, value): (&str, &str),
    ) -> Self {
        let body = request.body.clone();
        let mut request = request
            .body("")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-content-sha256", framing.name())
            .header_if_none("x-amz-decoded-content-length", &body.len().to_string());
        if framing != Framing::Signed {
            request = request.header("x-amz-trailer", name);
        }
        let (request, mut seed) = sign::sign(request, key, &Time::now());

        let mut chunks = Vec::new();
        for data in body.chunks(chunk_len).chain([&[] as &[u8]]) {
            let mut chunk = match framing {
                Framing::UnsignedTrailer => format!("{:x}\r\n", data.len()),
                _ => format!("{:x};chunk-signature={}\r\n", data.len(), seed.chunk(data)),
            }
            .into_bytes();
            chunk.extend_from_slice(data);
            if !data.is_empty() {
                chunk.extend_from_slice(b"\r\n");
            }
            chunks.push(chunk);
        }

        let sum = format!("{name}:{value}");
        let trailer = match framing {
            Framing::Signed => "\r\n".to_owned(),
            Framing::UnsignedTrailer => format!("{sum}\r\n\r\n"),
            Framing::SignedTrailer => {
                let signature = seed.trailer(&format!("{sum}\n"));
                format!("{sum}\r\nx-amz-trailer-signature:{signature}\r\n\r\n")
            }
        };
        Self {
            request,
            chunks,
            trailer: trailer.into_bytes(),
        }
    }

    /// With a `Content-Length`, as most clients send it.
    pub fn sized(self) -> Request {
        let body = self.encoded();
        self.request.body(body)
    }

    /// With HTTP's chunks around it, as a client sends what it reads from a stream.
    pub fn unsized_(self) -> Request {
        let body = self.encoded();
        self.request.body(body).chunked(1000)
    }

    fn encoded(&self) -> Vec<u8> {
        let mut body = self.chunks.concat();
        body.extend_from_slice(&self.trailer);
        body
    }
}

impl Request {
    /// Sends the body with `Transfer-Encoding: chunked`.
    pub fn chunked(self, chunk_len: usize) -> Self {
        let mut framed = Vec::new();
        for data in self.body.chunks(chunk_len) {
            framed.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
            framed.extend_from_slice(data);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        self.body(framed).header("transfer-encoding", "chunked")
    }
}
