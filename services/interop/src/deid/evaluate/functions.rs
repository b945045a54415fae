//! The functions of `FHIRPath` that rules use.

use super::{Evaluation, Item, Items, Misfit, distinct, shown};
use crate::deid::{
    elements,
    path::{Expression, Function},
    tree::NodeId,
};

impl Evaluation<'_> {
    /// What a function makes of the items before it.
    pub(super) fn call(
        &self,
        function: Function,
        input: Items,
        arguments: &[Expression],
    ) -> Result<Items, Misfit> {
        let argument = |at: usize| self.argument(arguments, at);
        let word = |at: usize| self.argument_word(arguments, at);
        let index = |at: usize| self.index(arguments, at);
        let truth = |value: bool| vec![Item::Bool(value)];
        Ok(match function {
            Function::Where => self.filter(input, arguments.first().ok_or(Misfit)?)?,
            Function::Exists => match arguments.first() {
                Some(criterion) => truth(!self.filter(input, criterion)?.is_empty()),
                None => truth(!input.is_empty()),
            },
            Function::All => {
                let length = input.len();
                truth(self.filter(input, arguments.first().ok_or(Misfit)?)?.len() == length)
            }
            Function::Select => {
                let projection = arguments.first().ok_or(Misfit)?;
                let mut out = Vec::new();
                for item in &input {
                    let this = std::slice::from_ref(item);
                    out.extend(
                        Evaluation {
                            tree: self.tree,
                            this,
                        }
                        .evaluate(projection, this)?,
                    );
                }
                out
            }
            Function::Empty => truth(input.is_empty()),
            Function::Not => self
                .truth(&input)?
                .map(|value| Item::Bool(!value))
                .into_iter()
                .collect(),
            Function::HasValue => truth(input.iter().any(|item| self.value(item).is_some())),
            #[expect(clippy::cast_precision_loss, reason = "no collection has 2^52 items")]
            Function::Count => vec![Item::Number(input.len() as f64)],
            Function::First => input.into_iter().take(1).collect(),
            Function::Last => input.into_iter().next_back().into_iter().collect(),
            Function::Single if input.len() > 1 => return Err(Misfit),
            Function::Single => input,
            Function::Tail => input.into_iter().skip(1).collect(),
            Function::Skip => input.into_iter().skip(index(0)?).collect(),
            Function::Take => input.into_iter().take(index(0)?).collect(),
            Function::Distinct => distinct(input),
            Function::Union => distinct(input.into_iter().chain(argument(0)?).collect()),
            Function::OfType | Function::As => {
                let kind = type_name(arguments.first()).ok_or(Misfit)?;
                input.into_iter().filter(|item| self.is(item, kind)).collect()
            }
            Function::Is => {
                let kind = type_name(arguments.first()).ok_or(Misfit)?;
                input
                    .first()
                    .map(|item| Item::Bool(self.is(item, kind)))
                    .into_iter()
                    .collect()
            }
            Function::Iif => {
                let chosen = self.truth(&argument(0)?)? == Some(true);
                match arguments.get(if chosen { 1 } else { 2 }) {
                    Some(branch) => self.evaluate(branch, self.this)?,
                    None => Vec::new(),
                }
            }
            Function::Extension => {
                let url = word(0)?;
                let extensions = input.iter().flat_map(|item| self.members(item, "extension"));
                let has = |item: &Item| matches!(item, Item::Node(id) if self.tree.child_text(*id, "url") == Some(&url));
                extensions.filter(has).collect()
            }
            Function::Children => self.children(&input),
            Function::Descendants => self.below(&input, false, |_| true),
            Function::NodesByType => {
                let kind = word(0)?;
                self.below(&input, true, |id| elements::path_type(self.tree.kind(id)) == kind)
            }
            Function::NodesByName => {
                let name = word(0)?;
                self.below(&input, true, |id| self.tree.name(id) == name)
            }
            other => self.convert(other, &input, arguments)?,
        })
    }

    /// The functions of one text or number.
    fn convert(&self, function: Function, input: &[Item], arguments: &[Expression]) -> Result<Items, Misfit> {
        let word = |at: usize| self.argument_word(arguments, at);
        let index = |at: usize| self.index(arguments, at);
        let text = |f: &dyn Fn(String) -> Item| -> Result<Items, Misfit> {
            Ok(self.word(input)?.map(f).into_iter().collect())
        };
        let number = |f: &dyn Fn(f64) -> f64| -> Result<Items, Misfit> {
            Ok(self
                .number(input)?
                .map(|number| Item::Number(f(number)))
                .into_iter()
                .collect())
        };
        Ok(match function {
            Function::StartsWith => {
                let start = word(0)?;
                text(&|text| Item::Bool(text.starts_with(&start)))?
            }
            Function::EndsWith => {
                let end = word(0)?;
                text(&|text| Item::Bool(text.ends_with(&end)))?
            }
            Function::Contains => {
                let part = word(0)?;
                text(&|text| Item::Bool(text.contains(&part)))?
            }
            Function::IndexOf => {
                let part = word(0)?;
                #[expect(clippy::cast_precision_loss, reason = "no text has 2^52 characters")]
                let place = |text: String| {
                    text.find(&part)
                        .map_or(-1.0, |at| text[..at].chars().count() as f64)
                };
                text(&|text| Item::Number(place(text)))?
            }
            Function::Substring => {
                let start = index(0)?;
                let length = if arguments.len() > 1 {
                    index(1)?
                } else {
                    usize::MAX
                };
                text(&|text| Item::Text(text.chars().skip(start).take(length).collect()))?
            }
            #[expect(clippy::cast_precision_loss, reason = "no text has 2^52 characters")]
            Function::Length => text(&|text| Item::Number(text.chars().count() as f64))?,
            Function::Upper => text(&|text| Item::Text(text.to_uppercase()))?,
            Function::Lower => text(&|text| Item::Text(text.to_lowercase()))?,
            Function::Trim => text(&|text| Item::Text(text.trim().to_owned()))?,
            Function::Replace => {
                let (old, new) = (word(0)?, word(1)?);
                text(&|text| Item::Text(text.replace(&old, &new)))?
            }
            Function::Matches => {
                let regex = regex::Regex::new(&word(0)?).map_err(|_| Misfit)?;
                text(&|text| Item::Bool(regex.is_match(&text)))?
            }
            Function::ReplaceMatches => {
                let regex = regex::Regex::new(&word(0)?).map_err(|_| Misfit)?;
                let new = word(1)?;
                text(&|text| Item::Text(regex.replace_all(&text, &new).into_owned()))?
            }
            Function::ToText => match self.one(input)? {
                Some(Item::Number(number)) => vec![Item::Text(shown(number))],
                Some(Item::Bool(value)) => vec![Item::Text(value.to_string())],
                Some(Item::Text(text) | Item::Moment(text)) => vec![Item::Text(text)],
                Some(Item::Node(_)) | None => Vec::new(),
            },
            Function::ToInteger | Function::ToDecimal => match self.one(input)? {
                Some(Item::Number(number)) => vec![Item::Number(number)],
                Some(Item::Bool(value)) => vec![Item::Number(f64::from(u8::from(value)))],
                Some(Item::Text(text)) => text.parse().ok().map(Item::Number).into_iter().collect(),
                _ => Vec::new(),
            },
            Function::Abs => number(&f64::abs)?,
            Function::Ceiling => number(&f64::ceil)?,
            Function::Floor => number(&f64::floor)?,
            Function::Round => number(&f64::round)?,
            // Those of collections have been dealt with.
            _ => return Err(Misfit),
        })
    }

    fn argument(&self, arguments: &[Expression], at: usize) -> Result<Items, Misfit> {
        self.evaluate(arguments.get(at).ok_or(Misfit)?, self.this)
    }

    fn argument_word(&self, arguments: &[Expression], at: usize) -> Result<String, Misfit> {
        self.word(&self.argument(arguments, at)?)?.ok_or(Misfit)
    }

    fn index(&self, arguments: &[Expression], at: usize) -> Result<usize, Misfit> {
        let number = self.number(&self.argument(arguments, at)?)?.ok_or(Misfit)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        let index = number as usize;
        Ok(index)
    }

    fn children(&self, input: &[Item]) -> Items {
        let children = input.iter().flat_map(|item| match item {
            Item::Node(id) => self.tree.node(*id).children.clone(),
            _ => Vec::new(),
        });
        children.map(Item::Node).collect()
    }

    fn below(&self, input: &[Item], itself: bool, wanted: impl Fn(NodeId) -> bool) -> Items {
        let mut out = Vec::new();
        for item in input {
            if let Item::Node(id) = item {
                let own = itself.then_some(*id);
                let all = own.into_iter().chain(self.tree.below(*id, false));
                out.extend(all.filter(|&id| wanted(id)).map(Item::Node));
            }
        }
        out
    }
}

fn type_name(argument: Option<&Expression>) -> Option<&str> {
    match argument? {
        Expression::Member(_, name) | Expression::Text(name) => Some(name),
        _ => None,
    }
}
