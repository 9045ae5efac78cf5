//! The primitive spelling of everything that is kept: little-endian integers
//! and length-prefixed bytes. Reading checks every bound; damaged bytes give
//! [`Malformed`], never a panic.

/// The bytes are not what they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are malformed")]
pub(crate) struct Malformed;

#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

macro_rules! integers {
    ($($name:ident: $int:ty),*) => {
        impl Writer {
            $(pub(crate) fn $name(&mut self, value: $int) {
                self.0.extend_from_slice(&value.to_le_bytes());
            })*
        }

        impl Reader<'_> {
            $(pub(crate) fn $name(&mut self) -> Result<$int, Malformed> {
                let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
                self.0 = rest;
                Ok(<$int>::from_le_bytes(*bytes))
            })*
        }
    };
}

integers!(u8: u8, u16: u16, u32: u32, u64: u64, u128: u128);

impl Writer {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("records are far smaller than 4 GiB"));
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// How many things follow, each of which takes at least one byte: a damaged
    /// count cannot make the reader allocate more than what is there.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if count <= self.0.len() {
            Ok(count)
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}
