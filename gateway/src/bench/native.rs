//! The same policies, compiled into the process: what they would cost without a
//! sandbox. They answer through the SDK's test kit, which hands each phase a
//! copy of the request.

use std::collections::BTreeMap;

use ip_allow_list::IpAllowList;
use jwt_bearer::JwtBearer;
use plugin_acl::AclPlugin;
use plugin_auth::Auth;
use rate_limit::RateLimit;
use require_tag::RequireTag;
use sluice_plugin::testing::{Known, Request};
use sluice_plugin::{Account, Authentication, Operation, Plugin, Settings, Vote};
use storage::Timestamp;

use super::BoxError;
use super::chain::{Decision, OWNER};
use super::client::Credentials;
use super::policies::{IP_ALLOW_LIST, JWT_BEARER, RATE_LIMIT, REQUIRE_TAG};

/// A request as the test kit has it.
pub(super) struct Native(Request);

impl Native {
    pub(super) fn new(
        decision: &Decision,
        operation: Operation,
        credentials: &Credentials,
    ) -> Result<Self, BoxError> {
        let head = decision.head();
        let mut request = Request::new(operation, head.method.as_str(), &head.path);
        for (name, value) in &head.headers {
            request = request.header(name.as_str(), value.to_str()?);
        }
        let owner = Account::named(OWNER);
        request.directory.push(Known {
            account: owner.clone(),
            keys: BTreeMap::from([(
                credentials.access_key.clone(),
                credentials.secret_key.clone(),
            )]),
        });
        let request = request
            .from("127.0.0.1")
            .principal(owner)
            .bucket_owner(OWNER)
            .object_owner(OWNER)
            .at_ms(Timestamp::now().0);
        Ok(Self(request))
    }

    pub(super) fn authenticate(&self) -> Result<(), BoxError> {
        let auth = Auth::configure(Settings::from_json(r#"{"regions":["us-east-1"]}"#))?;
        match self.0.authenticate(&auth) {
            Authentication::Account(_) => Ok(()),
            other => Err(format!("the signature is not accepted: {other:?}").into()),
        }
    }

    pub(super) fn require_tag(&self) -> Result<(), BoxError> {
        let plugin = RequireTag::configure(Settings::from_json(REQUIRE_TAG.settings))?;
        passes(&self.0.authorize(&plugin))
    }

    /// What `auth` and `acl` do.
    pub(super) fn default(&self) -> Result<(), BoxError> {
        self.authenticate()?;
        passes(
            &self
                .0
                .authorize(&AclPlugin::configure(Settings::from_json("{}"))?),
        )
    }

    /// What all five do for a read.
    pub(super) fn five(&self) -> Result<(), BoxError> {
        let jwt_bearer = JwtBearer::configure(Settings::from_json(JWT_BEARER.settings))?;
        if self.0.authenticate(&jwt_bearer) != Authentication::Abstain {
            return Err("a signature is taken for a token".into());
        }
        self.default()?;
        let allow_list = IpAllowList::configure(Settings::from_json(IP_ALLOW_LIST.settings))?;
        passes(&self.0.authorize(&allow_list))?;
        let rate_limit = RateLimit::configure(Settings::from_json(RATE_LIMIT.settings))?;
        let prepared = self.0.prepare(&rate_limit).answer;
        prepared.map_err(|denial| format!("too many requests: {}", denial.message).into())
    }
}

fn passes(vote: &Vote) -> Result<(), BoxError> {
    match vote {
        Vote::Deny(denial) => Err(format!("refused: {}", denial.message).into()),
        Vote::Allow | Vote::Abstain => Ok(()),
    }
}
