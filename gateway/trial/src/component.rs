//! The bytes of a file, taken for a component only where they begin as one: what
//! else was meant, and what to do, is easier said here than by a compiler.

/// Begins as a component does.
#[derive(Clone)]
pub struct Component(Vec<u8>);

/// What a file is instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoComponent {
    #[error("the file is empty")]
    Empty,
    #[error(
        "this is a core WebAssembly module, not a component: `sluice plugin build` makes components, and so does `wasm-tools component new` from a module that has the contract's types in it"
    )]
    Module,
    #[error("this is WebAssembly in a form that is not known here, perhaps of a later version")]
    Form,
    #[error(
        "this is a program for a computer, not WebAssembly: build for wasm32-unknown-unknown, as `sluice plugin build` does"
    )]
    Native,
    #[error(
        "this is a text, not a component: name the .wasm file that `sluice plugin build` writes"
    )]
    Text,
    #[error("these are not the bytes of a WebAssembly component")]
    Unknown,
}

const MAGIC: &[u8] = b"\0asm";
/// The version of the format and its layer.
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const MODULE: &[u8] = &[1, 0, 0, 0];
const ELF: &[u8] = b"\x7fELF";

impl Component {
    pub fn parse(bytes: Vec<u8>) -> Result<Self, NoComponent> {
        match bytes.strip_prefix(MAGIC) {
            Some(rest) if rest.starts_with(COMPONENT) => Ok(Self(bytes)),
            Some(rest) if rest.starts_with(MODULE) => Err(NoComponent::Module),
            Some(_) => Err(NoComponent::Form),
            None if bytes.is_empty() => Err(NoComponent::Empty),
            None if bytes.starts_with(ELF) => Err(NoComponent::Native),
            None if is_text(&bytes) => Err(NoComponent::Text),
            None => Err(NoComponent::Unknown),
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Component({} bytes)", self.0.len())
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let strange = |c: char| c.is_control() && !c.is_whitespace();
    str::from_utf8(bytes).is_ok_and(|text| !text.contains(strange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_called_what_it_is() {
        let check = |bytes: &[u8], expected: Option<NoComponent>| {
            let parsed = Component::parse(bytes.to_vec());
            assert_eq!(parsed.err(), expected, "{bytes:?}");
        };
        check(b"\0asm\x0d\0\x01\0", None);
        check(b"\0asm\x0d\0\x01\0rest", None);
        check(b"\0asm\x0d\0\x02\0", Some(NoComponent::Form));
        check(b"\0asm", Some(NoComponent::Form));
        check(b"\0asm\x01\0\0\0", Some(NoComponent::Module));
        check(b"", Some(NoComponent::Empty));
        check(b"\x7fELF\x02\x01", Some(NoComponent::Native));
        check(b"use sluice_plugin::prelude::*;\n", Some(NoComponent::Text));
        check("// ümlaut\r\n".as_bytes(), Some(NoComponent::Text));
        check(b"\0", Some(NoComponent::Unknown));
        check(b"\xff\xfe", Some(NoComponent::Unknown));
    }
}
