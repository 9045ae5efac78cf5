//! Who makes and removes buckets, and what they are made like.
//!
//! Buckets are made by templates, which the operator writes down: a client names
//! one by the location of the bucket, or takes the default. Whoever makes or
//! removes one needs a role, and a mode says whether that is possible at all.
//! To remove a bucket takes its full control as well, which is for others to say:
//! of that, this plugin only ever refuses.

mod template;

use sluice_plugin::prelude::*;
use sluice_plugin::setting::Size;
use sluice_plugin::tags::{self, Tagged};
use template::Template;

/// A refusal lists no more provisioning codes.
const CODES_SHOWN_MAX: usize = 8;

/// Who makes and removes buckets, and what they are made like.
#[derive(Debug, Settings)]
#[setting(check = Provisioning::check)]
pub struct Provisioning {
    /// What can be done: nothing, to create buckets, or to delete them as well.
    #[setting(default = "disabled")]
    mode: Mode,
    /// What accounts need to do it.
    #[setting(default = "bucket-provisioner", min_len = 1)]
    role: String,
    /// The template of a bucket for which no location is named.
    default_template: Option<String>,
    /// What a region means that a client filled in by itself: the default template, or nothing.
    #[setting(default = "reject")]
    accept_sdk_regions: SdkRegions,
    /// Those that clients fill in, since they sign for them; the region of the gateway, if left
    /// out.
    #[setting(default = [], max_len = 100)]
    regions: Vec<String>,
    /// Whether a location that is named and empty is none.
    #[setting(default = false)]
    empty_means_default: bool,
    /// What buckets can be made like.
    #[setting(default = [], max_len = 100)]
    templates: Vec<Template>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
enum Mode {
    Disabled,
    Create,
    #[setting(rename = "create-delete")]
    CreateDelete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
enum SdkRegions {
    Default,
    Reject,
}

#[plugin(name = "provisioning", operations = [CreateBucket, DeleteBucket], prepare(operations = [CreateBucket]))]
impl Plugin for Provisioning {
    fn authorize(&self, request: &Request, access: &Access) -> Vote {
        match access.action() {
            Action::CreateBucket => match self.may_create(&request.principal()) {
                Ok(()) => Vote::Allow,
                Err(denial) => denial.into(),
            },
            Action::DeleteBucket => match self.may_delete(&request.principal()) {
                Ok(()) => Vote::Abstain,
                Err(denial) => denial.into(),
            },
            _ => Vote::Abstain,
        }
    }

    fn prepare(&self, _request: &Request, _access: &Access) -> Result<(), Denial> {
        let Some(bucket) = creation::bucket() else {
            return Ok(());
        };
        let template = self.choose(bucket.location_constraint.as_deref())?;
        tags::check(Tagged::Bucket, &together(bucket.tags, template))?;
        placement::plan_bucket(&plan(template)).map_err(|why| {
            error!(
                "a bucket cannot be made by the template `{}`: {why}",
                template.name
            );
            Denial::custom("InternalError", 500)
        })
    }
}

impl Provisioning {
    fn may_create(&self, principal: &Principal) -> Result<(), Denial> {
        match self.mode {
            Mode::Disabled => deny(AccessDenied)
                .because("Buckets cannot be created here: provisioning is disabled."),
            Mode::Create | Mode::CreateDelete => self.has_role(principal, "create"),
        }
    }

    fn may_delete(&self, principal: &Principal) -> Result<(), Denial> {
        match self.mode {
            Mode::Disabled => deny(AccessDenied)
                .because("Buckets cannot be deleted here: provisioning is disabled."),
            Mode::Create => deny(AccessDenied)
                .because("Buckets cannot be deleted here: provisioning is for creating them only."),
            Mode::CreateDelete => self.has_role(principal, "delete"),
        }
    }

    fn has_role(&self, principal: &Principal, verb: &str) -> Result<(), Denial> {
        match principal.account() {
            Some(account) if account.has_role(&self.role) => Ok(()),
            Some(_) | None => deny(AccessDenied).because(format!(
                "To {verb} a bucket takes the role `{}`.",
                self.role
            )),
        }
    }

