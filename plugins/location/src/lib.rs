//! Where a bucket is: GetBucketLocation.
//!
//! The answer is the empty constraint, as S3 gives it for its first region,
//! because clients derive the region to sign for from it and then sign for the
//! one they are configured with. `response: provisioning_code` tells what the
//! bucket was made with instead, and `response: region` names the region.

use sluice_plugin::prelude::*;
use sluice_plugin::xml::escape;

#[derive(Debug, Settings)]
struct Choices {
    /// The empty constraint, the provisioning code of the bucket, or the region.
    #[setting(default = "empty")]
    response: Response,
    /// What `response: region` answers.
    region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
enum Response {
    Empty,
    ProvisioningCode,
    Region,
}

/// What the constraint says.
#[derive(Debug, PartialEq, Eq)]
pub enum Location {
    Nothing,
    /// The provisioning code that the bucket was made with, if it was with any.
    ProvisioningCode,
    Region(String),
}

#[plugin(name = "location", claims = [GetBucketLocation], settings = Choices)]
impl Plugin for Location {
    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        let choices: Choices = settings.read()?;
        match (choices.response, choices.region) {
            (Response::Empty, None) => Ok(Self::Nothing),
            (Response::ProvisioningCode, None) => Ok(Self::ProvisioningCode),
            (Response::Region, Some(region)) if is_region(&region) => Ok(Self::Region(region)),
            (Response::Region, _) => {
                Err("`response: region` needs `region`, of letters, digits and hyphens".to_owned())
            }
            (Response::Empty | Response::ProvisioningCode, Some(_)) => {
                Err("`region` is answered only with `response: region`".to_owned())
            }
        }
    }

    fn serve(&self, _request: &Request, access: &Access) -> Result<Reply, Denial> {
        let mut body = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
        );
        match self {
            Self::Nothing => {}
            Self::ProvisioningCode => {
                escape(&access.bucket_location().unwrap_or_default(), &mut body);
            }
            Self::Region(region) => escape(region, &mut body),
        }
        body.push_str("</LocationConstraint>");
        Ok(Reply::xml(body))
    }
}

/// What a client can sign for.
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
    fn the_constraint_is_empty_unless_something_is_to_be_told() {
        let check = |settings: &str, expected: Result<Location, &str>| {
            let plugin = Location::configure(Settings::from_json(settings));
            assert_eq!(plugin, expected.map_err(str::to_owned), "{settings}");
        };
        check("", Ok(Location::Nothing));
        check(r#"{"response": "empty"}"#, Ok(Location::Nothing));
        check(
            r#"{"response": "provisioning_code"}"#,
            Ok(Location::ProvisioningCode),
        );
        check(
            r#"{"response": "region", "region": "eu-west-1"}"#,
            Ok(Location::Region("eu-west-1".to_owned())),
        );
        let needed = "`response: region` needs `region`, of letters, digits and hyphens";
        check(r#"{"response": "region"}"#, Err(needed));
        check(r#"{"response": "region", "region": "<a>"}"#, Err(needed));
        let only = "`region` is answered only with `response: region`";
        check(r#"{"region": "eu-west-1"}"#, Err(only));
        check(
            r#"{"response": "provisioning_code", "region": "eu-west-1"}"#,
            Err(only),
        );
    }

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<Location>(&folder);
    }
}
