//! Cross-origin requests: which pages of other origins a browser lets at a
//! bucket, as its owner says.
//!
//! The plugin serves `?cors`, answers preflights, and says in the responses to
//! cross-origin requests what the browser may hand on. It protects the user of a
//! browser, not the bucket: it allows and denies no access.

mod rules;
mod xml;

use sluice_plugin::prelude::*;

use rules::{Asked, Grant};

/// Serves `?cors`, preflights, and the headers of cross-origin responses.
#[derive(Debug, Settings)]
pub struct Cors {
    /// What GetBucketCors answers where the bucket has no rules: the error of S3,
    /// or a configuration without rules.
    #[setting(default = "error")]
    when_unset: WhenUnset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
enum WhenUnset {
    Error,
    Empty,
}

/// The document that the rules of a bucket are kept in.
const DOCUMENT: &str = "rules";

/// What an answer to a cross-origin request depends on.
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

#[plugin(
    name = "cors",
    claims = [GetBucketCors, PutBucketCors, DeleteBucketCors, Preflight],
    respond(headers = ["origin"], documents = ["rules"]),
)]
impl Plugin for Cors {
    fn serve(&self, request: &Request, _access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetBucketCors => self.show(request),
            Operation::PutBucketCors => change(request),
            Operation::DeleteBucketCors => {
                documents::delete(Scope::Bucket, DOCUMENT);
                Ok(Reply::new(204))
            }
            Operation::Preflight => preflight(request),
            _ => Err(deny(NotImplemented)),
        }
    }

    fn respond(&self, request: &Request, _status: u16) -> Vec<(String, String)> {
        // Its answer has them already, or is a refusal.
        if request.operation() == Operation::Preflight {
            return Vec::new();
        }
        let (Some(document), Some(origin)) = (
            documents::get(Scope::Bucket, DOCUMENT),
            request.header("origin"),
        ) else {
            return Vec::new();
        };
        let method = request.header("access-control-request-method");
        let headers = request.header("access-control-request-headers");
        let asked = Asked::new(
            &origin,
            method.unwrap_or_else(|| request.method()),
            headers.as_deref(),
        );
        match asked.and_then(|asked| asked.granted(&document).map(|grant| (asked, grant))) {
            Some((asked, grant)) => headers_of(&asked, &grant),
            // Also the absence of a permission must not be cached for another origin.
            None => vec![header("Vary", VARY)],
        }
    }
}

impl Cors {
    fn show(&self, request: &Request) -> Result<Reply, Denial> {
        match documents::get(Scope::Bucket, DOCUMENT) {
            Some(document) => xml::write(&document).map(Reply::xml).ok_or_else(|| {
                error!("a document of a bucket is not a CORS configuration");
                Denial::custom("InternalError", 500)
            }),
            None => match self.when_unset {
                WhenUnset::Empty => Ok(Reply::xml(xml::empty())),
                WhenUnset::Error => Err(deny(NoSuchCORSConfiguration)
                    .with("BucketName", request.bucket().unwrap_or_default())),
            },
        }
    }
}

fn change(request: &Request) -> Result<Reply, Denial> {
    let document = xml::read(&request.body()?)?;
    documents::put(Scope::Bucket, DOCUMENT, document.as_bytes());
    Ok(Reply::new(200))
}

/// A browser asks for leave before it sends what a form could not.
fn preflight(request: &Request) -> Result<Reply, Denial> {
    let bad = |message: String| -> Denial { Denial::custom("BadRequest", 400).because(message) };
    let Some(origin) = request.header("origin") else {
        return Err(bad(
            "Insufficient information. Origin request header needed.".to_owned(),
        ));
    };
    let method = request
        .header("access-control-request-method")
        .unwrap_or_else(|| "null".to_owned());
    if !rules::METHODS.contains(&method.as_str()) {
        return Err(bad(format!(
            "Invalid Access-Control-Request-Method: {method}"
        )));
    }
    let forbidden = |message: &str| -> Denial {
        let kind = match request.key() {
            Some(_) => "OBJECT",
            None => "BUCKET",
        };
        deny(AccessForbidden)
            .with("Method", &method)
            .with("ResourceType", kind)
            .because(message)
    };
    let Some(document) = documents::get(Scope::Bucket, DOCUMENT) else {
        return Err(forbidden(
            "CORSResponse: CORS is not enabled for this bucket.",
        ));
    };
    let wanted = request.header("access-control-request-headers");
    let asked = Asked::new(&origin, method.clone(), wanted.as_deref());
    let granted = asked.and_then(|asked| asked.granted(&document).map(|grant| (asked, grant)));
    let (asked, grant) = granted.ok_or_else(|| {
        forbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, \
             request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
             whitelisted by the resource's CORS spec.",
        )
    })?;
    let mut reply = Reply::new(200);
    reply.headers = headers_of(&asked, &grant);
    Ok(reply)
}

/// What a browser is told of a request that a rule allows.
fn headers_of(asked: &Asked<'_>, grant: &Grant<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(8);
    if grant.any_origin {
        headers.push(header("Access-Control-Allow-Origin", "*"));
    } else {
        headers.push(header("Access-Control-Allow-Origin", asked.origin));
        // Browsers hold them back from answers that are for everybody.
        headers.push(header("Access-Control-Allow-Credentials", "true"));
    }
    headers.push(header("Access-Control-Allow-Methods", grant.rule.methods));
    if !asked.headers.is_empty() {
        headers.push(header(
            "Access-Control-Allow-Headers",
            &asked.headers.join(", "),
        ));
    }
    if let Some(exposed) = joined(grant.rule.values("expose")) {
        headers.push(header("Access-Control-Expose-Headers", &exposed));
    }
    if let Some(seconds) = grant.rule.values("age").next() {
        headers.push(header("Access-Control-Max-Age", seconds));
    }
    headers.push(header("Vary", VARY));
    headers
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    values.fold(None, |joined, value| match joined {
        None => Some(value.to_owned()),
        Some(mut joined) => {
            joined.push_str(", ");
            joined.push_str(value);
            Some(joined)
        }
    })
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<Cors>(&folder);
    }
}
