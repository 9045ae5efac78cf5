//! Bodies on their way in and out, both bounded: what a client sends is taken
//! as fast as the store takes it, what a client is sent is read as fast as it goes.

mod buffers;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Response, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3::form::{File, Form, Progress as FormProgress, Reader};
use s3::{Code, Digests, Head, Payload, StreamKey, Verifier};
use storage::{ByteStream, Sink, Staged};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::Result;
use crate::server::Begun;

pub(crate) use buffers::{Buffers, Share};

/// How much of an unwanted body is read so that the client gets to see the
/// answer instead of a connection reset.
const DRAIN_LEN_MAX: usize = 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The body of a request.
///
/// Nothing asks the client for it (`100 Continue`) before the first read.
pub(crate) struct RequestBody {
    incoming: Incoming,
    timeout: Duration,
    /// The client waits for a word before it sends the body.
    expects_continue: bool,
    begun: bool,
    pub(crate) received: u64,
    progress: Progress,
    /// Of a form whose fields have been read: the content is in there.
    file: Option<File>,
    buffers: Arc<Buffers>,
    /// The part of `buffers` that this request has taken, until it ends.
    taken: Option<OwnedSemaphorePermit>,
}

/// What a client sends at least in each period of the body timeout, in bytes.
/// One that trickles is as good as one that stalls.
const PROGRESS_LEN_MIN: u64 = 16 * 1024;

/// In so many periods of the body timeout a body that is kept in memory has come
/// to its end.
const WHOLE_PERIODS_MAX: u32 = 5;

/// How far the body came since the current period began.
struct Progress {
    since: Instant,
    received: u64,
}

impl RequestBody {
    pub(crate) fn new(
        incoming: Incoming,
        head: &Parts,
        timeout: Duration,
        buffers: &Arc<Buffers>,
    ) -> Self {
        Self {
            incoming,
            timeout,
            expects_continue: head.version < Version::HTTP_2 && head.headers.contains_key(EXPECT),
            begun: false,
            received: 0,
            progress: Progress {
                since: Instant::now(),
                received: 0,
            },
            file: None,
            buffers: Arc::clone(buffers),
            taken: None,
        }
    }

