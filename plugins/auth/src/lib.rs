//! Who made this request: signatures of version 4, in the `Authorization` header
//! or in the query string of a presigned URL.
//!
//! The plugin reads what the client claims, rebuilds what it signed, and has the
//! gateway verify it; it never sees a secret key. A request without a signature
//! is anonymous. One with a signature that is malformed, expired, of another
//! region or wrong is refused as S3 refuses it, and never becomes anonymous.

mod canonical;
mod claim;
mod date;
mod query;

use serde::Deserialize;
use sluice_plugin::identity::Failure;
use sluice_plugin::prelude::*;

use claim::{Claim, Place};
use query::Query;

/// Authenticates by signature, version 4.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    regions: Option<Vec<String>>,
    max_skew_s: u64,
}

const REGION: &str = "us-east-1";

/// As long as a presigned URL may be valid.
const WEEK_S: u64 = 7 * 24 * 60 * 60;

/// Longer canonical requests are not echoed in the error document.
const ECHO_LEN_MAX: usize = 16 * 1024;

export!(Auth);

impl Default for Auth {
    fn default() -> Self {
        Self {
            regions: None,
            max_skew_s: 15 * 60,
        }
    }
}

impl Plugin for Auth {
    fn manifest() -> Manifest {
        Manifest::new("auth", env!("CARGO_PKG_VERSION"))
            .on(Phase::Authenticate, [])
            .settings_schema(include_str!("../settings.schema.json"))
    }

    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        let plugin: Self = settings.parse_or_default()?;
        if plugin.regions.as_ref().is_some_and(Vec::is_empty) {
            return Err("`regions` is empty: name one, or leave it out".to_owned());
        }
        if !(1..=WEEK_S).contains(&plugin.max_skew_s) {
            return Err("`max_skew_s` must be between one second and a week".to_owned());
        }
        Ok(plugin)
    }

    fn authenticate(&self, request: &Request) -> Authentication {
        match self.identify(request) {
            Ok(Some(account)) => Authentication::Account(account),
            Ok(None) => Authentication::Abstain,
            Err(denial) => Authentication::Deny(denial),
        }
    }
}

impl Auth {
    /// The account that signed the request; nobody, where it is not signed.
    fn identify(&self, request: &Request) -> Result<Option<Account>, Denial> {
        let headers = request.headers();
        let query = Query::read(&request.query_string());
        let Some(claim) = Claim::read(&headers, &query)? else {
            return Ok(None);
        };
        self.check_scope(&claim)?;
        self.check_time(&claim, clock::now_ms() / 1000)?;
        canonical::check_all_signed(&headers, &claim)?;
        if let Some(token) = &claim.security_token {
            return Err(deny(Code::InvalidToken).with("Token-0", token.as_str()));
        }

        let canonical = canonical::request(request, &headers, &query, &claim);
        let string_to_sign = joined(
            "\n",
            &[
                claim::ALGORITHM,
                &claim.timestamp,
                &claim.scope,
                &identity::sha256(&canonical),
            ],
        );
        let verified = identity::verify(
            &claim.access_key_id,
            &claim.scope,
            &string_to_sign,
            &claim.signature,
        );
        verified.map(Some).map_err(|failure| match failure {
            Failure::UnknownKey => {
                deny(Code::InvalidAccessKeyId).with("AWSAccessKeyId", claim.access_key_id.as_str())
            }
            Failure::Mismatch => mismatch(&claim, &string_to_sign, &canonical),
        })
    }

