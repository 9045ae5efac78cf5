//! `identity`: proof of who signed a request.
//!
//! The plugin brings the string that was signed and the signature; secrets and
//! the keys derived from them stay here.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use s3::sigv4::SigningKey;
use sha2::{Digest, Sha256};

use crate::account::Secret;
use crate::bindings::{identity, types};
use crate::state::{State, Verified};

/// How many derived keys are kept. One is used per access key, day, region.
const KEYS_MAX: usize = 1024;

/// Signing keys by access key and scope, since deriving one costs four times
/// what using it does. A key gets here only after a signature was right, so
/// strangers cannot crowd it out.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<HashMap<(String, String), Entry>>);

/// The secret is kept to notice that it was changed.
struct Entry {
    secret: Secret,
    key: Arc<SigningKey>,
}

impl KeyCache {
    fn get(&self, id: &(String, String), secret: &Secret) -> Option<Arc<SigningKey>> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = keys.get(id)?;
        (entry.secret == *secret).then(|| entry.key.clone())
    }

    fn insert(&self, id: (String, String), secret: Secret, key: Arc<SigningKey>) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            // Scopes go out of use every day anyway.
            keys.clear();
        }
        keys.insert(id, Entry { secret, key });
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache(..)")
    }
}

/// A scope's parts: `date/region/service/aws4_request`.
fn parse_scope(scope: &str) -> Option<(&str, &str, &str)> {
    let mut parts = scope.split('/');
    let (date, region, service) = (parts.next()?, parts.next()?, parts.next()?);
    let complete = parts.next() == Some("aws4_request") && parts.next().is_none();
    complete.then_some((date, region, service))
}

/// When a request was signed, if this is the string to sign of a request in
/// this scope (a browser's form signs its policy instead).
fn signed_at<'a>(string_to_sign: &'a str, scope: &str) -> Option<&'a str> {
    let mut lines = string_to_sign.split('\n');
    let algorithm = lines.next()?;
    let timestamp = lines.next()?;
    let same_scope = lines.next()? == scope;
    (algorithm.starts_with("AWS4-HMAC-SHA256") && same_scope).then_some(timestamp)
}

impl identity::Host for State {
    fn sha256(&mut self, data: Vec<u8>) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(s3::encode::hex(&Sha256::digest(&data)))
    }

    fn verify(
        &mut self,
        access_key_id: String,
        scope: String,
        string_to_sign: String,
        signature: String,
    ) -> wasmtime::Result<Result<types::Account, identity::Failure>> {
        self.enter()?;
        self.verified = None;
        let Some(credential) = self.outside.directory.credential(&access_key_id) else {
            return Ok(Err(identity::Failure::UnknownKey));
        };
        let id = (access_key_id, scope);
        let cached = self.outside.keys.get(&id, &credential.secret);
        let known = cached.is_some();
        let key = match cached {
            Some(key) => key,
            None => match parse_scope(&id.1) {
                Some((date, region, service)) => Arc::new(SigningKey::derive(
                    credential.secret.expose(),
                    date,
                    region,
                    service,
                )),
                None => return Ok(Err(identity::Failure::Mismatch)),
            },
        };
        if !key.verify(&string_to_sign, &signature) {
            return Ok(Err(identity::Failure::Mismatch));
        }
        let stream_key = signed_at(&string_to_sign, &id.1).map(|timestamp| s3::StreamKey {
            key: SigningKey::clone(&key),
            timestamp: timestamp.to_owned(),
            scope: id.1.clone(),
            seed_signature: signature,
        });
        if !known {
            self.outside.keys.insert(id, credential.secret, key);
        }
        let account = types::Account::from(&*credential.account);
        self.verified = Some(Verified {
            account: credential.account,
            stream_key,
        });
        Ok(Ok(account))
    }

    fn verify_v2(
        &mut self,
        access_key_id: String,
        string_to_sign: String,
        signature: String,
    ) -> wasmtime::Result<Result<types::Account, identity::Failure>> {
        self.enter()?;
        self.verified = None;
        let Some(credential) = self.outside.directory.credential(&access_key_id) else {
            return Ok(Err(identity::Failure::UnknownKey));
        };
        if !s3::sigv2::verify(credential.secret.expose(), &string_to_sign, &signature) {
            return Ok(Err(identity::Failure::Mismatch));
        }
        let account = types::Account::from(&*credential.account);
        self.verified = Some(Verified {
            account: credential.account,
            stream_key: None,
        });
        Ok(Ok(account))
    }
}
