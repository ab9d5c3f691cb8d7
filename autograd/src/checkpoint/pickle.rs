//! A reader of pickles that can make tensors and nothing else.
//!
//! A pickle is a program for a stack machine, one byte per opcode, operands behind it. This is a state dict with one
//! tensor, as `torch.save` writes it:
//!
//! ```text
//! PROTO 2
//! GLOBAL collections OrderedDict, EMPTY_TUPLE, REDUCE    call it: an empty dictionary
//! BINUNICODE "weight"                                    the key
//! GLOBAL torch._utils _rebuild_tensor_v2
//!   MARK "storage", GLOBAL torch FloatStorage, "0", "cpu", 24, TUPLE
//!   BINPERSID                                            the numbers: 24 floats, kept elsewhere under the key "0"
//!   0, (6, 4), (1, 6), False, {}                         offset, shape and strides into them; learned? hooks
//!   TUPLE, REDUCE                                        call it: a tensor
//! SETITEM, STOP                                          (BINPUT and BINGET in between remember and repeat values)
//! ```
//!
//! In Python, GLOBAL may name any function and REDUCE calls it, so a pickle can do whatever its writer liked. Here a name
//! outside [`allowed`] and every opcode that is not needed end the reading, with the opcode's name and its position; names
//! stand for three constructions that are written out below. Memory stays in proportion to the file: an opcode adds a
//! few words at most, and nothing here recurses.
//!
//! Source: the documentation in Python's `pickletools`; the opcodes are those of protocol 2, which `torch.save` uses.

use super::opcodes;
use safetensors::Dtype;
use std::collections::HashMap;

/// What a pickle can hold. Containers are numbers of entries in [`Pickle`], so that they can be shared, and can even hold
/// themselves, at no risk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than eight bytes, the lowest first.
    Long(&'a [u8]),
    Float(f64),
    Text(&'a str),
    Name(Name),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Storage(usize),
    Tensor(usize),
}

/// The names a pickle may mention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// The allow list.
fn allowed(name: &str) -> Option<Name> {
    Some(match name {
        "collections.OrderedDict" => Name::OrderedDict,
        "torch._utils._rebuild_tensor_v2" => Name::RebuildTensor,
        "torch._utils._rebuild_parameter" => Name::RebuildParameter,
        "torch.DoubleStorage" => Name::Storage(Dtype::F64),
        "torch.FloatStorage" => Name::Storage(Dtype::F32),
        "torch.HalfStorage" => Name::Storage(Dtype::F16),
        "torch.BFloat16Storage" => Name::Storage(Dtype::BF16),
        "torch.LongStorage" => Name::Storage(Dtype::I64),
        "torch.IntStorage" => Name::Storage(Dtype::I32),
        "torch.ShortStorage" => Name::Storage(Dtype::I16),
        "torch.CharStorage" => Name::Storage(Dtype::I8),
        "torch.ByteStorage" => Name::Storage(Dtype::U8),
        "torch.BoolStorage" => Name::Storage(Dtype::BOOL),
        _ => return None,
    })
}

/// Numbers in a row that lie outside the pickle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub dtype: Dtype,
    /// Its name in the file.
    pub key: &'a str,
    /// How many numbers.
    pub count: usize,
}

/// A tensor: which elements of a storage, in which order. Offset and strides count elements. Nothing is checked yet.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub storage: Storage<'a>,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Axes a tensor may have; PyTorch's own limit.
const MAX_AXES: usize = 64;

/// What was made while a pickle was read.
#[derive(Debug, Default)]
pub(super) struct Pickle<'a> {
    pub tuples: Vec<Vec<Value<'a>>>,
    pub lists: Vec<Vec<Value<'a>>>,
    /// In the order of insertion; of equal keys [`Pickle::entry`] finds the last, and a state dict may have none.
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<View<'a>>,
}

impl<'a> Pickle<'a> {
    /// The entry of a dictionary under a text.
    pub fn entry(&self, dict: usize, key: &str) -> Option<Value<'a>> {
        self.dicts[dict].iter().rev().find(|(k, _)| *k == Value::Text(key)).map(|&(_, value)| value)
    }
}

