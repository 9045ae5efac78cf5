//! Templates: what buckets are made like, and what clients call each of them.

use sluice_plugin::prelude::*;
use sluice_plugin::setting::{Fault, Json, Setting, Size, schema};

/// What a bucket is made like.
#[derive(Debug, Clone, PartialEq, Eq, Settings)]
#[setting(check = Template::check)]
pub(crate) struct Template {
    /// What rules for some buckets call it.
    #[setting(min_len = 1, max_len = 64)]
    pub(crate) name: String,
    /// What clients name as the location of a bucket that is made by it; its name, if left out.
    #[setting(min_len = 1, max_len = 255)]
    provisioning_code: Option<String>,
    /// Other locations that mean the same, such as a region that clients fill in.
    #[setting(default = [], max_len = 100)]
    aliases: Vec<String>,
    /// How many drives hold an object, and how many may be lost; that of the set of drives, if
    /// left out.
    pub(crate) geometry: Option<Geometry>,
    /// Whether objects have versions from the beginning.
    #[setting(default = false)]
    pub(crate) versioning: bool,
    /// How much the bucket holds, with all versions and unfinished uploads.
    #[setting(min = "1B")]
    pub(crate) quota: Option<Size>,
    /// Who has access from the beginning, where the client does not say.
    #[setting(one_of = [
        "private", "public-read", "public-read-write", "authenticated-read", "log-delivery-write",
    ])]
    pub(crate) acl: Option<String>,
    /// The tags of the bucket.
    #[setting(default)]
    pub(crate) tags: Tags,
}

/// A Reed-Solomon code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
pub(crate) struct Geometry {
    /// Shards that restore an object.
    #[setting(min = 1)]
    pub(crate) data: u8,
    /// Shards that may be lost.
    pub(crate) parity: u8,
}

/// Keys and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags(pub(crate) Vec<(String, String)>);

/// Those of a bucket.
const TAGS_MAX: usize = 50;
const TAG_KEY_LEN_MAX: usize = 128;
const TAG_VALUE_LEN_MAX: usize = 256;

/// Of a code or an alias, in characters.
const LOCATION_LEN_MAX: usize = 255;

impl Template {
    /// What a bucket that is made by it has as its location.
    pub(crate) fn code(&self) -> &str {
        self.provisioning_code.as_deref().unwrap_or(&self.name)
    }

    /// All that clients may name it by.
    pub(crate) fn locations(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(String::as_str);
        std::iter::once(self.code()).chain(aliases)
    }

    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !self.name.bytes().all(plain) {
            return Err(format!(
                "the name `{}` has more than letters, digits, `.`, `_` and `-` in it",
                self.name.escape_debug()
            ));
        }
        let bad = |location: &&str| {
            let len = location.chars().count();
            len == 0 || len > LOCATION_LEN_MAX || location.contains(char::is_control)
        };
        match self.locations().find(bad) {
            Some(bad) => Err(format!(
                "`{}` cannot be named as a location: write 1 to {LOCATION_LEN_MAX} printable characters",
                bad.escape_debug()
            )),
            None => Ok(()),
        }
    }
}

impl Setting for Tags {
    fn read(json: &mut Json<'_>) -> Result<Self, Fault> {
        let mut tags: Vec<(String, String)> = Vec::new();
        json.entries(&mut |key, json| {
            let value = json.string()?.into_owned();
            let key_len = key.chars().count();
            if tags.len() >= TAGS_MAX {
                return Err(Fault::new("is one tag too many; a bucket has at most 50"));
            }
            if tags.iter().any(|(known, _)| known == key) {
                return Err(Fault::new("is there twice"));
            }
            if key_len == 0 || key_len > TAG_KEY_LEN_MAX {
                return Err(Fault::new("must be a key of 1 to 128 characters"));
            }
            if key.starts_with("aws:") {
                return Err(Fault::new("must not begin with `aws:`"));
            }
            if value.chars().count() > TAG_VALUE_LEN_MAX {
                return Err(Fault::new("must have at most 256 characters"));
            }
            tags.push((key.to_owned(), value));
            Ok(())
        })?;
        Ok(Self(tags))
    }

    fn schema(out: &mut String) {
        schema::mapping(out, String::schema, r#","maxLength":256"#);
        out.push_str(r#","maxProperties":50"#);
    }
}
