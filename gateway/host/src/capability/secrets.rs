//! `secrets`: proofs under keys that the operator named. The keys stay here.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::bindings::secrets;
use crate::state::State;

type Answer<T> = wasmtime::Result<Result<T, secrets::Failure>>;

impl State {
    /// The computation that is begun with this secret and continued with this data.
    fn hmac(&mut self, secret: &str, data: &[u8]) -> Option<Hmac<Sha256>> {
        let secret = self.reach().services.secrets.get(secret)?;
        let key = secret.expose().as_bytes();
        // Keys of any length are taken.
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        hmac.update(data);
        Some(hmac)
    }
}

impl secrets::Host for State {
    fn hmac_sha256(&mut self, secret: String, data: Vec<u8>) -> Answer<Vec<u8>> {
        self.enter()?;
        let hmac = self.hmac(&secret, &data);
        let mac = hmac.map(|hmac| hmac.finalize().into_bytes().to_vec());
        Ok(mac.ok_or(secrets::Failure::UnknownSecret))
    }

    fn verify_hmac_sha256(&mut self, secret: String, data: Vec<u8>, mac: Vec<u8>) -> Answer<bool> {
        self.enter()?;
        let hmac = self.hmac(&secret, &data);
        // In a time that does not depend on where they differ.
        let verified = hmac.map(|hmac| hmac.verify_slice(&mac).is_ok());
        Ok(verified.ok_or(secrets::Failure::UnknownSecret))
    }
}