/// Reads the pickle that starts at a position of `bytes`: everything it made, the value it ends with, and the position
/// behind it. The error is a sentence with the opcode and its position in `bytes`.
pub(super) fn read(bytes: &[u8], start: usize) -> Result<(Pickle<'_>, Value<'_>, usize), String> {
    let mut machine = Machine {
        bytes,
        position: start,
        opcode: "",
        opcode_position: start,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        made: Pickle::default(),
    };
    loop {
        machine.fetch()?;
        if machine.opcode == "STOP" {
            let root = machine.pop()?;
            return Ok((machine.made, root, machine.position));
        }
        machine.execute()?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    /// Of the next byte to read.
    position: usize,
    opcode: &'static str,
    opcode_position: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at every open MARK.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    made: Pickle<'a>,
}

impl<'a> Machine<'a> {
    fn fetch(&mut self) -> Result<(), String> {
        self.opcode_position = self.position;
        let [byte] = self.bytes()?;
        self.opcode = opcodes::name(byte).ok_or_else(|| {
            format!("{byte:#04x} at byte {} is not an opcode of pickle", self.opcode_position)
        })?;
        Ok(())
    }

    fn execute(&mut self) -> Result<(), String> {
        match self.opcode {
            "PROTO" => self.bytes::<1>().map(|_| ()),
            // Plain values.
            "NONE" => self.push(Value::None),
            "NEWTRUE" => self.push(Value::Bool(true)),
            "NEWFALSE" => self.push(Value::Bool(false)),
            "BININT1" => self.bytes().and_then(|n| self.push(Value::Int(u8::from_le_bytes(n).into()))),
            "BININT2" => self.bytes().and_then(|n| self.push(Value::Int(u16::from_le_bytes(n).into()))),
            "BININT" => self.bytes().and_then(|n| self.push(Value::Int(i32::from_le_bytes(n).into()))),
            "LONG1" => self.long(),
            "BINFLOAT" => self.bytes().and_then(|n| self.push(Value::Float(f64::from_be_bytes(n)))),
            "BINUNICODE" => self.text(),
            // Containers.
            "MARK" => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            "EMPTY_TUPLE" => self.tuple(Vec::new()),
            "TUPLE1" => self.last(1).and_then(|items| self.tuple(items)),
            "TUPLE2" => self.last(2).and_then(|items| self.tuple(items)),
            "TUPLE3" => self.last(3).and_then(|items| self.tuple(items)),
            "TUPLE" => self.since_mark().and_then(|items| self.tuple(items)),
            "EMPTY_LIST" => {
                self.made.lists.push(Vec::new());
                self.push(Value::List(self.made.lists.len() - 1))
            }
            "APPEND" => self.last(1).and_then(|items| self.append(items)),
            "APPENDS" => self.since_mark().and_then(|items| self.append(items)),
            "EMPTY_DICT" => self.dict(),
            "SETITEM" => self.last(2).and_then(|items| self.set(&items)),
            "SETITEMS" => self.since_mark().and_then(|items| self.set(&items)),
            // Values to be used again.
            "BINPUT" => self.bytes().and_then(|n| self.put(u8::from_le_bytes(n).into())),
            "LONG_BINPUT" => self.bytes().and_then(|n| self.put(u32::from_le_bytes(n))),
            "BINGET" => self.bytes().and_then(|n| self.get(u8::from_le_bytes(n).into())),
            "LONG_BINGET" => self.bytes().and_then(|n| self.get(u32::from_le_bytes(n))),
            // What Python would import, look up and call.
            "GLOBAL" => self.global(),
            "BINPERSID" => self.storage(),
            "REDUCE" => self.reduce(),
            "BUILD" => self.build(),
            _ => Err(self.refused("not needed for tensors, so it is not read; nothing is executed")),
        }
    }

    fn refused(&self, reason: impl std::fmt::Display) -> String {
        format!("{} at byte {}: {reason}", self.opcode, self.opcode_position)
    }

    // ---- operands ------------------------------------------------------------------------------------------------

    fn slice(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.position..];
        let slice = rest.get(..count).ok_or_else(|| {
            format!("it ends at byte {}, inside the pickle's {} opcode", self.bytes.len(), self.opcode)
        })?;
        self.position += count;
        Ok(slice)
    }

    fn bytes<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], String> {
        Ok(*self.slice(SIZE)?.first_chunk().expect("a slice of that size"))
    }

    fn long(&mut self) -> Result<(), String> {
        let [count] = self.bytes()?;
        let digits = self.slice(count.into())?;
        if digits.len() > 8 {
            return self.push(Value::Long(digits));
        }
        let negative = digits.last().is_some_and(|top| top & 0x80 != 0);
        let mut word = [if negative { 0xff } else { 0 }; 8];
        word[..digits.len()].copy_from_slice(digits);
        self.push(Value::Int(i64::from_le_bytes(word)))
    }

    fn text(&mut self) -> Result<(), String> {
        let count = u32::from_le_bytes(self.bytes()?);
        let bytes = self.slice(count as usize)?;
        let text = std::str::from_utf8(bytes).map_err(|error| self.refused(error))?;
        self.push(Value::Text(text))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = self.slice(end)?;
        self.slice(1)?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    // ---- the stack -----------------------------------------------------------------------------------------------

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.stack.push(value);
        Ok(())
    }

    /// The last `count` values in the order in which they were pushed. Those below a MARK are out of reach.
    fn last(&mut self, count: usize) -> Result<Vec<Value<'a>>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() < floor + count {
            return Err(self.refused("there are too few values on the stack"));
        }
        Ok(self.stack.drain(self.stack.len() - count..).collect())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        Ok(self.last(1)?[0])
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.marks.pop().ok_or_else(|| self.refused("there is no MARK"))?;
        Ok(self.stack.drain(mark..).collect())
    }

    fn put(&mut self, number: u32) -> Result<(), String> {
        let value = self.pop()?;
        self.memo.insert(number, value);
        self.push(value)
    }

    fn get(&mut self, number: u32) -> Result<(), String> {
        let value = self.memo.get(&number).copied();
        self.push(value.ok_or_else(|| self.refused(format!("value {number} was never put")))?)
    }

    // ---- containers ----------------------------------------------------------------------------------------------

    fn tuple(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        self.made.tuples.push(items);
        self.push(Value::Tuple(self.made.tuples.len() - 1))
    }

    fn dict(&mut self) -> Result<(), String> {
        self.made.dicts.push(Vec::new());
        self.push(Value::Dict(self.made.dicts.len() - 1))
    }

    fn append(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        let Value::List(list) = self.pop()? else {
            return Err(self.refused("what it extends is not a list"));
        };
        self.made.lists[list].extend(items);
        self.push(Value::List(list))
    }

    fn set(&mut self, items: &[Value<'a>]) -> Result<(), String> {
        let (pairs, rest) = items.as_chunks();
        if !rest.is_empty() {
            return Err(self.refused("a key is without its value"));
        }
        let Value::Dict(dict) = self.pop()? else {
            return Err(self.refused("what it fills is not a dictionary"));
        };
        self.made.dicts[dict].extend(pairs.iter().map(|&[key, value]| (key, value)));
        self.push(Value::Dict(dict))
    }

    // ---- what Python would import, look up and call --------------------------------------------------------------

    fn global(&mut self) -> Result<(), String> {
        let name = format!("{}.{}", self.line()?, self.line()?);
        if let Some(name) = allowed(&name) {
            return self.push(Value::Name(name));
        }
        let (name, position) = (name.chars().take(100).collect::<String>(), self.opcode_position);
        let name = name.escape_debug();
        Err(format!("GLOBAL {name} at byte {position}: only tensors are read, nothing is executed"))
    }

    /// `("storage", type, key, device, count)`, and behind it, in old files, `None`: numbers that lie elsewhere.
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let Some([Value::Text("storage"), Value::Name(Name::Storage(dtype)), Value::Text(key), _, rest @ ..]) =
            self.items(id)
        else {
            return Err(self.refused("it does not name a storage of numbers"));
        };
        let ([Value::Int(count)] | [Value::Int(count), Value::None]) = rest else {
            return Err(
                self.refused("it does not say how many numbers the storage holds, or names a part of it")
            );
        };
        let storage = Storage { dtype: *dtype, key, count: self.size(*count)? };
        self.made.storages.push(storage);
        self.push(Value::Storage(self.made.storages.len() - 1))
    }

    fn reduce(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        match (self.pop()?, self.items(arguments)) {
            (Value::Name(Name::OrderedDict), Some([])) => self.dict(),
            // (storage, offset, shape, strides, learned?, hooks), and in some files a dictionary without use
            (
                Value::Name(Name::RebuildTensor),
                Some(
                    [
                        Value::Storage(storage),
                        Value::Int(offset),
                        shape,
                        strides,
                        Value::Bool(_),
                        Value::Dict(_),
                        ..,
                    ],
                ),
            ) => {
                let view = View {
                    storage: self.made.storages[*storage],
                    offset: self.size(*offset)?,
                    shape: self.sizes(*shape)?,
                    strides: self.sizes(*strides)?,
                };
                self.made.tensors.push(view);
                self.push(Value::Tensor(self.made.tensors.len() - 1))
            }
            // (tensor, learned?, hooks)
            (
                Value::Name(Name::RebuildParameter),
                Some([Value::Tensor(tensor), Value::Bool(_), Value::Dict(_)]),
            ) => self.push(Value::Tensor(*tensor)),
            _ => Err(self.refused("what it calls is not the making of a tensor or an empty OrderedDict")),
        }
    }

    /// Attributes of a dictionary, such as a state dict's `_metadata` with the versions of its layers: dropped.
    fn build(&mut self) -> Result<(), String> {
        match (self.pop()?, self.pop()?) {
            (Value::Dict(_), dict @ Value::Dict(_)) => self.push(dict),
            _ => Err(self.refused("only an OrderedDict may have attributes")),
        }
    }

    /// The items of a tuple.
    fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        if let Value::Tuple(tuple) = value { Some(&self.made.tuples[tuple]) } else { None }
    }

    fn size(&self, number: i64) -> Result<usize, String> {
        usize::try_from(number).map_err(|_| self.refused(format!("{number} is not a size")))
    }

    fn sizes(&self, tuple: Value<'a>) -> Result<Vec<usize>, String> {
        let items = self.items(tuple).ok_or_else(|| self.refused("shape and strides are tuples"))?;
        if items.len() > MAX_AXES {
            return Err(self.refused(format!("a tensor of {} axes; {MAX_AXES} are possible", items.len())));
        }
        let size = |item: &Value| match item {
            Value::Int(number) => self.size(*number),
            _ => Err(self.refused("shape and strides hold whole numbers")),
        };
        items.iter().map(size).collect()
    }
}
