//! `#[plugin(..)]`: the manifest of an `impl Plugin for ..`, from its phases.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, ImplItem, ItemImpl, LitStr, Token, Type, bracketed, parenthesized};

/// The methods that are phases, and their names in the contract.
const PHASES: &[(&str, &str)] = &[
    ("authenticate", "Authenticate"),
    ("authorize", "Authorize"),
    ("prepare", "Prepare"),
    ("serve", "Serve"),
    ("respond", "Respond"),
];

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemImpl = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            "`#[plugin]` stands before `impl Plugin for ..`",
        )
    })?;
    let is_plugin = item.trait_.as_ref().is_some_and(|(_, path, _)| {
        let last = path.segments.last();
        last.is_some_and(|segment| segment.ident == "Plugin")
    });
    if !is_plugin {
        return Err(Error::new_spanned(
            &item.self_ty,
            "`#[plugin]` stands before `impl Plugin for ..`",
        ));
    }
    let arguments: Arguments = syn::parse2(arguments)?;
    let has = |name: &str| {
        let mut items = item.items.iter();
        items.any(|item| matches!(item, ImplItem::Fn(function) if function.sig.ident == name))
    };
    if has("manifest") {
        return Err(Error::new_spanned(
            &item.self_ty,
            "`#[plugin]` writes `manifest`; leave it out, or write it and `export!` by hand",
        ));
    }
    let phases: Vec<_> = PHASES
        .iter()
        .filter(|(method, _)| has(method))
        .map(|(method, phase)| (*method, Ident::new(phase, Span::call_site())))
        .collect();
    if phases.is_empty() {
        return Err(Error::new_spanned(
            &item.self_ty,
            "the plugin has no phase: it has none of `authenticate`, `authorize`, `prepare`, `serve` and `respond`",
        ));
    }
    for (of, _) in &arguments.phases {
        if !has(&of.to_string()) {
            return Err(Error::new_spanned(
                of,
                format!("the plugin has no `{of}`, so this says nothing"),
            ));
        }
    }
    let serves = !arguments.claims.is_empty() || !arguments.sub_resources.is_empty();
    if serves != has("serve") {
        return Err(Error::new_spanned(
            &item.self_ty,
            match serves {
                true => "what is claimed is answered by `serve`, which the plugin does not have",
                false => {
                    "`serve` answers what is claimed: name it in `claims = [..]` or `sub_resources = [..]`"
                }
            },
        ));
    }

    let interests = phases
        .iter()
        .flat_map(|(method, phase)| arguments.interests(method, phase));
    let claims = (!arguments.claims.is_empty()).then(|| {
        let claims = operations(&arguments.claims);
        quote!(.claims(#claims))
    });
    let sub_resources = arguments.sub_resources.iter().map(SubResource::declared);
    let schema = match (&arguments.settings, has("configure")) {
        (Some(settings), _) => Some(quote!(.settings::<#settings>())),
        (None, false) => Some(quote!(.settings::<Self>())),
        (None, true) => None,
    };
    if let (Some(settings), false) = (&arguments.settings, has("configure")) {
        return Err(Error::new_spanned(
            settings,
            "write `configure`, which makes the plugin of these settings; without it the settings are the plugin itself",
        ));
    }
    let name = said(arguments.name.as_ref(), "CARGO_PKG_NAME");
    let version = said(arguments.version.as_ref(), "CARGO_PKG_VERSION");
    let manifest = quote! {
        fn manifest() -> ::sluice_plugin::Manifest {
            ::sluice_plugin::Manifest::new(#name, #version)
                #(.interest(#interests))*
                #claims
                #(#sub_resources)*
                #schema
        }
    };
    let configure = (!has("configure")).then(|| {
        quote! {
            fn configure(
                settings: ::sluice_plugin::Settings<'_>,
            ) -> ::core::result::Result<Self, ::std::string::String> {
                settings.read()
            }
        }
    });

    let ItemImpl {
        attrs,
        unsafety,
        generics,
        self_ty,
        items,
        trait_,
        ..
    } = &item;
    let plugin = trait_.as_ref().map(|(_, path, _)| path);
    Ok(quote! {
        #(#attrs)*
        #unsafety impl #generics #plugin for #self_ty {
            #manifest
            #configure
            #(#items)*
        }

        ::sluice_plugin::export!(#self_ty);
    })
}

fn said(given: Option<&LitStr>, variable: &str) -> TokenStream {
    match given {
        Some(given) => quote!(#given),
        None => quote!(::core::env!(#variable)),
    }
}

fn operations(names: &[Ident]) -> TokenStream {
    quote!([#(::sluice_plugin::Operation::#names),*])
}

/// What is in the parentheses of `#[plugin(..)]`.
#[derive(Default)]
struct Arguments {
    name: Option<LitStr>,
    version: Option<LitStr>,
    settings: Option<Type>,
    claims: Vec<Ident>,
    sub_resources: Vec<SubResource>,
    /// Of every phase that has none of its own.
    conditions: Conditions,
    phases: Vec<(Ident, Conditions)>,
}

#[derive(Default)]
struct Conditions {
    operations: Vec<Ident>,
    headers: Vec<LitStr>,
    queries: Vec<LitStr>,
    documents: Vec<LitStr>,
}

struct SubResource {
    scope: Ident,
    name: LitStr,
    operations: Vec<Ident>,
}

impl Arguments {
    /// When the plugin is concerned in one phase.
    fn interests(&self, method: &str, phase: &Ident) -> Vec<TokenStream> {
        let own: Vec<_> = self.phases.iter().filter(|(of, _)| of == method).collect();
        if !own.is_empty() {
            return own
                .iter()
                .map(|(_, conditions)| conditions.interest(phase))
                .collect();
        }
        if method == "serve" {
            // It is asked for what it claims, and for nothing else.
            let mut claimed = self.claims.clone();
            for sub_resource in &self.sub_resources {
                claimed.extend(sub_resource.operations.iter().cloned());
            }
            let conditions = Conditions {
                operations: claimed,
                ..Conditions::default()
            };
            return vec![conditions.interest(phase)];
        }
        vec![self.conditions.interest(phase)]
    }
}

impl Conditions {
    fn interest(&self, phase: &Ident) -> TokenStream {
        let mut interest = quote! {
            ::sluice_plugin::Interest::in_phase(::sluice_plugin::Phase::#phase)
        };
        if !self.operations.is_empty() {
            let operations = operations(&self.operations);
            interest.extend(quote!(.operations(#operations)));
        }
        for (method, names) in [
            ("headers", &self.headers),
            ("queries", &self.queries),
            ("documents", &self.documents),
        ] {
            if !names.is_empty() {
                let method = Ident::new(method, Span::call_site());
                interest.extend(quote!(.#method([#(#names),*])));
            }
        }
        interest
    }

    /// Takes an argument if it is a condition.
    fn take(&mut self, name: &str, input: ParseStream<'_>) -> syn::Result<bool> {
        match name {
            "operations" => self.operations = assigned_list(input)?,
            "headers" => {
                self.headers = assigned_list(input)?;
                for header in &self.headers {
                    let name = header.value();
                    if name.to_ascii_lowercase() != name {
                        return Err(Error::new_spanned(
                            header,
                            "the names of headers are written in lower case",
                        ));
                    }
                }
            }
            "queries" => self.queries = assigned_list(input)?,
            "documents" => self.documents = assigned_list(input)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl SubResource {
    fn declared(&self) -> TokenStream {
        let Self {
            scope,
            name,
            operations: names,
        } = self;
        let scope = match scope == "bucket" {
            true => quote!(Bucket),
            false => quote!(Object),
        };
        let operations = operations(names);
        quote!(.sub_resource(::sluice_plugin::documents::Scope::#scope, #name, #operations))
    }
}

impl Parse for SubResource {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let scope: Ident = input.parse()?;
        if scope != "bucket" && scope != "object" {
            return Err(Error::new_spanned(
                scope,
                "a sub-resource is of a `bucket` or an `object`: `bucket(\"legal-notice\", [GetSubResource])`",
            ));
        }
        let content;
        parenthesized!(content in input);
        let name = content.parse()?;
        content.parse::<Token![,]>()?;
        let operations = list(&content)?;
        content.parse::<Option<Token![,]>>()?;
        Ok(Self {
            scope,
            name,
            operations,
        })
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let ident: Ident = input.parse()?;
            let name = ident.to_string();
            if PHASES.iter().any(|(method, _)| *method == name) {
                let content;
                parenthesized!(content in input);
                arguments.phases.push((ident, conditions(&content)?));
            } else {
                refuse_twice(&seen, &ident)?;
                match name.as_str() {
                    "name" => arguments.name = Some(assigned(input)?),
                    "version" => arguments.version = Some(assigned(input)?),
                    "settings" => arguments.settings = Some(assigned(input)?),
                    "claims" => arguments.claims = assigned_list(input)?,
                    "sub_resources" => arguments.sub_resources = assigned_list(input)?,
                    _ if arguments.conditions.take(&name, input)? => {}
                    _ => {
                        return Err(Error::new_spanned(
                            ident,
                            format!(
                                "`{name}` is not known; known are `operations`, `headers`, `queries`, \
                                 `documents`, `claims`, `sub_resources`, `settings`, `name`, `version`, \
                                 and a phase such as `authorize(..)`"
                            ),
                        ));
                    }
                }
                seen.push(name);
            }
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(arguments)
    }
}

/// What is in the parentheses of a phase.
fn conditions(input: ParseStream<'_>) -> syn::Result<Conditions> {
    let mut conditions = Conditions::default();
    let mut seen: Vec<String> = Vec::new();
    while !input.is_empty() {
        let ident: Ident = input.parse()?;
        let name = ident.to_string();
        refuse_twice(&seen, &ident)?;
        if !conditions.take(&name, input)? {
            return Err(Error::new_spanned(
                ident,
                "a phase has the conditions `operations`, `headers`, `queries` and `documents`",
            ));
        }
        seen.push(name);
        if input.is_empty() {
            break;
        }
        input.parse::<Token![,]>()?;
    }
    Ok(conditions)
}

/// What is said again would replace what was said before.
fn refuse_twice(seen: &[String], ident: &Ident) -> syn::Result<()> {
    match seen.iter().any(|name| ident == name) {
        true => Err(Error::new_spanned(
            ident,
            format!("`{ident}` is there twice"),
        )),
        false => Ok(()),
    }
}

fn assigned<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn assigned_list<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    input.parse::<Token![=]>()?;
    list(input)
}

fn list<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    let content;
    bracketed!(content in input);
    let items = Punctuated::<T, Token![,]>::parse_terminated(&content)?;
    Ok(items.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_where_it_is_made() {
        let check = |arguments: TokenStream, item: TokenStream, message: &str| {
            let error = expand(arguments.clone(), item)
                .expect_err(message)
                .to_string();
            assert!(error.contains(message), "{arguments}: {error}");
        };
        let plugin = quote!(impl Plugin for P { fn authorize(&self) {} });
        check(
            quote!(),
            quote!(
                struct P;
            ),
            "before `impl Plugin for ..`",
        );
        check(quote!(), quote!(impl P {}), "before `impl Plugin for ..`");
        check(quote!(), quote!(impl Plugin for P {}), "has no phase");
        check(
            quote!(),
            quote!(impl Plugin for P { fn manifest() {} }),
            "writes `manifest`",
        );
        check(
            quote!(operation = [A]),
            plugin.clone(),
            "known are `operations`",
        );
        check(
            quote!(claims = [A], claims = [B]),
            plugin.clone(),
            "there twice",
        );
        check(quote!(claims = [A]), plugin.clone(), "answered by `serve`");
        check(
            quote!(),
            quote!(impl Plugin for P { fn serve(&self) {} }),
            "name it in `claims",
        );
        check(quote!(prepare()), plugin.clone(), "has no `prepare`");
        check(
            quote!(authorize(queries = ["a"], headers = ["b"], queries = ["c"])),
            plugin.clone(),
            "`queries` is there twice",
        );
        check(
            quote!(authorize(claims = [A])),
            plugin.clone(),
            "has the conditions",
        );
        check(quote!(headers = ["X-A"]), plugin.clone(), "lower case");
        check(
            quote!(sub_resources = [folder("a", [GetSubResource])]),
            plugin.clone(),
            "of a `bucket` or an `object`",
        );
        check(quote!(settings = S), plugin, "write `configure`");
    }

    #[test]
    fn the_interests_are_those_of_the_phases() {
        let item = quote!(impl Plugin for P {
            fn authenticate(&self) {}
            fn authorize(&self) {}
            fn serve(&self) {}
            fn configure() {}
        });
        let arguments = quote!(
            operations = [PutObject],
            authenticate(headers = ["authorization"]),
            authenticate(queries = ["Signature"]),
            claims = [GetBucketCors],
            sub_resources = [bucket("notice", [GetSubResource])],
        );
        let expanded = expand(arguments, item)
            .unwrap()
            .to_string()
            .replace(' ', "");
        let check = |part: &str| assert!(expanded.contains(part), "{part}: {expanded}");
        check("Phase::Authenticate).headers([\"authorization\"]))");
        check("Phase::Authenticate).queries([\"Signature\"]))");
        check("Phase::Authorize).operations([::sluice_plugin::Operation::PutObject]))");
        check(
            "Phase::Serve).operations([::sluice_plugin::Operation::GetBucketCors,\
             ::sluice_plugin::Operation::GetSubResource]))",
        );
        check(".claims([::sluice_plugin::Operation::GetBucketCors])");
        check(".sub_resource(::sluice_plugin::documents::Scope::Bucket,\"notice\",");
    }
}