    fn check_scope(&self, claim: &Claim) -> Result<(), Denial> {
        if claim.service != "s3" {
            return Err(claim.malformed(&joined(
                "",
                &[
                    "incorrect service \"",
                    &claim.service,
                    "\". This endpoint belongs to \"s3\".",
                ],
            )));
        }
        let expected = match &self.regions {
            Some(regions) => regions.first().map_or(REGION, String::as_str),
            None => REGION,
        };
        let known = match &self.regions {
            Some(regions) => {
                let mut regions = regions.iter();
                regions.any(|region| *region == claim.region || region == "any")
            }
            None => claim.region == REGION,
        };
        if !known {
            let what = joined(
                "",
                &[
                    "the region '",
                    &claim.region,
                    "' is wrong; expecting '",
                    expected,
                    "'",
                ],
            );
            return Err(claim.malformed(&what).with("Region", expected));
        }
        // The scope's date is part of the key, the timestamp is what expires.
        if claim.timestamp.get(..8) != Some(claim.date.as_str()) {
            let what = joined(
                "",
                &[
                    "Invalid credential date \"",
                    &claim.date,
                    "\". This date is not the same as X-Amz-Date: \"",
                    claim.timestamp.get(..8).unwrap_or_default(),
                    "\".",
                ],
            );
            return Err(claim.malformed(&what));
        }
        Ok(())
    }

    fn check_time(&self, claim: &Claim, now: u64) -> Result<(), Denial> {
        match claim.place {
            Place::Header => {
                if now.abs_diff(claim.time) > self.max_skew_s {
                    return Err(deny(Code::RequestTimeTooSkewed)
                        .because("The difference between the request time and the current time is too large.")
                        .with("RequestTime", claim.timestamp.as_str())
                        .with("ServerTime", date::extended(now))
                        .with("MaxAllowedSkewMilliseconds", (self.max_skew_s * 1000).to_string()));
                }
            }
            Place::Query { expires_s } => {
                if claim.time > now.saturating_add(self.max_skew_s) {
                    return Err(deny(Code::AccessDenied)
                        .because("Request is not valid yet")
                        .with("X-Amz-Date", claim.timestamp.as_str())
                        .with("ServerTime", date::extended(now)));
                }
                let end = claim.time.saturating_add(expires_s);
                if now > end {
                    return Err(deny(Code::AccessDenied)
                        .because("Request has expired")
                        .with("X-Amz-Expires", expires_s.to_string())
                        .with("Expires", date::extended(end))
                        .with("ServerTime", date::extended(now)));
                }
            }
        }
        Ok(())
    }
}

/// What a client needs to find its mistake.
fn mismatch(claim: &Claim, string_to_sign: &str, canonical: &[u8]) -> Denial {
    let denial = deny(Code::SignatureDoesNotMatch)
        .with("AWSAccessKeyId", claim.access_key_id.as_str())
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", claim.signature.as_str());
    if canonical.len() <= ECHO_LEN_MAX {
        denial.with("CanonicalRequest", String::from_utf8_lossy(canonical))
    } else {
        denial
    }
}

/// Cheaper than the formatting machinery.
fn joined(separator: &str, parts: &[&str]) -> String {
    parts.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_plugin::testing;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        testing::cases::check_native::<Auth>(&folder);
    }

    #[test]
    fn settings_are_checked() {
        let check = |settings: &str, refused: Option<&str>| {
            let configured = Auth::configure(Settings::from_json(settings));
            match (configured, refused) {
                (Ok(_), None) => {}
                (Err(message), Some(part)) => assert!(message.contains(part), "{message}"),
                (configured, _) => panic!("{settings}: {configured:?}"),
            }
        };
        check("", None);
        check("{}", None);
        check(r#"{"regions": ["eu-central-1", "any"]}"#, None);
        check(r#"{"regions": []}"#, Some("`regions` is empty"));
        check(r#"{"region": "eu"}"#, Some("unknown field `region`"));
        check(r#"{"max_skew_s": 1}"#, None);
        check(r#"{"max_skew_s": 0}"#, Some("`max_skew_s`"));
        check(r#"{"max_skew_s": 604801}"#, Some("`max_skew_s`"));
        check(r#"{"max_skew_s": -1}"#, Some("invalid value"));
    }
}
