//! What a plugin may use beyond the request, if the operator grants it. A plugin
//! that calls nothing of a module does not import it and needs no such grant.

/// Small pieces of policy kept with a bucket or an object version, each visible
/// only to the plugin that wrote it. Grant: `documents`.
pub mod documents {
    pub use crate::bindings::sluice::policy::types::Scope;
    use crate::host::documents as host;

    /// One document of this plugin, where there is one. [`Scope::Source`] is the
    /// object that a copy reads, and [`Scope::SourceBucket`] the bucket of that.
    pub fn get(scope: Scope, name: &str) -> Option<Vec<u8>> {
        host::get(scope, name)
    }

    /// Attaches a document. It is stored together with what the operation
    /// stores, or not at all. Only in `prepare` and `serve`, and never to the source
    /// of a copy.
    pub fn put(scope: Scope, name: &str, content: &[u8]) {
        host::put(scope, name, content);
    }

    /// Likewise only in `prepare` and `serve`.
    pub fn delete(scope: Scope, name: &str) {
        host::delete(scope, name);
    }
}

/// Proof of who signed a request. The secret keys stay with the gateway.
/// Grant: `identity`.
pub mod identity {
    pub use crate::bindings::sluice::policy::identity::Failure;
    use crate::host::identity as host;
    use crate::verdict::Account;

    /// The SHA-256 of `data`, in lower-case hexadecimal.
    pub fn sha256(data: &[u8]) -> String {
        host::sha256(data)
    }

    /// Verifies a signature of version 4; `scope` is
    /// `date/region/service/aws4_request`.
    pub fn verify(
        access_key_id: &str,
        scope: &str,
        string_to_sign: &str,
        signature: &str,
    ) -> Result<Account, Failure> {
        host::verify(access_key_id, scope, string_to_sign, signature)
    }

    /// Verifies a signature of version 2, which is in base64.
    pub fn verify_v2(
        access_key_id: &str,
        string_to_sign: &str,
        signature: &str,
    ) -> Result<Account, Failure> {
        host::verify_v2(access_key_id, string_to_sign, signature)
    }
}

/// The accounts that the gateway knows. Grant: `directory`.
pub mod directory {
    use crate::host::directory as host;
    use crate::verdict::Account;

    /// The account with this canonical user id.
    pub fn by_id(id: &str) -> Option<Account> {
        host::by_id(id)
    }

    /// The account with this e-mail address.
    pub fn by_email(email: &str) -> Option<Account> {
        host::by_email(email)
    }
}

/// Grant: `clock`.
pub mod clock {
    use crate::host::clock as host;

    /// Milliseconds since the Unix epoch.
    pub fn now_ms() -> u64 {
        host::now_ms()
    }
}

/// Counts in sliding windows, for rate limits and quotas. They are kept in the
/// memory of one gateway: all instances of a plugin share them, no other plugin
/// sees them, and they begin at zero when the gateway starts. Grant: `counters`.
///
/// Count in [`prepare`](crate::Plugin::prepare): it is asked once, and only of what
/// was authorized. `authorize` is asked once for each access, a thousand times of one
/// DeleteObjects.
///
/// ```no_run
/// # use sluice_plugin::prelude::*;
/// # #[derive(Settings)]
/// # struct AtMost;
/// # impl Plugin for AtMost {
/// #     fn manifest() -> Manifest { Manifest::new("at-most", "1.0.0") }
/// #     fn configure(settings: Settings<'_>) -> Result<Self, String> { settings.read() }
/// fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
///     if counters::add(&request.source_address(), 1, 60_000) > 100 {
///         return deny(SlowDown).because("at most 100 requests a minute");
///     }
///     Ok(())
/// }
/// # }
/// ```
///
/// There is a bounded number of keys. While all are in use, adding to a new one ends
/// the instance: the plugin fails as overloaded, which is 503 SlowDown unless the
/// configuration says otherwise. So let no client choose many keys.
pub mod counters {
    use crate::host::counters as host;

    /// Adds `n` to what is counted under `key`, and says how much came together
    /// in the `window_ms` milliseconds up to now, with `n` in it. An `n` of 0
    /// only asks. A key has one window: asked with another, it begins anew.
    pub fn add(key: &str, n: u64, window_ms: u64) -> u64 {
        host::add(key, n, window_ms)
    }
}

/// Calls to services that the operator named. What a service wants as proof is
/// added by the gateway, from the configuration. Grant: `http`.
///
/// A request waits for the call, so it is part of its time. Decide beforehand
/// what no answer means, and deny where it is in doubt.
///
/// ```no_run
/// # use sluice_plugin::prelude::*;
/// # fn asked(principal: &str) -> Vote {
/// let call = http::Call::post("/v1/decide", principal);
/// match http::fetch("opa", &call) {
///     Ok(answer) if answer.status == 200 => Vote::Abstain,
///     Ok(_) => deny(AccessDenied).because("the policy service says no"),
///     Err(_) => deny(SlowDown).because("the policy service does not answer"),
/// }
/// # }
/// ```
pub mod http {
    pub use crate::bindings::sluice::policy::http::{Answer, Call, Failure};
    use crate::host::http as host;

    /// Makes a call and waits for the whole answer; any status is an answer.
    /// `endpoint` is the name in the configuration.
    pub fn fetch(endpoint: &str, call: &Call) -> Result<Answer, Failure> {
        host::fetch(endpoint, call)
    }

    impl Call {
        /// `path` follows the URL of the endpoint, percent-encoded, with its query.
        pub fn new(method: &str, path: &str) -> Self {
            Self {
                method: method.to_owned(),
                path: path.to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
            }
        }

