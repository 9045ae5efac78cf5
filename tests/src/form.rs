//! A form as a browser encodes it, and the signatures that a page puts into it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::time::Duration;

use crate::encode::{hex, hmac, hmac_sha1};
use crate::{Key, Request, Time};

/// The parts of a form in their order. Each call adds one.
#[derive(Debug, Clone, Default)]
pub struct Form {
    parts: Vec<(String, Vec<u8>)>,
}

const BOUNDARY: &str = "----sluiceFormBoundary7MA4YWxkTrZu0gW";

impl Form {
    pub fn new() -> Self {
        Self::default()
    }

    /// A form with a key, and no more yet.
    pub fn of(key: &str) -> Self {
        Self::new().field("key", key)
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        let disposition = format!("form-data; name=\"{name}\"");
        self.parts.push((disposition, value.as_bytes().to_vec()));
        self
    }

    pub fn file(self, filename: &str, content: impl AsRef<[u8]>) -> Self {
        self.part(
            &format!("form-data; name=\"file\"; filename=\"{filename}\"\r\nContent-Type: text/x-of-the-part"),
            content,
        )
    }

    /// Anything at all, by the value of its `Content-Disposition`.
    pub fn part(mut self, disposition: &str, content: impl AsRef<[u8]>) -> Self {
        self.parts
            .push((disposition.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Adds a policy with these conditions, good for a minute, and its signature
    /// of version 4.
    pub fn signed(self, key: &Key, conditions: &str) -> Self {
        let time = Time::now();
        let covered = format!(
            r#"{conditions}, {{"x-amz-algorithm": "AWS4-HMAC-SHA256"}}, {{"x-amz-credential": "{}"}}, {{"x-amz-date": "{}"}}"#,
            credential(key, &time),
            time.stamp(),
        );
        self.signed_over(key, &time, &policy(&covered))
    }

    /// Adds this policy, and the fields of its signature of version 4.
    pub fn signed_over(self, key: &Key, time: &Time, policy: &str) -> Self {
        let policy = BASE64_STANDARD.encode(policy);
        let signature = hex(&hmac(&key.derive(time), &policy));
        self.field("x-amz-algorithm", "AWS4-HMAC-SHA256")
            .field("x-amz-credential", &credential(key, time))
            .field("x-amz-date", &time.stamp())
            .field("policy", &policy)
            .field("x-amz-signature", &signature)
    }

    /// Adds a policy with these conditions, and its signature of version 2.
    pub fn signed_v2(self, key: &Key, conditions: &str) -> Self {
        let policy = BASE64_STANDARD.encode(policy(conditions));
        let signature = hmac_sha1(key.secret, &policy);
        self.field("AWSAccessKeyId", key.access)
            .field("policy", &policy)
            .field("signature", &signature)
    }

    /// Changes what stands in a part.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let named = format!("form-data; name=\"{name}\"");
        let part = self.parts.iter_mut().find(|(known, _)| *known == named);
        let (_, content) = part.unwrap_or_else(|| panic!("there is no field {name}"));
        *content = value.as_bytes().to_vec();
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        let named = format!("form-data; name=\"{name}\"");
        self.parts.retain(|(known, _)| *known != named);
        self
    }

    /// The body, up to the end that says that it is the end.
    pub fn unfinished(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (disposition, content) in &self.parts {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body
    }

    pub fn body(&self) -> Vec<u8> {
        let mut body = self.unfinished();
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    pub fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    pub fn post(&self, target: &str) -> Request {
        Request::post(target, self.body()).header("content-type", &Self::content_type())
    }
}

/// A policy that is good for a minute.
pub fn policy(conditions: &str) -> String {
    let expiration = Time::ahead(Duration::from_secs(60)).extended();
    format!(r#"{{"expiration": "{expiration}", "conditions": [{conditions}]}}"#)
}

fn credential(key: &Key, time: &Time) -> String {
    format!("{}/{}", key.access, key.scope(time))
}
