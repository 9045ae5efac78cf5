//! Signatures of AWS version 2. URLs that are signed with it are still made.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// In base64.
pub fn sign(secret: &str, string_to_sign: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Takes the same time whatever the signature is.
pub fn verify(secret: &str, string_to_sign: &str, signature: &str) -> bool {
    sign(secret, string_to_sign)
        .as_bytes()
        .ct_eq(signature.as_bytes())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_published_examples() {
        // From AWS's "Signing and authenticating REST requests".
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for (string_to_sign, signature) in [
            (
                "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg",
                "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
            ),
            (
                "PUT\n4gJE4saaMU4BqNR0kLY+lw==\napplication/x-download\n\
                 Tue, 27 Mar 2007 21:06:08 +0000\nx-amz-acl:public-read\n\
                 x-amz-meta-checksumalgorithm:crc32\nx-amz-meta-filechecksum:0x02661779\n\
                 x-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n\
                 /static.johnsmith.net/db-backup.dat.gz",
                "ilyl83RwaSoYIEdixDQcA4OnAnc=",
            ),
        ] {
            assert_eq!(sign(SECRET, string_to_sign), signature);
            assert!(verify(SECRET, string_to_sign, signature));
            for wrong in [
                "",
                "=",
                &signature[1..],
                &signature[..27],
                &signature.to_lowercase(),
            ] {
                assert!(!verify(SECRET, string_to_sign, wrong));
            }
        }
    }
}
