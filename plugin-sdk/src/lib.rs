//! How to write a policy plugin for sluice.
//!
//! A plugin is a Rust library. It implements [`Plugin`], says when it is
//! concerned, and answers: who made this request, may they do this, what is to
//! be kept with the object. The gateway runs it in a sandbox, a fresh instance
//! for each request that concerns it.
//!
//! # Ten minutes
//!
//! `Cargo.toml`:
//! ```toml
//! [package]
//! name = "require-tag"
//! version = "1.0.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"]         # the component, and the tests
//!
//! [dependencies]
//! sluice-plugin = { path = "../plugin-sdk" }
//! serde = { version = "1", features = ["derive"] }
//! ```
//!
//! `src/lib.rs`, the whole plugin:
//! ```
//! use sluice_plugin::prelude::*;
//!
//! /// Uploads must carry a tag.
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! pub struct RequireTag {
//!     key: String,
//! }
//!
//! export!(RequireTag);
//!
//! impl Plugin for RequireTag {
//!     fn manifest() -> Manifest {
//!         Manifest::new("require-tag", env!("CARGO_PKG_VERSION"))
//!             .on(Phase::Authorize, [Operation::PutObject, Operation::CreateMultipartUpload])
//!     }
//!
//!     fn configure(settings: Settings<'_>) -> Result<Self, String> {
//!         settings.parse()
//!     }
//!
//!     fn authorize(&self, request: &Request, _access: &Access) -> Vote {
//!         match request.tags().get(&self.key) {
//!             Some(value) if !value.is_empty() => Vote::Abstain,
//!             _ => deny(AccessDenied).because(format!("tag `{}` is required", self.key)),
//!         }
//!     }
//! }
//!
//! // In your tests: no gateway, no Wasm.
//! use sluice_plugin::testing;
//! let plugin = RequireTag::configure(Settings::from_json(r#"{"key": "team"}"#)).unwrap();
//! let upload = testing::Request::put("bucket", "key");
//! assert!(matches!(upload.authorize(&plugin), Vote::Deny(_)));
//! let tagged = upload.header("x-amz-tagging", "team=storage");
//! assert_eq!(tagged.authorize(&plugin), Vote::Abstain);
//! ```
//!
//! Build the component, in a checkout of sluice:
//! ```text
//! cargo run -p plugins-build -- --crate path/to/require-tag --out require_tag.wasm
//! ```
//! and use it:
//! ```yaml
//! plugins:
//!   require-tag: {source: "file:require_tag.wasm"}
//! chain:
//!   - use: auth
//!   - use: acl
//!   - use: require-tag
//!     match: {buckets: ["prod-*"]}
//!     settings: {key: team}
//! ```
//!
//! # What to know
//!
//! - **Votes.** One denial outweighs every permission, and an access that nobody
//!   allows is denied. A plugin that only restricts abstains or denies, and never
//!   allows.
//! - **Accesses.** [`Plugin::authorize`] is asked once for each access of an
//!   operation: a copy reads one object and writes another. Ask [`Access`] for
//!   what is decided, and [`Request`] for what the client sent.
//! - **Interests.** A plugin that is not concerned costs nothing, so name the
//!   operations, headers and documents that concern it: see [`Interest`].
//! - **Claims.** A plugin may own a sub-resource such as `?cors`:
//!   [`Manifest::claims`] and [`Plugin::serve`].
//! - **State.** The value serves one request only, and lives up to the end of
//!   [`Plugin::prepare`]: [`Plugin::serve`] and [`Plugin::respond`] are each asked
//!   of a fresh one, so that nothing is held while a client is slow. What shall
//!   outlive it is kept in [`documents`] of a bucket or an object.
//! - **Capabilities.** The modules [`documents`], [`identity`], [`directory`] and
//!   [`clock`] each need a grant in the configuration, if the plugin calls them.
//! - **Failure.** A panic, an endless loop or too much memory ends the instance;
//!   the request is refused. A panic's message is in the gateway's log.
//! - **Cost.** A fresh instance should stay below ten microseconds: ask for
//!   the one header you need, keep constants in the code and out of the settings.
//! - **Building with plain cargo.** `plugins-build` needs no Wasm target, sets the
//!   link arguments that keep an instance's memory small, and makes the module a
//!   component. With a toolchain that has the target, the module alone is
//!   `cargo build --target wasm32-unknown-unknown`.

pub mod bindings;

#[cfg(target_family = "wasm")]
mod allocator;
mod capability;
mod host;
mod plugin;
mod request;
#[doc(hidden)]
pub mod runtime;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod verdict;
pub mod xml;

pub use bindings::sluice::policy::types::{Action, Operation};
pub use capability::{clock, counters, directory, documents, http, identity, log, secrets};
pub use plugin::{Interest, Manifest, Phase, Plugin, Reply, Settings, SubResource};
pub use request::{Access, Request, Tags, form_decoded, hex_digit};
pub use verdict::{Account, Authentication, Code, Denial, Principal, Vote, deny};

/// What a plugin uses: `use sluice_plugin::prelude::*;`
pub mod prelude {
    pub use crate::documents::Scope;
    pub use crate::{
        Access, Account, Action, Authentication, Code, Denial, Interest, Manifest, Operation,
        Phase, Plugin, Principal, Reply, Request, Settings, Vote, deny, export,
    };
    pub use crate::{clock, counters, directory, documents, http, identity, secrets};
    // So that a refusal reads `deny(AccessDenied)`.
    pub use crate::Code::*;
    pub use crate::{debug, error, info, warn};
}
