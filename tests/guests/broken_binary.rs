//! A binary that is not what a compiler made.

use std::sync::Arc;

use host::{LoadError, Plugin, Source};

use crate::guest::{self, Guest};

fn load(component: Vec<u8>) -> Result<Arc<Plugin>, LoadError> {
    guest::host().load(Source {
        component,
        ..Guest::new().source()
    })
}

/// Loading fails, and the message says that this is none.
#[track_caller]
fn refused(what: &str, component: Vec<u8>) {
    let message = load(component).err();
    let message = message
        .unwrap_or_else(|| panic!("{what}: it was loaded"))
        .to_string();
    for words in ["`test`", "not a WebAssembly component"] {
        assert!(
            message.contains(words),
            "{what}: `{words}` is not in: {message}"
        );
    }
}

/// A section of a binary.
struct Section {
    start: usize,
    id: u8,
    /// It is one of a module within.
    inner: bool,
}

/// Those of a component and of the modules in it.
fn sections(binary: &[u8]) -> Vec<Section> {
    fn number(binary: &[u8], at: &mut usize) -> usize {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = binary[*at];
            *at += 1;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }
    const HEADER: usize = 8;
    const CORE_MODULE: u8 = 1;
    let is_component = binary[6] != 0;
    let mut found = Vec::new();
    let mut at = HEADER;
    while at < binary.len() {
        let (start, id) = (at, binary[at]);
        found.push(Section {
            start,
            id,
            inner: false,
        });
        at += 1;
        let len = number(binary, &mut at);
        if is_component && id == CORE_MODULE {
            let within = sections(&binary[at..at + len]).into_iter();
            found.extend(within.map(|section| Section {
                start: at + section.start,
                inner: true,
                ..section
            }));
        }
        at += len;
    }
    found
}

#[test]
fn one_that_is_cut_off_is_refused() {
    const CUSTOM: u8 = 0;
    let sound = Guest::allowing().component();
    let sections = sections(&sound);
    assert!(sections.len() > 20, "{} sections", sections.len());
    for (number, section) in sections.iter().enumerate() {
        let len = section.start;
        // What is cut off between sections is a component, but none of this
        // contract, as long as more is missing than notes about it.
        let rest = &sections[number..];
        if section.inner || rest.iter().any(|section| section.id != CUSTOM) {
            let loaded = load(sound[..len].to_vec());
            assert!(loaded.is_err(), "{len} of {} bytes are enough", sound.len());
        }
        for len in [len + 1, len + 2] {
            refused("within a section", sound[..len].to_vec());
        }
    }
    for len in [0, 1, 4, 7, 9, sound.len() / 2, sound.len() - 1] {
        refused("cut off", sound[..len].to_vec());
    }
}

#[test]
fn what_never_was_one_is_refused() {
    refused("text", b"(component)".to_vec());
    refused("a script", b"#!/bin/sh\nexit 0\n".to_vec());
    refused(
        "a native program",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
    );
    refused(
        "this program",
        std::fs::read(std::env::current_exe().unwrap()).unwrap()[..4096].to_vec(),
    );
    refused("a module", wat::parse_str("(module)").unwrap());
    refused("zeros", vec![0; 4096]);
    let mut newer = Guest::allowing().component();
    newer[4] = 0xff;
    refused("of a version that is not there yet", newer);
}

#[test]
fn one_that_is_made_of_several_is_compiled_or_refused() {
    // Two that hand a text to each other have memories of their own, which the
    // compiler makes code to copy between.
    let component = r#"(component
        (component $inner
            (core module $m (memory (export "memory") 1)
                (func (export "take") (param i32 i32))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "text" string)
                (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
        (component $outer
            (import "take" (func $take (param "text" string)))
            (core module $libc (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
            (core instance $libc (instantiate $libc))
            (core func $take (canon lower (func $take)
                (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
            (core module $m (import "" "take" (func $take (param i32 i32)))
                (func (export "run") (call $take (i32.const 0) (i32.const 9))))
            (core instance $i (instantiate $m
                (with "" (instance (export "take" (func $take))))))
            (func (export "run") (canon lift (core func $i "run"))))
        (instance $inner (instantiate $inner))
        (instance $outer (instantiate $outer (with "take" (func $inner "take"))))
        (export "run" (func $outer "run")))"#;
    let error = load(wat::parse_str(component).unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("does not fit the contract"), "{error}");
}

#[test]
fn no_flipped_bit_brings_the_host_down() {
    const SEEDS: u64 = 400;
    let sound = Guest::allowing().component();
    for seed in 0..SEEDS {
        // A multiplicative generator: the seed is all it takes to see it again.
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: usize| {
            state = state.wrapping_mul(0xd129_0d3b_3c1e_6a2f).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut component = sound.clone();
        for _ in 0..=next(4) {
            let at = next(component.len());
            component[at] ^= 1 << next(8);
        }
        // Some flips change a constant, which nothing could notice; the plugin
        // may then say anything, and is held to what it says.
        let Ok(plugin) = load(component) else {
            continue;
        };
        let step = host::Step {
            plugin,
            ..Guest::allowing().step(guest::host())
        };
        if let Ok(chain) = host::Chain::new(vec![step], Arc::new(guest::People)) {
            let _ = guest::decide(&chain);
        }
    }
}
