//! What stands in braces: `{b}` is the bucket of the case, and `{name}` a text of
//! its file or something that was kept. `{md5}` and `{crc32}`, `{crc32c}`,
//! `{crc64nvme}`, `{sha1}`, `{sha256}` are those of the body of this request;
//! `{md5:text}` and the like those of a text, `{etag:text}` is the ETag of an object
//! of this content, and `{k*1025}` is a text so many times. `${…}` is left alone.

use std::collections::BTreeMap;

use sluice_tests::{checksum, encode, md5, md5_hex};

#[derive(Debug, Clone)]
pub(crate) struct Variables(pub(crate) BTreeMap<String, String>);

impl Variables {
    /// Replaces what stands in braces, and again in what that stands for.
    pub(crate) fn fill(&self, text: &str, body: &[u8]) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let name = after.split_once('}');
            let known = name.filter(|(name, _)| {
                !before.ends_with('$') && !name.is_empty() && !name.contains(['"', '{', '\n'])
            });
            match known {
                Some((name, after)) => {
                    filled.push_str(&self.value(name, body)?);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str, body: &[u8]) -> Result<String, String> {
        if let Some(value) = self.0.get(name) {
            // A text of the file may name others; nothing can name itself, or what was kept.
            return self.without(name).fill(value, body);
        }
        if let Some((text, times)) = name.rsplit_once('*') {
            let times = times
                .parse()
                .map_err(|_| format!("`{times}` is no number"))?;
            return Ok(text.repeat(times));
        }
        let (function, of) = match name.split_once(':') {
            Some((function, text)) => (function, text.as_bytes()),
            None => (name, body),
        };
        Ok(match function {
            "md5" => md5(of),
            "etag" => format!("\"{}\"", md5_hex(of)),
            "md5hex" => md5_hex(of),
            "crc32" | "crc32c" | "crc64nvme" | "sha1" | "sha256" => checksum(function, of),
            "url" => encode(&self.value(&String::from_utf8_lossy(of), body)?),
            _ => return Err(format!("nothing is called `{name}`")),
        })
    }

    fn without(&self, name: &str) -> Self {
        let mut others = self.0.clone();
        others.remove(name);
        Self(others)
    }
}
