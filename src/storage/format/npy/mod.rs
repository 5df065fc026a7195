//! Reads and writes one NumPy array: its header, of versions 1 to 3 and as Python 2 wrote it, and its numbers in C order.
//!
//! Guarantees: arbitrary bytes give an error in one sentence and no panic; a header takes no more than 64 KiB, and its
//! sizes are multiplied with checks for overflow, so that they can be compared with the length of the file. The parser is
//! written here, because the one of the crate `npyz` recurses, multiplies unchecked, and reads neither Python 2 nor
//! `=f4`.

mod scan;
mod values;

use std::io::{self, Read, Write};

use self::scan::{Entries, Scan};
pub(crate) use self::values::Values;
use super::errors::invalid;

/// The first bytes of every `.npy` file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read; NumPy itself warns of headers longer than a sixth of this.
const LONGEST: usize = 1 << 16;
/// The largest number of axes that NumPy allows.
const MOST_AXES: usize = 64;

/// A number type that can be written as an array.
pub(crate) trait Element: Copy {
    /// The name of the type in a header.
    const DESCR: &str;

    fn write(self, to: &mut impl Write) -> io::Result<()>;
}

macro_rules! elements {
    ($($type:ident = $descr:literal),+) => {$(
        impl Element for $type {
            const DESCR: &str = $descr;

            fn write(self, to: &mut impl Write) -> io::Result<()> {
                to.write_all(&self.to_le_bytes())
            }
        }
    )+};
}

elements!(f64 = "<f8", f32 = "<f4", i64 = "<i8", u8 = "|u1");

/// Writes the header of an array in C order, of version 1.0. The values behind it begin at a multiple of 64 bytes.
pub(crate) fn write_header(to: &mut impl Write, descr: &str, shape: &[usize]) -> io::Result<()> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Version and length take four bytes, the line feed at the end one.
    let before = MAGIC.len() + 4;
    let width = (before + text.len() + 1).next_multiple_of(64) - before - 1;
    to.write_all(MAGIC)?;
    to.write_all(&[1, 0])?;
    to.write_all(&(width as u16 + 1).to_le_bytes())?;
    writeln!(to, "{text:width$}")
}

/// The element type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Text: letters of one byte, or of four.
    Bytes,
    Letters,
    Complex,
    LongDouble,
    Object,
    Time,
    Structured,
    Raw,
    Unknown,
}

/// The header of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shape: Vec<usize>,
    /// Whether the array is in Fortran order, where the first index runs fastest.
    pub(crate) fortran: bool,
    kind: Kind,
    /// The number of bytes of a value.
    size: usize,
    big: bool,
    /// The type as the header writes it.
    descr: String,
    /// The length of the header in bytes.
    length: u64,
}