        /// Asks for a path.
        pub fn get(path: &str) -> Self {
            Self::new("GET", path)
        }

        /// Sends a body to a path.
        pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
            let mut call = Self::new("POST", path);
            call.body = body.into();
            call
        }

        /// Adds a header.
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.headers.push((name.to_owned(), value.to_owned()));
            self
        }
    }

    impl Answer {
        /// The first header of a name, in any case.
        pub fn header(&self, name: &str) -> Option<&str> {
            let mut headers = self.headers.iter();
            let (_, value) = headers.find(|(have, _)| have.eq_ignore_ascii_case(name))?;
            Some(value)
        }

        /// The body, where it is UTF-8.
        pub fn text(&self) -> Option<&str> {
            std::str::from_utf8(&self.body).ok()
        }
    }
}

/// Keys that the operator named. The gateway computes with them; they never enter
/// the sandbox. Grant: `secrets`.
pub mod secrets {
    pub use crate::bindings::sluice::policy::secrets::Failure;
    use crate::host::secrets as host;

    /// The HMAC-SHA-256 of `data` under the secret.
    pub fn hmac_sha256(secret: &str, data: &[u8]) -> Result<Vec<u8>, Failure> {
        host::hmac_sha256(secret, data)
    }

    /// Whether `mac` is the HMAC-SHA-256 of `data` under the secret, compared in
    /// constant time.
    pub fn verify_hmac_sha256(secret: &str, data: &[u8], mac: &[u8]) -> Result<bool, Failure> {
        host::verify_hmac_sha256(secret, data, mac)
    }
}

/// The bucket that CreateBucket is about to make. No grant is needed.
pub mod creation {
    pub use crate::bindings::sluice::policy::creation::NewBucket;
    use crate::host::creation as host;

    /// What the client's body said, and what plugins before this one in the chain
    /// planned. Only in `prepare` of CreateBucket; elsewhere there is none.
    pub fn bucket() -> Option<NewBucket> {
        host::bucket()
    }
}

/// Where what a request creates is put, and whose it is. Only in
/// [`prepare`](crate::Plugin::prepare). What a plugin in shadow says here changes
/// nothing. Grant: `placement`.
///
/// ```no_run
/// # use sluice_plugin::prelude::*;
/// # fn prepared() -> Result<(), Denial> {
/// let gold = placement::Plan::new("gold", "eu-gold").geometry(4, 2).tag("tier", "gold");
/// if let Err(reason) = placement::plan_bucket(&gold) {
///     return deny(InvalidRequest).because(reason);
/// }
/// # Ok(())
/// # }
/// ```
pub mod placement {
    pub use crate::bindings::sluice::policy::placement::Plan;
    use crate::host::placement as host;

    /// Says how the bucket of CreateBucket is made. One plugin does; it may do so
    /// again. Fails where another one has, and where the plan cannot be: the message
    /// says why.
    pub fn plan_bucket(plan: &Plan) -> Result<(), String> {
        host::plan_bucket(plan)
    }

    /// What the request creates belongs to the owner of the bucket, whoever asked.
    /// Only of operations that create an object or an upload.
    pub fn give_to_bucket_owner() {
        host::give_to_bucket_owner();
    }

    impl Plan {
        /// A bucket like any other, made by this template with this provisioning code.
        pub fn new(template: &str, location: &str) -> Self {
            Self {
                template: template.to_owned(),
                location: location.to_owned(),
                geometry: None,
                versioning: false,
                quota: None,
                acl: None,
                tags: Vec::new(),
            }
        }

        /// Sets how many shards its data have.
        pub fn geometry(mut self, data: u8, parity: u8) -> Self {
            self.geometry = Some((data, parity));
            self
        }

        /// Gives it a tag.
        pub fn tag(mut self, key: &str, value: &str) -> Self {
            self.tags.push((key.to_owned(), value.to_owned()));
            self
        }
    }
}

/// Counts for whoever is sent a bill. They are shown as the metric
/// `sluice_plugin_metered_total`, and go on where they were when the configuration
/// is read again. A plugin in shadow counts nothing. Grant: `metering`.
pub mod metering {
    use crate::host::metering as host;

    /// Adds `n` to what is counted of a subject, such as an account: a text of 1 to
    /// 128 bytes without control characters. A plugin has at most 1000 subjects; what
    /// is counted of others is shown together, as `sluice_plugin_metered_others_total`.
    pub fn count(subject: &str, n: u64) {
        host::count(subject, n);
    }
}

/// The log of the gateway: always available, limited in rate and length. The
/// macros [`error!`](crate::error), [`warn!`](crate::warn),
/// [`info!`](crate::info) and [`debug!`](crate::debug) format into it.
pub mod log {
    pub use crate::bindings::sluice::policy::log::Level;
    use crate::host::log as host;

    /// Says a line; control characters are escaped.
    pub fn log(level: Level, message: &str) {
        host::log(level, message);
    }
}

/// Logs what went wrong.
#[macro_export]
macro_rules! error {
    ($($argument:tt)+) => { $crate::log::log($crate::log::Level::Error, &::std::format!($($argument)+)) };
}

/// Logs what may be going wrong.
#[macro_export]
macro_rules! warn {
    ($($argument:tt)+) => { $crate::log::log($crate::log::Level::Warn, &::std::format!($($argument)+)) };
}

/// Logs what happened.
#[macro_export]
macro_rules! info {
    ($($argument:tt)+) => { $crate::log::log($crate::log::Level::Info, &::std::format!($($argument)+)) };
}

/// Logs what helps the plugin's author.
#[macro_export]
macro_rules! debug {
    ($($argument:tt)+) => { $crate::log::log($crate::log::Level::Debug, &::std::format!($($argument)+)) };
}
