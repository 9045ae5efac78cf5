//! `request`: the request, asked for piece by piece.

use crate::bindings::{request, types};
use crate::failure::Failure;
use crate::state::{Phase, State};

/// The longest body that is handed to a plugin.
pub(crate) const BODY_LEN_MAX: usize = 1 << 20;

type Answer<T> = wasmtime::Result<T>;

impl request::Host for State {
    fn operation(&mut self) -> Answer<types::Operation> {
        Ok(self.call()?.facts.head.operation.into())
    }

    fn method(&mut self) -> Answer<String> {
        Ok(self.call()?.facts.head.method.as_str().to_owned())
    }

    fn path(&mut self) -> Answer<String> {
        Ok(self.call()?.facts.head.path.clone())
    }

    fn query_string(&mut self) -> Answer<String> {
        Ok(self.call()?.facts.head.query_string.clone())
    }

    fn sub_resource(&mut self) -> Answer<Option<String>> {
        Ok(self.call()?.facts.head.sub_resource.clone())
    }

    fn query(&mut self, name: String) -> Answer<Option<String>> {
        Ok(self.call()?.facts.head.query.get(&name).map(str::to_owned))
    }

    /// Also one that a presigned URL carries in its query: it means the same.
    fn header(&mut self, name: String) -> Answer<Option<String>> {
        let mut values = self
            .call()?
            .facts
            .head
            .headers
            .get_all(name.as_str())
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(values.next().map(|first| {
            let mut joined = first.into_owned();
            for value in values {
                joined.push(',');
                joined.push_str(&value);
            }
            joined
        }))
    }

    /// Only what was sent as a header: signatures are verified over these.
    fn headers(&mut self) -> Answer<Vec<(String, String)>> {
        let head = &self.call()?.facts.head;
        Ok(head
            .sent_headers()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.as_str().to_owned(), value.into_owned())
            })
            .collect())
    }

    fn header_names(&mut self) -> Answer<Vec<String>> {
        let names = self.call()?.facts.head.headers.keys();
        Ok(names.map(|name| name.as_str().to_owned()).collect())
    }

    fn bucket(&mut self) -> Answer<Option<String>> {
        let target = &self.call()?.facts.head.target;
        Ok(target.bucket().map(|bucket| bucket.as_str().to_owned()))
    }

    fn key(&mut self) -> Answer<Option<String>> {
        let target = &self.call()?.facts.head.target;
        Ok(target.key().map(|key| key.as_str().to_owned()))
    }

    fn version_id(&mut self) -> Answer<Option<String>> {
        let version = &self.call()?.facts.head.version;
        Ok(version.map(|version| version.to_string()))
    }

    fn principal(&mut self) -> Answer<types::Principal> {
        Ok((&self.call()?.principal).into())
    }

    fn source_address(&mut self) -> Answer<String> {
        Ok(self.call()?.facts.source.to_string())
    }

    fn secure(&mut self) -> Answer<bool> {
        Ok(self.call()?.facts.secure)
    }

    fn request_id(&mut self) -> Answer<String> {
        Ok(self.call()?.facts.request_id.clone())
    }

    fn form_field(&mut self, name: String) -> Answer<Option<String>> {
        let form = self.call()?.facts.head.form.as_ref();
        Ok(form.and_then(|form| form.field(&name)).map(str::to_owned))
    }

    fn body(&mut self) -> Answer<Result<Vec<u8>, types::Denial>> {
        let call = self.call()?;
        if call.phase != Phase::Serve {
            return Err(Failure::invalid("only `serve` may ask for the body").into());
        }
        if call.body.len() > BODY_LEN_MAX {
            return Ok(Err(types::Denial {
                code: s3::Code::EntityTooLarge.name().to_owned(),
                message: s3::Code::EntityTooLarge.message().to_owned(),
                status: None,
                members: Vec::new(),
            }));
        }
        Ok(Ok(call.body.to_vec()))
    }
}
