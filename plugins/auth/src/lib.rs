//! Who made this request: signatures of version 4, in the `Authorization` header,
//! in the query string of a presigned URL, or in the fields of a form; and of
//! version 2, which some clients still write into URLs and forms.
//!
//! The plugin reads what the client claims, rebuilds what it signed, and has the
//! gateway verify it; it never sees a secret key. A request without a signature
//! is anonymous. One with a signature that is malformed, expired, of another
//! region or wrong is refused as S3 refuses it, and never becomes anonymous.

mod canonical;
mod claim;
mod date;
mod form;
mod query;
mod v2;

use sluice_plugin::identity::Failure;
use sluice_plugin::prelude::*;

use claim::{Claim, Place, Signed};
use form::Form;
use query::Query;

/// Authenticates by signature, version 4 or 2.
#[derive(Debug, Settings)]
pub struct Auth {
    /// The regions that a signature may be scoped to; `any` stands for all.
    #[setting(default = ["us-east-1"], min_len = 1)]
    regions: Vec<String>,
    /// How far the clock of a client may be off, in seconds.
    #[setting(default = 900, min = 1, max = 604800)]
    max_skew_s: u64,
    #[setting(default = "presigned")]
    signature_v2: v2::Accepted,
}

/// As long as a presigned URL may be valid.
const WEEK_S: u64 = 7 * 24 * 60 * 60;

/// What is longer is not echoed in the error document.
const ECHO_LEN_MAX: usize = 16 * 1024;

// What has none of these is anonymous, as `Signed::read` has it.
#[plugin(
    name = "auth",
    authenticate(headers = ["authorization"]),
    authenticate(queries = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "AWSAccessKeyId",
        "Signature",
    ]),
    authenticate(operations = [PostObject]),
)]
impl Plugin for Auth {
    fn authenticate(&self, request: &Request) -> Authentication {
        // A browser asks it of a presigned URL too, which is signed for another method.
        if request.operation() == Operation::Preflight {
            return Authentication::Abstain;
        }
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
        let query_string = request.query_string();
        let query = Query::read(&query_string);
        if request.operation() == Operation::PostObject {
            // Neither could say anything of what the form says.
            if Signed::is_claimed(&headers, &query) {
                return Err(deny(InvalidArgument)
                    .because("A form is signed in its fields, not in the URL or in a header."));
            }
            let form = Form::read(request, self.signature_v2)?;
            return form.map(|form| self.identify_form(&form)).transpose();
        }
        match Signed::read(&headers, &query, self.signature_v2)? {
            None => Ok(None),
            Some(Signed::V4(claim)) => self
                .identify_v4(request, &headers, &query, &claim)
                .map(Some),
            Some(Signed::V2(claim)) => self
                .identify_v2(request, &headers, &query_string, &claim)
                .map(Some),
        }
    }

    fn identify_v4(
        &self,
        request: &Request,
        headers: &[(String, String)],
        query: &Query,
        claim: &Claim,
    ) -> Result<Account, Denial> {
        self.check_scope(claim)?;
        self.check_time(claim, clock::now_ms() / 1000)?;
        canonical::check_all_signed(headers, claim)?;
        if let Some(token) = &claim.security_token {
            return Err(invalid_token(token));
        }

        let canonical = canonical::request(request, headers, query, claim);
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
        verified.map_err(|failure| {
            let denial = refusal(
                failure,
                &claim.access_key_id,
                &string_to_sign,
                &claim.signature,
            );
            match failure {
                Failure::Mismatch if canonical.len() <= ECHO_LEN_MAX => {
                    denial.with("CanonicalRequest", String::from_utf8_lossy(&canonical))
                }
                _ => denial,
            }
        })
    }

    fn identify_v2(
        &self,
        request: &Request,
        headers: &[(String, String)],
        query: &str,
        claim: &v2::Claim,
    ) -> Result<Account, Denial> {
        let now = clock::now_ms() / 1000;
        match claim.place {
            Place::Header => self.check_skew(claim.time, &date::extended(claim.time), now)?,
            Place::Query { .. } if now > claim.time => return Err(expired(claim.time, now)),
            Place::Query { .. } | Place::Form => {}
        }
        if let Some(token) = v2::security_token(headers, query) {
            return Err(invalid_token(&token));
        }
        let string_to_sign = claim.string_to_sign(request, headers, query);
        identity::verify_v2(&claim.access_key_id, &string_to_sign, &claim.signature).map_err(
            |failure| {
                refusal(
                    failure,
                    &claim.access_key_id,
                    &string_to_sign,
                    &claim.signature,
                )
            },
        )
    }

