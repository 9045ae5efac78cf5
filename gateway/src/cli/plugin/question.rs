//! A request that is described on the command line, as the cases that it makes:
//! one for each phase, and for each access in `authorize`.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;
use host::Plugin;
use serde_json::{Map, Value, json};
use sluice_plugin::testing::cases::Case;

use super::Result;

#[derive(Debug, ClapArgs)]
pub(super) struct Question {
    /// Method and target, as on the wire: 'PUT /bucket/key?acl'
    #[arg(long, value_name = "REQUEST")]
    pub(super) request: Option<String>,
    /// A header, 'name: value'; may be repeated
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The body, for `serve`
    #[arg(long, default_value = "", hide_default_value = true)]
    body: String,
    /// Whose request it is: the id of an account; nobody's without it
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    /// A role of that account; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The account that owns the bucket; without one, there is no such bucket
    #[arg(long, value_name = "ID")]
    bucket_owner: Option<String>,
    /// The account that owns the object; without one, there is no such object
    #[arg(long, value_name = "ID")]
    object_owner: Option<String>,
    /// The account that began the upload whose parts are listed, or that is given up
    #[arg(long, value_name = "ID")]
    upload_initiator: Option<String>,
    /// The template that the bucket was made by
    #[arg(long, value_name = "NAME")]
    bucket_template: Option<String>,
    /// The provisioning code that the bucket was made with
    #[arg(long, value_name = "CODE")]
    bucket_location: Option<String>,
    /// What the body of a CreateBucket says, as LocationConstraint
    #[arg(long, value_name = "CODE")]
    location_constraint: Option<String>,
    /// The settings of the plugin, as YAML or JSON: '{key: team}'
    #[arg(long, value_name = "YAML")]
    settings: Option<String>,
    /// A secret that the plugin may use, NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<String>,
    /// What the clock says, in seconds since 1970; without it, the time
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
    /// Ask only in this phase, also if the plugin does not want to be asked
    #[arg(long, value_parser = PHASES)]
    phase: Option<String>,
    /// The action to authorize, instead of those of the request
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// The status of the response, for `respond`
    #[arg(long, default_value_t = 200)]
    status: u16,
}

const PHASES: [&str; 5] = ["authenticate", "authorize", "prepare", "serve", "respond"];

impl Question {
    /// The cases, with what is expected left open.
    pub(super) fn cases(&self, plugin: &Plugin) -> Result<Vec<Case>> {
        let line = self.request.as_deref().ok_or("there is no --request")?;
        let mut given = self.given(line)?;
        // The operation is known once the request is read, for which a case needs one.
        given.insert("operation".to_owned(), "GetObject".into());
        let request = case(&given, "authenticate", None)?.request()?;
        let head = trial::head(&request, &plugin.manifest().sub_resources)?
            .map_err(|error| format!("the gateway refuses this request: {error}"))?;
        given.insert("operation".to_owned(), head.operation.name().into());
        let accesses = match &self.action {
            Some(action) => vec![action.clone()],
            None => {
                let accesses = head
                    .accesses()
                    .map_err(|error| format!("the gateway refuses this request: {error}"))?;
                let names = accesses
                    .iter()
                    .map(|access| access.action.name().to_owned());
                names.collect()
            }
        };
        let mut cases = Vec::new();
        let asked = PHASES.iter().filter(|phase| match &self.phase {
            Some(only) => only == *phase,
            None => takes_part(plugin, phase),
        });
        for phase in asked {
            if *phase == "authorize" {
                // Whose accesses are in its body is decided key by key.
                if accesses.is_empty() && head.operation == s3::Operation::DeleteObjects {
                    return Err(
                        "each key of DeleteObjects is decided alone: say --action DeleteObject"
                            .into(),
                    );
                }
                for action in &accesses {
                    cases.push(case(&given, phase, Some(action))?);
                }
            } else {
                cases.push(case(&given, phase, accesses.first().map(String::as_str))?);
            }
        }
        if cases.is_empty() {
            let name = head.operation.name();
            let silent = !PHASES.iter().any(|phase| takes_part(plugin, phase));
            return Err(match self.phase.is_none() && silent {
                true => "the plugin takes part in no phase; name one with --phase".to_owned(),
                false => format!("there is nothing to authorize in {name}: name an --action"),
            }
            .into());
        }
        Ok(cases)
    }

    fn given(&self, line: &str) -> Result<Map<String, Value>> {
        let mut headers: Map<String, Value> = Map::new();
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("a header is `name: value`, not `{header}`"))?;
            let values = headers
                .entry(name.trim().to_ascii_lowercase())
                .or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(value.trim().into());
            }
        }
        let mut secrets = Map::new();
        for secret in &self.secrets {
            let (name, value) = secret.split_once('=').ok_or("a secret is NAME=VALUE")?;
            secrets.insert(name.to_owned(), value.into());
        }
        let settings: Value = match &self.settings {
            Some(yaml) => serde_yaml::from_str(yaml)
                .map_err(|error| format!("the settings are not YAML: {error}"))?,
            None => Value::Null,
        };
        let people = [
            &self.principal,
            &self.bucket_owner,
            &self.object_owner,
            &self.upload_initiator,
        ];
        let mut directory: Vec<Value> = Vec::new();
        for id in people.into_iter().flatten() {
            if !directory.iter().any(|known| known["id"] == *id) {
                let roles = match Some(id) == self.principal.as_ref() {
                    true => &self.roles[..],
                    false => &[],
                };
                directory.push(json!({"id": id, "roles": roles}));
            }
        }
        let given = json!({
            "name": line,
            "request": line,
            "headers": headers,
            "body": self.body,
            "principal": self.principal,
            "directory": directory,
            "bucket_owner": self.bucket_owner,
            "object_owner": self.object_owner,
            "upload_initiator": self.upload_initiator,
            "bucket_template": self.bucket_template,
            "bucket_location": self.bucket_location,
            "creation": {"location_constraint": self.location_constraint},
            "settings": settings,
            "secrets": secrets,
            "now": self.now.unwrap_or_else(now),
            "status": self.status,
            "expect": "nothing",
        });
        match given {
            Value::Object(given) => Ok(given),
            _ => unreachable!("an object was written down"),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn takes_part(plugin: &Plugin, phase: &str) -> bool {
    let manifest = plugin.manifest();
    let mut interests = manifest.interests.iter();
    let serves = !manifest.claims.is_empty() || !manifest.sub_resources.is_empty();
    (phase == "serve" && serves) || interests.any(|interest| interest.phase.name() == phase)
}

fn case(given: &Map<String, Value>, phase: &str, action: Option<&str>) -> Result<Case> {
    let mut case = given.clone();
    case.insert("phase".to_owned(), phase.into());
    case.insert("action".to_owned(), action.into());
    serde_json::from_value(Value::Object(case)).map_err(|error| error.to_string().into())
}
