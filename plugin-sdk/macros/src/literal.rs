//! Literals in attributes: what they are in Rust, and what in JSON.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Lit, Token, bracketed};

/// A literal, or a list of them.
pub(crate) enum Value {
    One { negative: bool, literal: Lit },
    List(Vec<Value>),
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(syn::token::Bracket) {
            let content;
            bracketed!(content in input);
            let values = Punctuated::<Self, Token![,]>::parse_terminated(&content)?;
            return Ok(Self::List(values.into_iter().collect()));
        }
        let negative = input.parse::<Option<Token![-]>>()?.is_some();
        let literal = input.parse()?;
        Ok(Self::One { negative, literal })
    }
}

impl Value {
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::One {
                literal: Lit::Str(text),
                ..
            } => Some(text.value()),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            Self::One { .. } => None,
        }
    }

    /// As an expression of the language.
    pub(crate) fn rust(&self) -> TokenStream {
        match self {
            Self::One { negative, literal } => {
                let minus = negative.then(|| quote!(-));
                quote!(#minus #literal)
            }
            Self::List(values) => {
                let values = values.iter().map(Self::rust);
                quote!([#(#values),*])
            }
        }
    }

    /// As it is in a settings file.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::One { negative, literal } => {
                let minus = if *negative { "-" } else { "" };
                match literal {
                    Lit::Str(text) => json_text(&text.value()),
                    Lit::Bool(flag) => flag.value.to_string(),
                    Lit::Int(number) => format!("{minus}{}", number.base10_digits()),
                    Lit::Float(number) => format!("{minus}{}", number.base10_digits()),
                    other => json_text(&quote!(#other).to_string()),
                }
            }
            Self::List(values) => {
                let values: Vec<_> = values.iter().map(Self::json).collect();
                format!("[{}]", values.join(","))
            }
        }
    }

    /// As a message names it.
    pub(crate) fn shown(&self) -> String {
        self.text().unwrap_or_else(|| self.json())
    }
}

/// A text in quotation marks.
pub(crate) fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            '\r' => json.push_str("\\r"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            character => json.push(character),
        }
    }
    json.push('"');
    json
}

/// The number before a unit, times the unit.
pub(crate) fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The units of a duration, in milliseconds.
pub(crate) const DURATIONS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// The units of a size, in bytes.
pub(crate) const SIZES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
