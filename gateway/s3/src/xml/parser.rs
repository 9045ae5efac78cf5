//! Reads a document element by element.
//!
//! Nothing is built but what the caller asks for, and nothing is expanded but
//! the five entities of XML itself, so a document costs no more than its length.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::{Code, Error};

pub(super) struct Parser<'a> {
    reader: Reader<&'a [u8]>,
}

impl<'a> Parser<'a> {
    /// Opens a document whose outermost element has this name, in any namespace.
    pub(super) fn open(body: &'a [u8], root: &str, len_max: usize) -> Result<Self, Error> {
        if body.len() > len_max {
            return Err(Error::new(Code::MaxMessageLengthExceeded)
                .with("MaxMessageLengthBytes", len_max.to_string()));
        }
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        let mut parser = Self { reader };
        match parser.child()? {
            Some(name) if name == root => Ok(parser),
            _ => Err(malformed()),
        }
    }

    /// Opens the next element within the current one and says its name; `None`
    /// once the current one has ended.
    pub(super) fn child(&mut self) -> Result<Option<String>, Error> {
        loop {
            match self.event()? {
                Event::Start(start) => {
                    let name = start.local_name();
                    return Ok(Some(name.as_ref().to_owned()));
                }
                Event::End(_) => return Ok(None),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.xml10_content().trim().is_empty() => {}
                _ => return Err(malformed()),
            }
        }
    }

    /// The text of the current element, which must hold nothing else.
    pub(super) fn text(&mut self) -> Result<String, Error> {
        let mut all = String::new();
        loop {
            match self.event()? {
                Event::Text(text) => all.push_str(&text.xml10_content()),
                Event::CData(text) => all.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        Ok(None) => match &*reference.xml10_content() {
                            "lt" => '<',
                            "gt" => '>',
                            "amp" => '&',
                            "apos" => '\'',
                            "quot" => '"',
                            _ => return Err(malformed()),
                        },
                        Err(_) => return Err(malformed()),
                    };
                    all.push(character);
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::End(_) => return Ok(all),
                _ => return Err(malformed()),
            }
        }
    }

    /// Makes sure that nothing follows the outermost element.
    pub(super) fn close(mut self) -> Result<(), Error> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Text(text) if text.xml10_content().trim().is_empty() => {}
                _ => return Err(malformed()),
            }
        }
    }

    fn event(&mut self) -> Result<Event<'a>, Error> {
        self.reader.read_event().map_err(|_| malformed())
    }
}

pub(super) fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}
