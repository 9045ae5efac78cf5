//! A request as it will stand on the wire, byte for byte.

use std::time::Duration;

use crate::sign::{self, Key, Time};
use crate::sign_v2;

/// The name under which the test gateway is addressed. Buckets are found below
/// it as well: `<bucket>.s3.test`.
const HOST: &str = "s3.test";

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A target is sent as it is written, so it is the caller who escapes.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("host".to_owned(), HOST.to_owned())],
            body: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn head(target: &str) -> Self {
        Self::new("HEAD", target)
    }

    pub fn put(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("PUT", target).body(body)
    }

    pub fn post(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target).body(body)
    }

    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// Adds a header, also if there is one of this name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header_if_none(self, name: &str, value: &str) -> Self {
        if self.values(name).is_empty() {
            self.header(name, value)
        } else {
            self
        }
    }

    /// Replaces all headers of this name by one.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Addresses a bucket by its host name.
    pub fn host(self, host: &str) -> Self {
        self.with("host", host)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Says that the body has been hashed, in the way that old clients do.
    pub fn with_md5(self) -> Self {
        let md5 = crate::md5(&self.body);
        self.header("content-md5", &md5)
    }

    pub fn signed(self, key: &Key) -> Self {
        self.signed_at(key, &Time::now())
    }

    pub fn signed_at(self, key: &Key, time: &Time) -> Self {
        sign::sign(self, key, time).0
    }

    pub fn presigned(self, key: &Key) -> Self {
        self.presigned_at(key, &Time::now(), "300")
    }

    pub fn presigned_at(self, key: &Key, time: &Time, expires: &str) -> Self {
        sign::presign(self, key, time, expires)
    }

    /// Signs with version 2, in the header.
    pub fn signed_v2(self, key: &Key) -> Self {
        sign_v2::sign(self, key)
    }

    /// Signs with version 2, in the URL, for five minutes.
    pub fn presigned_v2(self, key: &Key) -> Self {
        sign_v2::presign(self, key)
    }

    /// A URL that was good for a minute, an hour ago.
    pub fn expired(self, key: &Key) -> Self {
        self.presigned_at(key, &Time::ago(Duration::from_secs(3600)), "60")
    }

    /// The first occurrence of a text in the target or in the headers becomes another.
    pub fn tampered(mut self, from: &str, to: &str) -> Self {
        if self.target.contains(from) {
            self.target = self.target.replacen(from, to, 1);
            return self;
        }
        let value = self
            .headers
            .iter_mut()
            .map(|(_, value)| value)
            .find(|value| value.contains(from));
        let value = value.unwrap_or_else(|| panic!("there is no `{from}` to tamper with"));
        *value = value.replacen(from, to, 1);
        self
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    pub(crate) fn split_target(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// The bytes before the body. A body gets its length, unless something is
    /// said about it already.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = !self.values("content-length").is_empty()
            || !self.values("transfer-encoding").is_empty();
        let has_body = !self.body.is_empty() || matches!(self.method.as_str(), "PUT" | "POST");
        if !framed && has_body {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
