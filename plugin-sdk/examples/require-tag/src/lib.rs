//! A plugin of a third party: uploads must carry a tag.

use serde::Deserialize;
use sluice_plugin::prelude::*;

/// The settings, and the whole state: which tag.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequireTag {
    key: String,
}

export!(RequireTag);

impl Plugin for RequireTag {
    fn manifest() -> Manifest {
        Manifest::new("require-tag", env!("CARGO_PKG_VERSION"))
            .on(
                Phase::Authorize,
                [Operation::PutObject, Operation::CreateMultipartUpload],
            )
            .settings_schema(include_str!("../settings.schema.json"))
    }

    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        let plugin: Self = settings.parse()?;
        if plugin.key.is_empty() {
            return Err("`key` must name a tag".to_owned());
        }
        Ok(plugin)
    }

    fn authorize(&self, request: &Request, _access: &Access) -> Vote {
        match request.tags().get(&self.key) {
            Some(value) if !value.is_empty() => Vote::Abstain,
            _ => deny(AccessDenied).because(format!("tag `{}` is required", self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_plugin::testing;

    #[test]
    fn an_upload_needs_the_tag_with_a_value() {
        let plugin = RequireTag::configure(Settings::from_json(r#"{"key": "team"}"#)).unwrap();
        let check = |tags: &str, passes: bool| {
            let upload = testing::Request::put("bucket", "key").header("x-amz-tagging", tags);
            let vote = upload.authorize(&plugin);
            assert_eq!(vote == Vote::Abstain, passes, "{tags}: {vote:?}");
        };
        check("team=storage", true);
        check("cost=1&team=a%20b", true);
        check("", false);
        check("team", false);
        check("team=", false);
        check("Team=storage", false);
    }

    #[test]
    fn settings_without_a_key_are_refused() {
        let check = |settings: &str, message: &str| {
            let refused = RequireTag::configure(Settings::from_json(settings)).unwrap_err();
            assert_eq!(refused, message, "{settings}");
        };
        check("", "missing field `key`");
        check("{}", "missing field `key`");
        check(r#"{"key": ""}"#, "`key` must name a tag");
        check(
            r#"{"key": "a", "tag": "b"}"#,
            "unknown field `tag`, expected `key`",
        );
    }

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        testing::cases::check_native::<RequireTag>(&folder);
    }
}
