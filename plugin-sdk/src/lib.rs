//! How to write a policy plugin for sluice.
//!
//! A plugin is a Rust library. It implements [`Plugin`], says when it is
//! concerned, and answers: who made this request, may they do this, what is to
//! be kept with the object. The gateway runs it in a sandbox, a fresh instance
//! for each request that concerns it.
//!
//! # Ten minutes
//!
//! ```text
//! sluice plugin new require-team
//! ```
//! makes a folder with a plugin that works. A whole one in `src/lib.rs`, with a test:
//! ```
//! use sluice_plugin::prelude::*;
//!
//! /// Uploads must carry a tag.
//! #[derive(Settings)]
//! struct RequireTeam {
//!     /// The tag.
//!     #[setting(min_len = 1)]
//!     key: String,
//! }
//!
//! #[plugin(operations = [PutObject, CreateMultipartUpload])]
//! impl Plugin for RequireTeam {
//!     fn authorize(&self, request: &Request, _access: &Access) -> Vote {
//!         match request.tags().get(&self.key) {
//!             Some(value) if !value.is_empty() => Vote::Abstain,
//!             _ => deny(AccessDenied).because(format!("tag `{}` is required", self.key)),
//!         }
//!     }
//! }
//!
//! # /*
//! #[test]
//! # */
//! fn an_upload_needs_the_tag() {
//!     use sluice_plugin::testing;
//!     let plugin = RequireTeam::configure(Settings::from_json(r#"{"key": "team"}"#)).unwrap();
//!     let upload = testing::Request::put("bucket", "key");
//!     assert!(matches!(upload.authorize(&plugin), Vote::Deny(_)));
//!     let tagged = upload.header("x-amz-tagging", "team=storage");
//!     assert_eq!(tagged.authorize(&plugin), Vote::Abstain);
//! }
//! # an_upload_needs_the_tag();
//! ```
//!
//! `cargo test` runs it: no gateway, no Wasm. `sluice plugin test` runs the files in
//! `cases/` in the sandbox as well, and `sluice plugin build` makes the component and
//! says what a configuration needs to use it:
//! ```yaml
//! plugins:
//!   require-team: {source: "file:require-team.wasm"}
//! chain:
//!   - use: auth
//!   - use: acl
//!   - use: require-team
//!     match: {buckets: ["prod-*"]}
//!     settings: {key: team}
//! ```
//!
//! # Phases
//!
//! A plugin takes part in the phases whose methods it has.
//!
//! | method | asks | asked |
//! |---|---|---|
//! | [`authenticate`](Plugin::authenticate) | who made this request? | until one plugin knows |
//! | [`authorize`](Plugin::authorize) | may they do this? | once for each access |
//! | [`prepare`](Plugin::prepare) | is it valid, and what is kept with it? | once, before anything is stored |
//! | [`serve`](Plugin::serve) | what is the answer? | of what the plugin claims |
//! | [`respond`](Plugin::respond) | which headers does the response get? | also of an error |
//!
//! - **Votes.** One denial outweighs every permission, and an access that nobody
//!   allows is denied. A plugin that only restricts abstains or denies, and never
//!   allows.
//! - **Accesses.** A copy reads one object and writes another, and DeleteObjects
//!   deletes a thousand: each is an access. Ask [`Access`] for what is decided,
//!   and [`Request`] for what the client sent.
//! - **Refusals.** `deny(AccessDenied).because("..")` becomes what the phase
//!   returns. [`Denial::with`] adds elements to the error document, and
//!   [`Denial::custom`] has a code that S3 has not.
//! - **State.** The value serves one request only, and lives up to the end of
//!   `prepare`: `serve` and `respond` are each asked of a fresh one, so that
//!   nothing is held while a client is slow. What shall outlive it is kept in
//!   [`documents`] of a bucket or an object. With `instances: reuse` the value
//!   serves many requests, so keep nothing of one of them in it.
//! - **Failure.** A panic, an endless loop or too much memory ends the instance;
//!   the request is refused. A panic's message is in the gateway's log.
//!
//! # Settings
//!
//! [`derive@Settings`] reads them, checks them and writes the schema that
//! `sluice plugin inspect` shows, and that `sluice check` holds a configuration against. Checks that concern several fields go into
//! `#[setting(check = ..)]`, and a type of one's own implements
//! [`Setting`](setting::Setting).
//!
//! # Capabilities
//!
//! A plugin that calls one of these needs the grant of its name in the
//! configuration; one that calls none needs none, and can do nothing but answer.
//!
//! | grant | module | what for |
//! |---|---|---|
//! | `documents` | [`documents`] | keep policy with buckets and objects |
//! | `identity` | [`identity`] | verify signatures; also needed to say who made a request |
//! | `directory` | [`directory`] | look accounts up |
//! | `clock` | [`clock`] | know the time |
//! | `counters` | [`counters`] | limit rates |
//! | `secrets` | [`secrets`] | compute with keys that the plugin never sees |
//! | `http` | [`mod@http`] | ask services that the operator named |
//! | `placement` | [`placement`] | plan how a bucket is made; give what is created to the bucket's owner |
//! | `metering` | [`metering`] | count for a bill |
//!
//! The [`log`] is there without a grant: `info!("{} tags", tags)`. So is [`creation`],
//! which tells of the bucket that CreateBucket is about to make.
//!
//! # Sub-resources
//!
//! A plugin may own a sub-resource of S3 such as `?cors`, or bring one that S3
//! does not have. The gateway reads the body, at most 1 MiB, and keeps what the
//! plugin attaches.
//!
//! ```
//! use sluice_plugin::prelude::*;
//!
//! /// Buckets have a legal notice.
//! #[derive(Settings)]
//! struct LegalNotice;
//!
//! #[plugin(sub_resources = [bucket("legal-notice", [GetSubResource, PutSubResource])])]
//! impl Plugin for LegalNotice {
//!     fn serve(&self, request: &Request, _access: &Access) -> Result<Reply, Denial> {
//!         if request.operation() == Operation::PutSubResource {
//!             documents::put(Scope::Bucket, "notice", &request.body()?);
//!             return Ok(Reply::new(204));
//!         }
//!         match documents::get(Scope::Bucket, "notice") {
//!             Some(notice) => Ok(Reply::xml(notice)),
//!             None => deny(NoSuchKey).because("the bucket has no legal notice"),
//!         }
//!     }
//! }
//! ```
//!
//! # Testing
//!
//! [`testing::Request`] is a request that a test makes up; it answers for the
//! capabilities as well. Tables of requests are kept in files: see
//! [`testing::cases`], whose [`check_native`](testing::cases::check_native) runs
//! them in `cargo test`. The same files run on the component, and must come out
//! the same.
//!
//! # Cost
//!
//! A plugin that is not concerned costs nothing, so name the operations, headers
//! and documents that concern it. A fresh instance should stay below ten
//! microseconds: ask for the one header you need, and keep constants in the code
//! and out of the settings.
//!
//! What an instance costs are the pages of memory that it touches. So the SDK
//! brings its own allocator, and `sluice plugin build` links with a small stack that
//! comes first. A library cannot set that for those who use it. To build with
//! plain `cargo build --target wasm32-unknown-unknown`, say it yourself, in
//! `.cargo/config.toml`; what comes out is a module, which `wasm-tools component
//! new` makes a component.
//! ```toml
//! [target.wasm32-unknown-unknown]
//! rustflags = ["-Clink-arg=-zstack-size=65536", "-Clink-arg=--stack-first", "-Clink-arg=--initial-memory=262144"]
//! ```
//!
//! # Without macros, without Rust
//!
//! `#[plugin]` writes [`Plugin::manifest`] and [`Plugin::configure`], and says
//! [`export!`]; all of it can be written by hand. Any language that makes
//! components can do the same from `plugin-sdk/wit/policy.wit`, which is the
//! whole contract.

