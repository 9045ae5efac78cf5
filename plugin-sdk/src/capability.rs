//! What a plugin may use beyond the request, if the operator grants it. A plugin
//! that calls nothing of a module does not import it and needs no such grant.

/// Small pieces of policy kept with a bucket or an object version, each visible
/// only to the plugin that wrote it. Grant: `documents`.
pub mod documents {
    pub use crate::bindings::sluice::policy::types::Scope;
    use crate::host::documents as host;

    pub fn get(scope: Scope, name: &str) -> Option<Vec<u8>> {
        host::get(scope, name)
    }

    /// Attaches a document. It is stored together with what the operation
    /// stores, or not at all. Only in `prepare` and `serve`.
    pub fn put(scope: Scope, name: &str, content: &[u8]) {
        host::put(scope, name, content);
    }

    /// Only in `prepare` and `serve`.
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

    pub fn by_id(id: &str) -> Option<Account> {
        host::by_id(id)
    }

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

/// The log of the gateway: always available, limited in rate and length. The
/// macros [`error!`](crate::error), [`warn!`](crate::warn),
/// [`info!`](crate::info) and [`debug!`](crate::debug) format into it.
pub mod log {
    pub use crate::bindings::sluice::policy::log::Level;
    use crate::host::log as host;

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
