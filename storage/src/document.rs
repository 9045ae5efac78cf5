//! Documents: small pieces of policy that are kept with a bucket or a version
//! and that the store does not understand.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The documents of one bucket or one object version, by `plugin/name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents(BTreeMap<String, Bytes>);

impl Documents {
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.get(name)
    }

    pub fn insert(&mut self, name: String, content: Bytes) {
        self.0.insert(name, content);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0
            .iter()
            .map(|(name, content)| (name.as_str(), content))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length of all names and contents together.
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(name, content)| name.len() + content.len())
            .sum()
    }

    pub fn amend(&mut self, amendment: &Amendment) {
        for (name, content) in &amendment.0 {
            match content {
                Some(content) => self.0.insert(name.clone(), content.clone()),
                None => self.0.remove(name),
            };
        }
    }
}

impl FromIterator<(String, Bytes)> for Documents {
    fn from_iter<I: IntoIterator<Item = (String, Bytes)>>(documents: I) -> Self {
        Self(documents.into_iter().collect())
    }
}

/// Changes to [`Documents`] that are applied together: `None` removes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amendment(BTreeMap<String, Option<Bytes>>);

impl Amendment {
    pub fn put(&mut self, name: String, content: Bytes) {
        self.0.insert(name, Some(content));
    }

    pub fn delete(&mut self, name: String) {
        self.0.insert(name, None);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&Bytes>)> {
        self.0
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_ref()))
    }
}
