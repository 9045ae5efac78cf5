//! What a request says of who signed it, and how: read from the `Authorization`
//! header or from the query string. Nothing here is verified.

use sluice_plugin::prelude::*;

use crate::query::Query;
use crate::{WEEK_S, date, joined, v2};

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a request claims, by the version of its signature.
#[derive(Debug)]
pub(crate) enum Signed {
    V4(Claim),
    V2(v2::Claim),
}

/// A signature of version 4 and everything that is claimed about it.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) place: Place,
    pub(crate) access_key_id: String,
    /// `date/region/service/aws4_request`, and its first three parts.
    pub(crate) scope: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// Names, separated by `;`.
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
    /// When it was signed, in the form `20130524T000000Z`.
    pub(crate) timestamp: String,
    pub(crate) time: u64,
    /// The digest of the body, or what is said in its place.
    pub(crate) payload: String,
    pub(crate) security_token: Option<String>,
}

/// Where the signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Header,
    Query {
        expires_s: u64,
    },
    /// Its policy says until when.
    Form,
}

impl Signed {
    /// Whether there is anything to read, be it well-formed or not.
    pub(crate) fn is_claimed(headers: &[(String, String)], query: &Query) -> bool {
        header(headers, "authorization").is_some_and(|value| !value.is_empty())
            || is_presigned(query)
            || is_presigned_v2(query)
    }

    /// Reads the claim of a request; nothing where it makes none.
    pub(crate) fn read(
        headers: &[(String, String)],
        query: &Query,
        accepted: v2::Accepted,
    ) -> Result<Option<Self>, Denial> {
        let authorization = header(headers, "authorization").filter(|value| !value.is_empty());
        match (authorization, is_presigned(query), is_presigned_v2(query)) {
            (None, false, false) => Ok(None),
            (None, true, false) => {
                Claim::from_query(headers, query).map(|claim| Some(Self::V4(claim)))
            }
            (None, false, true) if accepted == v2::Accepted::Off => Err(unsupported()),
            (None, false, true) => v2::Claim::from_query(query).map(|claim| Some(Self::V2(claim))),
            (None, true, true) => {
                let algorithm = query.get("X-Amz-Algorithm").unwrap_or_default();
                Err(ambiguous().argument("X-Amz-Algorithm", &algorithm))
            }
            (Some(value), false, false) => Self::from_header(value, headers, accepted).map(Some),
            (Some(value), ..) => Err(ambiguous().argument("Authorization", value)),
        }
    }

    fn from_header(
        value: &str,
        headers: &[(String, String)],
        accepted: v2::Accepted,
    ) -> Result<Self, Denial> {
        let (scheme, claims) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        match (scheme, claims.trim_ascii().split_once(':')) {
            (ALGORITHM, _) => Claim::from_header(claims, headers).map(Self::V4),
            ("AWS", Some(credential)) if accepted == v2::Accepted::All => {
                v2::Claim::from_header(credential, headers).map(Self::V2)
            }
            ("AWS", Some(_)) => Err(unsupported()),
            ("AWS", None) => Err(deny(InvalidArgument)
                .argument("Authorization", value)
                .because(
                    "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
                )),
            _ if scheme.starts_with("AWS4-") => Err(unsupported()),
            _ => Err(deny(InvalidArgument)
                .argument("Authorization", value)
                .because("Unsupported Authorization Type")),
        }
    }
}

fn is_presigned(query: &Query) -> bool {
    query.has("X-Amz-Algorithm") || query.has("X-Amz-Credential") || query.has("X-Amz-Signature")
}

fn is_presigned_v2(query: &Query) -> bool {
    query.has("AWSAccessKeyId") || query.has("Signature")
}

impl Claim {
    /// Whether this header, given in lower case, is among the signed ones.
    pub(crate) fn has_signed(&self, name: &str) -> bool {
        let mut signed = self.signed_headers.split(';');
        signed.any(|signed| signed.eq_ignore_ascii_case(name))
    }

    /// The refusal of a claim that makes no sense.
    pub(crate) fn malformed(&self, what: &str) -> Denial {
        match self.place {
            Place::Header => malformed_header(what),
            Place::Query { .. } | Place::Form => malformed_credential(what),
        }
    }

    /// `claims` is what follows the algorithm.
    fn from_header(claims: &str, headers: &[(String, String)]) -> Result<Self, Denial> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for claim in claims.split(',') {
            let Some((name, value)) = claim.split_once('=') else {
                return Err(malformed_header(
                    "the authorization component is not of the form key=value",
                ));
            };
            let place = match name.trim_ascii() {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed_header("it has a component that is not known")),
            };
            if place.replace(value.trim_ascii()).is_some() {
                return Err(malformed_header("it has a component twice"));
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (credential, signed_headers, signature)
        else {
            return Err(malformed_header(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
            ));
        };
        let credential = Credential::parse(credential).map_err(malformed_header)?;

        let (timestamp, time) = time_of(headers).ok_or_else(date::missing)?;
        let Some(payload) = header(headers, "x-amz-content-sha256") else {
            return Err(deny(InvalidRequest)
                .because("Missing required header for this request: x-amz-content-sha256"));
        };
        check_payload(payload)?;
        Ok(Self {
            place: Place::Header,
            access_key_id: credential.access_key_id.to_owned(),
            scope: credential.scope.to_owned(),
            date: credential.date.to_owned(),
            region: credential.region.to_owned(),
            service: credential.service.to_owned(),
            signed_headers: signed_headers.to_owned(),
            signature: signature.to_owned(),
            timestamp,
            time,
            payload: payload.to_owned(),
            security_token: header(headers, "x-amz-security-token").map(str::to_owned),
        })
    }

