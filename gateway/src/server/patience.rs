//! A connection that is dropped when it makes no progress.
//!
//! Three clocks: an idle connection, the head of a request that does not
//! arrive whole, and a response that the client does not take. A request body
//! that stalls is watched where it is read, because while a request is being
//! worked on nothing needs to arrive.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Limits;

/// Counts the requests of one connection that are not answered whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    pub(super) fn begin(&self) -> Begun {
        self.0.fetch_add(1, Ordering::Relaxed);
        Begun(Arc::clone(&self.0))
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A request that has begun; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Begun(Arc<AtomicUsize>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Patient<S> {
    stream: S,
    in_flight: InFlight,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    reading: Reading,
    read_timer: Pin<Box<Sleep>>,
    write_timer: Pin<Box<Sleep>>,
    write_stalled: bool,
}

/// What the connection is waiting for from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Nothing has come yet; the protocol is unknown.
    Fresh,
    /// HTTP/1.1 between two requests, since then.
    Idle,
    /// HTTP/1.1 within the head of a request.
    Head,
    /// A request is being worked on.
    Request,
    /// HTTP/2 with requests in flight.
    Frames,
    /// HTTP/2 without, since then; answers to pings do not count.
    FramesIdle,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, in_flight: InFlight, limits: &Limits) -> Self {
        Self {
            stream,
            in_flight,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            write_timeout: limits.body_timeout,
            reading: Reading::Fresh,
            read_timer: Box::pin(tokio::time::sleep(limits.header_timeout)),
            write_timer: Box::pin(tokio::time::sleep(limits.body_timeout)),
            write_stalled: false,
        }
    }

    /// Notes what arrived, and what the clock must watch from now on.
    fn arrived(&mut self, bytes: &[u8]) {
        match self.reading {
            Reading::Fresh if bytes.starts_with(b"PRI") => self.reading = Reading::Frames,
            // The clock that started with the connection goes on.
            Reading::Fresh => self.reading = Reading::Head,
            Reading::Idle => self.watch(Reading::Head, self.header_timeout),
            Reading::Head | Reading::Request | Reading::Frames | Reading::FramesIdle => {}
        }
    }

    fn watch(&mut self, reading: Reading, timeout: Duration) {
        self.reading = reading;
        self.read_timer.as_mut().reset(Instant::now() + timeout);
    }

    /// Ready with an error when the client has kept us waiting for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.in_flight.any() {
            self.reading = match self.reading {
                Reading::Frames | Reading::FramesIdle => Reading::Frames,
                Reading::Fresh | Reading::Idle | Reading::Head | Reading::Request => {
                    Reading::Request
                }
            };
            return Poll::Pending;
        }
        match self.reading {
            Reading::Request => self.watch(Reading::Idle, self.idle_timeout),
            Reading::Frames => self.watch(Reading::FramesIdle, self.idle_timeout),
            Reading::Fresh | Reading::Idle | Reading::Head | Reading::FramesIdle => {}
        }
        ready!(self.read_timer.as_mut().poll(cx));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client sent no request in time",
        ))
    }

    /// Passes a write on, and fails when writes have been stuck for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_stalled = false;
            return outcome;
        }
        if !self.write_stalled {
            self.write_stalled = true;
            self.write_timer
                .as_mut()
                .reset(Instant::now() + self.write_timeout);
        }
        ready!(self.write_timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no response",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(outcome) => {
                this.arrived(buffer.filled().get(before..).unwrap_or_default());
                Poll::Ready(outcome)
            }
            Poll::Pending => this.poll_patience(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
