//! What GetObjectAttributes asks for.

use storage::{Object, Part, PartNumber};

use crate::error::{Code, Error};
use crate::head::Head;
use crate::listing::{ENTRIES_MAX, parse_limit};

const ATTRIBUTES: &str = "x-amz-object-attributes";
const MAX_PARTS: &str = "x-amz-max-parts";
const MARKER: &str = "x-amz-part-number-marker";

/// The attributes that are wanted, and which of the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub etag: bool,
    pub checksum: bool,
    pub parts: bool,
    pub storage_class: bool,
    pub size: bool,
    pub max_parts: usize,
    /// Only parts with greater numbers; 0 for all.
    pub part_number_marker: u16,
}

/// Some of the parts of an object, by number.
#[derive(Debug)]
pub struct PartsPage<'a> {
    pub total: usize,
    pub parts: &'a [Part],
    pub truncated: bool,
}

impl Attributes {
    pub fn of(head: &Head) -> Result<Self, Error> {
        let limit = |name: &'static str, max: usize| match head.header(name) {
            None | Some("") => Ok(None),
            Some(text) => parse_limit(name, text, max).map(Some),
        };
        let marker = limit(MARKER, usize::from(PartNumber::MAX))?.unwrap_or(0);
        let mut attributes = Self {
            max_parts: limit(MAX_PARTS, ENTRIES_MAX)?.unwrap_or(ENTRIES_MAX),
            part_number_marker: u16::try_from(marker).unwrap_or(PartNumber::MAX),
            ..Self::default()
        };
        let mut named = false;
        // One header with a list, or one for each: SDKs do either.
        for value in head.headers.get_all(ATTRIBUTES) {
            let list = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
            for name in list
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
            {
                named = true;
                let wanted = match name {
                    "ETag" => &mut attributes.etag,
                    "Checksum" => &mut attributes.checksum,
                    "ObjectParts" => &mut attributes.parts,
                    "StorageClass" => &mut attributes.storage_class,
                    "ObjectSize" => &mut attributes.size,
                    other => {
                        return Err(Error::new(Code::InvalidArgument)
                            .because("Invalid attribute name specified.")
                            .argument(ATTRIBUTES, other));
                    }
                };
                *wanted = true;
            }
        }
        if named {
            return Ok(attributes);
        }
        Err(Error::new(Code::InvalidRequest).because(
            "The x-amz-object-attributes header specifying the attributes to be retrieved is \
             either missing or empty",
        ))
    }

    /// The page of parts that is asked for. An object that was not uploaded in
    /// parts has none to tell of.
    pub fn page<'a>(&self, object: &'a Object) -> Option<PartsPage<'a>> {
        if !self.parts || object.parts.is_empty() {
            return None;
        }
        let begun = object
            .parts
            .partition_point(|part| part.number.get() <= self.part_number_marker);
        let after = object.parts.get(begun..).unwrap_or_default();
        let parts = after.get(..self.max_parts).unwrap_or(after);
        Some(PartsPage {
            total: object.parts.len(),
            parts,
            // After a page of nothing there is no place to go on from.
            truncated: !parts.is_empty() && parts.len() < after.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use storage::{Documents, Locator, Metadata, ObjectKey, Timestamp, VersionId};

    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Result<Attributes, Error> {
        let request = Request::builder().uri("/abc/k?attributes");
        let mut request = request.header("host", "h");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Attributes::of(&Head::parse(&parts, &[], &[])?)
    }

    #[test]
    fn attributes_are_asked_for_by_name() {
        let all = |attributes: Attributes| {
            [
                attributes.etag,
                attributes.checksum,
                attributes.parts,
                attributes.storage_class,
                attributes.size,
            ]
        };
        let check = |values: &[&str], expected: Result<[bool; 5], Code>| {
            let headers: Vec<_> = values.iter().map(|value| (ATTRIBUTES, *value)).collect();
            let asked = asked(&headers).map(all);
            let asked = asked.map_err(|error| error.code().unwrap());
            assert_eq!(asked, expected, "{values:?}");
        };
        let every = [true; 5];
        check(&["ETag"], Ok([true, false, false, false, false]));
        check(
            &["Checksum, ObjectSize"],
            Ok([false, true, false, false, true]),
        );
        check(
            &["ETag,Checksum,ObjectParts,StorageClass,ObjectSize"],
            Ok(every),
        );
        check(
            &[
                "ETag",
                "Checksum",
                "ObjectParts",
                "StorageClass,,ObjectSize",
            ],
            Ok(every),
        );
        check(&[], Err(Code::InvalidRequest));
        check(&[""], Err(Code::InvalidRequest));
        check(&[" , "], Err(Code::InvalidRequest));
        check(&["etag"], Err(Code::InvalidArgument));
        check(&["ETag,Colour"], Err(Code::InvalidArgument));
    }

    #[test]
    fn parts_are_told_page_by_page() {
        let part = |number| Part {
            number: PartNumber::new(number).unwrap(),
            size: 1,
            metadata: Metadata::new(),
        };
        let object = |numbers: &[u16]| Object {
            key: ObjectKey::parse("k").unwrap(),
            version: VersionId::Null,
            id: 1,
            owner: "o".into(),
            size: 3,
            etag: "e".into(),
            modified: Timestamp(0),
            metadata: Metadata::new(),
            documents: Documents::default(),
            parts: numbers.iter().copied().map(part).collect(),
            location: Locator::new(()),
        };
        let object_of_three = object(&[1, 3, 10_000]);
        let check = |headers: &[(&str, &str)], expected: Option<(&[u16], bool)>| {
            let headers = [&[(ATTRIBUTES, "ObjectParts")], headers].concat();
            let attributes = asked(&headers).ok();
            let page = attributes.and_then(|asked| {
                let page = asked.page(&object_of_three)?;
                assert_eq!(page.total, 3);
                let numbers: Vec<_> = page.parts.iter().map(|part| part.number.get()).collect();
                Some((numbers, page.truncated))
            });
            let expected = expected.map(|(numbers, truncated)| (numbers.to_vec(), truncated));
            assert_eq!(page, expected, "{headers:?}");
        };
        check(&[], Some((&[1, 3, 10_000], false)));
        check(&[(MAX_PARTS, "2")], Some((&[1, 3], true)));
        check(
            &[(MAX_PARTS, "2"), (MARKER, "1")],
            Some((&[3, 10_000], false)),
        );
        check(&[(MAX_PARTS, "1"), (MARKER, "2")], Some((&[3], true)));
        check(&[(MAX_PARTS, "0")], Some((&[], false)));
        check(&[(MARKER, "10000")], Some((&[], false)));
        check(&[(MARKER, "70000")], Some((&[], false)));
        check(&[(MAX_PARTS, "5000")], Some((&[1, 3, 10_000], false)));
        check(&[(MAX_PARTS, "x")], None);
        check(&[(MARKER, "-1")], None);

        let asked = asked(&[(ATTRIBUTES, "ObjectParts")]).unwrap();
        assert!(asked.page(&object(&[])).is_none(), "it has no parts");
    }
}
