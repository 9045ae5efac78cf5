//! The forms that browsers upload with: PostObject.
//!
//! What other writes say in their path and their headers, a form says in fields,
//! and the file is the last of them. So [`Reader`] reads the fields first; what
//! they say becomes a [`Head`] like any other, but for the [`Form`] in it, and
//! the same stages decide on it. Only then is the [`File`] read.

mod fields;
mod json;
mod multipart;
mod part;
mod policy;
mod success;

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use crate::error::{Code, Error};
use crate::head::Head;
use crate::payload::{self, Payload};

pub use fields::Form;
pub use success::Success;

use multipart::{Event, Multipart};

/// All that stands before the file, in bytes, as it is sent and as it is meant.
const FIELDS_LEN_MAX: u64 = 20 * 1024;

/// All that stands behind the file, in bytes. Nobody reads it.
const REST_LEN_MAX: u64 = 64 * 1024;

/// All of it, in bytes.
const FORM_LEN_MAX: u64 = FIELDS_LEN_MAX + Payload::CONTENT_LEN_MAX + REST_LEN_MAX;

/// A form up to its file.
#[derive(Debug)]
pub struct Reader {
    parts: Multipart,
    fields: Vec<(String, Vec<u8>)>,
}

/// How far a form is read.
#[derive(Debug)]
pub enum Progress {
    /// More of the body must come.
    Fields(Reader),
    /// All fields are known, and the file is what comes next.
    File(Form, File),
}

impl Reader {
    /// Begins to read the body of a request, if it is a form.
    pub fn new(head: &Head) -> Result<Self, Error> {
        let content_type = head.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let boundary = part::boundary(content_type).ok_or(Code::RequestIsNotMultiPartContent)??;
        fields::check_headers(head)?;
        if let Some(length) = payload::content_length(head)?
            && length > FORM_LEN_MAX
        {
            return Err(payload::too_large(length, FORM_LEN_MAX));
        }
        Ok(Self {
            parts: Multipart::new(&boundary),
            fields: Vec::new(),
        })
    }

    pub fn push(mut self, frame: Bytes) -> Result<Progress, Error> {
        self.parts.push(frame);
        loop {
            match self.parts.next()? {
                None => {
                    self.check_len()?;
                    return Ok(Progress::Fields(self));
                }
                Some(Event::Part(part)) if part.name.eq_ignore_ascii_case("file") => {
                    let filename = part.filename.as_deref().unwrap_or_default();
                    let form = Form::new(fields::texts(self.fields)?, filename)?;
                    return Ok(Progress::File(form, File::new(self.parts)));
                }
                // Whoever sends two files means both.
                Some(Event::Part(part)) if part.filename.is_some() => {
                    return Err(Code::IncorrectNumberOfFilesInPostRequest.into());
                }
                Some(Event::Part(part)) => self.fields.push((part.name, Vec::new())),
                Some(Event::Content(bytes)) => {
                    if let Some((_, value)) = self.fields.last_mut() {
                        value.extend_from_slice(&bytes);
                    }
                }
                Some(Event::End) => return Err(Code::IncorrectNumberOfFilesInPostRequest.into()),
            }
            self.check_len()?;
        }
    }

    fn check_len(&self) -> Result<(), Error> {
        if self.parts.consumed() > FIELDS_LEN_MAX {
            return Err(fields_too_long());
        }
        Ok(())
    }

    /// The refusal of a body that ended before a file came.
    pub fn ended(self) -> Error {
        ended()
    }
}

/// The file of a form, while it is read.
#[derive(Debug)]
pub struct File {
    parts: Multipart,
    /// How much had been read when the file ended.
    ended_at: Option<u64>,
    has_ended: bool,
}

impl File {
    fn new(parts: Multipart) -> Self {
        Self {
            parts,
            ended_at: None,
            has_ended: false,
        }
    }

    /// Takes a piece of the body.
    pub fn push(&mut self, frame: Bytes) {
        self.parts.push(frame);
    }

    /// The next piece of the file, or nothing where more of the body must come.
    pub fn content(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(event) = self.parts.next()? {
            match event {
                Event::Content(bytes) if self.ended_at.is_none() => return Ok(Some(bytes)),
                Event::Content(_) => {}
                Event::End => {
                    self.ended_at.get_or_insert(self.parts.consumed());
                    self.has_ended = true;
                }
                Event::Part(part) => {
                    self.ended_at.get_or_insert(self.parts.consumed());
                    // Fields behind the file mean nothing, but a file is a file.
                    if part.name.eq_ignore_ascii_case("file") || part.filename.is_some() {
                        return Err(Code::IncorrectNumberOfFilesInPostRequest.into());
                    }
                }
            }
            self.check_rest()?;
        }
        self.check_rest()?;
        Ok(None)
    }

    fn check_rest(&self) -> Result<(), Error> {
        let rest = self
            .ended_at
            .map_or(0, |ended_at| self.parts.consumed().saturating_sub(ended_at));
        if rest > REST_LEN_MAX {
            return Err(malformed("There is too much behind the file."));
        }
        Ok(())
    }

    /// Says whether the form came to its end, when the body did.
    pub fn finish(&self) -> Result<(), Error> {
        if self.has_ended { Ok(()) } else { Err(ended()) }
    }
}

fn fields_too_long() -> Error {
    Error::new(Code::MaxPostPreDataLengthExceededError)
        .with("MaxPostPreDataLengthBytes", FIELDS_LEN_MAX.to_string())
}

fn ended() -> Error {
    malformed("The body ends before the form does.")
}

fn malformed(what: &'static str) -> Error {
    Error::new(Code::MalformedPOSTRequest).because(format!(
        "The body of your POST request is not well-formed multipart/form-data. {what}"
    ))
}

#[cfg(test)]
mod tests;
