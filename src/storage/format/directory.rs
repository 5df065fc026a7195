//! Reads the directory and the members of a zip archive, as far as an .npz needs it.
//!
//! Guarantees: no claim of the directory is trusted. The bytes of every member lie within the file and overlap no other
//! member's, no name occurs twice, and memory is allocated only for bytes that exist; a compressed member yields no more
//! than its compression method can hold, and no more than measured numbers give. The checksum of all data read is
//! compared. The reader is written here, because the one of the crate `zip` reserves memory by what a directory claims
//! and searches the whole file for signatures.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::errors::invalid;

/// The largest directory in bytes: tens of thousands of names.
const LONGEST: u64 = 4 << 20;
/// The largest size of the end record with its comment.
const TAIL: u64 = 22 + (1 << 16) - 1;
/// The largest expansion of a deflate stream.
const DEFLATE: u64 = 1032;
/// The size up to which a member may unpack however small it is, and its largest expansion beyond that: measured numbers
/// stay far below.
const UNPACKED: (u64, u64) = (64 << 20, 100);

/// The location of an array in its archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The name without the ending `.npy`.
    pub(crate) name: String,
    /// The unpacked size in bytes.
    pub(crate) size: u64,
    header: u64,
    start: u64,
    packed: u64,
    /// `None` for a file that is one array, which has no checksum.
    crc: Option<u32>,
    packing: Packing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Stored,
    Deflated,
    Encrypted,
    Other(u16),
}

impl Member {
    /// Returns the member for a file that is one array.
    pub(crate) fn alone(name: String, size: u64) -> Self {
        Self { name, size, header: 0, start: 0, packed: size, crc: None, packing: Packing::Stored }
    }

    /// Returns whether its bytes lie in the file uncompressed.
    pub(crate) fn is_stored(&self) -> bool {
        self.packing == Packing::Stored
    }

    /// Returns the position of its first byte.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Returns its bytes, unpacked.
    ///
    /// # Errors
    /// When they are compressed in another way than by `numpy.savez` and `numpy.savez_compressed`, or unpack to too much.
    pub(crate) fn open<'a, R: Read + Seek>(&self, file: &'a mut R) -> io::Result<Body<'a, R>> {
        file.seek(SeekFrom::Start(self.start))?;
        let packed = file.take(self.packed);
        let source = match self.packing {
            Packing::Stored if self.size == self.packed => Source::Stored(packed),
            Packing::Deflated if self.size <= self.packed.saturating_mul(DEFLATE) => {
                if self.size > UNPACKED.0.max(self.packed.saturating_mul(UNPACKED.1)) {
                    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                    return Err(invalid(format!(
                        "it unpacks from {:.1} MiB to {:.0} MiB, as no measured numbers do: save it with numpy.savez",
                        mib(self.packed),
                        mib(self.size)
                    )));
                }
                Source::Deflated(Box::new(DeflateDecoder::new(BufReader::new(packed))))
            }
            Packing::Stored | Packing::Deflated => {
                return Err(invalid("its directory has another length than it states: the file is damaged".to_owned()));
            }
            Packing::Encrypted => {
                return Err(invalid("it is encrypted: save it with numpy.savez, which does not".to_owned()));
            }
            Packing::Other(method) => {
                let name = match method {
                    9 => "deflate64",
                    12 => "bzip2",
                    14 => "lzma",
                    93 => "zstd",
                    95 => "xz",
                    _ => "an unknown method",
                };
                return Err(invalid(format!(
                    "it is packed with {name}, which is not read: save it with numpy.savez or numpy.savez_compressed"
                )));
            }
        };
        Ok(Body { source, crc: self.crc.map(|crc| (crc, Crc::new())), left: self.size })
    }
}

/// Reads the unpacked bytes of a member.
pub(crate) struct Body<'a, R> {
    source: Source<'a, R>,
    /// The expected checksum, and the one of the bytes so far.
    crc: Option<(u32, Crc)>,
    left: u64,
}

