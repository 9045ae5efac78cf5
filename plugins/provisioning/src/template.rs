//! Templates: what buckets are made like, and what clients call each of them.

use sluice_plugin::prelude::*;
use sluice_plugin::setting::{Fault, Json, Setting, Size, schema};
use sluice_plugin::tags::{self, Tagged};

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
            tags.push((key.to_owned(), json.string()?.into_owned()));
            Ok(())
        })?;
        match tags::check(Tagged::Bucket, &tags) {
            Ok(()) => Ok(Self(tags)),
            Err(fault) => {
                let which = fault
                    .key()
                    .map(|key| format!(", of `{}`", key.escape_debug()));
                let which = which.unwrap_or_default();
                Err(Fault::new(format!(
                    "cannot be the tags of a bucket{which}: {}",
                    fault.message()
                )))
            }
        }
    }

    fn schema(out: &mut String) {
        schema::mapping(out, String::schema, r#","maxLength":256"#);
        out.push_str(r#","maxProperties":50"#);
    }
}