#![warn(missing_docs)]

#[expect(missing_docs, reason = "the contract says what they are")]
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
pub mod tags;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod verdict;
pub mod xml;

pub use bindings::sluice::policy::types::{Action, Operation};
pub use capability::{
    clock, counters, creation, directory, documents, http, identity, log, metering, placement,
    secrets,
};
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
/// A field is of any type that is a [`Setting`](setting::Setting):
/// `bool`, integers, `f64`, `String`, `Duration` (as `100ms`, `5s`, `1m`, `2h`, `7d`),
/// [`Size`](setting::Size) (as `64KiB`), other types with this derive,
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
/// It writes [`Plugin::manifest`] from what it is
/// told and from the phases that the `impl` has; and
/// [`Plugin::configure`], unless that is there,
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
/// | `operations = [..]` | concerned only in these [`Operation`]s |
/// | `headers = [".."]`, `queries = [".."]` | only where one of these headers, or query parameters, is present |
/// | `documents = [".."]` | only where the bucket, the object or the source of a copy has one of these documents |
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
    pub use crate::{
        clock, counters, creation, directory, documents, http, identity, metering, placement,
        secrets,
    };
    // So that a refusal reads `deny(AccessDenied)`.
    pub use crate::Code::*;
    pub use crate::{debug, error, info, warn};
}