    /// The template of a bucket with this location, if the client named any.
    fn choose(&self, location: Option<&str>) -> Result<&Template, Denial> {
        if self.templates.is_empty() {
            return deny(InvalidBucketState)
                .because("There is no template that a bucket could be made by.");
        }
        let Some(location) =
            location.filter(|named| !named.is_empty() || !self.empty_means_default)
        else {
            return self.default().ok_or_else(|| {
                deny(InvalidLocationConstraint).because(
                    "There is no default template: name a provisioning code as the location.",
                )
            });
        };
        let named = self
            .templates
            .iter()
            .find(|template| template.locations().any(|known| known == location));
        let is_filled_in = self.accept_sdk_regions == SdkRegions::Default
            && self.regions.iter().any(|region| region == location);
        named
            .or_else(|| self.default().filter(|_| is_filled_in))
            .ok_or_else(|| self.unknown(location))
    }

    /// The refusal of a location, with those that there are.
    fn unknown(&self, location: &str) -> Denial {
        let codes = self.templates.iter().take(CODES_SHOWN_MAX);
        let codes: Vec<_> = codes.map(|known| format!("`{}`", known.code())).collect();
        let codes = codes.join(", ");
        deny(InvalidLocationConstraint)
            .with("LocationConstraint", location)
            .because(match location {
                "" => format!("The location is empty. Leave it out, or name one of {codes}."),
                _ => format!("No template has this location; there are {codes}."),
            })
    }

    fn default(&self) -> Option<&Template> {
        let name = self.default_template.as_deref()?;
        self.templates.iter().find(|template| template.name == name)
    }

