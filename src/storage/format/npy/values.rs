//! Reads the values of an array: numbers of any usual type as 64-bit floats, always in C order; and text.
//!
//! The methods of [`Header`] here decode values, while `npy` itself reads only headers.

use std::io::{self, Read};

use super::{Header, Kind};
use crate::storage::format::errors::invalid;

/// The number of bytes decoded at once.
const PIECE: usize = 1 << 16;

impl Header {
    /// Decodes complete values, one after the other.
    fn decode(&self, bytes: &[u8], into: &mut Vec<f64>) {
        macro_rules! each {
            ($number:ty, $to:expr) => {{
                const SIZE: usize = size_of::<$number>();
                let values = bytes.as_chunks::<SIZE>().0.iter();
                if self.big {
                    into.extend(values.map(|bytes| $to(<$number>::from_be_bytes(*bytes))));
                } else {
                    into.extend(values.map(|bytes| $to(<$number>::from_le_bytes(*bytes))));
                }
            }};
        }
        match (self.kind, self.size) {
            (Kind::Bool, _) => into.extend(bytes.iter().map(|&byte| f64::from(u8::from(byte != 0)))),
            (Kind::Float, 2) => each!(u16, |bits| half::f16::from_bits(bits).to_f64()),
            (Kind::Float, 4) => each!(f32, f64::from),
            (Kind::Float, _) => each!(f64, |value| value),
            (Kind::Signed, 1) => each!(i8, f64::from),
            (Kind::Signed, 2) => each!(i16, f64::from),
            (Kind::Signed, 4) => each!(i32, f64::from),
            (Kind::Signed, _) => each!(i64, |value| value as f64),
            (Kind::Unsigned, 1) => each!(u8, f64::from),
            (Kind::Unsigned, 2) => each!(u16, f64::from),
            (Kind::Unsigned, 4) => each!(u32, f64::from),
            (Kind::Unsigned, _) => each!(u64, |value| value as f64),
            // Not reached: `numbers` has refused these types.
            _ => {}
        }
    }

    /// Returns the text of one value without its padding of trailing zeros.
    fn text(&self, value: &[u8]) -> String {
        let letters: Vec<char> = match self.kind {
            Kind::Letters => {
                let code =
                    |bytes: &[u8; 4]| if self.big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
                let letter = |bytes| char::from_u32(code(bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
                value.as_chunks().0.iter().map(letter).collect()
            }
            _ => String::from_utf8_lossy(value).chars().collect(),
        };
        letters.into_iter().collect::<String>().trim_end_matches('\0').replace(char::is_control, "\u{fffd}")
    }

    /// Returns all values of an array of text.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn texts(&self, from: &mut impl Read) -> io::Result<Vec<String>> {
        // In an array without values their length may be anything.
        let mut value = vec![0; if self.count() > 0 { self.size } else { 0 }];
        (0..self.count()).map(|_| from.read_exact(&mut value).map(|()| self.text(&value))).collect()
    }
}

/// Iterates over the numbers of an array, in C order.
pub(crate) struct Values<R> {
    header: Header,
    source: R,
    /// All bytes of an array in Fortran order.
    whole: Option<Vec<u8>>,
    /// The index of the next value of an array in Fortran order.
    index: Vec<usize>,
    left: usize,
    piece: Vec<u8>,
    decoded: Vec<f64>,
    at: usize,
}

impl<R: Read> Values<R> {
    /// Starts to read the numbers of an array, whose header has been checked against the length of the data. An array in
    /// Fortran order is read whole.
    ///
    /// # Errors
    /// When it holds something else, or cannot be read.
    pub(crate) fn new(header: Header, mut source: R) -> io::Result<Self> {
        header.numbers()?;
        let whole = if header.is_turned() {
            let mut bytes = vec![0; header.count() * header.size];
            source.read_exact(&mut bytes).map_err(cut_off)?;
            Some(bytes)
        } else {
            None
        };
        let (index, left) = (vec![0; header.shape.len()], header.count());
        Ok(Self { header, source, whole, index, left, piece: Vec::new(), decoded: Vec::new(), at: 0 })
    }

    /// Returns the source, which is at its end if all values were taken.
    pub(crate) fn into_source(self) -> R {
        self.source
    }

    /// Advances to the next value of an array in Fortran order.
    fn turned(&mut self) {
        let (shape, size) = (&self.header.shape, self.header.size);
        let place = self.index.iter().zip(shape).rev().fold(0, |place, (&at, &size)| place * size + at);
        self.decoded.clear();
        self.at = 0;
        if let Some(value) = self.whole.as_deref().and_then(|bytes| bytes.get(place * size..(place + 1) * size)) {
            self.header.decode(value, &mut self.decoded);
        }
        for (at, &size) in self.index.iter_mut().zip(shape).rev() {
            *at += 1;
            if *at < size {
                break;
            }
            *at = 0;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let count = self.left.min(PIECE / self.header.size);
        self.piece.resize(count * self.header.size, 0);
        self.source.read_exact(&mut self.piece).map_err(cut_off)?;
        self.decoded.clear();
        self.at = 0;
        self.header.decode(&self.piece, &mut self.decoded);
        Ok(())
    }
}

fn cut_off(err: io::Error) -> io::Error {
    if err.kind() == io::ErrorKind::UnexpectedEof { invalid("it ends before its last value".to_owned()) } else { err }
}

impl<R: Read> Iterator for Values<R> {
    type Item = io::Result<f64>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if self.whole.is_some() {
            self.turned();
        } else if self.at == self.decoded.len()
            && let Err(err) = self.fill()
        {
            self.left = 0;
            return Some(Err(err));
        }
        let value = *self.decoded.get(self.at)?;
        self.at += 1;
        self.left -= 1;
        Some(Ok(value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}
