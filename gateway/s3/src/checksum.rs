//! The checksums that S3 keeps with an object, and how those of parts become
//! that of the whole.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};

macro_rules! algorithms {
    ($($variant:ident $name:literal $header:literal $element:literal $len:literal)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Algorithm {
            $($variant,)*
        }

        impl Algorithm {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As in `x-amz-checksum-algorithm`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The header, or trailer, with a checksum of this kind.
            pub fn header(self) -> &'static str {
                match self { $(Self::$variant => $header,)* }
            }

            /// The element with a checksum of this kind.
            pub fn element(self) -> &'static str {
                match self { $(Self::$variant => $element,)* }
            }

            /// How many bytes a checksum has.
            pub fn len_bytes(self) -> usize {
                match self { $(Self::$variant => $len,)* }
            }
        }
    };
}

algorithms! {
    Crc32 "CRC32" "x-amz-checksum-crc32" "ChecksumCRC32" 4
    Crc32c "CRC32C" "x-amz-checksum-crc32c" "ChecksumCRC32C" 4
    Crc64Nvme "CRC64NVME" "x-amz-checksum-crc64nvme" "ChecksumCRC64NVME" 8
    Sha1 "SHA1" "x-amz-checksum-sha1" "ChecksumSHA1" 20
    Sha256 "SHA256" "x-amz-checksum-sha256" "ChecksumSHA256" 32
}

/// How the checksum of an object that was uploaded in parts is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    /// From the checksums of the parts.
    Composite,
    /// From all bytes, as if it had been uploaded at once.
    FullObject,
}

impl ChecksumType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Composite, Self::FullObject]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl Algorithm {
    /// What S3 keeps where nobody asks for another.
    pub const DEFAULT: Self = Self::Crc64Nvme;

    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub fn from_header(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// How the checksum of an upload in parts is made where nobody says.
    pub fn default_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256 => ChecksumType::Composite,
        }
    }

    /// A CRC of the whole follows from those of its parts, a hash does not; and
    /// S3 defines no composite CRC64NVME.
    pub fn supports(self, kind: ChecksumType) -> bool {
        match self {
            Self::Crc64Nvme => kind == ChecksumType::FullObject,
            Self::Crc32 | Self::Crc32c => true,
            Self::Sha1 | Self::Sha256 => kind == ChecksumType::Composite,
        }
    }

    /// Whether this is how a checksum of this kind is written.
    pub fn is_value(self, text: &str) -> bool {
        self.bytes(text).is_some()
    }

    fn bytes(self, text: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        (bytes.len() == self.len_bytes()).then_some(bytes)
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// Computes a checksum piece by piece.
#[derive(Debug)]
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

#[derive(Debug)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        let crc = |kind| State::Crc(Box::new(crc_fast::Digest::new(kind)));
        let state = match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(data),
            State::Sha1(hash) => hash.update(data),
            State::Sha256(hash) => hash.update(data),
        }
    }

    /// The checksum in base64.
    pub fn finish(self) -> String {
        match self.state {
            State::Crc(digest) => encode_crc(digest.finalize(), self.algorithm),
            State::Sha1(hash) => BASE64_STANDARD.encode(hash.finalize()),
            State::Sha256(hash) => BASE64_STANDARD.encode(hash.finalize()),
        }
    }
}

/// The lowest bytes of a CRC, the highest of them first.
fn encode_crc(crc: u64, algorithm: Algorithm) -> String {
    let bytes = crc.to_be_bytes();
    let from = bytes.len().saturating_sub(algorithm.len_bytes());
    BASE64_STANDARD.encode(bytes.get(from..).unwrap_or_default())
}

/// The checksum of the checksums of parts, with their number behind it. `None`
/// where one of them is not a checksum of this kind, or where there is no part.
pub fn composite<'a>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let mut hasher = Hasher::new(algorithm);
    let mut count = 0_u32;
    for part in parts {
        hasher.update(&algorithm.bytes(part)?);
        count = count.checked_add(1)?;
    }
    (count > 0).then(|| format!("{}-{count}", hasher.finish()))
}

/// The CRC of the bytes of all parts, from the CRC and the length of each.
/// `None` for hashes, and where one is not a CRC of this kind.
pub fn full_object<'a>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Option<String> {
    let kind = algorithm.crc()?;
    let crc = |text: &str| {
        let bytes = algorithm.bytes(text)?;
        Some(
            bytes
                .iter()
                .fold(0, |crc, byte| crc << 8 | u64::from(*byte)),
        )
    };
    let mut parts = parts.into_iter();
    let (first, _) = parts.next()?;
    let mut combined = crc(first)?;
    for (part, len) in parts {
        let part = crc(part)?;
        combined = crc_fast::checksum_combine(kind, combined, part, len);
    }
    Some(encode_crc(combined, algorithm))
}

