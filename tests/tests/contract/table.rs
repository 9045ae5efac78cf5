//! The format of the cases, and how they are read.
//!
//! A file is YAML. What comes before `cases:` is about all of them; behind it
//! each line is one case:
//!
//! ```yaml
//! row: PUT Bucket CORS               # as `rows.rs` has it
//! given: [bucket]                    # for cases that say nothing of it
//! headers: {content-md5: "{md5}"}    # of the request of every case
//! as: anonymous                      # who asks, where a case does not say
//! server: versions                   # the configuration: servers/versions.yaml
//! none: {malformed: "…"}             # why there are no cases of this kind
//! texts: {one: "<CORSConfiguration>…"}   # found as {one}
//! cases:
//!   - {success: the rules are kept, do: PUT /{b}?cors, body: "{one}", gives: 200}
//!   - {refusal: another account may not, as: bob, do: PUT /{b}?cors, gives: 403 AccessDenied}
//! ```
//!
//! A case is one of `success`, `refusal` and `malformed` with the sentence that it
//! shows, and
//! - `given`: what was done before, in steps: names from `steps.yaml` with their
//!   arguments, as in `object k hello`, or requests like this one,
//! - `as`: who asks; `actor.rs` has the words,
//! - `do`: method and target; the target is sent as it is written,
//! - `host`, `headers` (null: not this one of the file's), `body`, `sent` and
//!   `trailer`: the rest of the request,
//! - `gives`: the status, and the code of an error,
//! - `header`: headers of the answer, null where there must be none,
//! - `root`: what the document is called,
//! - `holds`: elements of the document by their paths, as in `Contents/Key`; one
//!   text, a list of them, or null. `Contents#` is their number, `Grantee/@type` an
//!   attribute,
//! - `says`: the whole body, `contains` and `lacks`: texts in it,
//! - `keep`: what later requests find as `{name}`: `header etag`, `holds UploadId`,
//! - `then`: requests afterwards, such as those that show that nothing was stored.
//!
//! A success that writes or deletes shows that it did: by `then`, `header`, `holds`,
//! `says` or `contains`.
//!
//! In expected texts `…` stands for anything. `variables.rs` says what `{…}` does.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use crate::rows::Kind;

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) files: Vec<File>,
    pub(crate) steps: BTreeMap<String, Step>,
}

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) row: String,
    pub(crate) none: BTreeMap<String, String>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Debug)]
pub(crate) struct Case {
    file: String,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// A sentence.
    pub(crate) shows: String,
    pub(crate) server: String,
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) given: Vec<Given>,
    pub(crate) exchange: Exchange,
    pub(crate) then: Vec<Exchange>,
}

/// A request, and what its answer must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    #[serde(rename = "as", default = "root")]
    pub(crate) actor: String,
    #[serde(rename = "do")]
    pub(crate) request: String,
    #[serde(default)]
    pub(crate) host: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Values>,
    #[serde(default)]
    pub(crate) body: Body,
    #[serde(default)]
    pub(crate) sent: Sent,
    #[serde(default)]
    pub(crate) trailer: BTreeMap<String, String>,
    #[serde(default = "ok")]
    pub(crate) gives: Value,
    #[serde(default)]
    pub(crate) header: BTreeMap<String, Values>,
    #[serde(default)]
    pub(crate) root: Option<String>,
    #[serde(default)]
    pub(crate) holds: BTreeMap<String, Values>,
    #[serde(default)]
    pub(crate) says: Option<Values>,
    #[serde(default)]
    pub(crate) contains: Vec<String>,
    #[serde(default)]
    pub(crate) lacks: Vec<String>,
    #[serde(default)]
    pub(crate) keep: BTreeMap<String, String>,
}

/// A step with a name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Its arguments in their order, with what they are where they are left out.
    #[serde(default)]
    pub(crate) takes: Mapping,
    /// What it does.
    pub(crate) does: Vec<Exchange>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Given {
    Named(String),
    Asked(Box<Exchange>),
}

/// No text, one, or several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values(pub(crate) Vec<String>);

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Made {
    /// So many bytes.
    Bytes(usize),
    /// A form as a browser sends it.
    Form(Box<Form>),
    /// `{n}` counts the repetitions.
    Repeated {
        begin: String,
        each: String,
        times: usize,
        end: String,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// In their order, before those of the signature.
    #[serde(default)]
    pub(crate) fields: Mapping,
    /// `root`, `v2 root`, `expired root`, or `forged root`.
    #[serde(default)]
    pub(crate) signed: Option<String>,
    /// Of the policy, in JSON.
    #[serde(default)]
    pub(crate) conditions: String,
    /// What they hold.
    #[serde(default = "one_file")]
    pub(crate) files: Vec<String>,
    #[serde(default = "filename")]
    pub(crate) filename: String,
    /// Fields behind the files.
    #[serde(default)]
    pub(crate) behind: Mapping,
    /// Whether the end is missing that says that it is the end.
    #[serde(default)]
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Body {
    Text(String),
    Made(Made),
}

/// How the body is framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sent {
    /// With its length.
    #[default]
    Whole,
    /// In HTTP's own chunks, without a length.
    Chunked,
    /// In chunks that are signed.
    SignedChunks,
    /// In chunks that are signed, with a signed trailer.
    SignedTrailer,
    /// In chunks with a trailer, both unsigned.
    UnsignedTrailer,
}

/// What a file says of all its cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    row: String,
    #[serde(default)]
    given: Vec<Given>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    #[serde(default = "usual")]
    server: String,
    #[serde(default = "root", rename = "as")]
    actor: String,
    #[serde(default)]
    none: BTreeMap<String, String>,
    #[serde(default)]
    texts: BTreeMap<String, String>,
}