    async fn frame(&mut self) -> Result<Option<Frame<Bytes>>> {
        if !self.begun {
            self.begun = true;
            self.progress.since = Instant::now();
        }
        match tokio::time::timeout(self.timeout, self.incoming.frame()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(frame))) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.check_progress()?;
                Ok(Some(frame))
            }
            Ok(Some(Err(_))) => Err(Code::IncompleteBody.into()),
            Err(_) => Err(Code::RequestTimeout.into()),
        }
    }

    fn check_progress(&mut self) -> Result<()> {
        if self.progress.since.elapsed() < self.timeout {
            return Ok(());
        }
        if self.received - self.progress.received < PROGRESS_LEN_MIN {
            return Err(Code::RequestTimeout.into());
        }
        self.progress = Progress {
            since: Instant::now(),
            received: self.received,
        };
        Ok(())
    }

    /// Reads the fields of a form. From then on its file is the content.
    pub(crate) async fn read_form(&mut self, head: &Head) -> Result<Form> {
        let mut reader = Reader::new(head)?;
        if head.header("content-length").is_none() && self.incoming.is_end_stream() {
            return Err(Code::MissingContentLength.into());
        }
        while let Some(frame) = self.frame().await? {
            let Ok(data) = frame.into_data() else { break };
            match reader.push(data)? {
                FormProgress::Fields(more) => reader = more,
                FormProgress::File(form, file) => {
                    self.file = Some(file);
                    return Ok(form);
                }
            }
        }
        Err(reader.ended().into())
    }

    /// A piece of the content: of the body, or of the file in it.
    async fn content(&mut self) -> Result<Option<Frame<Bytes>>> {
        loop {
            if let Some(file) = &mut self.file
                && let Some(bytes) = file.content()?
            {
                return Ok(Some(Frame::data(bytes)));
            }
            let frame = self.frame().await?;
            let Some(file) = &mut self.file else {
                return Ok(frame);
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => file.push(data),
                // A form has no trailers.
                Some(Err(_)) => {}
                None => {
                    file.finish()?;
                    return Ok(None);
                }
            }
        }
    }

    /// Streams the body into a sink and verifies it on the way. On any error the
    /// sink is dropped, and nothing is left of it.
    pub(crate) async fn stage(
        &mut self,
        payload: &Payload,
        key: Option<StreamKey>,
        mut sink: Box<dyn Sink>,
    ) -> Result<(Staged, Digests)> {
        // Without a length and without chunks there is no saying what was meant.
        if payload.length.is_none() && self.file.is_none() && self.incoming.is_end_stream() {
            return Err(Code::MissingContentLength.into());
        }
        let mut verifier = Verifier::new(payload, key)?;
        let (mut trailers, mut decoded) = (None, Vec::new());
        while let Some(frame) = self.content().await? {
            match frame.into_data() {
                Ok(data) => verifier.push(data, &mut decoded)?,
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
            for bytes in decoded.drain(..) {
                sink.write(bytes).await?;
            }
        }
        let digests = verifier.finish(trailers.as_ref())?;
        Ok((sink.finish().await?, digests))
    }

    /// Reads a small body whole, verified. There is room for so many of them, and
    /// for none of them forever.
    pub(crate) async fn collect(
        &mut self,
        payload: &Payload,
        key: Option<StreamKey>,
        share: Share,
        len_max: usize,
    ) -> Result<Bytes> {
        let timeout = self.timeout.saturating_mul(WHOLE_PERIODS_MAX);
        let collected = self.collect_slowly(payload, key, share, len_max);
        match tokio::time::timeout(timeout, collected).await {
            Ok(collected) => collected,
            Err(_) => Err(Code::RequestTimeout.into()),
        }
    }

    async fn collect_slowly(
        &mut self,
        payload: &Payload,
        key: Option<StreamKey>,
        share: Share,
        len_max: usize,
    ) -> Result<Bytes> {
        let mut verifier = Verifier::new(payload, key)?;
        let mut whole = self.buffers.begin(share, len_max);
        let (mut trailers, mut decoded) = (None, Vec::new());
        while let Some(frame) = self.content().await? {
            match frame.into_data() {
                Ok(data) => verifier.push(data, &mut decoded)?,
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
            for bytes in decoded.drain(..) {
                whole.push(&bytes)?;
            }
        }
        verifier.finish(trailers.as_ref())?;
        let (bytes, taken) = whole.end();
        self.taken = taken;
        Ok(bytes)
    }

    /// Reads what is left of a body that was refused, within bounds. A client
    /// that still waits for `100 Continue` is not asked for it.
    pub(crate) async fn drain(&mut self) {
        if self.incoming.is_end_stream() || self.is_unasked() {
            return;
        }
        let mut left = DRAIN_LEN_MAX;
        let drained = async {
            while let Some(Ok(frame)) = self.incoming.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        // A client that is too slow is cut off: that is what the bound is for.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
    }

    /// Ends the connection with the response where the client was never asked
    /// for the body: it may send it all the same, and some clients do not
    /// recover from an answer they got in place of `100 Continue`.
    pub(crate) fn settle(&self, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
        if self.is_unasked() {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn is_unasked(&self) -> bool {
        self.expects_continue && !self.begun
    }
}

/// The body of a response.
pub(crate) struct ReplyBody {
    content: Content,
    /// The request is in flight until its response is gone.
    held: Option<Begun>,
}

enum Content {
    Bytes(Bytes),
    /// The stream and how many bytes of it are to come.
    Stream(ByteStream, u64),
}

impl ReplyBody {
    pub(crate) fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Bytes(bytes.into()),
            held: None,
        }
    }

    pub(crate) fn stream(stream: ByteStream, length: u64) -> Self {
        Self {
            content: Content::Stream(stream, length),
            held: None,
        }
    }

    pub(crate) fn holding(self, begun: Begun) -> Self {
        Self {
            held: Some(begun),
            ..self
        }
    }

    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Stream(_, length) => *length,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = storage::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, storage::Error>>> {
        if let Some(held) = &self.held {
            held.moved();
        }
        match &mut self.content {
            Content::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(stream, left) => stream.as_mut().poll_next(cx).map(|next| {
                next.map(|bytes| match bytes {
                    Ok(bytes) => {
                        *left = left.saturating_sub(bytes.len() as u64);
                        metrics::counter!("sluice_sent_bytes_total").increment(bytes.len() as u64);
                        Ok(Frame::data(bytes))
                    }
                    Err(error) => {
                        // The head has been sent: all that is left is to break off, visibly.
                        tracing::error!(%error, "a response was broken off");
                        Err(error)
                    }
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplyBody")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