    fn identify_form(&self, form: &Form) -> Result<Account, Denial> {
        if let Some(token) = &form.security_token {
            return Err(invalid_token(token));
        }
        let (verified, access_key_id, signature) = match &form.signed {
            form::Signed::V4(claim) => {
                self.check_scope(claim)?;
                self.check_time(claim, clock::now_ms() / 1000)?;
                let (id, signature) = (&claim.access_key_id, &claim.signature);
                let verified = identity::verify(id, &claim.scope, &form.policy, signature);
                (verified, id, signature)
            }
            form::Signed::V2 {
                access_key_id,
                signature,
            } => {
                let verified = identity::verify_v2(access_key_id, &form.policy, signature);
                (verified, access_key_id, signature)
            }
        };
        verified.map_err(|failure| refusal(failure, access_key_id, &form.policy, signature))
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
        let mut regions = self.regions.iter();
        let known = regions.any(|region| *region == claim.region || region == "any");
        if !known {
            let expected = self.regions.first().map_or("", String::as_str);
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
            Place::Header => self.check_skew(claim.time, &claim.timestamp, now)?,
            Place::Form => self.check_begun(claim, now)?,
            Place::Query { expires_s } => {
                self.check_begun(claim, now)?;
                let end = claim.time.saturating_add(expires_s);
                if now > end {
                    return Err(expired(end, now).with("X-Amz-Expires", expires_s.to_string()));
                }
            }
        }
        Ok(())
    }

    /// What is good for some time is good from when it was signed.
    fn check_begun(&self, claim: &Claim, now: u64) -> Result<(), Denial> {
        if claim.time <= now.saturating_add(self.max_skew_s) {
            return Ok(());
        }
        Err(deny(AccessDenied)
            .with("X-Amz-Date", claim.timestamp.as_str())
            .with("ServerTime", date::extended(now))
            .because("Request is not valid yet"))
    }

    /// `text` is how the client said the time.
    fn check_skew(&self, time: u64, text: &str, now: u64) -> Result<(), Denial> {
        if now.abs_diff(time) <= self.max_skew_s {
            return Ok(());
        }
        Err(deny(RequestTimeTooSkewed)
            .with("RequestTime", text)
            .with("ServerTime", date::extended(now))
            .with(
                "MaxAllowedSkewMilliseconds",
                (self.max_skew_s * 1000).to_string(),
            )
            .because("The difference between the request time and the current time is too large."))
    }
}

fn expired(end: u64, now: u64) -> Denial {
    deny(AccessDenied)
        .with("Expires", date::extended(end))
        .with("ServerTime", date::extended(now))
        .because("Request has expired")
}

/// There are no temporary keys.
fn invalid_token(token: &str) -> Denial {
    deny(InvalidToken).with("Token-0", token)
}

/// What a client needs to find its mistake.
fn refusal(failure: Failure, access_key_id: &str, string_to_sign: &str, signature: &str) -> Denial {
    let code = match failure {
        Failure::UnknownKey => InvalidAccessKeyId,
        Failure::Mismatch => SignatureDoesNotMatch,
    };
    let denial = deny(code).with("AWSAccessKeyId", access_key_id);
    if failure == Failure::UnknownKey || string_to_sign.len() > ECHO_LEN_MAX {
        return denial;
    }
    denial
        .with("StringToSign", string_to_sign)
        .with("SignatureProvided", signature)
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
        check(r#"{"regions": []}"#, Some("`regions` must not be empty"));
        check(
            r#"{"region": "eu"}"#,
            Some("`region` is not known; did you mean `regions`?"),
        );
        check(r#"{"max_skew_s": 1}"#, None);
        check(r#"{"signature_v2": "off"}"#, None);
        check(r#"{"signature_v2": "all"}"#, None);
        check(
            r#"{"signature_v2": "header"}"#,
            Some("`signature_v2` must be one of `off`, `presigned`, `all`"),
        );
        check(r#"{"max_skew_s": 0}"#, Some("`max_skew_s`"));
        check(r#"{"max_skew_s": 604801}"#, Some("`max_skew_s`"));
        check(r#"{"max_skew_s": -1}"#, Some("out of range"));
    }
}
