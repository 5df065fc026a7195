//! Reads the Python version of CIFAR: a dictionary with a list of labels and one array of bytes, written by Python's
//! pickle.
//!
//! A pickle is a program. Only the instructions that build numbers, texts, lists, dictionaries and NumPy arrays of bytes
//! are followed; nothing is called, imported or run, and any other instruction ends the reading. A length is used only once
//! its bytes have been read.

use std::collections::HashMap;
use std::rc::Rc;

/// A value built by a pickle.
#[derive(Clone, Debug)]
pub(super) enum Item {
    None,
    Whole(i64),
    Bytes(Rc<[u8]>),
    Text(Rc<str>),
    List(Vec<Item>),
    Pairs(Vec<(Item, Item)>),
    /// A Python name: `numpy.core.multiarray _reconstruct`.
    Name(Rc<str>),
    /// The type of an array's values.
    Kind(Rc<str>),
    /// An array of bytes, by rows.
    Array {
        rows: usize,
        columns: usize,
        bytes: Rc<[u8]>,
    },
}

impl Item {
    /// Returns the value of this key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Pairs(pairs) = self else { return None };
        pairs.iter().find(|(name, _)| name.word().as_deref() == Some(key)).map(|(_, value)| value)
    }

    /// Returns a text, of either string type of Python 2 and 3.
    pub fn word(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => None,
        }
    }

    fn bytes(&self) -> Option<Rc<[u8]>> {
        match self {
            Self::Bytes(bytes) => Some(Rc::clone(bytes)),
            _ => None,
        }
    }

    pub fn whole(&self) -> Option<i64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
}

/// Largest number of instructions: a label takes three.
const MOST: usize = 4_000_000;
/// Largest number of values that are memoised and nested, which could otherwise grow without bound.
const MOST_ITEMS: usize = 400_000;

/// Largest nesting depth of lists and dictionaries: CIFAR's have three levels, and dropping a very deep one would overflow
/// the stack.
const DEEPEST: usize = 6;

