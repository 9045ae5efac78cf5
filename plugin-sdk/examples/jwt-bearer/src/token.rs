//! The compact form of a token: header, claims and signature in base64, with dots
//! between them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;
use sluice_plugin::prelude::*;

/// The claims of a token whose signature is right.
pub(crate) fn verify(token: &str, secret: &str) -> Result<Value, Denial> {
    let malformed = || deny(InvalidToken).because("the token is malformed");
    let (signed, mac) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let header = decoded(header).ok_or_else(malformed)?;
    // The token does not choose how it is verified.
    if header["alg"] != "HS256" {
        return deny(InvalidToken).because("the token must be signed with HS256");
    }
    // Whoever does not understand all that is critical refuses the token.
    if !header["crit"].is_null() {
        return deny(InvalidToken).because("the token has extensions that are not known");
    }
    let mac = BASE64.decode(mac).map_err(|_| malformed())?;
    match secrets::verify_hmac_sha256(secret, signed.as_bytes(), &mac) {
        Ok(true) => decoded(claims).ok_or_else(malformed),
        Ok(false) => deny(InvalidToken).because("the signature of the token is wrong"),
        Err(secrets::Failure::UnknownSecret) => {
            error!("the configuration names no secret `{secret}`");
            deny(AccessDenied).because("tokens cannot be verified here")
        }
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64.decode(part).ok()?).ok()
}