impl Header {
    /// Reads a header and none of the values.
    ///
    /// # Errors
    /// When there is no valid header; the error is one sentence.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(|_| no_array())?;
        if &start[..6] != MAGIC {
            return Err(no_array());
        }
        let (major, minor) = (start[6], start[7]);
        let wide = match major {
            1 => 2,
            2 | 3 => 4,
            _ => {
                return Err(invalid(format!(
                    "it is of version {major}.{minor} of the npy format, and 1 to 3 are known"
                )));
            }
        };
        let mut size = [0; 4];
        from.read_exact(&mut size[..wide]).map_err(|_| no_array())?;
        let text = u32::from_le_bytes(size) as usize;
        if text > LONGEST {
            return Err(invalid(format!("its header claims {text} bytes, and {LONGEST} at most are read")));
        }
        let mut bytes = vec![0; text];
        from.read_exact(&mut bytes).map_err(|_| no_array())?;
        let entries = Scan(&bytes).entries().ok_or_else(|| invalid("its header is damaged".to_owned()))?;
        let Entries { shape, fortran, descr } = entries;
        let (kind, size, big) = kind_of(&descr);
        let header = Self { shape, fortran, kind, size, big, descr, length: (8 + wide + text) as u64 };
        if header.shape.len() > MOST_AXES || header.counted().is_none() {
            return Err(invalid("its header claims more values than any machine holds".to_owned()));
        }
        Ok(header)
    }

    /// Returns the number of values.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns the number of bytes of all values.
    pub(crate) fn bytes(&self) -> u64 {
        self.counted().unwrap_or(u64::MAX)
    }

    /// Returns the number of bytes of all values; `None` where it overflows, also with eight bytes for each value.
    fn counted(&self) -> Option<u64> {
        // A size of zero would hide an overflow of the other sizes.
        let mut sizes = self.shape.iter().filter(|&&size| size > 0);
        let count = sizes.try_fold(1u64, |count, &size| count.checked_mul(size as u64))?;
        count.checked_mul(self.size.max(8) as u64)?;
        Some(if self.shape.contains(&0) { 0 } else { count * self.size as u64 })
    }

    /// Compares the header with the length of the data, the header included.
    ///
    /// # Errors
    /// When the lengths differ; the error is one sentence.
    pub(crate) fn check_length(&self, there: u64) -> io::Result<()> {
        // The header does not give the length of these types, and no caller reads them.
        if matches!(self.kind, Kind::Object | Kind::Structured | Kind::Unknown) {
            return Ok(());
        }
        let (promised, there) = (self.bytes(), there.saturating_sub(self.length));
        match promised.cmp(&there) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(invalid(format!(
                "its header promises {promised} bytes of values and there are {there}: the file is cut off or damaged"
            ))),
            std::cmp::Ordering::Less => Err(invalid(format!(
                "there are {} bytes behind its values: save each array into a file of its own, or all with numpy.savez",
                there - promised
            ))),
        }
    }

    /// Returns whether the values are numbers that can be read.
    pub(crate) fn is_numbers(&self) -> bool {
        self.numbers().is_ok()
    }

    /// Returns whether the values are text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Bytes | Kind::Letters)
    }

    /// Returns whether these are 64-bit floats in C order, as this program writes them.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == Kind::Float && self.size == 8 && !self.big && !self.is_turned()
    }

    /// Returns whether Fortran order differs from C order for this shape.
    pub(crate) fn is_turned(&self) -> bool {
        self.fortran && self.shape.iter().filter(|&&size| size != 1).count() > 1
    }

    /// Returns the length of the header in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns whether the values are whole numbers.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::Signed | Kind::Unsigned)
    }

    /// Returns the name of a type of numbers as NumPy prints it.
    pub(crate) fn type_name(&self) -> String {
        let name = match self.kind {
            Kind::Bool => return "bool".to_owned(),
            Kind::Signed => "int",
            Kind::Unsigned => "uint",
            Kind::Float => "float",
            _ => return self.descr.clone(),
        };
        let order = if self.big { " (big-endian)" } else { "" };
        format!("{name}{}{order}", 8 * self.size)
    }

    /// Checks that the values are numbers.
    ///
    /// # Errors
    /// When they are something else; the error names it and the way out.
    pub(crate) fn numbers(&self) -> io::Result<()> {
        let descr = &self.descr;
        let reason = match self.kind {
            Kind::Bool | Kind::Signed | Kind::Unsigned | Kind::Float => return Ok(()),
            Kind::Bytes | Kind::Letters => {
                format!("it holds text ({descr}) where numbers were expected: save it as float32")
            }
            Kind::Complex => {
                format!(
                    "it holds complex numbers ({descr}) where real ones were expected: save its real part as float64"
                )
            }
            Kind::LongDouble => {
                format!("it holds long doubles ({descr}), which differ from machine to machine: save it as float64")
            }
            Kind::Object => "it holds Python objects (a pickle), which are not read: save it as float32".to_owned(),
            Kind::Time => {
                format!("it holds dates or times ({descr}) where numbers were expected: save them as float64")
            }
            Kind::Structured => {
                "it is a structured array: save the field that is meant as an array of its own".to_owned()
            }
            Kind::Raw => format!(
                "it holds raw bytes ({descr}) where numbers were expected (bfloat16 is saved so): save it as float32"
            ),
            Kind::Unknown => format!("it holds {descr}, which is no known type: save it as float32"),
        };
        Err(invalid(reason))
    }
}

fn no_array() -> io::Error {
    invalid("this is no array of numbers".to_owned())
}

/// Parses a NumPy type: its kind, the number of bytes of a value, and whether the highest byte comes first.
fn kind_of(descr: &str) -> (Kind, usize, bool) {
    let plain = descr.trim_start_matches(['<', '>', '=', '|', '!']);
    let big = match descr.as_bytes().first() {
        Some(b'>' | b'!') => true,
        Some(b'=') => cfg!(target_endian = "big"),
        _ => false,
    };
    let Some(letter) = plain.chars().next().filter(char::is_ascii) else { return (Kind::Unknown, 0, big) };
    let digits: String = plain[1..].chars().take_while(char::is_ascii_digit).collect();
    let size = digits.parse().unwrap_or(0usize);
    let (kind, size) = match (letter, size) {
        ('b', 1) | ('?', 0) => (Kind::Bool, 1),
        ('i', 1 | 2 | 4 | 8) => (Kind::Signed, size),
        ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, size),
        ('f', 2 | 4 | 8) => (Kind::Float, size),
        ('f', 10 | 12 | 16) => (Kind::LongDouble, size),
        ('c', 8 | 16 | 20 | 24 | 32) => (Kind::Complex, size),
        ('S' | 'a', _) => (Kind::Bytes, size),
        ('U', _) if size < 1 << 32 => (Kind::Letters, 4 * size),
        ('O', _) => (Kind::Object, 0),
        ('M' | 'm', _) => (Kind::Time, 8),
        ('V', _) => (Kind::Raw, size),
        ('[', _) => (Kind::Structured, 0),
        _ => (Kind::Unknown, 0),
    };
    (kind, size, big)
}
