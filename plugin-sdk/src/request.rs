//! The request and the access that is being decided, asked for piece by piece:
//! only what a plugin asks for crosses the boundary of the sandbox.

use crate::bindings::sluice::policy::types;
use crate::host::{access, request};
use crate::verdict::{Denial, Principal};
use types::{Action, Operation};

/// The request in hand.
#[derive(Debug)]
pub struct Request(pub(crate) ());

impl Request {
    /// What the request asks for.
    pub fn operation(&self) -> Operation {
        request::operation()
    }

    /// The method of HTTP, such as `PUT`.
    pub fn method(&self) -> String {
        request::method()
    }

    /// The path exactly as it came, still percent-encoded.
    pub fn path(&self) -> String {
        request::path()
    }

    /// The query string exactly as it came, without `?`.
    pub fn query_string(&self) -> String {
        request::query_string()
    }

    /// The sub-resource that the query names, such as `acl`.
    pub fn sub_resource(&self) -> Option<String> {
        request::sub_resource()
    }

    /// One query parameter, decoded; the first where it is repeated.
    pub fn query(&self, name: &str) -> Option<String> {
        request::query(name)
    }

    /// One header; the values of a repeated one are joined by commas. What a
    /// presigned URL says in its query instead of a header counts as that header.
    pub fn header(&self, name: &str) -> Option<String> {
        request::header(name)
    }

    /// The headers that were sent as such, names in lower case, in the order in
    /// which they came.
    pub fn headers(&self) -> Vec<(String, String)> {
        request::headers()
    }

    /// The names of all that counts as a [`header`](Self::header), sent as such or
    /// not, in lower case, each once.
    pub fn header_names(&self) -> Vec<String> {
        request::header_names()
    }

    /// The bucket that the request addresses.
    pub fn bucket(&self) -> Option<String> {
        request::bucket()
    }

    /// The key of the object that it addresses, decoded.
    pub fn key(&self) -> Option<String> {
        request::key()
    }

    /// The version that it addresses.
    pub fn version_id(&self) -> Option<String> {
        request::version_id()
    }

    /// On whose behalf it is made; anonymous, until it is authenticated.
    pub fn principal(&self) -> Principal {
        request::principal()
    }

    /// The address of the client, without the port.
    pub fn source_address(&self) -> String {
        request::source_address()
    }

    /// Whether the client came over TLS.
    pub fn secure(&self) -> bool {
        request::secure()
    }

    /// What the gateway and its log call this request.
    pub fn request_id(&self) -> String {
        request::request_id()
    }

    /// One field of a form that a browser posts, of those before the file; its name
    /// in lower case. Only PostObject has any. What says the same as a header of
    /// PutObject counts as that [`header`](Self::header), too.
    pub fn form_field(&self, name: &str) -> Option<String> {
        request::form_field(name)
    }

    /// The whole body, verified. Only in [`serve`](crate::Plugin::serve).
    pub fn body(&self) -> Result<Vec<u8>, Denial> {
        request::body()
    }

    /// The tags that the request wants to give its object: `x-amz-tagging`. A copy
    /// has those of what it reads, unless its directive is to replace them.
    pub fn tags(&self) -> Tags {
        let directive = || self.header("x-amz-tagging-directive");
        let said = match self.operation() {
            Operation::CopyObject if directive().as_deref() != Some("REPLACE") => None,
            _ => self.header("x-amz-tagging"),
        };
        Tags::parse(&said.unwrap_or_default())
    }
}

/// What is being authorized; in other phases, what the operation addresses.
#[derive(Debug)]
pub struct Access(pub(crate) ());

impl Access {
    /// What is to be done.
    pub fn action(&self) -> Action {
        access::action()
    }

    /// The bucket that it is done to, or in.
    pub fn bucket(&self) -> Option<String> {
        access::bucket()
    }

    /// The key of the object that it is done to.
    pub fn key(&self) -> Option<String> {
        access::key()
    }

    /// The version that it is done to.
    pub fn version_id(&self) -> Option<String> {
        access::version_id()
    }

    /// The account that owns the bucket, where the bucket exists.
    pub fn bucket_owner(&self) -> Option<String> {
        access::bucket_owner()
    }

    /// The account that owns the object, where the object exists.
    pub fn object_owner(&self) -> Option<String> {
        access::object_owner()
    }

    /// The account that began the upload, where the access is to list its parts or to
    /// give it up, and the upload exists.
    pub fn upload_initiator(&self) -> Option<String> {
        access::upload_initiator()
    }

    /// The name of the template that the bucket was made by, if it was by any.
    pub fn bucket_template(&self) -> Option<String> {
        access::bucket_template()
    }

    /// The provisioning code that the bucket was made with, if it was with any.
    pub fn bucket_location(&self) -> Option<String> {
        access::bucket_location()
    }
}

/// Tags in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Reads the form of the header: `key=value&key=value`, percent-encoded.
    pub fn parse(header: &str) -> Self {
        let pairs = header.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (form_decoded(key), form_decoded(value))
                })
                .collect(),
        )
    }

    /// The value of a tag; the first, where it is repeated.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(have, _)| have == key)?;
        Some(value)
    }

    /// The tags with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Undoes the encoding of a form or query value. What is no valid escape stands
/// for itself; what is no UTF-8 becomes the replacement character.
pub fn form_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        decoded.push(match (first, rest) {
            (b'+', _) => b' ',
            (b'%', [high, low, rest @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes = rest;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The value of a hexadecimal digit of either case.
pub fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_a_form() {
        let check = |header: &str, expected: &[(&str, &str)]| {
            let tags = Tags::parse(header);
            assert_eq!(tags.iter().collect::<Vec<_>>(), expected, "{header:?}");
        };
        check("", &[]);
        check("a=1", &[("a", "1")]);
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a", &[("a", "")]);
        check("a=b=c", &[("a", "b=c")]);
        check("&&a=1&", &[("a", "1")]);
        check("a+b=c%20d%2B", &[("a b", "c d+")]);
        check("a=%", &[("a", "%")]);
        check("a=%4", &[("a", "%4")]);
        check("a=%zz", &[("a", "%zz")]);
        check("a=%ff", &[("a", "\u{fffd}")]);
        check("%C3%A4=%e2%82%ac", &[("ä", "€")]);
    }
}
