//! A situation as a person writes it down, in YAML.
//!
//! ```yaml
//! method: PUT
//! target: /photos/2026/holiday.jpg?acl
//! headers: {x-amz-meta-team: storage}   # a list for a header that is repeated
//! form: {key: 2026/holiday.jpg}         # the fields of a PostObject, but for its file
//! principal: alice                      # an account, or anonymous; or `access_key: AKIA…`
//! source: 203.0.113.7
//! secure: true
//! time: 2026-01-31T12:00:00Z            # what plugins see as now
//! bucket: {owner: alice, template: gold, documents: {acl/acl: "…"}}   # or `missing`
//! object: missing
//! ```
//!
//! Without a principal, the plugins find out who asks from what the request says.
//! `buckets` and `objects` (by `bucket/key`) describe what a copy reads, `delete`
//! lists the keys of a DeleteObjects, `body` is what a plugin is handed that serves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Request};
use serde::Deserialize;
use storage::Timestamp;

use super::{Described, Situation, Who};
use crate::decision::Thing;

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a request, with `method` and `target`"
)]
struct File {
    method: String,
    target: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default)]
    form: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    principal: Option<String>,
    access_key: Option<String>,
    source: Option<IpAddr>,
    #[serde(default)]
    secure: bool,
    time: Option<jiff::Timestamp>,
    bucket: Option<There>,
    object: Option<There>,
    #[serde(default)]
    buckets: BTreeMap<String, There>,
    #[serde(default)]
    objects: BTreeMap<String, There>,
    #[serde(default)]
    delete: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`missing`, or `{owner: ID, documents: {PLUGIN/NAME: TEXT}}`"
)]
enum There {
    Missing(Missing),
    Thing(Thing),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Missing {
    Missing,
}

/// What is wrong is told in words, with its line.
pub(crate) fn read(text: &str) -> Result<Situation, String> {
    let file: File = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let mut request = Request::builder().method(&*file.method).uri(&*file.target);
    for (name, values) in file.headers {
        let header = HeaderName::try_from(&*name)
            .map_err(|_| format!("{name:?} is not the name of a header"))?;
        let values = match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        for value in values {
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("the header {name} has a value that no header can have"))?;
            request = request.header(header.clone(), value);
        }
    }
    let (mut parts, ()) = request
        .body(())
        .map_err(|error| format!("{} {}: {error}", file.method, file.target))?
        .into_parts();
    if parts.uri.authority().is_none() {
        let host = parts.headers.entry(http::header::HOST);
        host.or_insert(HeaderValue::from_static("localhost"));
    }
    let who = match (file.principal, file.access_key) {
        (Some(_), Some(_)) => {
            return Err("there are both `principal` and `access_key`; keep one of them".to_owned());
        }
        (Some(id), None) => Who::Principal(id),
        (None, Some(key)) => Who::AccessKey(key),
        (None, None) => Who::Authenticated,
    };
    let all = |things: BTreeMap<String, There>| {
        let things = things.into_iter();
        things.map(|(name, there)| (name, there.into())).collect()
    };
    let time = file.time.map(|time| u64::try_from(time.as_millisecond()));
    Ok(Situation {
        form: file.form.into_iter().collect(),
        body: file.body.into(),
        who,
        source: file.source.unwrap_or(Situation::SOURCE),
        secure: file.secure,
        time: time.map(|time| Timestamp(time.unwrap_or_default())),
        bucket: file.bucket.map(There::into),
        object: file.object.map(There::into),
        buckets: all(file.buckets),
        objects: all(file.objects),
        delete: file.delete,
        ..Situation::of(parts)
    })
}

impl From<There> for Described {
    fn from(there: There) -> Self {
        match there {
            There::Missing(Missing::Missing) => Self::Missing,
            There::Thing(thing) => Self::There(thing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_situation_is_read_from_yaml() {
        let text = "
method: PUT
target: /photos/a%20b?acl
headers: {x-amz-meta-team: storage, vary: [a, b]}
principal: alice
source: 203.0.113.7
secure: true
time: 2026-01-31T12:00:00Z
bucket: {owner: bob, template: gold, documents: {acl/acl: text, other/raw: {base64: /w==}}}
object: missing
";
        let situation = read(text).unwrap();
        assert!(situation.form.is_empty());
        assert_eq!(situation.parts.uri.path(), "/photos/a%20b");
        assert_eq!(situation.parts.headers.get_all("vary").iter().count(), 2);
        assert_eq!(situation.parts.headers["host"], "localhost");
        assert_eq!(situation.who, Who::Principal("alice".to_owned()));
        assert_eq!(situation.time, Some(Timestamp(1_769_860_800_000)));
        assert_eq!(situation.object, Some(Described::Missing));
        let Some(Described::There(bucket)) = situation.bucket else {
            panic!("there is a bucket");
        };
        assert_eq!(bucket.template.as_deref(), Some("gold"));
        let documents = bucket.documents().unwrap();
        assert_eq!(documents.get("acl/acl").unwrap(), "text");
        assert_eq!(documents.get("other/raw").unwrap().as_ref(), [0xff]);
    }

    #[test]
    fn a_form_is_described_by_its_fields() {
        let text = "{method: POST, target: /photos, form: {key: a, acl: private}}";
        let form = read(text).unwrap().form;
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form, [field("acl", "private"), field("key", "a")]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        for (text, expected) in [
            ("method: GET", "missing field `target`"),
            ("method: GET\ntarget: /a\nprincpal: x", "line 3"),
            (
                "method: GET\ntarget: /a\nprincipal: x\naccess_key: y",
                "keep one of them",
            ),
            (
                "method: GET\ntarget: /a\nbucket: gone",
                "`missing`, or `{owner: ID",
            ),
            (
                "method: GET\ntarget: /a\nheaders: {a b: c}",
                "not the name of a header",
            ),
            (
                "method: GET\ntarget: /a\nheaders: {a: \"b\\nc\"}",
                "no header can have",
            ),
            ("method: G T\ntarget: /a", "G T /a"),
            ("method: GET\ntarget: \"/a b\"", "GET /a b"),
            ("method: GET\ntarget: /a\ntime: yesterday", "line 3"),
            ("[]", "a request, with `method`"),
            ("{", "line 2"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