impl Table {
    pub(crate) fn read(folder: &Path) -> Self {
        let text = |name: &str| {
            fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let steps = serde_yaml::from_str(&text("steps.yaml"))
            .unwrap_or_else(|error| panic!("steps.yaml: {error}"));
        let entries = fs::read_dir(folder).expect("the folder of the cases");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .filter(|name| name.ends_with(".yaml") && name != "steps.yaml")
            .collect();
        names.sort();
        let files = names
            .iter()
            .map(|name| File::parse(name, &text(name)))
            .collect();
        Self { files, steps }
    }

    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.files.iter().flat_map(|file| &file.cases)
    }
}

impl File {
    fn parse(name: &str, text: &str) -> Self {
        let (head, lines) = text
            .split_once("\ncases:\n")
            .unwrap_or_else(|| panic!("{name}: there is no line `cases:`"));
        let header: Header =
            serde_yaml::from_str(head).unwrap_or_else(|error| panic!("{name}: {error}"));
        let first = head.lines().count() + 2;
        let cases = lines.lines().enumerate().filter_map(|(at, line)| {
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                return None;
            }
            let at = first + at;
            let case = line.strip_prefix("  - ").unwrap_or_else(|| {
                panic!("{name}:{at}: a case is one line that begins with `  - `")
            });
            let case = Case::parse(&header, case);
            let mut case = case.unwrap_or_else(|error| panic!("{name}:{at}: {error}"));
            (case.file, case.line) = (name.to_owned(), at);
            Some(case)
        });
        Self {
            name: name.to_owned(),
            cases: cases.collect(),
            row: header.row.clone(),
            none: header.none.clone(),
        }
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.cases.iter().filter(|case| case.kind == kind).count()
    }
}

impl Case {
    fn parse(header: &Header, line: &str) -> Result<Self, String> {
        let mut all: Mapping = serde_yaml::from_str(line).map_err(|error| error.to_string())?;
        let mut kinds = crate::rows::KINDS
            .into_iter()
            .filter_map(|kind| Some((kind, all.remove(kind.name())?)));
        let (Some((kind, Value::String(shows))), None) = (kinds.next(), kinds.next()) else {
            return Err("a case is one of success, refusal and malformed, with a sentence".into());
        };
        let given: Option<Vec<Given>> = part(&mut all, "given")?;
        let server: Option<String> = part(&mut all, "server")?;
        let then: Option<Vec<Exchange>> = part(&mut all, "then")?;
        let actor = || Value::from(header.actor.clone());
        all.entry(Value::from("as")).or_insert_with(actor);
        let mut exchange: Exchange =
            serde_yaml::from_value(Value::Mapping(all)).map_err(|error| error.to_string())?;
        for (name, values) in &header.headers {
            let theirs = exchange.headers.entry(name.clone());
            theirs.or_insert_with(|| values.clone());
        }
        Ok(Self {
            file: String::new(),
            line: 0,
            kind,
            shows,
            server: server.unwrap_or_else(|| header.server.clone()),
            texts: header.texts.clone(),
            given: given.unwrap_or_else(|| header.given.clone()),
            exchange,
            then: then.unwrap_or_default(),
        })
    }

    /// Whether something of the answer, or of what is asked afterwards, tells this
    /// success from an answer that did nothing.
    pub(crate) fn is_shown(&self) -> bool {
        let Exchange {
            header,
            holds,
            says,
            contains,
            ..
        } = &self.exchange;
        let mut said = says.iter().flat_map(|Values(texts)| texts);
        !self.then.is_empty()
            || !header.is_empty()
            || !holds.is_empty()
            || !contains.is_empty()
            || said.any(|text| !text.is_empty())
    }

    /// Whether what is asked is to change something.
    pub(crate) fn changes(&self) -> bool {
        let method = self.exchange.request.split(' ').next();
        !matches!(method, Some("GET" | "HEAD" | "OPTIONS"))
    }

    /// A name for the bucket of this case, and of no other.
    pub(crate) fn bucket(&self) -> String {
        let stem = self.file.trim_end_matches(".yaml");
        format!("{}-{}", &stem[..stem.len().min(50)], self.line)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tests/contract/{}:{}: {}",
            self.file, self.line, self.shows
        )
    }
}

fn part<T: DeserializeOwned>(all: &mut Mapping, name: &str) -> Result<Option<T>, String> {
    let part = all.remove(name).map(serde_yaml::from_value).transpose();
    part.map_err(|error| format!("{name}: {error}"))
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Value::deserialize(deserializer)? {
            Value::Null => Vec::new(),
            Value::Sequence(values) => values,
            value => vec![value],
        };
        let values: Option<Vec<_>> = values.iter().map(scalar).collect();
        let values = values.ok_or_else(|| serde::de::Error::custom("a text, or a list of them"))?;
        Ok(Self(values))
    }
}

/// A text, though YAML may take it for something else.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn root() -> String {
    "root".to_owned()
}

fn usual() -> String {
    "usual".to_owned()
}

fn one_file() -> Vec<String> {
    vec!["hello".to_owned()]
}

fn filename() -> String {
    "a.txt".to_owned()
}

fn ok() -> Value {
    Value::from(200)
}
