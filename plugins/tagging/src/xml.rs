//! Tags as the body of `?tagging` says them.

use sluice_plugin::prelude::*;
use sluice_plugin::tags::Tagged;
use sluice_plugin::xml::{Malformed, Reader, escape};

use crate::tags::TagSet;

/// More than a set can have of either kind: the reader stops there.
const TAGS_READ_MAX: usize = 1000;

pub(crate) fn read(of: Tagged, body: &[u8]) -> Result<TagSet, Denial> {
    let tags = tagging(body).map_err(|Malformed| deny(MalformedXML))?;
    TagSet::new(of, tags)
}

type Tags = Vec<(String, String)>;

fn tagging(body: &[u8]) -> Result<Tags, Malformed> {
    let mut reader = Reader::new(body)?;
    reader.root("Tagging")?;
    let mut set = None;
    while let Some(tag) = reader.child()? {
        match tag.name {
            "TagSet" if set.is_none() => set = Some(tag_set(&mut reader)?),
            _ => return Err(Malformed),
        }
    }
    reader.finish()?;
    set.ok_or(Malformed)
}

fn tag_set(reader: &mut Reader<'_>) -> Result<Tags, Malformed> {
    let mut tags = Vec::new();
    while let Some(child) = reader.child()? {
        if child.name != "Tag" || tags.len() == TAGS_READ_MAX {
            return Err(Malformed);
        }
        tags.push(tag(reader)?);
    }
    Ok(tags)
}

fn tag(reader: &mut Reader<'_>) -> Result<(String, String), Malformed> {
    let (mut key, mut value) = (None, None);
    while let Some(child) = reader.child()? {
        let place = match child.name {
            "Key" => &mut key,
            "Value" => &mut value,
            _ => return Err(Malformed),
        };
        if place.replace(reader.text()?.into_owned()).is_some() {
            return Err(Malformed);
        }
    }
    key.zip(value).ok_or(Malformed)
}

pub(crate) fn write(tags: &TagSet) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>",
    );
    for (key, value) in tags.iter() {
        out.push_str("<Tag><Key>");
        escape(key, &mut out);
        out.push_str("</Key><Value>");
        escape(value, &mut out);
        out.push_str("</Value></Tag>");
    }
    out.push_str("</TagSet></Tagging>");
    out
}
