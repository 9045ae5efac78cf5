//! Signatures in the fields of a form, which sign its policy and nothing else.
//!
//! The gateway has read the policy before anybody is asked, and holds the form
//! to it. When it ends, the policy says: a page with a form in it may be older
//! than any request.

use sluice_plugin::prelude::*;

use crate::claim::{self, Claim, Credential, Place};
use crate::{date, v2};

/// What a form claims.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) signed: Signed,
    /// What was signed: the policy, in Base64 as it was sent.
    pub(crate) policy: String,
    pub(crate) security_token: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Signed {
    V4(Box<Claim>),
    V2 {
        access_key_id: String,
        signature: String,
    },
}

impl Form {
    /// Reads the claim of a form; nothing where it makes none.
    pub(crate) fn read(request: &Request, accepted: v2::Accepted) -> Result<Option<Self>, Denial> {
        let field = |name: &str| request.form_field(name);
        let algorithm = field("x-amz-algorithm");
        let credential = field("x-amz-credential");
        let signature = field("x-amz-signature");
        let is_v4 = algorithm.is_some() || credential.is_some() || signature.is_some();
        let access_key_id = field("awsaccesskeyid");
        let signature_v2 = field("signature");
        let is_v2 = access_key_id.is_some() || signature_v2.is_some();
        let signed = match (is_v4, is_v2) {
            (false, false) => return Ok(None),
            (true, true) => return Err(claim::ambiguous().argument("signature", "")),
            (true, false) => Signed::V4(Box::new(Claim::from_form(
                &algorithm.ok_or_else(|| missing("x-amz-algorithm"))?,
                &credential.ok_or_else(|| missing("x-amz-credential"))?,
                signature.ok_or_else(|| missing("x-amz-signature"))?,
                field("x-amz-date").ok_or_else(|| missing("x-amz-date"))?,
            )?)),
            (false, true) if accepted == v2::Accepted::Off => return Err(claim::unsupported()),
            (false, true) => Signed::V2 {
                access_key_id: access_key_id.ok_or_else(|| missing("AWSAccessKeyId"))?,
                signature: signature_v2.ok_or_else(|| missing("signature"))?,
            },
        };
        Ok(Some(Self {
            signed,
            policy: field("policy").ok_or_else(|| missing("policy"))?,
            security_token: field("x-amz-security-token"),
        }))
    }
}

impl Claim {
    fn from_form(
        algorithm: &str,
        credential: &str,
        signature: String,
        timestamp: String,
    ) -> Result<Self, Denial> {
        if algorithm != claim::ALGORITHM {
            return Err(deny(InvalidArgument)
                .argument("X-Amz-Algorithm", algorithm)
                .because("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let credential = Credential::parse(credential).map_err(claim::malformed_credential)?;
        let Some(time) = date::parse_basic(&timestamp) else {
            return Err(deny(InvalidArgument)
                .argument("X-Amz-Date", &timestamp)
                .because(
                    "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
                ));
        };
        Ok(Self {
            place: Place::Form,
            access_key_id: credential.access_key_id.to_owned(),
            scope: credential.scope.to_owned(),
            date: credential.date.to_owned(),
            region: credential.region.to_owned(),
            service: credential.service.to_owned(),
            signed_headers: String::new(),
            signature,
            timestamp,
            time,
            payload: String::new(),
            security_token: None,
        })
    }
}

fn missing(field: &str) -> Denial {
    deny(InvalidArgument)
        .argument(field, "")
        .because(crate::joined(
            "",
            &[
                "Bucket POST must contain a field named '",
                field,
                "'.  If it is specified, please check the order of the fields.",
            ],
        ))
}
