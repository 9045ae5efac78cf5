//! A connection that is dropped when it makes no progress.
//!
//! Three clocks: an idle connection, the head of a request that does not
//! arrive whole, and a response that the client does not take. A request body
//! that stalls is watched where it is read, because while a request is being
//! worked on nothing needs to arrive.
//!
//! This is also where hyper's own refusals pass, see [`refusal`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::in_flight::InFlight;
use super::{Limits, refusal};

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
    /// How many requests have been answered whole, and all of it written.
    answered: usize,
    /// What is sent in place of hyper's refusal, and how much of it was sent.
    refusal: Option<(Vec<u8>, usize)>,
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
            answered: 0,
            refusal: None,
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
            return match self.reading {
                Reading::Frames | Reading::FramesIdle => {
                    self.reading = Reading::Frames;
                    self.poll_taken(cx)
                }
                // A response that is not taken is seen where it is written.
                Reading::Fresh | Reading::Idle | Reading::Head | Reading::Request => {
                    self.reading = Reading::Request;
                    Poll::Pending
                }
            };
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

    /// Ready with an error when responses wait over HTTP/2 and the client grants
    /// none of them any room: nothing is written then that could get stuck.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(moved) = self.in_flight.last_moved() else {
            return Poll::Pending;
        };
        self.read_timer.as_mut().reset(moved + self.write_timeout);
        ready!(self.read_timer.as_mut().poll(cx));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no response",
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

impl<S: AsyncWrite + Unpin> Patient<S> {
    /// Writes our refusal in place of the one that hyper is about to write, if
    /// it is. `None` where the bytes are an answer of ours.
    fn poll_refuse(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        length: usize,
    ) -> Option<Poll<io::Result<usize>>> {
        // What is written while every request that began has its answer is hyper's own.
        if self.refusal.is_none() && self.answered == self.in_flight.begun() {
            self.refusal = refusal::in_place_of(first).map(|refusal| (refusal, 0));
        }
        let (refusal, sent) = self.refusal.as_mut()?;
        while let Some(rest) = refusal.get(*sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(written)) => *sent += written,
                stuck => return Some(self.written(cx, stuck)),
            }
        }
        Some(Poll::Ready(Ok(length)))
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
        if let Some(refused) = self.poll_refuse(cx, bytes, bytes.len()) {
            return refused;
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        if outcome.is_ready() && !self.in_flight.any() {
            self.answered = self.in_flight.begun();
        }
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
        let first = slices.iter().find(|slice| !slice.is_empty());
        let length = slices.iter().map(|slice| slice.len()).sum();
        if let Some(refused) = first.and_then(|first| self.poll_refuse(cx, first, length)) {
            return refused;
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
