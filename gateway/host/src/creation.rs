//! What a request creates, as far as plugins have a say in it: how a bucket is
//! made, and whose it is what is created.

use std::collections::HashSet;

/// What is known of the bucket that a client wants, before any plugin planned it:
/// what the client's body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Creation {
    /// Empty where the element is there and has nothing in it.
    pub location_constraint: Option<String>,
    pub tags: Vec<(String, String)>,
    /// A canned ACL, for a client that names none.
    pub acl: Option<String>,
}

/// How a bucket is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What it is made by, and the code that stands for it.
    pub template: String,
    pub location: String,
    /// Data and parity shards, where they are not the store's own.
    pub geometry: Option<(u8, u8)>,
    /// Whether its objects have versions from the beginning.
    pub versioning: bool,
    /// Bytes that it holds at most.
    pub quota: Option<u64>,
    /// A canned ACL, for a client that names none.
    pub acl: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// Whose it is what a request creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    #[default]
    Requester,
    BucketOwner,
}

/// A plan with the name of the plugin that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) by: String,
    pub(crate) plan: Plan,
}

/// Of a template's name and of a provisioning code, in characters.
const NAME_LEN_MAX: usize = 255;
const ACL_LEN_MAX: usize = 64;
/// Bounds only: what tags may be like is for those to say who keep them.
const TAGS_MAX: usize = 50;
const TAG_KEY_LEN_MAX: usize = 128;
const TAG_VALUE_LEN_MAX: usize = 256;

impl Plan {
    /// Bytes of all its texts.
    pub(crate) fn len(&self) -> usize {
        let tags = self.tags.iter();
        let tags: usize = tags.map(|(key, value)| key.len() + value.len()).sum();
        let acl = self.acl.as_ref().map_or(0, String::len);
        self.template.len() + self.location.len() + acl + tags
    }

    /// Fails with what is wrong with it, in words.
    pub(crate) fn check(&self, creation: &Creation) -> Result<(), String> {
        let fits = |text: &str, len_max| {
            (1..=len_max).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        for (what, text) in [("template", &self.template), ("location", &self.location)] {
            if !fits(text, NAME_LEN_MAX) {
                return Err(format!(
                    "the {what} of a bucket has 1 to {NAME_LEN_MAX} characters, none of them a control character"
                ));
            }
        }
        if self.geometry.is_some_and(|(data, _)| data == 0) {
            return Err("a bucket has at least one data shard".to_owned());
        }
        if self.acl.as_ref().is_some_and(|acl| !fits(acl, ACL_LEN_MAX)) {
            return Err(format!(
                "the name of a canned ACL has 1 to {ACL_LEN_MAX} characters"
            ));
        }
        let mut keys = HashSet::new();
        for (key, value) in &self.tags {
            if !fits(key, TAG_KEY_LEN_MAX) || value.chars().count() > TAG_VALUE_LEN_MAX {
                return Err(format!(
                    "a tag has a key of 1 to {TAG_KEY_LEN_MAX} characters, and a value of at most {TAG_VALUE_LEN_MAX}"
                ));
            }
            if !keys.insert(key) {
                return Err("two tags have the same key".to_owned());
            }
        }
        keys.extend(creation.tags.iter().map(|(key, _)| key));
        match keys.len() > TAGS_MAX {
            true => Err(format!(
                "with those of the client, the bucket has more than {TAGS_MAX} tags"
            )),
            false => Ok(()),
        }
    }
}

impl Creation {
    /// The tags of the client, and those of the plan whose keys it does not name.
    pub fn tags_with(&self, plan: Option<&Plan>) -> Vec<(String, String)> {
        let planned = plan.into_iter().flat_map(|plan| &plan.tags);
        let named = |key: &String| self.tags.iter().any(|(own, _)| own == key);
        let planned = planned.filter(|(key, _)| !named(key));
        self.tags.iter().chain(planned).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            template: "gold".to_owned(),
            location: "eu".to_owned(),
            ..Plan::default()
        }
    }

    fn tags(count: usize) -> Vec<(String, String)> {
        (0..count)
            .map(|number| (number.to_string(), String::new()))
            .collect()
    }

    #[test]
    fn a_plan_is_bounded_in_every_part() {
        let check = |change: &dyn Fn(&mut Plan), part: Option<&str>| {
            let mut plan = plan();
            change(&mut plan);
            let creation = Creation {
                tags: vec![("0".to_owned(), String::new())],
                ..Creation::default()
            };
            match (plan.check(&creation), part) {
                (Ok(()), None) => {}
                (Err(reason), Some(part)) => assert!(reason.contains(part), "{reason}"),
                (checked, _) => panic!("{plan:?}: {checked:?}"),
            }
        };
        check(&|_| (), None);
        check(&|plan| plan.template = "ä".repeat(255), None);
        check(&|plan| plan.template = "ä".repeat(256), Some("template"));
        check(&|plan| plan.template.clear(), Some("template"));
        check(&|plan| plan.location.clear(), Some("location"));
        check(&|plan| plan.location.push('\n'), Some("location"));
        check(&|plan| plan.geometry = Some((1, 0)), None);
        check(&|plan| plan.geometry = Some((0, 2)), Some("data shard"));
        check(&|plan| plan.acl = Some("a".repeat(64)), None);
        check(&|plan| plan.acl = Some("a".repeat(65)), Some("ACL"));
        check(&|plan| plan.acl = Some(String::new()), Some("ACL"));
        // The client names the first of them, too.
        check(&|plan| plan.tags = tags(50), None);
        check(&|plan| plan.tags = tags(51), Some("50"));
        check(
            &|plan| plan.tags = tags(51).split_off(1),
            Some("those of the client"),
        );
        let tag = |key: String, value: String| {
            move |plan: &mut Plan| {
                plan.tags = vec![(key.clone(), value.clone())];
            }
        };
        check(&tag("k".repeat(128), "v".repeat(256)), None);
        check(&tag("k".repeat(129), String::new()), Some("key"));
        check(&tag("k".to_owned(), "v".repeat(257)), Some("value"));
        check(&tag(String::new(), String::new()), Some("key"));
        check(
            &|plan| plan.tags = [tags(1), tags(1)].concat(),
            Some("same key"),
        );
    }

    #[test]
    fn a_tag_of_the_client_stays_what_it_is() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let creation = Creation {
            tags: vec![pair("team", "mine"), pair("b", "1")],
            ..Creation::default()
        };
        let plan = Plan {
            tags: vec![pair("tier", "gold"), pair("team", "theirs")],
            ..plan()
        };
        let all = [pair("team", "mine"), pair("b", "1"), pair("tier", "gold")];
        assert_eq!(creation.tags_with(Some(&plan)), all);
        assert_eq!(creation.tags_with(None), all[..2]);
    }
}
