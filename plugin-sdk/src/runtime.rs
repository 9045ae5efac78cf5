//! How the exports of the component reach the plugin of its author.

use std::cell::OnceCell;

use crate::bindings::sluice::policy::types::{Authentication, Denial, Manifest, Reply, Vote};
use crate::plugin::{Plugin, Settings};
use crate::request::{Access, Request};

const REQUEST: Request = Request(());
const ACCESS: Access = Access(());

/// The one plugin value of an instance: absent until it is configured.
#[derive(Debug)]
pub struct Slot<P>(OnceCell<P>);

// SAFETY: a component without threads runs on one thread; the type is of use
// only there, and the macro that makes a static of it is empty elsewhere.
#[cfg(target_family = "wasm")]
unsafe impl<P> Sync for Slot<P> {}

impl<P: Plugin> Slot<P> {
    #[expect(clippy::new_without_default, reason = "only a const one is of use")]
    pub const fn new() -> Self {
        Self(OnceCell::new())
    }

    pub fn describe(&self) -> Manifest {
        P::manifest()
    }

    pub fn configure(&self, settings: &str) -> Result<(), String> {
        #[cfg(feature = "panic-log")]
        std::panic::set_hook(Box::new(|panic| {
            crate::log::log(crate::log::Level::Error, &panic.to_string());
        }));
        let plugin = P::configure(Settings::from_json(settings))?;
        self.0
            .set(plugin)
            .map_err(|_| "configured twice".to_owned())
    }

    pub fn authenticate(&self) -> Authentication {
        self.plugin().authenticate(&REQUEST)
    }

    pub fn authorize(&self) -> Vote {
        self.plugin().authorize(&REQUEST, &ACCESS)
    }

    pub fn prepare(&self) -> Result<(), Denial> {
        self.plugin().prepare(&REQUEST, &ACCESS)
    }

    pub fn serve(&self) -> Result<Reply, Denial> {
        self.plugin().serve(&REQUEST, &ACCESS)
    }

    pub fn respond(&self, status: u16) -> Vec<(String, String)> {
        self.plugin().respond(&REQUEST, status)
    }

    fn plugin(&self) -> &P {
        self.0
            .get()
            .expect("the host configures an instance before it asks it")
    }
}

/// Makes the crate a plugin: `export!(RequireTag);`, once, at its root.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            static SLOT: $crate::runtime::Slot<$plugin> = $crate::runtime::Slot::new();

            impl $crate::bindings::Guest for Component {
                fn describe() -> $crate::Manifest {
                    SLOT.describe()
                }
                fn configure(
                    settings: ::std::string::String,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    SLOT.configure(&settings)
                }
                fn authenticate() -> $crate::Authentication {
                    SLOT.authenticate()
                }
                fn authorize() -> $crate::Vote {
                    SLOT.authorize()
                }
                fn prepare() -> ::core::result::Result<(), $crate::Denial> {
                    SLOT.prepare()
                }
                fn serve() -> ::core::result::Result<$crate::Reply, $crate::Denial> {
                    SLOT.serve()
                }
                fn respond(
                    status: u16,
                ) -> ::std::vec::Vec<(::std::string::String, ::std::string::String)> {
                    SLOT.respond(status)
                }
            }

    $crate::bindings::export_world!(Component with_types_in $crate::bindings);
        };
    };
}
