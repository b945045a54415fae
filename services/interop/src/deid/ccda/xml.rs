//! XML as a tree of elements, without comments, instructions and document types.

use quick_xml::{
    Reader, XmlVersion,
    escape::{escape, unescape},
    events::{BytesStart, Event},
};

/// How deep elements may stand in each other.
const MAX_DEPTH: usize = 100;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// With its prefix.
    pub name: String,
    /// Names with their prefixes, values without escapes.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Child>,
}

/// What stands in an element.
#[derive(Debug)]
pub(super) enum Child {
    Element(Element),
    /// Without escapes.
    Text(String),
}

/// The text is no well-formed XML, has a document type, or is too deep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotXml;

impl Element {
    /// Reads a document's outermost element.
    pub(super) fn read(text: &str) -> Result<Self, NotXml> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|_| NotXml)? {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(NotXml);
                    }
                    open.push(Self::start(&start)?);
                }
                Event::Empty(start) => {
                    let element = Self::start(&start)?;
                    open.last_mut()
                        .ok_or(NotXml)?
                        .children
                        .push(Child::Element(element));
                }
                Event::End(_) => {
                    let element = open.pop().ok_or(NotXml)?;
                    open.last_mut()
                        .ok_or(NotXml)?
                        .children
                        .push(Child::Element(element));
                }
                Event::Text(text) => push(&mut open, &text.xml10_content())?,
                Event::CData(data) => push(&mut open, &data.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let entity = format!("&{};", &*reference);
                    push(&mut open, &unescape(&entity).map_err(|_| NotXml)?)?;
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::DocType(_) => return Err(NotXml),
                Event::Eof => break,
            }
        }
        let document = open.pop().filter(|_| open.is_empty()).ok_or(NotXml)?;
        let mut elements = document.children.into_iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        });
        elements
            .next()
            .filter(|_| elements.next().is_none())
            .ok_or(NotXml)
    }

    fn start(start: &BytesStart<'_>) -> Result<Self, NotXml> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| NotXml)?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| NotXml)?
                .into_owned();
            attributes.push((attribute.key.as_ref().to_owned(), value));
        }
        Ok(Self {
            name: start.name().as_ref().to_owned(),
            attributes,
            children: Vec::new(),
        })
    }

    /// The attribute's value.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The elements in it.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// All text in it, words of neighbouring elements apart; elements that begin lines in narratives do so.
    pub(super) fn words(&self) -> String {
        let mut out = String::new();
        self.collect(&mut out);
        let lines = out
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn collect(&self, out: &mut String) {
        for child in &self.children {
            match child {
                Child::Text(text) => out.push_str(text),
                Child::Element(element) => {
                    let line = matches!(
                        element.name.as_str(),
                        "br" | "caption" | "item" | "list" | "paragraph" | "table" | "tr" | "tbody" | "thead"
                    );
                    let between = if line { '\n' } else { ' ' };
                    // Marks within a word (`<content>`, `<sub>`) are rare, and a blank there harms nobody.
                    out.push(between);
                    element.collect(out);
                    out.push(between);
                }
            }
        }
    }

    /// Writes the element.
    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            out.push_str(&escape(value.as_str()));
            out.push('"');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for child in &self.children {
            match child {
                Child::Element(element) => element.write(out),
                Child::Text(text) => out.push_str(&escape(text.as_str())),
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

fn push(open: &mut [Element], text: &str) -> Result<(), NotXml> {
    let children = &mut open.last_mut().ok_or(NotXml)?.children;
    if let Some(Child::Text(before)) = children.last_mut() {
        before.push_str(text);
    } else {
        children.push(Child::Text(text.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back() {
        let text =
            "<?xml version=\"1.0\"?><!-- x --><a b=\"1 &amp; 2\"><c/>x &lt; <![CDATA[<y>]]>&#65;</a>\n";
        let element = Element::read(text).expect("XML");
        let mut out = String::new();
        element.write(&mut out);
        assert_eq!(out, "<a b=\"1 &amp; 2\"><c/>x &lt; &lt;y&gt;A</a>");
        assert_eq!(element.words(), "x < <y>A");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a>&x;</a>",
            "<a b=1/>",
        ] {
            assert_eq!(Element::read(text).map(|_| ()), Err(NotXml), "{text}");
        }
        assert!(Element::read(&("<a>".repeat(5_000) + &"</a>".repeat(5_000))).is_err());
    }
}
