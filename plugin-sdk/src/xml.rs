//! A reader of small XML documents, as the sub-resources of S3 have them: just
//! elements and text. It allocates only for text that needs unescaping, checks
//! that tags match, and bounds the depth; a document with a DTD, or that is not
//! well formed, is refused. Namespace prefixes are dropped.

use std::borrow::Cow;

/// Deeper documents are refused.
pub const DEPTH_MAX: usize = 16;

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// `<Name ..>`, also of an empty element, which an [`Event::End`] follows.
    Start(Tag<'a>),
    /// The end of the document.
    End,
    /// What stands between two tags, unescaped; never only white space.
    Text(Cow<'a, str>),
}

/// The start of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Without its prefix.
    pub name: &'a str,
    attributes: &'a str,
}

/// The document is not well formed, too deep, or not what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads a document from front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a str,
    /// The open elements with their prefixes.
    open: Vec<&'a str>,
    /// An empty element was started and has not been ended.
    empty: bool,
    rooted: bool,
}

impl<'a> Reader<'a> {
    /// Begins to read a document.
    pub fn new(document: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(document).map_err(|_| Malformed)?;
        Ok(Self {
            rest: text.strip_prefix('\u{feff}').unwrap_or(text),
            open: Vec::new(),
            empty: false,
            rooted: false,
        })
    }

