//! What an answer is held to.

use sluice_tests::Reply;

use crate::table::{Exchange, Values, scalar};
use crate::variables::Variables;
use crate::xml::Element;

/// Says what is not as it should be.
pub(crate) fn check(
    reply: &Reply,
    exchange: &Exchange,
    variables: &Variables,
    body: &[u8],
) -> Result<(), String> {
    let fill = |text: &str| variables.fill(text, body);
    let gives = scalar(&exchange.gives).ok_or("`gives` is a status, and the code of an error")?;
    let came = match element(reply)?
        .as_ref()
        .map(|document| document.at("Code"))
        .as_deref()
    {
        Some([code]) if reply.status >= 300 => format!("{} {code}", reply.status),
        _ => reply.status.to_string(),
    };
    if came != gives {
        return Err(format!("wanted {gives}, came {came}"));
    }
    for (name, wanted) in &exchange.header {
        let all: Vec<_> = reply
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .collect();
        let came: Vec<_> = all.iter().map(|(_, value)| value.clone()).collect();
        compare(name, &came, wanted, fill)?;
    }
    let document = element(reply)?;
    if let Some(root) = &exchange.root {
        let name = document.as_ref().map(|document| document.name.as_str());
        if name != Some(root) {
            return Err(format!("wanted the document {root}, came {name:?}"));
        }
    }
    for (path, wanted) in &exchange.holds {
        let document = document.as_ref().ok_or("there is no document in XML")?;
        match path.strip_suffix('#') {
            Some(path) => compare(path, &[document.at(path).len().to_string()], wanted, fill)?,
            None => compare(path, &document.at(path), wanted, fill)?,
        }
    }
    let said = String::from_utf8_lossy(&reply.body);
    if let Some(says) = &exchange.says {
        compare("the body", &[said.to_string()], says, fill)?;
    }
    for text in &exchange.contains {
        let text = fill(text)?;
        if !said.contains(&text) {
            return Err(format!("`{text}` is not in the body"));
        }
    }
    for text in &exchange.lacks {
        let text = fill(text)?;
        if said.contains(&text) {
            return Err(format!("`{text}` is in the body"));
        }
    }
    Ok(())
}

/// What the answer has at a place: `header NAME` or `holds PATH`.
pub(crate) fn find(reply: &Reply, place: &str) -> Result<String, String> {
    let found = match place.split_once(' ') {
        Some(("header", name)) => reply.header(name).map(str::to_owned),
        Some(("holds", path)) => element(reply)?.and_then(|document| document.at(path).pop()),
        _ => return Err(format!("`{place}` is neither a header nor an element")),
    };
    found.ok_or_else(|| format!("there is no {place}"))
}

/// The document, where the answer is one.
fn element(reply: &Reply) -> Result<Option<Element>, String> {
    let xml = reply.header("content-type") == Some("application/xml") && !reply.body.is_empty();
    // An object may well be of this type: then its content is what was stored.
    let written = reply.status >= 300 || reply.body.starts_with(b"<?xml");
    if !xml || !written {
        return Ok(None);
    }
    Element::parse(reply.text()).map(Some)
}

fn compare(
    name: &str,
    came: &[String],
    wanted: &Values,
    fill: impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let wanted: Vec<_> = wanted
        .0
        .iter()
        .map(|text| fill(text))
        .collect::<Result<_, _>>()?;
    let equal = came.len() == wanted.len()
        && came
            .iter()
            .zip(&wanted)
            .all(|(came, wanted)| fits(came, wanted));
    if equal {
        return Ok(());
    }
    Err(format!("{name}: wanted {wanted:?}, came {came:?}"))
}

/// Whether a text is the one that is wanted, in which `…` stands for anything.
fn fits(text: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn three_dots_stand_for_anything() {
    let check = |text, wanted, fitting| assert_eq!(fits(text, wanted), fitting, "{text} {wanted}");
    check("abc", "abc", true);
    check("abc", "ab", false);
    check("abc", "a…", true);
    check("abc", "…c", true);
    check("abc", "a…b…c", true);
    check("abc", "a…c…b", false);
    check("ab", "ab…b", false);
    check("", "…", true);
}
