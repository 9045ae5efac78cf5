//! `sluice plugin inspect`: what a component says of itself, and what it wants.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::Value;

use super::subject::Subject;
use super::{Came, Result};
use crate::cli::table::{Format, Table, Tone};

/// The component is started once, with nothing to reach.
///
/// Example: sluice plugin inspect my-plugin/my-plugin.wasm
#[derive(Debug, ClapArgs)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Args {
    file: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Inspection {
    file: PathBuf,
    name: String,
    version: String,
    bytes: usize,
    digest: String,
    imports: Vec<String>,
    grants: Vec<&'static str>,
    interests: Vec<Interest>,
    claims: Vec<&'static str>,
    sub_resources: Vec<SubResource>,
    settings: Option<Value>,
    yaml: String,
}

#[derive(Serialize)]
struct Interest {
    phase: &'static str,
    operations: Vec<&'static str>,
    headers: Vec<String>,
    queries: Vec<String>,
    documents: Vec<String>,
}

#[derive(Serialize)]
struct SubResource {
    name: String,
    scope: &'static str,
    operations: Vec<&'static str>,
}

pub(super) fn run(args: &Args) -> Result<Came> {
    args.format.report(&look(&Subject::load(&args.file)?), text);
    Ok(Came::Well)
}

fn look(subject: &Subject) -> Inspection {
    let plugin = &subject.plugin;
    let manifest = plugin.manifest();
    let names = |operations: &[s3::Operation]| operations.iter().map(|one| one.name()).collect();
    let interests = manifest.interests.iter().map(|interest| Interest {
        phase: interest.phase.name(),
        operations: names(&interest.operations),
        headers: interest.headers.clone(),
        queries: interest.queries.clone(),
        documents: interest.documents.clone(),
    });
    let sub_resources = manifest.sub_resources.iter().map(|own| SubResource {
        name: own.name().to_owned(),
        scope: match own.scope() {
            s3::Scope::Bucket => "bucket",
            s3::Scope::Object => "object",
        },
        operations: own.operations().map(s3::Operation::name).collect(),
    });
    Inspection {
        file: subject.file.clone(),
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        bytes: subject.len,
        digest: subject.digest(),
        imports: plugin.imports().to_vec(),
        grants: plugin.needs().iter().map(|grant| grant.name()).collect(),
        interests: interests.collect(),
        claims: names(&manifest.claims),
        sub_resources: sub_resources.collect(),
        settings: manifest.settings_schema.clone(),
        yaml: subject.yaml(),
    }
}

fn text(seen: &Inspection) -> String {
    let none = |list: String| match list.is_empty() {
        true => Tone::Faint.of("none"),
        false => list.into(),
    };
    let mut facts = Table::new(&["plugin", &format!("{} {}", seen.name, seen.version)]);
    let kib = seen.bytes.div_ceil(1024);
    facts.row(["size".into(), format!("{kib} KiB").into()]);
    facts.row(["digest".into(), (&seen.digest).into()]);
    facts.row(["grants needed".into(), none(seen.grants.join(", "))]);
    facts.row(["imports".into(), none(seen.imports.join(", "))]);
    facts.row(["claims".into(), none(seen.claims.join(", "))]);
    let mut text = facts.render(0);

    let any = |list: &[String]| list.join(", ");
    let mut calls = Table::new(&["called in", "operations", "if header", "query", "document"]);
    for interest in &seen.interests {
        let operations = match interest.operations.is_empty() {
            true => Tone::Faint.of("all"),
            false => interest.operations.join(", ").into(),
        };
        calls.row([
            interest.phase.into(),
            operations,
            any(&interest.headers).into(),
            any(&interest.queries).into(),
            any(&interest.documents).into(),
        ]);
    }
    let mut owned = Table::new(&["sub-resource", "of", "operations"]);
    for own in &seen.sub_resources {
        owned.row([
            format!("?{}", own.name).into(),
            own.scope.into(),
            own.operations.join(", ").into(),
        ]);
    }
    let mut settings = Table::new(&["setting", "type", "", "meaning"]);
    if let Some(schema) = &seen.settings {
        describe(schema, "", NESTED_MAX, &mut settings);
    }
    for table in [calls, owned, settings] {
        if !table.is_empty() {
            text.push('\n');
            text.push_str(&table.render(0));
        }
    }
    format!("{text}\n{}", seen.yaml)
}

/// How deep settings are told. A schema is a plugin's to write.
const NESTED_MAX: usize = 8;

/// What a schema says of each setting, a line each.
fn describe(schema: &Value, above: &str, nested_max: usize, table: &mut Table) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(keys) => keys.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    for (key, property) in properties.into_iter().flatten() {
        let path = format!("{above}{key}");
        let kind = match property.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(kinds) => kinds.to_string(),
            None => String::new(),
        };
        let rules = rules(property, required.contains(&key.as_str()));
        let meaning = property.get("description").and_then(Value::as_str);
        let meaning = meaning.unwrap_or_default();
        table.row([(&path).into(), kind.into(), rules.into(), meaning.into()]);
        if let Some(nested_max) = nested_max.checked_sub(1) {
            describe(property, &format!("{path}."), nested_max, table);
        }
    }
}

/// What a value must be, in the words of the schema.
fn rules(property: &Value, required: bool) -> String {
    const TOLD: [&str; 7] = [
        "type",
        "description",
        "properties",
        "required",
        "title",
        "additionalProperties",
        "$schema",
    ];
    let mut rules: Vec<String> = Vec::new();
    if required {
        rules.push("required".to_owned());
    }
    for (name, value) in property.as_object().into_iter().flatten() {
        if !TOLD.contains(&name.as_str()) {
            rules.push(format!("{name} {value}"));
        }
    }
    rules.join(", ")
}