    /// The next piece; nothing after the end of the document.
    pub fn event(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        if self.empty {
            self.empty = false;
            self.open.pop();
            return Ok(Some(Event::End));
        }
        loop {
            if self.rest.is_empty() {
                let whole = self.rooted && self.open.is_empty();
                return if whole { Ok(None) } else { Err(Malformed) };
            }
            let Some(markup) = self.rest.strip_prefix('<') else {
                let len = self.rest.find('<').unwrap_or(self.rest.len());
                let text = self.take(len);
                if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                    continue;
                }
                if self.open.is_empty() {
                    return Err(Malformed);
                }
                return Ok(Some(Event::Text(unescape(text)?)));
            };
            if let Some(comment) = markup.strip_prefix("!--") {
                self.rest = after(comment, "-->")?;
            } else if let Some(data) = markup.strip_prefix("![CDATA[") {
                let end = data.find("]]>").ok_or(Malformed)?;
                self.rest = after(data, "]]>")?;
                if self.open.is_empty() {
                    return Err(Malformed);
                }
                return Ok(Some(Event::Text(Cow::Borrowed(
                    data.get(..end).ok_or(Malformed)?,
                ))));
            } else if let Some(instruction) = markup.strip_prefix('?') {
                self.rest = after(instruction, "?>")?;
            } else if let Some(end) = markup.strip_prefix('/') {
                self.rest = end;
                return self.end().map(Some);
            } else {
                self.rest = markup;
                return self.start().map(Some);
            }
        }
    }

    /// The start of the root element, which must have this name.
    pub fn root(&mut self, name: &str) -> Result<Tag<'a>, Malformed> {
        match self.event()? {
            Some(Event::Start(tag)) if tag.name == name => Ok(tag),
            _ => Err(Malformed),
        }
    }

    /// The start of the next child of the element that was started last, or
    /// nothing where that ends. Text between children is refused.
    pub fn child(&mut self) -> Result<Option<Tag<'a>>, Malformed> {
        match self.event()? {
            Some(Event::Start(tag)) => Ok(Some(tag)),
            Some(Event::End) => Ok(None),
            Some(Event::Text(_)) | None => Err(Malformed),
        }
    }

    /// The text of the element that was started last, up to its end.
    pub fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let mut whole = Cow::Borrowed("");
        loop {
            match self.event()? {
                Some(Event::Text(part)) if whole.is_empty() => whole = part,
                Some(Event::Text(part)) => whole.to_mut().push_str(&part),
                Some(Event::End) => return Ok(whole),
                Some(Event::Start(_)) | None => return Err(Malformed),
            }
        }
    }

    /// Passes over the element that was started last.
    pub fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 1;
        while depth > 0 {
            match self.event()? {
                Some(Event::Start(_)) => depth += 1,
                Some(Event::End) => depth -= 1,
                Some(Event::Text(_)) => {}
                None => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// The end of the document, after its root element has ended.
    pub fn finish(mut self) -> Result<(), Malformed> {
        match self.event()? {
            None => Ok(()),
            Some(_) => Err(Malformed),
        }
    }

    fn start(&mut self) -> Result<Event<'a>, Malformed> {
        if self.open.len() >= DEPTH_MAX || (self.rooted && self.open.is_empty()) {
            return Err(Malformed);
        }
        // A `>` may stand in the value of an attribute.
        let mut quote = None;
        let len = self
            .rest
            .bytes()
            .position(|byte| match (quote, byte) {
                (None, b'"' | b'\'') => {
                    quote = Some(byte);
                    false
                }
                (Some(open), byte) if open == byte => {
                    quote = None;
                    false
                }
                (None, b'>') => true,
                _ => false,
            })
            .ok_or(Malformed)?;
        let tag = self.take(len);
        self.rest = self.rest.get(1..).ok_or(Malformed)?;
        let (tag, empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let end = tag
            .find(|char: char| char.is_ascii_whitespace())
            .unwrap_or(tag.len());
        let (name, attributes) = tag.split_at_checked(end).ok_or(Malformed)?;
        if !is_name(name) {
            return Err(Malformed);
        }
        self.open.push(name);
        self.empty = empty;
        self.rooted = true;
        Ok(Event::Start(Tag {
            name: local(name),
            attributes,
        }))
    }

    fn end(&mut self) -> Result<Event<'a>, Malformed> {
        let len = self.rest.find('>').ok_or(Malformed)?;
        let name = self
            .take(len)
            .trim_end_matches(|char: char| char.is_ascii_whitespace());
        self.rest = self.rest.get(1..).ok_or(Malformed)?;
        if self.open.pop() == Some(name) {
            Ok(Event::End)
        } else {
            Err(Malformed)
        }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

impl<'a> Tag<'a> {
    /// The value of an attribute, by its name without a prefix.
    pub fn attribute(&self, name: &str) -> Result<Option<Cow<'a, str>>, Malformed> {
        let mut rest = self.attributes.trim_ascii();
        while !rest.is_empty() {
            let (key, value) = rest.split_once('=').ok_or(Malformed)?;
            let value = value.trim_ascii_start();
            let quote = value
                .bytes()
                .next()
                .filter(|byte| matches!(byte, b'"' | b'\''));
            let quote = char::from(quote.ok_or(Malformed)?);
            let value = value.get(1..).ok_or(Malformed)?;
            let (value, more) = value.split_once(quote).ok_or(Malformed)?;
            if local(key.trim_ascii()) == name {
                return unescape(value).map(Some);
            }
            rest = more.trim_ascii_start();
        }
        Ok(None)
    }
}

/// Text as it may stand in an element or an attribute. Characters that XML does
/// not have become the replacement character.
pub fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            char if is_char(char) => out.push(char),
            _ => out.push('\u{fffd}'),
        }
    }
}

fn unescape(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let Some(first) = text.find('&') else {
        return Ok(Cow::Borrowed(text));
    };
    let (plain, mut rest) = text.split_at_checked(first).ok_or(Malformed)?;
    let mut whole = String::with_capacity(text.len());
    whole.push_str(plain);
    while let Some(reference) = rest.strip_prefix('&') {
        let (name, more) = reference.split_once(';').ok_or(Malformed)?;
        whole.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => numeric(name)?,
        });
        let plain = more.find('&').unwrap_or(more.len());
        let (plain, more) = more.split_at_checked(plain).ok_or(Malformed)?;
        whole.push_str(plain);
        rest = more;
    }
    Ok(Cow::Owned(whole))
}

fn numeric(name: &str) -> Result<char, Malformed> {
    let digits = name.strip_prefix('#').ok_or(Malformed)?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed);
    }
    let number = u32::from_str_radix(digits, radix).map_err(|_| Malformed)?;
    char::from_u32(number)
        .filter(|char| is_char(*char))
        .ok_or(Malformed)
}