enum Source<'a, R> {
    Stored(io::Take<&'a mut R>),
    Deflated(Box<DeflateDecoder<BufReader<io::Take<&'a mut R>>>>),
}

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let into = &mut into[..most];
        let count = match &mut self.source {
            Source::Stored(source) => source.read(into)?,
            Source::Deflated(source) => {
                source.read(into).map_err(|_| invalid("its compressed data are damaged".to_owned()))?
            }
        };
        self.left -= count as u64;
        if let Some((_, crc)) = &mut self.crc {
            crc.update(&into[..count]);
        }
        Ok(count)
    }
}

impl<R: Read> Body<'_, R> {
    /// Reads the remaining bytes and compares the checksum.
    ///
    /// # Errors
    /// When the checksum differs, or the bytes cannot be read.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let mut piece = vec![0; 1 << 16];
        while self.read(&mut piece)? > 0 {}
        let more = match &mut self.source {
            Source::Stored(_) => 0,
            Source::Deflated(source) => source.read(&mut piece[..1]).unwrap_or(1),
        };
        if self.left > 0 || more > 0 {
            return Err(invalid("it has another length than the directory states: the file is damaged".to_owned()));
        }
        match &self.crc {
            Some((expected, crc)) if *expected != crc.sum() => {
                Err(invalid("its checksum does not match: the file is damaged, copy or save it again".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns a number of this many bytes, the lowest byte first.
fn number(bytes: &[u8], from: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(from..from + size)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

fn damaged(what: &str) -> io::Error {
    invalid(format!("its directory is damaged ({what}): copy or save the file again"))
}

/// Reads the directory of an archive of this length.
///
/// # Errors
/// When the directory is missing or inconsistent; the error is one sentence.
pub(crate) fn members<R: Read + Seek>(file: &mut R, length: u64) -> io::Result<Vec<Member>> {
    let Extent { from, to, shift, count } = extent(file, length)?;
    let bytes = read_at(file, from, to - from)?;
    let mut members = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (member, end) = entry(&bytes, at, shift).ok_or_else(|| damaged("an entry is cut off"))?;
        members.push(member);
        at = end;
    }
    if members.len() as u64 != count {
        return Err(damaged(&format!("it claims {count} entries and has {}", members.len())));
    }
    for member in &mut members {
        locate(file, member, from)?;
    }
    // Folders are no arrays.
    members.retain(|member| !member.name.ends_with('/'));
    let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(invalid(format!("it holds two arrays named {}: save it again with one of them", pair[0])));
    }
    let mut extents: Vec<(u64, u64)> =
        members.iter().map(|member| (member.header, member.start + member.packed)).collect();
    extents.sort_unstable();
    if extents.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(damaged("two arrays lie in the same bytes"));
    }
    Ok(members)
}

/// The location of the directory.
struct Extent {
    from: u64,
    to: u64,
    /// The number of bytes in front of the archive.
    shift: u64,
    /// The number of entries that it claims to have.
    count: u64,
}

fn extent<R: Read + Seek>(file: &mut R, length: u64) -> io::Result<Extent> {
    let tail_from = length.saturating_sub(TAIL);
    let tail = read_at(file, tail_from, length - tail_from)?;
    // The last end record that has room for its comment, preferably one whose comment ends the file.
    let ends = (0..tail.len().saturating_sub(21)).rev().filter(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    let comment = |at: usize| number(&tail, at + 20, 2).map_or(usize::MAX, |size| at + 22 + size as usize);
    let fitting: Vec<usize> = ends.filter(|&at| comment(at) <= tail.len()).collect();
    let end = fitting.iter().find(|&&at| comment(at) == tail.len()).or(fitting.first()).copied();
    let end = end.ok_or_else(|| invalid("it has no directory: the file is cut off or damaged".to_owned()))?;
    let field = |from: usize, size: usize| number(&tail, end + from, size).unwrap_or(0);
    let (mut count, mut size, mut start) = (field(10, 2), field(12, 4), field(16, 4));
    let mut to = tail_from + end as u64;
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
        // The 64-bit end record stands right in front of it, followed by a pointer to that record.
        if let Some(place) = to.checked_sub(20 + 56) {
            let wide = read_at(file, place, 56)?;
            if wide.starts_with(b"PK\x06\x06") {
                let field = |from| number(&wide, from, 8).unwrap_or(0);
                (count, size, start) = (field(32), field(40), field(48));
                to = place;
            }
        }
    }
    if size > LONGEST {
        return Err(damaged(&format!("it claims {size} bytes")));
    }
    let from = to.checked_sub(size).ok_or_else(|| damaged("it is longer than the file"))?;
    let shift = from.checked_sub(start).ok_or_else(|| damaged("it is not where it should be"))?;
    Ok(Extent { from, to, shift, count })
}

/// Reads this many bytes of the file, which is known to have them.
fn read_at<R: Read + Seek>(file: &mut R, from: u64, size: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(damaged("it is cut off")) }
}

/// Parses the entry that begins at this position, and returns it with its end. The position of its bytes is found later.
fn entry(bytes: &[u8], at: usize, shift: u64) -> Option<(Member, usize)> {
    let field = |from: usize, size: usize| number(bytes, at + from, size);
    if !bytes.get(at..)?.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (flags, method, crc) = (field(8, 2)?, field(10, 2)?, field(16, 4)?);
    let (name_size, extra_size, comment_size) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
    let name_from = at + 46;
    let extra_from = name_from + name_size as usize;
    let comment_from = extra_from + extra_size as usize;
    let end = comment_from + comment_size as usize;
    let (name, extra) = (bytes.get(name_from..extra_from)?, bytes.get(extra_from..comment_from)?);
    bytes.get(comment_from..end)?;
    // Sizes that do not fit stand in a separate field, in this order.
    let mut sizes = [field(24, 4)?, field(20, 4)?, field(42, 4)?];
    let mut rest = extra;
    while let (Some(kind), Some(size)) = (number(rest, 0, 2), number(rest, 2, 2)) {
        let field = rest.get(4..4 + size as usize)?;
        if kind == 1 {
            let mut from = 0;
            for size in sizes.iter_mut().filter(|size| **size == 0xffff_ffff) {
                *size = number(field, from, 8)?;
                from += 8;
            }
        }
        rest = &rest[4 + size as usize..];
    }
    let [size, packed, header] = sizes;
    let name = String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}");
    let name = name.strip_suffix(".npy").map(str::to_owned).unwrap_or(name);
    let packing = match method {
        _ if flags & 0b10_0000_0100_0001 != 0 => Packing::Encrypted,
        0 => Packing::Stored,
        8 => Packing::Deflated,
        other => Packing::Other(other as u16),
    };
    let header = header.checked_add(shift)?;
    Some((Member { name, size, header, start: 0, packed, crc: Some(crc as u32), packing }, end))
}

/// Finds the bytes of a member, which must end before the directory begins.
fn locate<R: Read + Seek>(file: &mut R, member: &mut Member, directory: u64) -> io::Result<()> {
    let name = &member.name;
    let outside = || damaged(&format!("{name} does not lie in the file"));
    if member.header.checked_add(30).is_none_or(|end| end > directory) {
        return Err(outside());
    }
    let local = read_at(file, member.header, 30)?;
    if !local.starts_with(b"PK\x03\x04") {
        return Err(outside());
    }
    let before = [26, 28].into_iter().filter_map(|from| number(&local, from, 2)).sum::<u64>();
    let start = member.header + 30 + before;
    if start.checked_add(member.packed).is_none_or(|end| end > directory) {
        return Err(outside());
    }
    member.start = start;
    Ok(())
}
