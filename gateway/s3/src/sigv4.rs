//! Signatures of AWS version 4: the keys they are made with, and how they are
//! compared.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::encode::hex;

/// A key for one day, region and service, derived from a secret access key.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let date = hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes());
        let region = hmac(&date, region.as_bytes());
        let service = hmac(&region, service.as_bytes());
        Self(hmac(&service, b"aws4_request"))
    }

    /// In lower-case hexadecimal.
    pub fn sign(&self, string_to_sign: &str) -> String {
        hex(&hmac(&self.0, string_to_sign.as_bytes()))
    }

    /// Takes the same time whatever the signature is.
    pub fn verify(&self, string_to_sign: &str, signature: &str) -> bool {
        self.sign(string_to_sign)
            .as_bytes()
            .ct_eq(signature.as_bytes())
            .into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// What the signatures of a streamed body continue from.
#[derive(Clone)]
pub struct StreamKey {
    pub key: SigningKey,
    /// The time of the request, as in `x-amz-date`.
    pub timestamp: String,
    /// `date/region/service/aws4_request`.
    pub scope: String,
    /// The signature of the request's head.
    pub seed_signature: String,
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamKey")
            .field("timestamp", &self.timestamp)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The chain of signatures through a body: each one covers the one before it,
/// so that no chunk can be dropped, repeated or moved.
#[derive(Debug)]
pub(crate) struct SignatureChain {
    key: StreamKey,
    previous: String,
}

impl SignatureChain {
    pub(crate) fn new(key: StreamKey) -> Self {
        let previous = key.seed_signature.clone();
        Self { key, previous }
    }

    pub(crate) fn verify_chunk(&mut self, content: [u8; 32], signature: &str) -> bool {
        let empty = hex(&Sha256::digest(b""));
        let hashes = format!("{empty}\n{}", hex(&content));
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &hashes, signature)
    }

    pub(crate) fn verify_trailer(&mut self, content: [u8; 32], signature: &str) -> bool {
        let hash = hex(&content);
        self.verify("AWS4-HMAC-SHA256-TRAILER", &hash, signature)
    }

    fn verify(&mut self, kind: &str, hashes: &str, signature: &str) -> bool {
        let StreamKey {
            key,
            timestamp,
            scope,
            ..
        } = &self.key;
        let previous = &self.previous;
        let string_to_sign = format!("{kind}\n{timestamp}\n{scope}\n{previous}\n{hashes}");
        let verified = key.verify(&string_to_sign, signature);
        self.previous = signature.to_owned();
        verified
    }
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn signatures_are_those_of_the_published_examples() {
        // From AWS's "Examples: Signature Calculations", GET object and PUT object.
        let key = SigningKey::derive(SECRET, "20130524", "us-east-1", "s3");
        for (request, signature) in [
            (
                "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
        ] {
            let string_to_sign = format!(
                "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{request}"
            );
            assert_eq!(key.sign(&string_to_sign), signature);
            assert!(key.verify(&string_to_sign, signature));
            for wrong in ["", "f0", &signature.to_uppercase(), &signature[1..]] {
                assert!(!key.verify(&string_to_sign, wrong));
            }
        }
    }

    #[test]
    fn a_key_never_shows() {
        let key = SigningKey::derive(SECRET, "20130524", "us-east-1", "s3");
        let stream = StreamKey {
            key: key.clone(),
            timestamp: "20130524T000000Z".into(),
            scope: "20130524/us-east-1/s3/aws4_request".into(),
            seed_signature: "seed".into(),
        };
        assert_eq!(format!("{key:?}"), "SigningKey");
        assert_eq!(
            format!("{stream:?}"),
            "StreamKey { timestamp: \"20130524T000000Z\", \
             scope: \"20130524/us-east-1/s3/aws4_request\", .. }"
        );
    }
}
