//! `#[derive(Settings)]`: how a type is read from JSON, and its schema.
//!
//! What is made is a few calls into `sluice_plugin::setting` for each field: the
//! code is in every component, and runs on every fresh instance.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Ident, Lit, Meta, Path};
use syn::{Error, PathArguments, Type};

use crate::literal::{self, Value};

/// A bit of a word for each key that was there.
const FIELDS_MAX: usize = 64;

pub(crate) fn derive(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new(
            parameter.span(),
            "settings are a type without parameters",
        ));
    }
    let options = Options::read(&input.attrs)?;
    options.allow_nothing_else(&["check"])?;
    let check = options.check;
    match &input.data {
        Data::Struct(data) => {
            let fields = match &data.fields {
                Fields::Named(fields) => fields.named.iter().collect(),
                Fields::Unit => Vec::new(),
                Fields::Unnamed(fields) => {
                    return Err(Error::new(
                        fields.span(),
                        "the fields of settings have names: they are the keys in the file",
                    ));
                }
            };
            object(&input, &fields, check.as_ref())
        }
        Data::Enum(data) => {
            if let Some(check) = check {
                return Err(Error::new(check.span(), "`check` is for structs"));
            }
            choice(&input, &data.variants.iter().collect::<Vec<_>>())
        }
        Data::Union(_) => Err(Error::new(
            input.ident.span(),
            "settings are a struct, or an enum of names",
        )),
    }
}

fn object(
    input: &DeriveInput,
    fields: &[&Field],
    check: Option<&Path>,
) -> syn::Result<TokenStream> {
    if fields.len() > FIELDS_MAX {
        return Err(Error::new(
            input.ident.span(),
            format!("settings have at most {FIELDS_MAX} fields; nest some"),
        ));
    }
    let fields = fields
        .iter()
        .map(|field| Key::of(field))
        .collect::<syn::Result<Vec<_>>>()?;
    let ident = &input.ident;
    let about = about(&input.attrs);
    let names: Vec<_> = fields.iter().map(|field| &field.name).collect();
    let slots: Vec<_> = fields.iter().map(Key::slot).collect();
    let types = fields.iter().map(|field| field.of);
    let arms = fields.iter().enumerate().map(|(index, field)| {
        let (slot, read) = (field.slot(), field.read());
        quote!(#index => #slot = ::core::option::Option::Some(#read),)
    });
    let members = fields.iter().map(|field| {
        let (ident, value) = (field.ident, field.field());
        quote!(#ident: #value)
    });
    let required = fields.iter().map(Key::required);
    let described = fields.iter().map(Key::described);
    let checked = check.map(|check| {
        quote_spanned! {check.span()=>
            #check(&read).map_err(::sluice_plugin::setting::Fault::new)?;
        }
    });
    let setting = quote!(::sluice_plugin::setting);
    Ok(quote! {
        #[automatically_derived]
        impl #setting::Setting for #ident {
            const ABOUT: &'static str = #about;
            const REQUIRED: bool = false #(|| #required)*;

            fn read(
                json: &mut #setting::Json<'_>,
            ) -> ::core::result::Result<Self, #setting::Fault> {
                #(let mut #slots: ::core::option::Option<#types> = ::core::option::Option::None;)*
                json.object(&[#(#names),*], &mut |index, json| {
                    match index {
                        #(#arms)*
                        _ => {}
                    }
                    ::core::result::Result::Ok(())
                })?;
                let read = Self { #(#members,)* };
                #checked
                ::core::result::Result::Ok(read)
            }

            fn absent() -> ::core::option::Option<Self> {
                #setting::empty()
            }

            fn schema(out: &mut ::std::string::String) {
                #setting::schema::object(out, &[#(#described),*]);
            }
        }
    })
}

fn choice(input: &DeriveInput, variants: &[&syn::Variant]) -> syn::Result<TokenStream> {
    let mut names = Vec::with_capacity(variants.len());
    for variant in variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new(
                variant.span(),
                "a variant of settings is a name and has no fields",
            ));
        }
        let options = Options::read(&variant.attrs)?;
        options.allow_nothing_else(&["rename"])?;
        let name = options.rename;
        names.push(name.unwrap_or_else(|| snake_case(&variant.ident.to_string())));
    }
    let Some((last, others)) = variants.split_last() else {
        return Err(Error::new(
            input.ident.span(),
            "one of no variants cannot be chosen",
        ));
    };
    let ident = &input.ident;
    let about = about(&input.attrs);
    let last = &last.ident;
    let arms = others.iter().enumerate().map(|(index, variant)| {
        let variant = &variant.ident;
        quote!(#index => Self::#variant,)
    });
    let setting = quote!(::sluice_plugin::setting);
    Ok(quote! {
        #[automatically_derived]
        impl #setting::Setting for #ident {
            const ABOUT: &'static str = #about;

            fn read(
                json: &mut #setting::Json<'_>,
            ) -> ::core::result::Result<Self, #setting::Fault> {
                ::core::result::Result::Ok(match json.choice(&[#(#names),*])? {
                    #(#arms)*
                    _ => Self::#last,
                })
            }

            fn schema(out: &mut ::std::string::String) {
                #setting::schema::choice(out, &[#(#names),*]);
            }
        }
    })
}

