//! `access`: what is being decided on.

use crate::bindings::{access, types};
use crate::bucket::{located_at, made_by};
use crate::failure::Failure;
use crate::state::{Resource, State};

type Answer<T> = wasmtime::Result<T>;

impl State {
    /// The request and the resource it was last about. There is none before the
    /// first decision, so also in the response to a request that never got there.
    fn resource(&mut self) -> Result<(&s3::Head, Option<&Resource>), Failure> {
        let call = self.call()?;
        Ok((&call.facts.head, call.resource.as_deref()))
    }
}

impl access::Host for State {
    fn action(&mut self) -> Answer<types::Action> {
        match self.resource()? {
            (_, Some(resource)) => Ok(resource.access.action.into()),
            (_, None) => Err(Failure::invalid("there is no access yet").into()),
        }
    }

    fn bucket(&mut self) -> Answer<Option<String>> {
        let bucket = match self.resource()? {
            (_, Some(resource)) => resource.access.bucket.as_ref(),
            (head, None) => head.target.bucket(),
        };
        Ok(bucket.map(|bucket| bucket.as_str().to_owned()))
    }

    fn key(&mut self) -> Answer<Option<String>> {
        let key = match self.resource()? {
            (_, Some(resource)) => resource.access.key.as_ref(),
            (head, None) => head.target.key(),
        };
        Ok(key.map(|key| key.as_str().to_owned()))
    }

    fn version_id(&mut self) -> Answer<Option<String>> {
        let version = match self.resource()? {
            (_, Some(resource)) => resource.access.version,
            (head, None) => head.version,
        };
        Ok(version.map(|version| version.to_string()))
    }

    fn bucket_owner(&mut self) -> Answer<Option<String>> {
        let (_, resource) = self.resource()?;
        let bucket = resource.and_then(|resource| resource.bucket.as_deref());
        Ok(bucket.map(|bucket| bucket.owner.clone()))
    }

    fn object_owner(&mut self) -> Answer<Option<String>> {
        let (_, resource) = self.resource()?;
        let object = resource.and_then(|resource| resource.object.as_deref());
        Ok(object.map(|object| object.owner.clone()))
    }

    fn upload_initiator(&mut self) -> Answer<Option<String>> {
        let (_, resource) = self.resource()?;
        Ok(resource.and_then(|resource| resource.initiator.clone()))
    }

    fn bucket_template(&mut self) -> Answer<Option<String>> {
        let (_, resource) = self.resource()?;
        let bucket = resource.and_then(|resource| resource.bucket.as_deref());
        Ok(bucket.and_then(made_by).map(str::to_owned))
    }

    fn bucket_location(&mut self) -> Answer<Option<String>> {
        let (_, resource) = self.resource()?;
        let bucket = resource.and_then(|resource| resource.bucket.as_deref());
        Ok(bucket.and_then(located_at).map(str::to_owned))
    }
}
