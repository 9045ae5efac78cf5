//! A reader of XML that takes what the gateway may write, and nothing else:
//! elements, attributes and text, well-formed. A second opinion, as small as it
//! can be.

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let mut rest = document;
        if let Some(declared) = rest.strip_prefix("<?xml ") {
            rest = declared.split_once("?>").ok_or("an endless declaration")?.1;
        }
        let (root, rest) = element(rest.trim_start())?;
        match rest.trim() {
            "" => Ok(root),
            more => Err(format!("more than one document: {more}")),
        }
    }

    /// The texts that a path leads to, such as `Contents/Key` or `Grantee/@type`;
    /// `.` leads to this element.
    pub(crate) fn at(&self, path: &str) -> Vec<String> {
        if path == "." {
            return vec![self.text.clone()];
        }
        let (first, rest) = match path.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        if let Some(name) = first.strip_prefix('@') {
            let named = self
                .attributes
                .iter()
                .filter(|(known, _)| local(known) == name);
            return named.map(|(_, value)| value.clone()).collect();
        }
        let children = self
            .children
            .iter()
            .filter(|child| local(&child.name) == first);
        match rest {
            None => children.map(|child| child.text.clone()).collect(),
            Some(rest) => children.flat_map(|child| child.at(rest)).collect(),
        }
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn element(text: &str) -> Result<(Element, &str), String> {
    let inside = text
        .strip_prefix('<')
        .ok_or_else(|| excerpt("no element", text))?;
    let (tag, mut rest) = inside
        .split_once('>')
        .ok_or_else(|| excerpt("no end of a tag", text))?;
    let (tag, empty) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let name_is_one = name.chars().next().is_some_and(char::is_alphabetic)
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.:".contains(c));
    if !name_is_one {
        return Err(excerpt("no name", text));
    }
    let mut found = Element {
        name: name.to_owned(),
        attributes: self::attributes(attributes)?,
        ..Element::default()
    };
    if empty {
        return Ok((found, rest));
    }
    loop {
        let (text, tag) = rest.split_at(rest.find('<').ok_or_else(|| excerpt("no end of", name))?);
        found.text.push_str(&unescape(text)?);
        if let Some(end) = tag.strip_prefix("</") {
            let (ended, after) = end
                .split_once('>')
                .ok_or_else(|| excerpt("no end of a tag", end))?;
            if ended != name {
                return Err(format!("{name} ends as {ended}"));
            }
            return Ok((found, after));
        }
        let (child, after) = element(tag)?;
        found.children.push(child);
        rest = after;
    }
}

fn attributes(mut text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    loop {
        text = text.trim();
        if text.is_empty() {
            return Ok(found);
        }
        let (name, rest) = text
            .split_once("=\"")
            .ok_or_else(|| excerpt("no attribute", text))?;
        let (value, rest) = rest
            .split_once('"')
            .ok_or_else(|| excerpt("no end of", name))?;
        found.push((name.to_owned(), unescape(value)?));
        text = rest;
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part
            .split_once(';')
            .ok_or_else(|| excerpt("a bare &", text))?;
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => reference(name).ok_or_else(|| format!("no character is called {name}"))?,
        });
        plain.push_str(rest);
    }
    let may_not = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match plain.chars().find(may_not) {
        Some(control) => Err(format!("XML has no {control:?}")),
        None => Ok(plain),
    }
}

fn reference(name: &str) -> Option<char> {
    let number = name.strip_prefix('#')?;
    let number = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(number)
}

fn excerpt(what: &str, text: &str) -> String {
    format!("{what}: {}", text.chars().take(60).collect::<String>())
}

#[test]
fn what_is_well_formed_is_read_and_nothing_else() {
    let document =
        "<?xml version=\"1.0\"?>\n<a x:b=\"1\"><c>1 &lt; &#x32;</c><c/><d><c>3</c></d></a>";
    let read = Element::parse(document).expect("it is well-formed");
    let check = |path: &str, texts: &[&str]| assert_eq!(read.at(path), texts, "{path}");
    check("c", &["1 < 2", ""]);
    check("d/c", &["3"]);
    check("@b", &["1"]);
    check("e", &[]);
    for broken in [
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&</a>",
        "<a>&nbsp;</a>",
        "<a>\u{1}</a>",
        "<a b=1/>",
        "<1/>",
    ] {
        assert!(Element::parse(broken).is_err(), "{broken}");
    }
}
