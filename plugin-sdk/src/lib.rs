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
pub mod setting;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod verdict;
pub mod xml;

pub use bindings::sluice::policy::types::{Action, Operation};
pub use capability::{clock, counters, directory, documents, http, identity, log, secrets};
pub use plugin::{Interest, Manifest, Phase, Plugin, Reply, Settings, SubResource};
pub use request::{Access, Request, Tags, form_decoded, hex_digit};
/// Makes a type readable from the settings of a plugin, with a JSON Schema that
/// says the same.
///
/// ```
/// use std::time::Duration;
/// use sluice_plugin::prelude::*;
///
/// /// Uploads wait their turn.
/// #[derive(Debug, Settings)]
/// struct Queue {
///     /// How many may wait.
///     #[setting(default = 16, min = 1, max = 1024)]
///     waiting_max: u32,
///     /// How long one waits.
///     #[setting(default = "5s", max = "1m")]
///     patience: Duration,
///     /// Whom to let pass.
///     #[setting(default = [])]
///     vips: Vec<String>,
///     order: Option<Order>,
/// }
///
/// #[derive(Debug, PartialEq, Settings)]
/// enum Order { FirstComeFirstServed, Shuffled }
///
/// let queue: Queue = Settings::from_json(r#"{"waiting_max": 4, "order": "shuffled"}"#).read().unwrap();
/// assert_eq!((queue.waiting_max, queue.patience), (4, Duration::from_secs(5)));
/// assert_eq!(queue.order, Some(Order::Shuffled));
///
/// let refused = Settings::from_json(r#"{"waiting_mox": 4}"#).read::<Queue>();
/// assert_eq!(refused.unwrap_err(), "`waiting_mox` is not known; did you mean `waiting_max`?");
/// ```
///
/// A field is of any type that is a [`Setting`](crate::setting::Setting):
/// `bool`, integers, `f64`, `String`, `Duration` (as `100ms`, `5s`, `1m`, `2h`, `7d`),
/// [`Size`](crate::setting::Size) (as `64KiB`), other types with this derive,
/// and `Option`s and `Vec`s of them. Doc comments become the descriptions of the schema.
///
/// | `#[setting(..)]` | on | what it says |
/// |---|---|---|
/// | `default = ..` | fields | the value where the key is absent: a literal, or a list of them |
/// | `default` | fields | the same, with the `Default` of the type |
/// | `min = ..`, `max = ..` | numbers, durations, sizes | the least and the greatest value |
/// | `min_len = ..`, `max_len = ..` | texts, lists | how many characters or elements |
/// | `one_of = [..]` | texts, integers | the values that are allowed |
/// | `rename = ".."` | fields, variants | its name in the file; otherwise that of the field, or of the variant in `snake_case` |
/// | `check = path` | types | a `fn(&Self) -> Result<(), String>` that is asked last |
#[doc(inline)]
pub use sluice_plugin_macros::Settings;
/// Makes a type the plugin of its crate: `#[plugin(..)]` on `impl Plugin for ..`.
///
/// It writes [`Plugin::manifest`](crate::Plugin::manifest) from what it is
/// told and from the phases that the `impl` has; and
/// [`Plugin::configure`](crate::Plugin::configure), unless that is there,
/// which reads the type itself from the settings. Name and version are those of
/// the package. It says `export!`, too.
///
/// ```
/// use sluice_plugin::prelude::*;
///
/// /// Uploads must carry a tag.
/// #[derive(Settings)]
/// struct RequireTag {
///     /// The tag.
///     #[setting(min_len = 1)]
///     key: String,
/// }
///
/// #[plugin(operations = [PutObject, CreateMultipartUpload])]
/// impl Plugin for RequireTag {
///     fn authorize(&self, request: &Request, _access: &Access) -> Vote {
///         match request.tags().get(&self.key) {
///             Some(value) if !value.is_empty() => Vote::Abstain,
///             _ => deny(AccessDenied).because(format!("tag `{}` is required", self.key)),
///         }
///     }
/// }
/// ```
///
/// | argument | what it says |
/// |---|---|
/// | `operations = [..]` | concerned only in these [`Operation`](crate::Operation)s |
/// | `headers = [".."]`, `queries = [".."]` | only where one of these headers, or query parameters, is present |
/// | `documents = [".."]` | only where the bucket has one of these documents |
/// | `authorize(..)`, and so on | these conditions for this phase, in place of those above; a phase given twice is asked when either holds |
/// | `claims = [..]` | operations that `serve` answers |
/// | `sub_resources = [bucket("legal-notice", [GetSubResource])]` | sub-resources that S3 does not have, of a `bucket` or an `object`, which `serve` answers |
/// | `settings = Type` | the type whose schema the manifest has, where `configure` is written by hand |
/// | `name = ".."`, `version = ".."` | in place of those of the package |
#[doc(inline)]
pub use sluice_plugin_macros::plugin;
pub use verdict::{Account, Authentication, Code, Denial, Principal, Vote, deny};

/// What a plugin uses: `use sluice_plugin::prelude::*;`
pub mod prelude {
    pub use crate::documents::Scope;
    pub use crate::{
        Access, Account, Action, Authentication, Code, Denial, Interest, Manifest, Operation,
        Phase, Plugin, Principal, Reply, Request, Settings, Vote, deny, export, plugin,
    };
    pub use crate::{clock, counters, directory, documents, http, identity, secrets};
    // So that a refusal reads `deny(AccessDenied)`.
    pub use crate::Code::*;
    pub use crate::{debug, error, info, warn};
}