/// Returns the nesting depth of lists and dictionaries.
fn depth(item: &Item) -> usize {
    match item {
        Item::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Item::Pairs(pairs) => 1 + pairs.iter().map(|(key, value)| depth(key).max(depth(value))).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns the value that these bytes build; `None` if they are not such a pickle.
pub(super) fn read(bytes: &[u8]) -> Option<Item> {
    let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
    let mut machine = Machine { rest: bytes, stack, marks, memo, remembered: 0, room: bytes.len() };
    for _ in 0..MOST {
        if let Some(done) = machine.step()? {
            return Some(done);
        }
    }
    None
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
    /// Heights of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Item>,
    remembered: u32,
    /// Number of bytes that may still be built from texts.
    room: usize,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Reads an unsigned little-endian number of `bytes` bytes.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let taken = self.take(bytes)?;
        let number = taken.iter().rev().try_fold(0usize, |sum, byte| Some(sum.checked_mul(256)? + usize::from(*byte)));
        number.filter(|number| *number <= self.rest.len() || bytes <= 4)
    }

    fn line(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().take(256).position(|byte| *byte == b'\n')?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).ok()
    }

    fn push(&mut self, item: Item) -> Option<Option<Item>> {
        (self.stack.len() < MOST_ITEMS && depth(&item) <= DEEPEST).then(|| self.stack.push(item))?;
        Some(None)
    }

    fn bytes(&mut self, width: usize) -> Option<Option<Item>> {
        let length = self.number(width)?;
        let bytes = self.take(length)?.into();
        self.push(Item::Bytes(bytes))
    }

    fn text(&mut self, width: usize) -> Option<Option<Item>> {
        let length = self.number(width)?;
        let text = std::str::from_utf8(self.take(length)?).ok()?.into();
        self.push(Item::Text(text))
    }

    /// Returns the values on the stack above the last mark.
    fn since_mark(&mut self) -> Option<Vec<Item>> {
        let height = self.marks.pop().filter(|height| *height <= self.stack.len())?;
        Some(self.stack.split_off(height))
    }

    fn tuple(&mut self, count: usize) -> Option<Option<Item>> {
        let height = self.stack.len().checked_sub(count)?;
        let items = self.stack.split_off(height);
        self.push(Item::List(items))
    }

    fn remember(&mut self, place: u32) -> Option<Option<Item>> {
        // Lists and dictionaries are memoised while they are empty, and never read back in these files.
        let item = self.stack.last()?;
        if !matches!(item, Item::List(_) | Item::Pairs(_)) {
            let item = item.clone();
            (self.memo.len() < MOST_ITEMS).then(|| self.memo.insert(place, item))?;
        }
        Some(None)
    }

    fn recall(&mut self, place: u32) -> Option<Option<Item>> {
        let item = self.memo.get(&place)?.clone();
        self.push(item)
    }

    /// Executes one instruction; returns the result if it is the last one.
    fn step(&mut self) -> Option<Option<Item>> {
        match self.take(1)?[0] {
            b'.' => self.stack.pop().map(Some),
            0x80 => self.take(1).map(|_| None),
            0x95 => self.take(8).map(|_| None),
            b'(' => {
                (self.marks.len() < MOST_ITEMS).then(|| self.marks.push(self.stack.len()))?;
                Some(None)
            }
            b'N' => self.push(Item::None),
            0x88 => self.push(Item::Whole(1)),
            0x89 => self.push(Item::Whole(0)),
            b'K' => self.number(1).and_then(|number| self.push(Item::Whole(number as i64))),
            b'M' => self.number(2).and_then(|number| self.push(Item::Whole(number as i64))),
            b'J' => self.number(4).and_then(|number| self.push(Item::Whole(i64::from(number as u32 as i32)))),
            b'U' | b'C' => self.bytes(1),
            b'T' | b'B' => self.bytes(4),
            0x8e => self.bytes(8),
            0x8c => self.text(1),
            b'X' => self.text(4),
            b'}' => self.push(Item::Pairs(Vec::new())),
            b']' | b')' => self.push(Item::List(Vec::new())),
            b't' => {
                let items = self.since_mark()?;
                self.push(Item::List(items))
            }
            0x85 => self.tuple(1),
            0x86 => self.tuple(2),
            0x87 => self.tuple(3),
            b'a' => {
                let item = self.stack.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)
            }
            b's' => {
                let height = self.stack.len().checked_sub(2)?;
                let items = self.stack.split_off(height);
                self.set(items)
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(items)
            }
            b'q' => self.number(1).and_then(|place| self.remember(place as u32)),
            b'r' => self.number(4).and_then(|place| self.remember(place as u32)),
            0x94 => {
                self.remembered += 1;
                self.remember(self.remembered - 1)
            }
            b'h' => self.number(1).and_then(|place| self.recall(place as u32)),
            b'j' => self.number(4).and_then(|place| self.recall(place as u32)),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Item::Name(format!("{module} {name}").into()))
            }
            0x93 => {
                let (name, module) = (self.stack.pop()?.word()?, self.stack.pop()?.word()?);
                self.push(Item::Name(format!("{module} {name}").into()))
            }
            b'R' => self.call(),
            b'b' => self.build(),
            _ => None,
        }
    }

    fn append(&mut self, items: Vec<Item>) -> Option<Option<Item>> {
        items.iter().all(|item| depth(item) < DEEPEST).then_some(())?;
        let Item::List(list) = self.stack.last_mut()? else { return None };
        list.extend(items);
        Some(None)
    }

    fn set(&mut self, items: Vec<Item>) -> Option<Option<Item>> {
        items.iter().all(|item| depth(item) < DEEPEST).then_some(())?;
        let Item::Pairs(pairs) = self.stack.last_mut()? else { return None };
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            pairs.push((key, items.next()?));
        }
        Some(None)
    }

    /// Executes the three calls in these files: an empty array, a type of values, and bytes written as text.
    fn call(&mut self) -> Option<Option<Item>> {
        let (given, name) = (self.stack.pop()?, self.stack.pop()?);
        let (Item::List(given), Item::Name(name)) = (given, name) else { return None };
        let made = match &*name {
            "numpy.core.multiarray _reconstruct" | "numpy._core.multiarray _reconstruct" => {
                Item::Array { rows: 0, columns: 0, bytes: [].into() }
            }
            "numpy dtype" => Item::Kind(given.first()?.word()?.into()),
            "_codecs encode" => {
                let [Item::Text(text), coding] = given.as_slice() else { return None };
                (coding.word()? == "latin1").then_some(())?;
                self.room = self.room.checked_sub(text.len())?;
                let bytes: Option<Rc<[u8]>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                Item::Bytes(bytes?)
            }
            _ => return None,
        };
        self.push(made)
    }

    /// Fills an array; a type of bytes needs no filling.
    fn build(&mut self) -> Option<Option<Item>> {
        let state = self.stack.pop()?;
        let state = state.list()?;
        match self.stack.last_mut()? {
            Item::Kind(_) => Some(None),
            array @ Item::Array { .. } => {
                let [_, shape, Item::Kind(kind), by_columns, bytes] = state else { return None };
                let [rows, columns] = shape.list()? else { return None };
                let (rows, columns) = (usize::try_from(rows.whole()?).ok()?, usize::try_from(columns.whole()?).ok()?);
                let bytes = bytes.bytes()?;
                let fits = &**kind == "u1" && rows.checked_mul(columns)? == bytes.len();
                (fits && by_columns.whole()? == 0).then_some(())?;
                *array = Item::Array { rows, columns, bytes };
                Some(None)
            }
            _ => None,
        }
    }
}
