//! A reader of Python pickles that builds lists, dictionaries and descriptions of tensors, and nothing else.
//!
//! A pickle is a program for a small stack machine, and Python's own machine calls whatever function the file names. This one
//! knows the opcodes that PyTorch's checkpoints use (protocols 2 to 4, Python's `pickletools`), and four kinds of names;
//! any other opcode or name ends the reading. Nothing is called; values live in one arena and point to one another by
//! number, so that no depth of nesting costs stack; and their number is bounded, so that no file grows in memory.

use std::collections::HashMap;

/// Values that one pickle may make: a checkpoint of a BERT has some ten thousand.
const MOST_VALUES: usize = 1 << 18;
/// Length of the key of a storage: PyTorch writes numbers.
const LONGEST_KEY: usize = 64;

/// Number of a value in its arena.
pub(super) type Id = usize;

/// The type of a storage's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    Bf16,
    F32,
    F64,
    /// Numbers that are no weights: passed over.
    Integer(usize),
}

impl Element {
    /// Bytes of one element.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Integer(size) => size,
        }
    }

    /// The element type of one of PyTorch's storage classes.
    fn of_storage(name: &str) -> Option<Self> {
        Some(match name {
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "DoubleStorage" => Self::F64,
            "LongStorage" => Self::Integer(8),
            "IntStorage" => Self::Integer(4),
            "ShortStorage" => Self::Integer(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" => Self::Integer(1),
            _ => return None,
        })
    }
}

/// The names that a pickle may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Element),
}

/// Where a tensor's numbers lie: the key of its storage, and how long that is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StorageRef {
    pub(super) element: Element,
    pub(super) key: String,
    pub(super) length: usize,
}

/// A tensor as the file describes it: sizes and strides in elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorRef {
    pub(super) storage: StorageRef,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Integer(i64),
    /// An integer beyond 64 bits, as its little-endian bytes.
    Long(Vec<u8>),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage(StorageRef),
    Tensor(TensorRef),
}

/// Why a pickle was not read. No text of the file is in it but a name of a plain form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The file ends within a value.
    #[error("the pickle is cut short")]
    Short,
    /// An opcode that no checkpoint needs.
    #[error("the pickle uses opcode 0x{0:02x}, which no checkpoint of weights needs")]
    Opcode(u8),
    /// A function or class that is not on the list; it is never called.
    #[error("the pickle names {0}, which is not on the list of what a checkpoint may name; nothing was run")]
    Name(String),
    /// The stack machine is asked for something that makes no sense.
    #[error("the pickle makes no sense: {0}")]
    Form(&'static str),
    /// Too many values.
    #[error("the pickle makes more than {MOST_VALUES} values")]
    Size,
}

/// All values of one pickle, and which of them it is.
#[derive(Debug)]
pub(super) struct Pickle {
    arena: Vec<Value>,
    root: Id,
    /// Bytes that were read, up to and with the final opcode.
    pub(super) length: usize,
}