    fn check(&self) -> Result<(), String> {
        let names = self.templates.iter().map(|template| template.name.as_str());
        if let Some(name) = repeated(names) {
            return Err(format!("two templates have the name `{name}`"));
        }
        let locations = self.templates.iter().flat_map(Template::locations);
        if let Some(location) = repeated(locations) {
            return Err(format!(
                "two templates are meant by the location `{}`: provisioning codes and aliases differ",
                location.escape_debug()
            ));
        }
        match &self.default_template {
            Some(name) if self.default().is_none() => Err(format!(
                "`default_template` is `{name}`, and there is no such template"
            )),
            None if self.accept_sdk_regions == SdkRegions::Default => {
                Err("`accept_sdk_regions: default` needs a `default_template`".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn repeated<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    let same = |pair: &&[&'a str]| matches!(pair, [one, other] if one == other);
    texts
        .windows(2)
        .find(same)
        .and_then(|pair| pair.first().copied())
}

/// The tags of the client, and those of the template whose keys it does not name.
fn together(mut tags: Vec<(String, String)>, template: &Template) -> Vec<(String, String)> {
    let named = tags.len();
    for (key, value) in &template.tags.0 {
        if !tags.iter().take(named).any(|(known, _)| known == key) {
            tags.push((key.clone(), value.clone()));
        }
    }
    tags
}

fn plan(template: &Template) -> placement::Plan {
    placement::Plan {
        template: template.name.clone(),
        location: template.code().to_owned(),
        geometry: template.geometry.map(|it| (it.data, it.parity)),
        versioning: template.versioning,
        quota: template.quota.map(|Size(bytes)| bytes),
        acl: template.acl.clone(),
        tags: template.tags.0.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<Provisioning>(&folder);
    }

    #[test]
    fn templates_that_cannot_be_told_apart_are_refused_with_what_is_wrong() {
        let check = |settings: &str, fault: Option<&str>| {
            let read = Provisioning::configure(Settings::from_json(settings));
            match (&read, fault) {
                (Ok(_), None) => {}
                (Err(said), Some(fault)) => assert!(said.contains(fault), "{settings}: {said}"),
                _ => panic!("{settings}: {read:?}"),
            }
        };
        let templates = |list: &str, fault| check(&format!(r#"{{"templates": [{list}]}}"#), fault);
        check("", None);
        check(r#"{"mode": "create_delete"}"#, Some("`create-delete`?"));
        check(r#"{"role": ""}"#, Some("`role` must not be empty"));

        templates(
            r#"{"name": "a"}, {"name": "b", "provisioning_code": "c"}"#,
            None,
        );
        templates(
            r#"{"name": "a"}, {"name": "a"}"#,
            Some("two templates have the name `a`"),
        );
        let same = Some("two templates are meant by the location `x`");
        templates(
            r#"{"name": "x"}, {"name": "b", "provisioning_code": "x"}"#,
            same,
        );
        templates(
            r#"{"name": "x"}, {"name": "b", "aliases": ["y", "x"]}"#,
            same,
        );
        templates(
            r#"{"name": "a", "aliases": ["x"]}, {"name": "b", "aliases": ["x"]}"#,
            same,
        );
        templates(r#"{"name": "a", "aliases": ["x", "x"]}"#, same);
        // Nobody can name it by a name that is not its code.
        templates(
            r#"{"name": "x", "provisioning_code": "y"}, {"name": "b", "aliases": ["x"]}"#,
            None,
        );

        templates(
            r#"{"name": ""}"#,
            Some("`templates[0].name` must not be empty"),
        );
        templates(
            r#"{"name": "a b"}"#,
            Some("`templates[0]` the name `a b` has more than letters"),
        );
        let name = |len: usize| format!(r#"{{"name": "{}"}}"#, "n".repeat(len));
        templates(&name(64), None);
        templates(&name(65), Some("at most 64 characters"));
        let code = |len: usize| {
            format!(
                r#"{{"name": "a", "provisioning_code": "{}"}}"#,
                "ä".repeat(len)
            )
        };
        templates(&code(0), Some("must not be empty"));
        templates(&code(255), None);
        templates(&code(256), Some("at most 255 characters"));
        let alias = |alias: &str| format!(r#"{{"name": "a", "aliases": ["{alias}"]}}"#);
        templates(&alias(&"ä".repeat(255)), None);
        templates(
            &alias(&"ä".repeat(256)),
            Some("cannot be named as a location"),
        );
        templates(&alias(""), Some("cannot be named as a location"));
        templates(
            &alias("a\\nb"),
            Some("`a\\nb` cannot be named as a location"),
        );

        let with = |key: &str, value: &str| format!(r#"{{"name": "a", "{key}": {value}}}"#);
        templates(&with("geometry", r#"{"data": 2, "parity": 0}"#), None);
        templates(
            &with("geometry", r#"{"data": 0, "parity": 1}"#),
            Some("must be at least 1"),
        );
        templates(
            &with("geometry", r#"{"data": 2}"#),
            Some("`templates[0].geometry.parity` is missing"),
        );
        templates(&with("quota", r#""1GiB""#), None);
        templates(&with("quota", "0"), Some("must be at least 1B"));
        templates(
            &with("acl", r#""public""#),
            Some("must be one of `private`"),
        );
        templates(&with("tags", r#"{"a": "", "b": "c"}"#), None);
        templates(
            &with("tags", r#"{"aws:a": ""}"#),
            Some("tags of a bucket, of `aws:a`: System tags"),
        );
        templates(
            &with("tags", r#"{"AWS:a": ""}"#),
            Some("of `AWS:a`: System tags"),
        );
        templates(
            &with("tags", r#"{"a,b": ""}"#),
            Some("of `a,b`: The TagKey"),
        );
        templates(
            &with("tags", r#"{"a": "b?"}"#),
            Some("of `a`: The TagValue"),
        );
        templates(
            &with("tags", r#"{"a": "", "a": ""}"#),
            Some("with the same key"),
        );
        templates(&with("tags", r#"{"": ""}"#), Some("of ``: The TagKey"));
        templates(
            &with("tags", r#"{"a": 1}"#),
            Some("`templates[0].tags.a` must be a text"),
        );
        let tags = |count: usize| {
            let tags: Vec<_> = (0..count).map(|at| format!(r#""{at}": """#)).collect();
            with("tags", &format!("{{{}}}", tags.join(",")))
        };
        templates(&tags(50), None);
        templates(&tags(51), Some("cannot be greater than 50"));

        check(
            r#"{"default_template": "b", "templates": [{"name": "a"}]}"#,
            Some("`default_template` is `b`, and there is no such template"),
        );
        // Its code is not its name.
        check(
            r#"{"default_template": "b", "templates": [{"name": "a", "provisioning_code": "b"}]}"#,
            Some("there is no such template"),
        );
        check(
            r#"{"accept_sdk_regions": "default", "templates": [{"name": "a"}]}"#,
            Some("needs a `default_template`"),
        );
    }
}