/// The checksum that is said to be right, from the headers. For an upload in
/// parts that is completed, this is the one of the object and not of the body.
pub fn announced(headers: &HeaderMap) -> Result<Option<(Algorithm, String)>, Error> {
    const SETTINGS: [&str; 3] = [
        "x-amz-checksum-algorithm",
        "x-amz-checksum-mode",
        "x-amz-checksum-type",
    ];
    let mut found = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.starts_with("x-amz-checksum-") || SETTINGS.contains(&name) {
            continue;
        }
        let Some(algorithm) = Algorithm::from_header(name) else {
            let error = Error::new(Code::NotImplemented).with("Header", name);
            return Err(error.because("This kind of checksum is not supported."));
        };
        let value = value.to_str().unwrap_or_default();
        // That of an object in parts may have the number of parts behind it.
        let (checksum, parts) = value.split_once('-').unwrap_or((value, "1"));
        let valid = algorithm.is_value(checksum) && parts.parse::<u16>().is_ok();
        if !valid {
            let error = Error::new(Code::InvalidRequest);
            return Err(error.because(format!("Value for {name} header is invalid.")));
        }
        if found.replace((algorithm, value.to_owned())).is_some() {
            return Err(Error::new(Code::InvalidRequest).because(
                "Expecting a single x-amz-checksum- header. \
                 Multiple checksum Types are not allowed.",
            ));
        }
    }
    Ok(found)
}

/// Of a checksum that is another than the one that an upload keeps.
pub fn mismatch(kept: Algorithm, other: Algorithm) -> Error {
    Error::new(Code::InvalidRequest).because(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        kept.name().to_ascii_lowercase(),
        other.name().to_ascii_lowercase(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: Algorithm, pieces: &[&[u8]]) -> String {
        let mut hasher = Hasher::new(algorithm);
        for piece in pieces {
            hasher.update(piece);
        }
        hasher.finish()
    }

    #[test]
    fn checksums_are_the_published_ones() {
        for (algorithm, empty, digits) in [
            (Algorithm::Crc32, "AAAAAA==", "y/Q5Jg=="),
            (Algorithm::Crc32c, "AAAAAA==", "4waSgw=="),
            (Algorithm::Crc64Nvme, "AAAAAAAAAAA=", "rosUhgp5mIg="),
            (
                Algorithm::Sha1,
                "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
                "98O8HYCOBHMq32eZZczDTKeuNEE=",
            ),
            (
                Algorithm::Sha256,
                "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ] {
            assert_eq!(checksum(algorithm, &[]), empty, "{algorithm:?}");
            assert_eq!(checksum(algorithm, &[b"1234", b"", b"56789"]), digits);
            assert!(algorithm.is_value(digits) && !algorithm.is_value(&digits[1..]));
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_header(algorithm.header()), Some(algorithm));
            assert!(algorithm.supports(algorithm.default_type()));
        }
    }

    #[test]
    fn the_crc_of_the_whole_follows_from_those_of_its_parts() {
        let parts: [&[u8]; 4] = [b"1234", b"", b"5678", b"9"];
        for &algorithm in Algorithm::ALL {
            let sums: Vec<_> = parts
                .iter()
                .map(|part| (checksum(algorithm, &[part]), part.len() as u64))
                .collect();
            let whole = full_object(algorithm, sums.iter().map(|(sum, len)| (&**sum, *len)));
            let expected = algorithm
                .supports(ChecksumType::FullObject)
                .then(|| checksum(algorithm, &parts));
            assert_eq!(whole, expected, "{algorithm:?}");
        }
        assert_eq!(full_object(Algorithm::Crc32, []), None);
        assert_eq!(full_object(Algorithm::Crc32, [("x", 1)]), None);
    }

    #[test]
    fn a_composite_checksum_is_that_of_the_checksums() {
        let part = checksum(Algorithm::Sha256, &[b"123456789"]);
        let raw = BASE64_STANDARD.decode(&part).unwrap();
        assert_eq!(
            composite(Algorithm::Sha256, [&*part, &*part]),
            Some(format!("{}-2", checksum(Algorithm::Sha256, &[&raw, &raw])))
        );
        assert_eq!(composite(Algorithm::Sha256, []), None);
        assert_eq!(composite(Algorithm::Crc32, [&*part]), None);
    }

    #[test]
    fn one_checksum_is_announced_or_none() {
        let check = |headers: &[(&'static str, &'static str)], expected| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let announced = announced(&headers);
            assert_eq!(announced.map_err(|error| error.code()), expected);
        };
        let crc = |value: &str| Ok(Some((Algorithm::Crc32, value.to_owned())));
        check(&[], Ok(None));
        check(&[("x-amz-checksum-algorithm", "CRC32")], Ok(None));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg==")], crc("y/Q5Jg=="));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg==-3")], crc("y/Q5Jg==-3"));
        for wrong in ["", "y/Q5Jg=", "y/Q5Jg==-", "y/Q5Jg==-x", "AAAA"] {
            check(
                &[("x-amz-checksum-crc32", wrong)],
                Err(Some(Code::InvalidRequest)),
            );
        }
        check(
            &[
                ("x-amz-checksum-crc32", "y/Q5Jg=="),
                ("x-amz-checksum-crc32c", "4waSgw=="),
            ],
            Err(Some(Code::InvalidRequest)),
        );
        check(
            &[("x-amz-checksum-xxhash3", "AAAAAAAAAAA=")],
            Err(Some(Code::NotImplemented)),
        );
    }
}