/// A field: a key in the file.
struct Key<'a> {
    ident: &'a Ident,
    of: &'a Type,
    name: String,
    about: String,
    kind: Kind,
    default: Option<Default>,
    /// What must hold of `value`, and what is said where it does not.
    checks: Vec<(TokenStream, String)>,
    /// Members of the schema that the type alone does not have.
    schema: String,
}

enum Default {
    Of(Value),
    OfType,
}

/// As far as the name of the type tells; that of the content of an `Option`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    Float,
    Text,
    List,
    Duration,
    Size,
    Other,
}

impl<'a> Key<'a> {
    fn of(field: &'a Field) -> syn::Result<Self> {
        let ident = field.ident.as_ref().expect("the field has a name");
        let options = Options::read(&field.attrs)?;
        options.allow_nothing_else(&[
            "default", "min", "max", "min_len", "max_len", "one_of", "rename",
        ])?;
        let spelled = ident.to_string();
        let spelled = spelled.strip_prefix("r#").unwrap_or(&spelled).to_owned();
        let mut key = Self {
            ident,
            of: &field.ty,
            name: options.rename.clone().unwrap_or(spelled),
            about: about(&field.attrs),
            kind: Kind::of(content_of(&field.ty, "Option").unwrap_or(&field.ty)),
            default: None,
            checks: Vec::new(),
            schema: String::new(),
        };
        if let (Some(span), Some(_)) = (options.default_at, content_of(&field.ty, "Option")) {
            return Err(Error::new(
                span,
                "an `Option` has no default: what is absent is `None`",
            ));
        }
        if let Some(Default::Of(value)) = &options.default
            && key.kind == Kind::Duration
            && duration(value).is_none()
        {
            let span = options.default_at.unwrap_or_else(Span::call_site);
            return Err(Error::new(span, DURATION));
        }
        key.bound(&options)?;
        if options.min.is_none() && key.is_unsigned() {
            key.schema.push_str(",\"minimum\":0");
        }
        key.limit_len(&options)?;
        if let Some((span, values)) = &options.one_of {
            key.allow(*span, values)?;
        }
        let shown = match &options.default {
            Some(Default::Of(value)) => Some(value.json()),
            Some(Default::OfType) => key.kind.nothing().map(str::to_owned),
            None => None,
        };
        if let Some(shown) = shown {
            key.schema.push_str(&format!(",\"default\":{shown}"));
        }
        key.default = options.default;
        Ok(key)
    }