    fn from_query(headers: &[(String, String)], query: &Query) -> Result<Self, Denial> {
        if query.repeats_a_claim() {
            return Err(malformed_query(
                "Query-string authentication parameters must not be repeated.",
            ));
        }
        let (
            Some(algorithm),
            Some(credential),
            Some(timestamp),
            Some(expires),
            Some(signed_headers),
            Some(signature),
        ) = (
            query.get("X-Amz-Algorithm"),
            query.get("X-Amz-Credential"),
            query.get("X-Amz-Date"),
            query.get("X-Amz-Expires"),
            query.get("X-Amz-SignedHeaders"),
            query.get("X-Amz-Signature"),
        )
        else {
            return Err(malformed_query(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            ));
        };
        match algorithm.as_str() {
            ALGORITHM => {}
            "AWS4-ECDSA-P256-SHA256" => return Err(unsupported()),
            _ => {
                return Err(malformed_query(
                    "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
                ));
            }
        }
        let credential = Credential::parse(&credential).map_err(malformed_credential)?;
        let Some(time) = date::parse_basic(&timestamp) else {
            return Err(malformed_query(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
            ));
        };
        let expires_s = match expires.parse::<i64>() {
            Ok(expires) => match u64::try_from(expires) {
                Ok(expires) if expires <= WEEK_S => expires,
                Ok(_) => {
                    return Err(malformed_query(
                        "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                         X-Amz-Expires must be less than 604800 seconds",
                    ));
                }
                Err(_) => return Err(malformed_query("X-Amz-Expires must be non-negative")),
            },
            Err(_) => return Err(malformed_query("X-Amz-Expires should be a number")),
        };
        let payload = match header(headers, "x-amz-content-sha256") {
            Some(payload) => payload.to_owned(),
            None => query
                .get("X-Amz-Content-Sha256")
                .unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned()),
        };
        check_payload(&payload)?;
        let security_token = header(headers, "x-amz-security-token").map(str::to_owned);
        Ok(Self {
            place: Place::Query { expires_s },
            access_key_id: credential.access_key_id.to_owned(),
            scope: credential.scope.to_owned(),
            date: credential.date.to_owned(),
            region: credential.region.to_owned(),
            service: credential.service.to_owned(),
            signed_headers,
            signature,
            timestamp,
            time,
            payload,
            security_token: security_token.or_else(|| query.get("X-Amz-Security-Token")),
        })
    }
}

/// `AKID/20130524/us-east-1/s3/aws4_request`
#[derive(Debug)]
pub(crate) struct Credential<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl<'a> Credential<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        const SHAPE: &str = "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
        let (access_key_id, scope) = text.split_once('/').ok_or(SHAPE)?;
        if access_key_id.is_empty() {
            return Err("a non-empty Access Key (AKID) must be provided in the credential.");
        }
        let mut parts = scope.split('/');
        let [
            Some(date),
            Some(region),
            Some(service),
            Some("aws4_request"),
            None,
        ] = [(); 5].map(|()| parts.next())
        else {
            return Err(SHAPE);
        };
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(
                "incorrect date format. This date in the credential must be in the format \"yyyyMMdd\".",
            );
        }
        if region.is_empty() {
            return Err("a non-empty region must be provided in the credential.");
        }
        Ok(Self {
            access_key_id,
            scope,
            date,
            region,
            service,
        })
    }
}

/// When the request was signed, as text and in seconds.
fn time_of(headers: &[(String, String)]) -> Option<(String, u64)> {
    if let Some(text) = header(headers, "x-amz-date") {
        return date::parse_basic(text).map(|time| (text.to_owned(), time));
    }
    let text = header(headers, "date")?;
    let time = date::parse_basic(text).or_else(|| date::parse_http(text))?;
    Some((date::basic(time), time))
}

fn check_payload(payload: &str) -> Result<(), Denial> {
    let is_digest = payload.len() == 64 && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_known = matches!(
        payload,
        "UNSIGNED-PAYLOAD"
            | "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    );
    if is_digest || is_known {
        return Ok(());
    }
    Err(deny(InvalidArgument)
        .argument("x-amz-content-sha256", payload)
        .because(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a \
             valid sha256 value.",
        ))
}

/// The first header of a name, without white space around its value.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(have, _)| have == name)?;
    Some(value.trim_ascii())
}

pub(crate) fn ambiguous() -> Denial {
    deny(InvalidArgument).because(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
         Signature query string parameter or the Authorization header should be specified",
    )
}

fn malformed_header(what: &str) -> Denial {
    deny(AuthorizationHeaderMalformed).because(joined(
        "",
        &["The authorization header is malformed; ", what],
    ))
}

pub(crate) fn malformed_credential(what: &str) -> Denial {
    malformed_query(&joined(
        "",
        &["Error parsing the X-Amz-Credential parameter; ", what],
    ))
}

fn malformed_query(what: &str) -> Denial {
    deny(AuthorizationQueryParametersError).because(what)
}

pub(crate) fn unsupported() -> Denial {
    deny(InvalidRequest).because(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}
