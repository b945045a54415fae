//! `FHIRPath` (HL7, 2.0.0) as far as rules use it: expressions as text, parsed once.

#[cfg(test)]
mod tests;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// `$this`.
    This,
    /// `{}`.
    Empty,
    Text(String),
    Number(f64),
    Bool(bool),
    /// A date, a date with time or a time: what stands behind `@`.
    Moment(String),
    /// An element's or a type's name, of what is before it or of the input.
    Member(Option<Box<Self>>, String),
    Call(Option<Box<Self>>, Function, Vec<Self>),
    Index(Box<Self>, Box<Self>),
    Negative(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    /// `is` (true) or `as`, with the name of a type.
    Typed(bool, Box<Self>, String),
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant,)* }
        impl $name {
            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names! {
    /// A function; `nodesByType` and `nodesByName` are those of Microsoft's anonymizer.
    Function {
        Abs = "abs", All = "all", As = "as", Ceiling = "ceiling", Children = "children", Contains = "contains",
        Count = "count", Descendants = "descendants", Distinct = "distinct", Empty = "empty", EndsWith = "endsWith",
        Exists = "exists", Extension = "extension", First = "first", Floor = "floor", HasValue = "hasValue", Iif = "iif",
        IndexOf = "indexOf", Is = "is", Last = "last", Length = "length", Lower = "lower", Matches = "matches",
        NodesByName = "nodesByName", NodesByType = "nodesByType", Not = "not", OfType = "ofType", Replace = "replace",
        ReplaceMatches = "replaceMatches", Round = "round", Select = "select", Single = "single", Skip = "skip",
        StartsWith = "startsWith", Substring = "substring", Tail = "tail", Take = "take", ToDecimal = "toDecimal",
        ToInteger = "toInteger", ToText = "toString", Trim = "trim", Union = "union", Upper = "upper", Where = "where",
    }
}

names! {
    /// An operator between two expressions.
    Operator {
        Implies = "implies", Or = "or", Xor = "xor", And = "and", In = "in", Contains = "contains", Equal = "=",
        Equivalent = "~", NotEqual = "!=", NotEquivalent = "!~", Less = "<", LessOrEqual = "<=", Greater = ">",
        GreaterOrEqual = ">=", Union = "|", Plus = "+", Minus = "-", Concatenate = "&", Times = "*", Divide = "/",
        Div = "div", Mod = "mod",
    }
}

impl Operator {
    /// How strongly it binds; `is` and `as` stand at [`TYPE_BINDING`].
    const fn binding(self) -> u8 {
        match self {
            Self::Implies => 1,
            Self::Or | Self::Xor => 2,
            Self::And => 3,
            Self::In | Self::Contains => 4,
            Self::Equal | Self::Equivalent | Self::NotEqual | Self::NotEquivalent => 5,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 6,
            Self::Union => 7,
            Self::Plus | Self::Minus | Self::Concatenate => 9,
            Self::Times | Self::Divide | Self::Div | Self::Mod => 10,
        }
    }
}

const TYPE_BINDING: u8 = 8;
/// How deep expressions may stand in each other.
const MAX_DEPTH: usize = 64;

/// The text is no expression that rules may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAPath;

impl Expression {
    /// Parses `text`.
    pub(super) fn parse(text: &str) -> Result<Self, NotAPath> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            depth: 0,
        };
        let expression = parser.expression(0)?;
        if parser.at == parser.tokens.len() {
            Ok(expression)
        } else {
            Err(NotAPath)
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Moment(String),
    This,
    Sign(&'static str),
}

const SIGNS: [&str; 21] = [
    "<=", ">=", "!=", "!~", "<", ">", "=", "~", "|", "+", "-", "&", "*", "/", ".", ",", "(", ")", "[", "]",
    "{",
];

fn tokens(text: &str) -> Result<Vec<Token>, NotAPath> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => {
                let (read, length) = quoted(rest, first)?;
                tokens.push(if first == '`' {
                    Token::Name(read)
                } else {
                    Token::Text(read)
                });
                length
            }
            '0'..='9' => {
                let mut length = digits(rest);
                let fraction = rest[length..].strip_prefix('.').map_or(0, digits);
                if fraction > 0 {
                    length += 1 + fraction;
                }
                tokens.push(Token::Number(rest[..length].parse().map_err(|_| NotAPath)?));
                length
            }
            '@' => {
                let stops = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '+' | '.'));
                let length = 1 + rest[1..].find(stops).unwrap_or(rest.len() - 1);
                tokens.push(Token::Moment(rest[1..length].to_owned()));
                length
            }
            '$' => {
                if !rest.starts_with("$this") {
                    return Err(NotAPath);
                }
                tokens.push(Token::This);
                5
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let stops = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                let length = rest.find(stops).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            '}' => {
                tokens.push(Token::Sign("}"));
                1
            }
            _ => {
                let sign = SIGNS
                    .iter()
                    .find(|sign| rest.starts_with(**sign))
                    .ok_or(NotAPath)?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest.get(length..).ok_or(NotAPath)?.trim_start();
    }
    Ok(tokens)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The text between quotes, with its escapes resolved, and its length with the quotes.
fn quoted(text: &str, quote: char) -> Result<(String, usize), NotAPath> {
    let mut read = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((read, at + 1)),
            '\\' => match chars.next().ok_or(NotAPath)?.1 {
                'n' => read.push('\n'),
                'r' => read.push('\r'),
                't' => read.push('\t'),
                'f' => read.push('\u{c}'),
                'u' => {
                    let code: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&code, 16).map_err(|_| NotAPath)?;
                    read.push(char::from_u32(code).ok_or(NotAPath)?);
                }
                c @ ('\'' | '"' | '`' | '\\' | '/') => read.push(c),
                // A regular expression's own escape.
                c => read.extend(['\\', c]),
            },
            c => read.push(c),
        }
    }
    Err(NotAPath)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn expression(&mut self, binding: u8) -> Result<Expression, NotAPath> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(NotAPath);
        }
        let mut left = self.unary()?;
        loop {
            let word = match self.tokens.get(self.at) {
                Some(Token::Name(word)) => word.as_str(),
                Some(Token::Sign(sign)) => sign,
                _ => break,
            };
            if matches!(word, "is" | "as") {
                if TYPE_BINDING < binding {
                    break;
                }
                let is = word == "is";
                self.at += 1;
                let kind = self.type_name()?;
                left = Expression::Typed(is, Box::new(left), kind);
                continue;
            }
            let Some(operator) = Operator::parse(word).filter(|operator| operator.binding() >= binding)
            else {
                break;
            };
            self.at += 1;
            let right = self.expression(operator.binding() + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, NotAPath> {
        if self.take("-") {
            return Ok(Expression::Negative(Box::new(self.invocations()?)));
        }
        self.take("+");
        self.invocations()
    }

    fn invocations(&mut self) -> Result<Expression, NotAPath> {
        let mut before = self.term()?;
        loop {
            if self.take(".") {
                let Some(Token::Name(name)) = self.next() else {
                    return Err(NotAPath);
                };
                before = self.named(Some(Box::new(before)), name)?;
            } else if self.take("[") {
                let index = self.expression(0)?;
                self.expect("]")?;
                before = Expression::Index(Box::new(before), Box::new(index));
            } else {
                return Ok(before);
            }
        }
    }

    fn term(&mut self) -> Result<Expression, NotAPath> {
        Ok(match self.next().ok_or(NotAPath)? {
            Token::This => Expression::This,
            Token::Text(text) => Expression::Text(text),
            Token::Number(number) => Expression::Number(number),
            Token::Moment(moment) => Expression::Moment(moment),
            Token::Name(name) if name == "true" => Expression::Bool(true),
            Token::Name(name) if name == "false" => Expression::Bool(false),
            Token::Name(name) => self.named(None, name)?,
            Token::Sign("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                inner
            }
            Token::Sign("{") => {
                self.expect("}")?;
                Expression::Empty
            }
            Token::Sign(_) => return Err(NotAPath),
        })
    }

    fn named(&mut self, before: Option<Box<Expression>>, name: String) -> Result<Expression, NotAPath> {
        if !self.take("(") {
            return Ok(Expression::Member(before, name));
        }
        let function = Function::parse(&name).ok_or(NotAPath)?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.expression(0)?);
                if self.take(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        Ok(Expression::Call(before, function, arguments))
    }

    /// `Quantity`, `FHIR.Quantity`: the last word counts.
    fn type_name(&mut self) -> Result<String, NotAPath> {
        let Some(Token::Name(mut name)) = self.next() else {
            return Err(NotAPath);
        };
        while self.take(".") {
            let Some(Token::Name(next)) = self.next() else {
                return Err(NotAPath);
            };
            name = next;
        }
        Ok(name)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), NotAPath> {
        if self.take(sign) { Ok(()) } else { Err(NotAPath) }
    }
}