    /// `min` and `max`.
    fn bound(&mut self, options: &Options) -> syn::Result<()> {
        for (given, symbol, words, keyword) in [
            (&options.min, quote!(>=), "at least", "minimum"),
            (&options.max, quote!(<=), "at most", "maximum"),
        ] {
            let Some((span, value)) = given else { continue };
            let wrong = |what: &str| Err(Error::new(*span, what));
            let bound = match self.kind {
                Kind::Integer | Kind::Float | Kind::Other => {
                    self.schema
                        .push_str(&format!(",\"{keyword}\":{}", value.json()));
                    value.rust()
                }
                Kind::Duration => match duration(value) {
                    Some(duration) => duration,
                    None => return wrong(DURATION),
                },
                Kind::Size => match size(value) {
                    Some(size) => size,
                    None => return wrong(SIZE),
                },
                Kind::Text | Kind::List => {
                    return wrong(
                        "this bounds numbers; for a length there are `min_len` and `max_len`",
                    );
                }
                Kind::Bool => return wrong("a flag has no bounds"),
            };
            self.checks.push((
                quote!(*value #symbol #bound),
                format!("must be {words} {}", value.shown()),
            ));
        }
        Ok(())
    }

    /// `min_len` and `max_len`.
    fn limit_len(&mut self, options: &Options) -> syn::Result<()> {
        for (given, symbol, words, least) in [
            (&options.min_len, quote!(>=), "at least", true),
            (&options.max_len, quote!(<=), "at most", false),
        ] {
            let Some((span, len)) = given else { continue };
            let (keyword, what) = match (self.kind, least) {
                (Kind::Text, true) => ("minLength", "characters"),
                (Kind::Text, false) => ("maxLength", "characters"),
                (Kind::List, true) => ("minItems", "elements"),
                (Kind::List, false) => ("maxItems", "elements"),
                _ => return Err(Error::new(*span, "texts and lists have a length")),
            };
            self.schema.push_str(&format!(",\"{keyword}\":{len}"));
            let message = match (least, len) {
                (true, 1) => "must not be empty".to_owned(),
                _ => format!("must have {words} {len} {what}"),
            };
            let measured = quote!(::sluice_plugin::setting::Measured::measure(value));
            self.checks.push((quote!(#measured #symbol #len), message));
        }
        Ok(())
    }

    /// `one_of`.
    fn allow(&mut self, span: Span, values: &Value) -> syn::Result<()> {
        let Some(values) = values.list().filter(|values| !values.is_empty()) else {
            return Err(Error::new(
                span,
                "`one_of` is a list: `one_of = [\"a\", \"b\"]`",
            ));
        };
        let patterns = values.iter().map(Value::rust);
        let fine = match self.kind {
            Kind::Text => quote!(::core::matches!(value.as_str(), #(#patterns)|*)),
            Kind::Integer => quote!(::core::matches!(*value, #(#patterns)|*)),
            _ => {
                return Err(Error::new(
                    span,
                    "`one_of` is for texts and integers; derive `Settings` for an enum instead",
                ));
            }
        };
        let shown: Vec<_> = values
            .iter()
            .map(|value| format!("`{}`", value.shown()))
            .collect();
        let json: Vec<_> = values.iter().map(Value::json).collect();
        self.schema
            .push_str(&format!(",\"enum\":[{}]", json.join(",")));
        self.checks
            .push((fine, format!("must be one of {}", shown.join(", "))));
        Ok(())
    }

    fn is_unsigned(&self) -> bool {
        let of = content_of(self.of, "Option").unwrap_or(self.of);
        self.kind == Kind::Integer && name_of(of).starts_with('u')
    }

    fn slot(&self) -> Ident {
        let ident = self.ident.to_string();
        let ident = ident.strip_prefix("r#").unwrap_or(&ident);
        Ident::new(&format!("slot_{ident}"), Span::call_site())
    }

    /// An expression: the value of the key, read and checked.
    fn read(&self) -> TokenStream {
        let of = self.of;
        let read =
            quote_spanned!(of.span()=> <#of as ::sluice_plugin::setting::Setting>::read(json)?);
        if self.checks.is_empty() {
            return read;
        }
        let checks = self
            .checks
            .iter()
            .map(|(fine, message)| quote!(::sluice_plugin::setting::check(#fine, #message)?;));
        let each = match content_of(of, "Option") {
            Some(_) => quote!(::core::option::Option::as_ref(&value)),
            None => quote!(::core::option::Option::Some(&value)),
        };
        quote! {{
            let value = #read;
            if let ::core::option::Option::Some(value) = #each { #(#checks)* }
            value
        }}
    }

    /// An expression: the field, of what was read or was not.
    fn field(&self) -> TokenStream {
        let (of, name, slot) = (self.of, &self.name, self.slot());
        let Some(default) = &self.default else {
            return quote_spanned!(of.span()=> ::sluice_plugin::setting::or_absent(#slot, #name)?);
        };
        let default = match default {
            Default::OfType => quote!(::core::default::Default::default()),
            Default::Of(value) => match (self.kind, value) {
                (Kind::Bool | Kind::Integer | Kind::Float, _) => value.rust(),
                (Kind::Text, _) => {
                    let text = value.rust();
                    quote!(::std::string::String::from(#text))
                }
                (Kind::List, Value::List(values)) if values.is_empty() => {
                    quote!(::std::vec::Vec::new())
                }
                (Kind::List, Value::List(values)) if is_text(content_of(of, "Vec")) => {
                    let values = values.iter().map(Value::rust);
                    quote!(::std::vec::Vec::from([#(::std::string::String::from(#values)),*]))
                }
                _ => duration(value)
                    .filter(|_| self.kind == Kind::Duration)
                    .unwrap_or_else(|| {
                        let json = value.json();
                        quote!(::sluice_plugin::setting::default(#json, #name)?)
                    }),
            },
        };
        quote! {
            match #slot {
                ::core::option::Option::Some(value) => value,
                ::core::option::Option::None => #default,
            }
        }
    }

    fn required(&self) -> TokenStream {
        let of = self.of;
        match self.default {
            Some(_) => quote!(false),
            None => quote!(<#of as ::sluice_plugin::setting::Setting>::REQUIRED),
        }
    }

    /// The key as the schema has it.
    fn described(&self) -> TokenStream {
        let (of, name, about, more) = (self.of, &self.name, &self.about, &self.schema);
        let required = self.required();
        quote! {
            ::sluice_plugin::setting::schema::Property {
                name: #name,
                about: if #about.is_empty() {
                    <#of as ::sluice_plugin::setting::Setting>::ABOUT
                } else {
                    #about
                },
                schema: <#of as ::sluice_plugin::setting::Setting>::schema,
                more: #more,
                required: #required,
            }
        }
    }
}

const DURATION: &str = "a duration is written like \"100ms\" or \"5s\"";
const SIZE: &str = "a size is written like \"64KiB\"";

fn duration(value: &Value) -> Option<TokenStream> {
    let ms = literal::with_unit(&value.text()?, literal::DURATIONS)?;
    Some(quote!(::core::time::Duration::from_millis(#ms)))
}

fn size(value: &Value) -> Option<TokenStream> {
    let bytes = literal::with_unit(&value.text()?, literal::SIZES)?;
    Some(quote!(::sluice_plugin::setting::Size(#bytes)))
}

impl Kind {
    fn of(of: &Type) -> Self {
        match name_of(of).as_str() {
            "bool" => Self::Bool,
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
                Self::Integer
            }
            "f32" | "f64" => Self::Float,
            "String" => Self::Text,
            "Vec" => Self::List,
            "Duration" => Self::Duration,
            "Size" => Self::Size,
            _ => Self::Other,
        }
    }
}

impl Kind {
    /// The `Default` of the type in JSON, where it is known.
    fn nothing(self) -> Option<&'static str> {
        match self {
            Self::Bool => Some("false"),
            Self::Integer => Some("0"),
            Self::Float => Some("0.0"),
            Self::Text => Some("\"\""),
            Self::List => Some("[]"),
            Self::Duration => Some("\"0ms\""),
            Self::Size | Self::Other => None,
        }
    }
}

/// The last part of the path of a type; empty, where it is none.
fn name_of(of: &Type) -> String {
    match of {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or_else(String::new, |segment| segment.ident.to_string()),
        _ => String::new(),
    }
}

/// `T` of `Option<T>`.
fn content_of<'a>(of: &'a Type, container: &str) -> Option<&'a Type> {
    let Type::Path(path) = of else { return None };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(syn::GenericArgument::Type(content)) if segment.ident == container => Some(content),
        _ => None,
    }
}

fn is_text(of: Option<&Type>) -> bool {
    of.is_some_and(|of| Kind::of(of) == Kind::Text)
}

/// What is in the `#[setting(..)]` of one place.
#[derive(std::default::Default)]
struct Options {
    default: Option<Default>,
    default_at: Option<Span>,
    min: Option<(Span, Value)>,
    max: Option<(Span, Value)>,
    min_len: Option<(Span, usize)>,
    max_len: Option<(Span, usize)>,
    one_of: Option<(Span, Value)>,
    rename: Option<String>,
    check: Option<Path>,
    /// Which there were, and where.
    given: Vec<(String, Span)>,
}

impl Options {
    fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("setting") {
                attribute.parse_nested_meta(|meta| {
                    let span = meta.path.span();
                    let name = meta
                        .path
                        .get_ident()
                        .map_or_else(String::new, Ident::to_string);
                    if options.given.iter().any(|(given, _)| *given == name) {
                        return Err(meta.error(format!("`{name}` is there twice")));
                    }
                    options.given.push((name.clone(), span));
                    if name == "default" && !meta.input.peek(syn::Token![=]) {
                        options.default = Some(Default::OfType);
                        options.default_at = Some(span);
                        return Ok(());
                    }
                    let input = || meta.value();
                    match name.as_str() {
                        "default" => {
                            options.default = Some(Default::Of(input()?.parse()?));
                            options.default_at = Some(span);
                        }
                        "min" => options.min = Some((span, input()?.parse()?)),
                        "max" => options.max = Some((span, input()?.parse()?)),
                        "min_len" => options.min_len = Some((span, len(input()?)?)),
                        "max_len" => options.max_len = Some((span, len(input()?)?)),
                        "one_of" => options.one_of = Some((span, input()?.parse()?)),
                        "rename" => {
                            options.rename = Some(input()?.parse::<syn::LitStr>()?.value());
                        }
                        "check" => options.check = Some(input()?.parse()?),
                        _ => {
                            return Err(meta.error(
                                "this is not known; known are `default`, `min`, `max`, `min_len`, \
                                 `max_len`, `one_of`, `rename` and, of a type, `check`",
                            ));
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(options)
    }

    fn allow_nothing_else(&self, allowed: &[&str]) -> syn::Result<()> {
        let mut given = self.given.iter();
        let other = given.find(|(name, _)| !allowed.contains(&name.as_str()));
        match other {
            Some((name, span)) => Err(Error::new(*span, format!("`{name}` says nothing here"))),
            None => Ok(()),
        }
    }
}

fn len(input: syn::parse::ParseStream<'_>) -> syn::Result<usize> {
    input.parse::<syn::LitInt>()?.base10_parse()
}

/// The doc comment, in one line.
fn about(attributes: &[Attribute]) -> String {
    let mut about = String::new();
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("doc")
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) = &meta.value
        {
            let line = line.value();
            let line = line.trim();
            // The first paragraph says what it is; the others are for readers of the code.
            if line.is_empty() && !about.is_empty() {
                break;
            }
            if !about.is_empty() {
                about.push(' ');
            }
            about.push_str(line);
        }
    }
    about
}

/// `FirstComeFirstServed` as `first_come_first_served`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_where_it_is_made() {
        let check = |input: TokenStream, message: &str| {
            let error = derive(input.clone()).expect_err(message).to_string();
            assert!(error.contains(message), "{input}: {error}");
        };
        check(
            quote!(
                struct S<T> {
                    a: T,
                }
            ),
            "a type without parameters",
        );
        check(
            quote!(
                struct S(String);
            ),
            "have names",
        );
        check(
            quote!(
                enum E {}
            ),
            "no variants",
        );
        check(
            quote!(
                enum E {
                    A(u8),
                }
            ),
            "is a name and has no fields",
        );
        check(quote!(union U { a: u8 }), "a struct, or an enum");
        let field = |attribute: TokenStream, of: TokenStream| quote!(struct S { #[setting(#attribute)] key: #of });
        check(
            field(quote!(defualt = 1), quote!(u8)),
            "known are `default`",
        );
        check(field(quote!(min = 1, min = 2), quote!(u8)), "there twice");
        check(
            field(quote!(min = 1), quote!(String)),
            "`min_len` and `max_len`",
        );
        check(
            field(quote!(max = 1), quote!(Vec<u8>)),
            "`min_len` and `max_len`",
        );
        check(field(quote!(max = 1), quote!(bool)), "no bounds");
        check(field(quote!(max = 5), quote!(Duration)), "\"5s\"");
        check(field(quote!(default = "5 s"), quote!(Duration)), "\"5s\"");
        check(field(quote!(min = "1kb"), quote!(Size)), "\"64KiB\"");
        check(field(quote!(min_len = 1), quote!(u8)), "have a length");
        check(field(quote!(one_of = 1), quote!(u8)), "is a list");
        check(field(quote!(one_of = []), quote!(u8)), "is a list");
        check(
            field(quote!(one_of = ["a"]), quote!(Colour)),
            "for an enum instead",
        );
        check(
            field(quote!(default = 1), quote!(Option<u8>)),
            "what is absent is `None`",
        );
        check(field(quote!(check = it), quote!(u8)), "says nothing here");
        check(
            quote!(
                #[setting(min = 1)]
                struct S {}
            ),
            "says nothing here",
        );
        check(
            quote!(
                enum E {
                    #[setting(min = 1)]
                    A,
                }
            ),
            "says nothing here",
        );
    }

    #[test]
    fn variants_are_named_in_snake_case() {
        let check = |name: &str, expected: &str| assert_eq!(snake_case(name), expected);
        check("Off", "off");
        check("FirstComeFirstServed", "first_come_first_served");
    }
}
