//! `multipart/form-data` as it comes off the wire, taken apart piece by piece.
//!
//! Content is handed on as it comes, without copying it; held back is only what
//! may yet turn out to be a boundary. So it makes no difference where the body
//! is cut into frames. What is not exactly as RFC 7578 and RFC 2046 have it is
//! refused: nobody may take a part for something else than we do.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::malformed;
use super::part::Part;
use crate::error::Error;

/// The head of one part, in bytes.
pub(super) const HEADERS_LEN_MAX: usize = 8 * 1024;

/// The white space behind a boundary, in bytes.
const PADDING_LEN_MAX: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins, and the one before it has ended.
    Part(Part),
    /// Some of what is in the part.
    Content(Bytes),
    /// Behind the last part. Nothing that follows means anything.
    End,
}

pub(super) struct Multipart {
    /// What ends a part: a line break, `--` and the boundary.
    delimiter: memmem::Finder<'static>,
    held: Bytes,
    state: State,
    consumed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// Right behind a boundary.
    Delimited,
    Headers,
    Content,
    Epilogue,
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("state", &self.state)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Multipart {
    pub(super) fn new(boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}");
        Self {
            delimiter: memmem::Finder::new(&delimiter).into_owned(),
            // The first boundary may stand at the very beginning.
            held: Bytes::from_static(b"\r\n"),
            state: State::Preamble,
            consumed: 0,
        }
    }

    /// How much of the body has been understood, and handed out or skipped.
    pub(super) fn consumed(&self) -> u64 {
        // Without the line break that was there before anything came.
        self.consumed.saturating_sub(2)
    }

    pub(super) fn push(&mut self, frame: Bytes) {
        if self.held.is_empty() {
            self.held = frame;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.held.len().saturating_add(frame.len()));
        joined.extend_from_slice(&self.held);
        joined.extend_from_slice(&frame);
        self.held = joined.freeze();
    }

    /// What comes next, or nothing where more of the body must come first.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.state {
                State::Preamble => {
                    let skipped = self.content();
                    if skipped.is_empty() && self.state == State::Preamble {
                        return Ok(None);
                    }
                }
                State::Content => {
                    let content = self.content();
                    if !content.is_empty() {
                        return Ok(Some(Event::Content(content)));
                    }
                    if self.state == State::Content {
                        return Ok(None);
                    }
                }
                State::Delimited => match self.delimited()? {
                    Some(State::Epilogue) => return Ok(Some(Event::End)),
                    Some(_) => {}
                    None => return Ok(None),
                },
                State::Headers => return Ok(self.headers()?.map(Event::Part)),
                State::Epilogue => {
                    self.take(self.held.len());
                    return Ok(None);
                }
            }
        }
    }

    fn take(&mut self, len: usize) -> Bytes {
        self.consumed = self.consumed.saturating_add(len as u64);
        self.held.split_to(len.min(self.held.len()))
    }

    fn enter(&mut self, state: State) -> Option<State> {
        self.state = state;
        Some(state)
    }

    /// What is certainly not part of a boundary; where there is no such thing,
    /// the boundary is passed.
    fn content(&mut self) -> Bytes {
        let delimiter = self.delimiter.needle().len();
        match self.delimiter.find(&self.held) {
            Some(0) => {
                self.take(delimiter);
                self.enter(State::Delimited);
                Bytes::new()
            }
            Some(at) => self.take(at),
            None => self.take(self.held.len().saturating_sub(self.begun())),
        }
    }

    /// How much of what is held, at its end, is the beginning of a boundary.
    fn begun(&self) -> usize {
        let delimiter = self.delimiter.needle();
        let longest = self.held.len().min(delimiter.len().saturating_sub(1));
        let begins = |len: &usize| {
            let (end, beginning) = (self.held.len().checked_sub(*len), delimiter.get(..*len));
            end.and_then(|end| self.held.get(end..)) == beginning
        };
        (1..=longest).rev().find(begins).unwrap_or(0)
    }

    /// Behind the boundary stands the end of its line, or the mark of the last one.
    fn delimited(&mut self) -> Result<Option<State>, Error> {
        let is_padding = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let padding = self.held.iter().take_while(is_padding).count();
        if padding > PADDING_LEN_MAX {
            return Err(malformed(
                "There is too much white space behind a boundary.",
            ));
        }
        match self.held.get(padding..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                self.take(padding.saturating_add(2));
                Ok(self.enter(State::Headers))
            }
            [b'-', b'-', ..] if padding == 0 => {
                self.take(2);
                Ok(self.enter(State::Epilogue))
            }
            [] | [b'\r'] => Ok(None),
            [b'-'] if padding == 0 => Ok(None),
            _ => Err(malformed("There is something behind a boundary.")),
        }
    }

    fn headers(&mut self) -> Result<Option<Part>, Error> {
        let end = memmem::find(&self.held, b"\r\n\r\n");
        if end.unwrap_or(self.held.len()) > HEADERS_LEN_MAX {
            return Err(malformed("The headers of a part are too long."));
        }
        let Some(end) = end else { return Ok(None) };
        let part = Part::parse(&self.take(end))?;
        self.take(4);
        self.enter(State::Content);
        Ok(Some(part))
    }
}
