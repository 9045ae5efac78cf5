//! The macros of `sluice-plugin`, which passes them on and has their documentation.
//!
//! Each is a function from syntax to syntax or to an error that names the place
//! in the author's code, so that both are tested as any other function.

#![warn(missing_docs)]

mod literal;
mod plugin;
mod settings;

use proc_macro::TokenStream;

/// `#[derive(Settings)]`: `sluice-plugin` says how it is used.
#[proc_macro_derive(Settings, attributes(setting))]
pub fn derive_settings(input: TokenStream) -> TokenStream {
    expand(settings::derive(input.into()))
}

/// `#[plugin(..)]`: `sluice-plugin` says how it is used.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(plugin::expand(arguments.into(), item.into()))
}

fn expand(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
