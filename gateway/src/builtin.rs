//! The bundled plugins, as built components within the binary.

/// The component of `builtin:<name>`.
pub(crate) fn component(name: &str) -> Option<&'static [u8]> {
    COMPONENTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, component)| *component)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMPONENTS.iter().map(|(name, _)| *name)
}

const COMPONENTS: &[(&str, &[u8])] = &[
    ("acl", include_bytes!("../../plugins/dist/acl.wasm")),
    ("auth", include_bytes!("../../plugins/dist/auth.wasm")),
    ("cors", include_bytes!("../../plugins/dist/cors.wasm")),
    (
        "location",
        include_bytes!("../../plugins/dist/location.wasm"),
    ),
    (
        "provisioning",
        include_bytes!("../../plugins/dist/provisioning.wasm"),
    ),
    (
        "request-payment",
        include_bytes!("../../plugins/dist/request-payment.wasm"),
    ),
    ("tagging", include_bytes!("../../plugins/dist/tagging.wasm")),
];
