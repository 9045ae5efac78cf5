//! What `wit-bindgen` makes of `wit/policy.wit`: the types of the contract, and
//! inside the sandbox the calls across its boundary.

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    additional_derives: [PartialEq, ::serde::Deserialize],
    default_bindings_module: "::sluice_plugin::bindings",
    export_macro_name: "export_world",
    pub_export_macro: true,
    disable_run_ctors_once_workaround: true,
});