/// Whether XML 1.0 has the character.
fn is_char(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii())
        && !name
            .bytes()
            .any(|byte| matches!(byte, b'<' | b'&' | b'"' | b'\'' | b'=' | b'/'))
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn after<'a>(text: &'a str, end: &str) -> Result<&'a str, Malformed> {
    text.split_once(end).map(|(_, rest)| rest).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Result<String, Malformed> {
        let mut reader = Reader::new(document.as_bytes())?;
        let mut seen = String::new();
        while let Some(event) = reader.event()? {
            match event {
                Event::Start(tag) => {
                    seen.push('(');
                    seen.push_str(tag.name);
                    seen.push(' ');
                }
                Event::End => seen.push(')'),
                Event::Text(text) => seen.push_str(&text),
            }
        }
        Ok(seen)
    }

    #[test]
    fn well_formed_documents_are_read() {
        let check = |document: &str, expected: &str| {
            assert_eq!(read(document).as_deref(), Ok(expected), "{document}");
        };
        check("<a/>", "(a )");
        check("<a></a >", "(a )");
        check(
            "<?xml version=\"1.0\"?>\n<a>\n <b>c</b>\n</a>\n",
            "(a (b c))",
        );
        check("<x:a xmlns:x='u>v'><x:b /></x:a>", "(a (b ))");
        check("<a><!-- <b> --></a>", "(a )");
        check("<a>1<!-- 2 -->3</a>", "(a 13)");
        check("<a><![CDATA[<&]]></a>", "(a <&)");
        check(
            "<a>&lt;&#65;&#x42;&amp;amp;&quot;&apos;</a>",
            "(a <AB&amp;\"')",
        );
        check("\u{feff}<a>ä</a>", "(a ä)");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let check = |document: &str| assert_eq!(read(document), Err(Malformed), "{document}");
        check("");
        check("text");
        check("<a>");
        check("<a></b>");
        check("<a></a></a>");
        check("<a/><b/>");
        check("<a/>text");
        check("<a");
        check("<>");
        check("< a/>");
        check("<a b='></a>");
        check("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>");
        check("<a>&b;</a>");
        check("<a>&</a>");
        check("<a>&#0;</a>");
        check("<a>&#xd800;</a>");
        check("<a>&#+65;</a>");
        check("<a>&#99999999999;</a>");
        check("<a><!-- </a>");
        check("<a><![CDATA[ </a>");
        check(&"<a>".repeat(100_000));
        assert_eq!(Reader::new(b"<a>\xff</a>").err(), Some(Malformed));
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(DEPTH_MAX + 1)).is_err());
    }

    #[test]
    fn attributes_are_found_without_their_prefix() {
        let check = |tag: &str, expected: Result<Option<&str>, Malformed>| {
            let mut reader = Reader::new(tag.as_bytes()).unwrap();
            let value = reader.root("a").and_then(|tag| tag.attribute("type"));
            assert_eq!(
                value,
                expected.map(|value| value.map(Cow::Borrowed)),
                "{tag}"
            );
        };
        check("<a/>", Ok(None));
        check("<a type='b'/>", Ok(Some("b")));
        check("<a xmlns:x=\"y\" x:type = \"b&amp;c\" />", Ok(Some("b&c")));
        check("<a other='type=\"b\"'/>", Ok(None));
        check("<a type/>", Err(Malformed));
        check("<a type=b/>", Err(Malformed));
    }

    #[test]
    fn escaped_text_reads_back() {
        let mut document = String::from("<a>");
        escape("<a href=\"b\">&amp;\r\n</a>", &mut document);
        document.push_str("</a>");
        assert_eq!(
            read(&document).as_deref(),
            Ok("(a <a href=\"b\">&amp;\r\n</a>)")
        );
        let mut escaped = String::new();
        escape("\u{1}x\u{ffff}", &mut escaped);
        assert_eq!(escaped, "\u{fffd}x\u{fffd}");
    }
}
