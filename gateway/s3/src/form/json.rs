//! JSON as S3 reads it in the policy of a form: with two escapes more, `\$` and
//! `\v`, which its documentation tells people to write.

use std::iter::Peekable;
use std::str::Chars;

/// How deep lists and objects lie in each other.
const DEPTH_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    /// `null`, `true` or `false`.
    Word,
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order in which they are written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Nothing where it is not one value of JSON and no more. The text is bounded
    /// by whoever has it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader {
            rest: text.chars().peekable(),
        };
        let value = reader.value(0)?;
        reader.skip();
        reader.rest.peek().is_none().then_some(value)
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn skip(&mut self) {
        let is_space = |next: &char| matches!(next, ' ' | '\t' | '\r' | '\n');
        while self.rest.next_if(is_space).is_some() {}
    }

    /// Whether this comes next; then it is behind us.
    fn comes(&mut self, expected: char) -> bool {
        self.skip();
        self.rest.next_if_eq(&expected).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.skip();
        match self.rest.peek()? {
            '"' => self.text().map(Json::Text),
            '[' if depth < DEPTH_MAX => self.list(depth.saturating_add(1)),
            '{' if depth < DEPTH_MAX => self.object(depth.saturating_add(1)),
            '-' | '0'..='9' => self.number(),
            _ => self.word(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.rest.next();
        let mut list = Vec::new();
        if self.comes(']') {
            return Some(Json::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            if self.comes(']') {
                return Some(Json::List(list));
            }
            self.comes(',').then_some(())?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.rest.next();
        let mut object = Vec::new();
        if self.comes('}') {
            return Some(Json::Object(object));
        }
        loop {
            self.skip();
            let name = self.text()?;
            self.comes(':').then_some(())?;
            object.push((name, self.value(depth)?));
            if self.comes('}') {
                return Some(Json::Object(object));
            }
            self.comes(',').then_some(())?;
        }
    }

    fn word(&mut self) -> Option<Json> {
        let mut word = String::new();
        while let Some(letter) = self.rest.next_if(char::is_ascii_lowercase) {
            word.push(letter);
        }
        matches!(word.as_str(), "null" | "true" | "false").then_some(Json::Word)
    }

    fn number(&mut self) -> Option<Json> {
        let mut number = String::new();
        let is_part = |next: &char| next.is_ascii_digit() || "+-.eE".contains(*next);
        while let Some(part) = self.rest.next_if(is_part) {
            number.push(part);
        }
        // What is a number to Rust is one to JSON, but for how it may begin and end.
        let digits = number.strip_prefix('-').unwrap_or(&number);
        let begins = match digits.as_bytes() {
            [b'0', b'0'..=b'9', ..] => false,
            [b'0'..=b'9', ..] => true,
            _ => false,
        };
        let valid = begins && !digits.ends_with('.') && number.parse::<f64>().is_ok();
        valid.then_some(Json::Number(number))
    }

    fn text(&mut self) -> Option<String> {
        self.rest.next_if_eq(&'"')?;
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..' ' => return None,
                character => text.push(character),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.rest.next()? {
            literal @ ('"' | '\\' | '/' | '$') => literal,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => {
                let first = self.code_unit()?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) {
                    self.rest.next_if_eq(&'\\')?;
                    self.rest.next_if_eq(&'u')?;
                    units.push(self.code_unit()?);
                }
                char::decode_utf16(units).next()?.ok()?
            }
            _ => return None,
        })
    }

    fn code_unit(&mut self) -> Option<u16> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = self.rest.next()?.to_digit(16)?;
            unit = unit << 4 | u16::try_from(digit).ok()?;
        }
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_strictly_but_for_two_escapes() {
        let check = |text: &str, expected: Option<Json>| {
            assert_eq!(Json::parse(text), expected, "{text}");
        };
        let text = |text: &str| Some(Json::Text(text.to_owned()));
        let number = |text: &str| Some(Json::Number(text.to_owned()));
        check(" null\n", Some(Json::Word));
        check(
            "[true, false]",
            Some(Json::List(vec![Json::Word, Json::Word])),
        );
        check("[]", Some(Json::List(Vec::new())));
        check("{ }", Some(Json::Object(Vec::new())));
        check(
            "{\"a\":1,\"a\":[-2.5e3]}",
            Some(Json::Object(vec![
                ("a".to_owned(), Json::Number("1".to_owned())),
                (
                    "a".to_owned(),
                    Json::List(vec![Json::Number("-2.5e3".to_owned())]),
                ),
            ])),
        );
        check(r#""a\"\\\/\b\f\n\r\tä""#, text("a\"\\/\u{8}\u{c}\n\r\tä"));
        check(r#""\$\v""#, text("$\u{b}"));
        check(r#""\u00e4\ud83d\ude00""#, text("ä\u{1f600}"));
        check("0", number("0"));
        check("1E+2", number("1E+2"));
        for wrong in [
            "",
            " ",
            "nul",
            "nulll",
            "True",
            "1 2",
            "[1,]",
            "[,]",
            "[1",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ude00\"",
            "'a'",
            "01",
            "-",
            "1.",
            ".1",
            "+1",
            "1e",
            "--1",
            "\u{feff}1",
        ] {
            check(wrong, None);
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(DEPTH_MAX)).is_some());
        assert!(Json::parse(&nested(DEPTH_MAX + 1)).is_none());
    }
}
