//! Uploads must carry a tag.

use sluice_plugin::prelude::*;

/// Uploads must carry a tag.
#[derive(Debug, Settings)]
pub struct RequireTag {
    /// The tag that an upload must carry.
    #[setting(min_len = 1)]
    key: String,
}

#[plugin(operations = [PutObject, CreateMultipartUpload])]
impl Plugin for RequireTag {
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
        check("", "`key` is missing");
        check(r#"{"key": ""}"#, "`key` must not be empty");
        check(
            r#"{"key": "a", "tag": "b"}"#,
            "`tag` is not known; known are `key`",
        );
    }

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        testing::cases::check_native::<RequireTag>(&folder);
    }
}