impl Pickle {
    /// Reads the pickle at the start of `bytes`; what follows it is left alone.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            arena: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            left: MOST_VALUES,
        };
        let root = machine.run()?;
        Ok(Self {
            arena: machine.arena,
            root,
            length: machine.at,
        })
    }

    /// What the pickle is.
    pub(super) fn root(&self) -> &Value {
        self.get(self.root)
    }

    /// The value of a number that this pickle gave.
    pub(super) fn get(&self, id: Id) -> &Value {
        self.arena.get(id).unwrap_or(&Value::None)
    }

    /// A text.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The stack machine.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    arena: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at which marks stand.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Values that may still be made.
    left: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, PickleError> {
        loop {
            let code = self.byte()?;
            match code {
                b'.' => return self.pop(),
                // PROTO and FRAME say nothing that we need.
                0x80 => {
                    self.byte()?;
                }
                0x95 => {
                    self.take(8)?;
                }
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'J' | b'K' | b'M' | 0x8a | b'G' => self.number(code)?,
                b'X' | 0x8c | b'U' | b'T' => self.string(code)?,
                b')' => self.push(Value::Tuple(Vec::new()))?,
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Tuple(items))?;
                }
                0x85..=0x87 => {
                    let items = self.pop_many(usize::from(code - 0x84))?;
                    self.push(Value::Tuple(items))?;
                }
                b']' => self.push(Value::List(Vec::new()))?,
                b'}' => self.push(Value::Dict(Vec::new()))?,
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let pair = self.pop_many(2)?;
                    self.insert(&pair)?;
                }
                b'u' => {
                    let pairs = self.pop_to_mark()?;
                    self.insert(&pairs)?;
                }
                b'q' | b'r' | 0x94 => self.remember(code)?,
                b'h' | b'j' => self.recall(code)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let pair = self.pop_many(2)?;
                    let text = |id: Id| match &self.arena[id] {
                        Value::Text(text) => Ok(text.clone()),
                        _ => Err(PickleError::Form("a name is no text")),
                    };
                    let (module, name) = (text(pair[0])?, text(pair[1])?);
                    self.name(&module, &name)?;
                }
                b'R' => self.reduce()?,
                b'b' => self.build()?,
                b'Q' => self.storage()?,
                other => return Err(PickleError::Opcode(other)),
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], PickleError> {
        let end = self.at.checked_add(count).ok_or(PickleError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(PickleError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| PickleError::Short)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Text up to the end of the line; the longest name on the list is far below the limit.
    fn line(&mut self) -> Result<String, PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(512).position(|&byte| byte == b'\n');
        let line = &rest[..end.ok_or(PickleError::Form("a name has no end"))?];
        self.at += line.len() + 1;
        String::from_utf8(line.to_vec()).map_err(|_| PickleError::Form("a name is no text"))
    }

    fn push(&mut self, value: Value) -> Result<(), PickleError> {
        self.spend(1)?;
        self.arena.push(value);
        self.stack.push(self.arena.len() - 1);
        Ok(())
    }

    fn spend(&mut self, values: usize) -> Result<(), PickleError> {
        self.left = self.left.checked_sub(values).ok_or(PickleError::Size)?;
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        // What lies below a mark belongs to the mark.
        if self.marks.last().is_some_and(|&mark| self.stack.len() <= mark) {
            return Err(PickleError::Form("a value is missing"));
        }
        self.stack.pop().ok_or(PickleError::Form("a value is missing"))
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, PickleError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(items)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Form("a mark is missing"))?;
        if mark > self.stack.len() {
            return Err(PickleError::Form("a mark is missing"));
        }
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Result<&mut Value, PickleError> {
        let id = self.pop()?;
        self.stack.push(id);
        Ok(&mut self.arena[id])
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        match self.top()? {
            Value::List(list) => list.extend_from_slice(items),
            _ => return Err(PickleError::Form("something that is no list is appended to")),
        }
        Ok(())
    }

    fn insert(&mut self, flat: &[Id]) -> Result<(), PickleError> {
        let (pairs, rest) = flat.as_chunks::<2>();
        match self.top()? {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            _ => return Err(PickleError::Form("something that is no dictionary is filled")),
        }
        Ok(())
    }

    fn number(&mut self, code: u8) -> Result<(), PickleError> {
        let value = match code {
            b'K' => Value::Integer(i64::from(self.byte()?)),
            b'M' => Value::Integer(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Value::Integer(i64::from(i32::from_le_bytes(self.array()?))),
            b'G' => {
                self.take(8)?;
                Value::Float
            }
            _ => {
                let length = usize::from(self.byte()?);
                let bytes = self.take(length)?;
                match bytes.len() {
                    0 => Value::Integer(0),
                    // The sign is that of the highest byte.
                    short @ 1..=8 => {
                        let fill = if bytes[short - 1] & 0x80 == 0 { 0 } else { 0xff };
                        let mut whole = [fill; 8];
                        whole[..short].copy_from_slice(bytes);
                        Value::Integer(i64::from_le_bytes(whole))
                    }
                    _ => Value::Long(bytes.to_vec()),
                }
            }
        };
        self.push(value)
    }

    fn string(&mut self, code: u8) -> Result<(), PickleError> {
        let length = if matches!(code, 0x8c | b'U') {
            usize::from(self.byte()?)
        } else {
            usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| PickleError::Short)?
        };
        let text = std::str::from_utf8(self.take(length)?)
            .map_err(|_| PickleError::Form("a text is no UTF-8"))?
            .to_owned();
        self.push(Value::Text(text))
    }

    fn remember(&mut self, code: u8) -> Result<(), PickleError> {
        let place = match code {
            b'q' => u32::from(self.byte()?),
            b'r' => u32::from_le_bytes(self.array()?),
            _ => u32::try_from(self.memo.len()).map_err(|_| PickleError::Size)?,
        };
        let id = self.pop()?;
        self.stack.push(id);
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Result<(), PickleError> {
        let place = if code == b'h' {
            u32::from(self.byte()?)
        } else {
            u32::from_le_bytes(self.array()?)
        };
        self.spend(1)?;
        let id = self
            .memo
            .get(&place)
            .ok_or(PickleError::Form("a memory is empty"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Name::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Name::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Name::RebuildParameter),
            ("torch" | "torch.storage", storage) => Element::of_storage(storage).map(Name::Storage),
            _ => None,
        };
        let known = known.ok_or_else(|| {
            let full = format!("{module}.{name}");
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
            PickleError::Name(if full.len() <= 80 && full.chars().all(plain) {
                full
            } else {
                "something with an odd name".to_owned()
            })
        })?;
        self.push(Value::Name(known))
    }

    /// What Python would call: here it only describes.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let pair = self.pop_many(2)?;
        let Value::Tuple(arguments) = &self.arena[pair[1]] else {
            return Err(PickleError::Form("arguments are no tuple"));
        };
        let value = match &self.arena[pair[0]] {
            Value::Name(Name::OrderedDict) => {
                let pairs = self.pairs(arguments)?;
                self.spend(pairs.len())?;
                Value::Dict(pairs)
            }
            Value::Name(Name::RebuildTensor) => Value::Tensor(self.tensor(arguments)?),
            // A parameter is its tensor; whether it is trained and its hooks say nothing.
            Value::Name(Name::RebuildParameter) => match arguments.first().map(|&id| &self.arena[id]) {
                Some(Value::Tensor(tensor)) => Value::Tensor(tensor.clone()),
                _ => return Err(PickleError::Form("a parameter is no tensor")),
            },
            _ => return Err(PickleError::Form("something is called that is no function")),
        };
        self.push(value)
    }

    /// The pairs that an ordered dictionary starts with: none, or a list of lists of two, as Python 2 writes.
    fn pairs(&self, arguments: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
        let wrong = PickleError::Form("a dictionary's pairs are no pairs");
        let Some(&first) = arguments.first() else {
            return Ok(Vec::new());
        };
        let (Value::List(items) | Value::Tuple(items)) = &self.arena[first] else {
            return Err(wrong);
        };
        if items.len() > self.left {
            return Err(PickleError::Size);
        }
        let pair = |&id: &Id| match &self.arena[id] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(wrong.clone()),
        };
        items.iter().map(pair).collect()
    }

    fn size(&self, id: Id) -> Result<usize, PickleError> {
        match self.arena[id] {
            Value::Integer(value) => {
                usize::try_from(value).map_err(|_| PickleError::Form("a size is below zero"))
            }
            _ => Err(PickleError::Form("a size is no number")),
        }
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, PickleError> {
        match &self.arena[id] {
            // PyTorch's tensors have at most 64 dimensions; a BERT's have two.
            Value::Tuple(items) | Value::List(items) if items.len() <= 8 => {
                items.iter().map(|&item| self.size(item)).collect()
            }
            _ => Err(PickleError::Form("a shape is no short tuple")),
        }
    }

    fn tensor(&self, arguments: &[Id]) -> Result<TensorRef, PickleError> {
        let &[storage, offset, shape, strides, ..] = arguments else {
            return Err(PickleError::Form("a tensor has too few arguments"));
        };
        let Value::Storage(storage) = &self.arena[storage] else {
            return Err(PickleError::Form("a tensor has no storage"));
        };
        Ok(TensorRef {
            storage: storage.clone(),
            offset: self.size(offset)?,
            shape: self.sizes(shape)?,
            strides: self.sizes(strides)?,
        })
    }

    /// `('storage', class, key, device, length)`, and in the old format a view, which no checkpoint of a BERT has.
    fn storage(&mut self) -> Result<(), PickleError> {
        let wrong = PickleError::Form("a storage is not described as PyTorch does");
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.arena[id] else {
            return Err(wrong);
        };
        let &[kind, class, key, _device, length, ref view @ ..] = parts.as_slice() else {
            return Err(wrong);
        };
        let (Value::Text(kind), Value::Name(Name::Storage(element)), Value::Text(key)) =
            (&self.arena[kind], &self.arena[class], &self.arena[key])
        else {
            return Err(wrong);
        };
        if kind != "storage"
            || key.len() > LONGEST_KEY
            || view.iter().any(|&view| self.arena[view] != Value::None)
        {
            return Err(wrong);
        }
        let storage = StorageRef {
            element: *element,
            key: key.clone(),
            length: self.size(length)?,
        };
        self.push(Value::Storage(storage))
    }

    /// The state of an object: dictionaries carry their versions in it, which say nothing about the weights.
    fn build(&mut self) -> Result<(), PickleError> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) => Ok(()),
            _ => Err(PickleError::Form("a state is given to what has none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dictionaries_and_numbers_are_read() -> Result<(), PickleError> {
        // pickletools: {'a': [1, 256, -1], 'b': (True, None)} in protocol 2, and a byte that is not read.
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01M\x00\x01J\xff\xff\xff\xffeX\x01\x00\x00\x00bq\x03\x88N\x86q\x04u.!";
        let pickle = Pickle::read(bytes)?;
        assert_eq!(pickle.length, bytes.len() - 1);
        let Value::Dict(pairs) = pickle.root() else {
            panic!("no dictionary");
        };
        assert_eq!(pickle.text(pairs[0].0), Some("a"));
        let Value::List(items) = pickle.get(pairs[0].1) else {
            panic!("no list");
        };
        let numbers: Vec<&Value> = items.iter().map(|&item| pickle.get(item)).collect();
        assert_eq!(
            numbers,
            [&Value::Integer(1), &Value::Integer(256), &Value::Integer(-1)]
        );
        Ok(())
    }

    #[test]
    fn nothing_is_called_that_is_not_on_the_list() {
        // What every tutorial on hostile pickles does: os.system('id').
        let system = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.";
        assert_eq!(
            Pickle::read(system).expect_err("refused"),
            PickleError::Name("posix.system".to_owned())
        );
        let odd = b"\x80\x02c<b>\nx\n.";
        assert!(matches!(Pickle::read(odd), Err(PickleError::Name(name)) if !name.contains('<')));
        // INST and OBJ make objects of classes: no opcode for them.
        assert_eq!(
            Pickle::read(b"(iposix\nsystem\n.").expect_err("refused"),
            PickleError::Opcode(b'i')
        );
        // Calling what is no function.
        assert!(matches!(Pickle::read(b"K\x01)R."), Err(PickleError::Form(_))));
    }

    #[test]
    fn depth_and_number_are_bounded() {
        // Two hundred thousand tuples inside one another, and a list of too many values: neither overflows a stack or grows.
        let mut deep = vec![b')'];
        deep.extend(std::iter::repeat_n(0x85, 200_000));
        deep.push(b'.');
        assert!(Pickle::read(&deep).is_ok());
        let mut many = vec![b'N'; MOST_VALUES + 1];
        many.push(b'.');
        assert_eq!(Pickle::read(&many).expect_err("refused"), PickleError::Size);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Pickle::read(&bytes);
        }

        #[test]
        fn no_program_makes_the_reader_panic(codes in prop::collection::vec(prop::sample::select(
            b"(N\x88K\x01)t\x85\x86\x87]}aesuq\x00h\x00RbQ\x93X\x01\x00\x00\x00a.".to_vec()), 0..200)) {
            let _ = Pickle::read(&codes);
        }
    }
}
