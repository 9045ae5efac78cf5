//! A binary that is a component, but not a plugin of this contract.

use host::Source;

use crate::guest::{self, Guest};

/// Loading fails, and the message has all of these words.
#[track_caller]
fn refused(component: &str, words: &[&str]) {
    let source = Source {
        component: wat::parse_str(component).unwrap(),
        ..Guest::new().named("odd").source()
    };
    let message = guest::host().load(source).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

fn importing(import: &str) -> String {
    format!("(component (import \"{import}\" (instance)))")
}

#[test]
fn an_import_that_there_is_not_is_named() {
    for import in [
        "wasi:cli/environment@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:filesystem/preopens@0.2.0",
        "sluice:policy/sockets@0.1.0",
        "sluice:other/request@0.1.0",
        "env",
    ] {
        refused(&importing(import), &["`odd`", import]);
    }
}

#[test]
fn another_version_of_the_contract_is_named() {
    for import in [
        "sluice:policy/request@0.2.0",
        "sluice:policy/request@1.0.0",
        "sluice:policy/request",
    ] {
        refused(&importing(import), &["`odd`", "another version", import]);
    }
}

#[test]
fn a_component_without_the_exports_of_a_plugin_is_refused() {
    let words = ["does not fit the contract", "no export"];
    refused("(component)", &words);
    // One of the right name is not enough.
    let describing = "(component
        (core module $m (func (export \"describe\") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export \"describe\") (result u32) (canon lift (core func $i \"describe\"))))";
    refused(describing, &["does not fit the contract"]);
}

#[test]
fn a_function_of_another_shape_is_refused() {
    let odd = "(component (import \"sluice:policy/request@0.1.0\"
        (instance (export \"method\" (func (result u32))))))";
    refused(odd, &["`odd`"]);
    let more = "(component (import \"sluice:policy/request@0.1.0\"
        (instance (export \"set-principal\" (func (param \"id\" string))))))";
    refused(more, &["`odd`"]);
}
