//! YAML as a tree whose every node knows where it stands.
//!
//! The only module that knows the YAML library. What comes out is bounded: in
//! depth, in size, and in what aliases unfold to.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

const TEXT_BYTES_MAX: usize = 1 << 20;
const DEPTH_MAX: usize = 64;
/// The nodes of a document, with each alias counted as all that it stands for.
const NODES_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// How many nodes this one unfolds to.
    weight: usize,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A scalar without quotes means what it looks like: a number, a truth value, nothing.
    Plain(String),
    Quoted(String),
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Rc<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

/// Line and column count from 1, the offset from 0; columns and offset in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) offset: usize,
}

/// Why a text is not a tree. There is only one: nothing after it can be trusted.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl Span {
    pub(crate) const START: Self = {
        let start = Position {
            line: 1,
            column: 1,
            offset: 0,
        };
        Self { start, end: start }
    };

    fn to(self, end: Self) -> Self {
        Self {
            start: self.start,
            end: end.end,
        }
    }
}

impl From<saphyr_parser::Marker> for Position {
    fn from(marker: saphyr_parser::Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
            offset: marker.index(),
        }
    }
}

impl From<saphyr_parser::Span> for Span {
    fn from(span: saphyr_parser::Span) -> Self {
        Self {
            start: span.start.into(),
            end: span.end.into(),
        }
    }
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// A collection that is still being read.
struct Open {
    span: Span,
    anchor: usize,
    weight: usize,
    content: Content,
}

enum Content {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Span)>,
    },
}

#[derive(Default)]
struct Loader {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    nodes: usize,
}

/// Reads exactly one document.
pub(crate) fn parse(text: &str) -> Result<Rc<Node>, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(fault(
            Span::START,
            format!("the file is longer than {} KiB", TEXT_BYTES_MAX >> 10),
            "is this the right file?",
        ));
    }
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = Position::from(*error.marker());
            let span = Span { start: at, end: at };
            let message = format!("this is not valid YAML: {}", error.info());
            fault(
                span,
                message,
                "check the indentation, the quotes and the brackets here and above",
            )
        })?;
        loader.take(event, span.into())?;
    }
    loader.root.ok_or_else(|| {
        let help = "write at least `version: 1`; `config/examples/default.yaml` shows everything";
        fault(Span::START, "the file is empty".to_owned(), help)
    })
}

fn fault(span: Span, message: String, help: &'static str) -> Fault {
    Fault {
        span,
        message,
        help,
    }
}

impl Loader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let tag = match &event {
            Event::Scalar(_, _, _, tag)
            | Event::SequenceStart(_, tag)
            | Event::MappingStart(_, tag) => tag.as_ref(),
            _ => None,
        };
        if let Some(tag) = tag {
            let message = format!("the tag `{}` has no meaning here", tag.suffix);
            return Err(fault(span, message, "remove it"));
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = match style {
                    ScalarStyle::Plain => Kind::Plain(text.into_owned()),
                    _ => Kind::Quoted(text.into_owned()),
                };
                self.close(kind, span, 1, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Content::List(Vec::new()), span, anchor),
            Event::MappingStart(anchor, _) => {
                let (entries, key) = (Vec::new(), None);
                self.open(Content::Map { entries, key }, span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let kind = match open.content {
                    Content::List(items) => Kind::List(items),
                    Content::Map { entries, .. } => Kind::Map(entries),
                };
                self.close(kind, open.span.to(span), open.weight, open.anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = node.clone();
                    self.count(node.weight, span)?;
                    self.place(node, span)
                }
                None => {
                    let message = "an alias cannot stand inside of what it names".to_owned();
                    Err(fault(span, message, "write the value out"))
                }
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "a second document begins here".to_owned();
                Err(fault(
                    span,
                    message,
                    "keep one document, without a further `---`",
                ))
            }
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn open(&mut self, content: Content, span: Span, anchor: usize) -> Result<(), Fault> {
        if self.open.len() == DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels are nested here");
            return Err(fault(
                span,
                message,
                "nothing in a configuration is that deep",
            ));
        }
        self.open.push(Open {
            span,
            anchor,
            weight: 1,
            content,
        });
        Ok(())
    }

    fn close(&mut self, kind: Kind, span: Span, weight: usize, anchor: usize) -> Result<(), Fault> {
        self.count(1, span)?;
        let node = Rc::new(Node { kind, span, weight });
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node, span)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("with all aliases written out, this is more than {NODES_MAX} values");
        Err(fault(span, message, "use fewer aliases"))
    }

    /// Puts a complete node where it belongs. `span` is where it is used, which
    /// for an alias is not where the node stands.
    fn place(&mut self, node: Rc<Node>, span: Span) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(node.weight);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some((key, key_span)) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
                None => {
                    let (Kind::Plain(text) | Kind::Quoted(text)) = &node.kind else {
                        let message = "a list or a mapping cannot be a key".to_owned();
                        return Err(fault(span, message, "use text as the key"));
                    };
                    *key = Some((text.clone(), span));
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_one_bounded_tree_is_refused_at_its_place() {
        let bomb: String = (1..20)
            .map(|n| {
                format!(
                    "a{n}: &a{n} [{}]\n",
                    vec![format!("*a{}", n - 1); 9].join(",")
                )
            })
            .collect();
        let bomb = format!("a0: &a0 x\n{bomb}");
        let deep = "[".repeat(70);
        let deeper = "[".repeat(100_000);
        let deep_blocks = "- ".repeat(100_000);
        let long = "#".repeat(TEXT_BYTES_MAX + 1);
        let cases = [
            ("", 1, 1, "empty"),
            ("# nothing\n", 1, 1, "empty"),
            ("a: 1\n---\nb: 2\n", 2, 1, "second document"),
            ("a: !!str 1\n", 1, 4, "tag"),
            ("? [a]\n: b\n", 1, 3, "cannot be a key"),
            ("a: &a [*a]\n", 1, 8, "inside of what it names"),
            ("a: [1, 2\nb: 3\n", 2, 2, "not valid YAML"),
            ("a: *b\n", 1, 4, "not valid YAML"),
            (bomb.as_str(), 7, 10, "aliases"),
            (deep.as_str(), 1, 65, "nested"),
            (deeper.as_str(), 1, 256, "recursion limit"),
            (deep_blocks.as_str(), 1, 129, "nested"),
            (long.as_str(), 1, 1, "longer"),
        ];
        for (text, line, column, message) in cases {
            let shown = text.get(..60).unwrap_or(text);
            let fault = parse(text).expect_err(shown);
            assert!(fault.message.contains(message), "{shown}: {fault:?}");
            let at = (fault.span.start.line, fault.span.start.column);
            assert_eq!(at, (line, column), "{shown}: {fault:?}");
        }
    }
}
