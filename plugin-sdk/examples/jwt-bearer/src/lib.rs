//! Who made a request is said by a JSON web token, signed with HS256, in
//! `Authorization: Bearer`. It stands before `auth`, which refuses what it does
//! not know. Grants: identity, directory, secrets, clock.
//!
//! Whoever has a token is its account until it expires, so let clients come over TLS.

mod token;

use std::time::Duration;

use serde_json::Value;
use sluice_plugin::prelude::*;

/// Authenticates by a JSON web token.
#[derive(Debug, Settings)]
pub struct JwtBearer {
    /// The name of the secret that tokens are signed with.
    #[setting(min_len = 1)]
    secret: String,
    /// Who must have issued a token.
    issuer: Option<String>,
    /// For whom a token must be; without it, one that is for somebody is refused.
    audience: Option<String>,
    /// How far the clock of the issuer may be off.
    #[setting(default = "1m", max = "1h")]
    leeway: Duration,
}

#[plugin(authenticate(headers = ["authorization"]))]
impl Plugin for JwtBearer {
    fn authenticate(&self, request: &Request) -> Authentication {
        let sent = request.header("authorization").unwrap_or_default();
        let token = match sent.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_ascii(),
            _ => return Authentication::Abstain,
        };
        let claims = token::verify(token, &self.secret);
        let account = claims.and_then(|claims| self.identify(&claims));
        account.map_or_else(Authentication::Deny, Authentication::Account)
    }
}

impl JwtBearer {
    /// The account that the claims name, if they hold now and here.
    fn identify(&self, claims: &Value) -> Result<Account, Denial> {
        let (now, leeway) = (clock::now_ms() as f64 / 1000.0, self.leeway.as_secs_f64());
        if !claims["exp"].as_f64().is_some_and(|end| now < end + leeway) {
            return deny(ExpiredToken).because("the token has expired, or never would");
        }
        let start = &claims["nbf"];
        if !start.is_null() && !start.as_f64().is_some_and(|start| start <= now + leeway) {
            return deny(InvalidToken).because("the token is not valid yet");
        }
        if self
            .issuer
            .as_ref()
            .is_some_and(|due| claims["iss"] != *due)
        {
            return deny(InvalidToken).because("`iss` of the token is wrong");
        }
        if !is_meant(&claims["aud"], self.audience.as_deref()) {
            return deny(InvalidToken).because("`aud` of the token is wrong");
        }
        let account = claims["sub"].as_str().and_then(directory::by_id);
        account.ok_or_else(|| deny(AccessDenied).because("the token names no account"))
    }
}

/// A token that names those it is for is for nobody else, also where nothing else is
/// asked of it.
fn is_meant(said: &Value, due: Option<&str>) -> bool {
    match (said, due) {
        (Value::Null, None) => true,
        (_, None) => false,
        (Value::Array(all), Some(due)) => all.iter().any(|one| one == due),
        (one, Some(due)) => one == due,
    }
}
