//! Object ownership: whether the objects of a bucket belong to who writes them,
//! and whether lists mean anything there. It is kept with the bucket, as the name
//! that S3 has for it; a bucket that says nothing is one of `ObjectWriter`.

use sluice_plugin::prelude::*;
use sluice_plugin::xml::{Malformed, Reader};

use crate::xml::NAMESPACE;

/// The document that it is kept in.
pub(crate) const DOCUMENT: &str = "ownership";

/// What a new bucket is given it with.
pub(crate) const HEADER: &str = "x-amz-object-ownership";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
pub(crate) enum Ownership {
    /// Who writes an object owns it.
    #[setting(rename = "ObjectWriter")]
    ObjectWriter,
    /// What is uploaded with `bucket-owner-full-control` is the bucket owner's.
    #[setting(rename = "BucketOwnerPreferred")]
    BucketOwnerPreferred,
    /// The owner of the bucket owns all that is in it, and lists mean nothing.
    #[setting(rename = "BucketOwnerEnforced")]
    BucketOwnerEnforced,
}

impl Ownership {
    /// Of the bucket that the current access is about, where it says.
    pub(crate) fn said() -> Option<Self> {
        let document = documents::get(Scope::Bucket, DOCUMENT)?;
        let name = std::str::from_utf8(&document).ok();
        // What cannot be read opens nothing to anybody.
        Some(
            name.and_then(Self::parse)
                .unwrap_or(Self::BucketOwnerEnforced),
        )
    }

    pub(crate) fn in_force() -> Self {
        Self::said().unwrap_or(Self::ObjectWriter)
    }

    /// What a header asks for.
    pub(crate) fn asked(request: &Request) -> Result<Option<Self>, Denial> {
        let Some(name) = request.header(HEADER) else {
            return Ok(None);
        };
        match Self::parse(&name) {
            Some(ownership) => Ok(Some(ownership)),
            None => deny(InvalidArgument)
                .argument(HEADER, &name)
                .because(format!("Invalid {HEADER} header: {name}")),
        }
    }

    pub(crate) fn keep(self) {
        documents::put(Scope::Bucket, DOCUMENT, self.name().as_bytes());
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ObjectWriter" => Self::ObjectWriter,
            "BucketOwnerPreferred" => Self::BucketOwnerPreferred,
            "BucketOwnerEnforced" => Self::BucketOwnerEnforced,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::ObjectWriter => "ObjectWriter",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
        }
    }

    /// Reads the controls of a bucket: one rule.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Denial> {
        controls(body).map_err(|Malformed| deny(MalformedXML))
    }

    pub(crate) fn write(self) -> String {
        let name = self.name();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <OwnershipControls xmlns=\"{NAMESPACE}\"><Rule><ObjectOwnership>{name}</ObjectOwnership></Rule></OwnershipControls>"
        )
    }
}

fn controls(body: &[u8]) -> Result<Ownership, Malformed> {
    let mut reader = Reader::new(body)?;
    reader.root("OwnershipControls")?;
    only_child(&mut reader, "Rule")?;
    only_child(&mut reader, "ObjectOwnership")?;
    let ownership = Ownership::parse(&reader.text()?).ok_or(Malformed)?;
    for _ in ["Rule", "OwnershipControls"] {
        if reader.child()?.is_some() {
            return Err(Malformed);
        }
    }
    reader.finish()?;
    Ok(ownership)
}

fn only_child(reader: &mut Reader<'_>, name: &str) -> Result<(), Malformed> {
    match reader.child()? {
        Some(tag) if tag.name == name => Ok(()),
        _ => Err(Malformed),
    }
}
