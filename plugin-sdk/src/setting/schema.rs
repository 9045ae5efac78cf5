//! The JSON Schema (draft 2020-12) that says of settings what their type does.

/// A key of an object.
#[doc(hidden)]
#[derive(Debug)]
pub struct Property {
    pub name: &'static str,
    pub about: &'static str,
    pub schema: fn(&mut String),
    /// Members that its type alone does not have.
    pub more: &'static str,
    pub required: bool,
}

/// The schema of the settings of a plugin.
pub(crate) fn whole(about: &str, schema: fn(&mut String)) -> String {
    let mut out = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","#.to_owned();
    schema(&mut out);
    push_about(&mut out, about);
    out.push('}');
    out
}

#[doc(hidden)]
pub fn object(out: &mut String, properties: &[Property]) {
    out.push_str(r#""type":"object","properties":{"#);
    for (at, property) in properties.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_text(out, property.name);
        out.push_str(":{");
        (property.schema)(out);
        out.push_str(property.more);
        push_about(out, property.about);
        out.push('}');
    }
    out.push('}');
    let required = properties.iter().filter(|property| property.required);
    for (at, property) in required.clone().enumerate() {
        out.push_str(if at > 0 { "," } else { r#","required":["# });
        push_text(out, property.name);
    }
    if required.count() > 0 {
        out.push(']');
    }
    out.push_str(r#","additionalProperties":false"#);
}

#[doc(hidden)]
pub fn choice(out: &mut String, names: &[&str]) {
    out.push_str(r#""enum":"#);
    for (at, name) in names.iter().enumerate() {
        out.push(if at > 0 { ',' } else { '[' });
        push_text(out, name);
    }
    out.push(']');
}

pub(crate) fn list(out: &mut String, about: &str, schema: fn(&mut String)) {
    out.push_str(r#""type":"array","items":{"#);
    schema(out);
    push_about(out, about);
    out.push('}');
}

/// An object with any keys; `more` are members of the schema of every value.
pub fn mapping(out: &mut String, value: fn(&mut String), more: &str) {
    out.push_str(r#""type":"object","additionalProperties":{"#);
    value(out);
    out.push_str(more);
    out.push('}');
}

fn push_about(out: &mut String, about: &str) {
    if !about.is_empty() {
        out.push_str(r#","description":"#);
        push_text(out, about);
    }
}

/// Names and sentences of the plugin's author: no control characters but white space.
fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => out.push(' '),
            character => out.push(character),
        }
    }
    out.push('"');
}
