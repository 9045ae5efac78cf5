//! Where a bucket is: GetBucketLocation.
//!
//! The answer is the empty constraint, as S3 gives it for its first region,
//! because clients derive the region to sign for from it and then sign for the
//! one they are configured with. `response: region` names the region instead.

use sluice_plugin::prelude::*;

#[derive(Debug, Settings)]
struct Choices {
    /// The empty constraint, or the region.
    #[setting(default = "empty")]
    response: Response,
    /// What `response: region` answers.
    region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
enum Response {
    Empty,
    Region,
}

#[derive(Debug)]
pub struct Location {
    /// The text of the constraint.
    constraint: String,
}

#[plugin(name = "location", claims = [GetBucketLocation], settings = Choices)]
impl Plugin for Location {
    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        let choices: Choices = settings.read()?;
        let constraint = match (choices.response, choices.region) {
            (Response::Empty, None) => String::new(),
            (Response::Region, Some(region)) if is_region(&region) => region,
            (Response::Region, _) => {
                return Err(
                    "`response: region` needs `region`, of letters, digits and hyphens".to_owned(),
                );
            }
            (Response::Empty, Some(_)) => {
                return Err("`region` is answered only with `response: region`".to_owned());
            }
        };
        Ok(Self { constraint })
    }

    fn serve(&self, _request: &Request, _access: &Access) -> Result<Reply, Denial> {
        let Self { constraint } = self;
        Ok(Reply::xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{constraint}</LocationConstraint>"
        )))
    }
}

/// Nothing that XML would have to escape.
fn is_region(region: &str) -> bool {
    !region.is_empty()
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constraint_is_empty_unless_a_region_is_to_be_named() {
        let check = |settings: &str, expected: Result<&str, &str>| {
            let plugin = Location::configure(Settings::from_json(settings));
            let constraint = plugin.as_ref().map(|plugin| plugin.constraint.as_str());
            assert_eq!(constraint.map_err(String::as_str), expected, "{settings}");
        };
        check("", Ok(""));
        check(r#"{"response": "empty"}"#, Ok(""));
        check(
            r#"{"response": "region", "region": "eu-west-1"}"#,
            Ok("eu-west-1"),
        );
        let needed = "`response: region` needs `region`, of letters, digits and hyphens";
        check(r#"{"response": "region"}"#, Err(needed));
        check(r#"{"response": "region", "region": "<a>"}"#, Err(needed));
        check(
            r#"{"region": "eu-west-1"}"#,
            Err("`region` is answered only with `response: region`"),
        );
    }

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<Location>(&folder);
    }
}
