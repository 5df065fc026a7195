//! Wrong files, made from right ones: bits, numbers in headers, quotes and lines in tables, parts that are missing, twice there
//! or another file's. What lies behind a checksum or a length is changed with these mended, or no reader would get so far.

use std::io::{Cursor, Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// A stream of numbers that a seed decides (splitmix64; Steele, Lea, Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to below `bound`; 0 of nothing.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }

    pub fn once_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &'a [&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// A stretch of at most `most` of so many.
    fn stretch(&mut self, length: usize, most: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + 1 + self.below(most)).min(length)
    }
}

const NUMBERS: [&str; 24] = [
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "7",
    "255",
    "256",
    "65536",
    "1000000",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999999",
    "1e308",
    "1e999",
    "1e-320",
    "nan",
    "inf",
    "-inf",
    ".5",
];
const WORDS: [&str; 22] = [
    "\"",
    "\"\"",
    "'",
    "'''",
    "\n",
    "\r\n",
    "\r",
    ",",
    ",,,,",
    "\0",
    "\u{feff}",
    "\u{1b}[31m",
    "\u{7}",
    "[",
    "]",
    "{",
    "}",
    "=",
    "#",
    " ",
    "٣",
    "🦀",
];
const TYPES: [&str; 24] = [
    "<f4", "<f8", ">f4", ">f8", "<f2", "<i8", ">i4", "|i1", "|u1", "|b1", "<c16", "|O", "<U5", "|S3", "F16", "BF16",
    "F32", "F64", "I64", "U8", "BOOL", "F8_E4M3", "True", "False",
];

/// The file that this one, of that name, becomes; `others` are files that may lend a part or take its place. It is at most four
/// times as long as it was, and 64 KiB.
pub fn mutate(dice: &mut Dice, name: &str, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    if dice.once_in(40) {
        return others[dice.below(others.len())].clone();
    }
    if dice.once_in(200) {
        return Vec::new();
    }
    let most = 4 * bytes.len() + 65_536;
    let mut changed = bytes.to_vec();
    for _ in 0..1 + dice.below(3) {
        changed = once(dice, name, &changed, others);
        changed.truncate(most);
    }
    changed
}

fn once(dice: &mut Dice, name: &str, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let ending = name.rsplit('.').next().unwrap_or_default();
    // Now and then whatever it is, as bytes.
    if dice.once_in(4) {
        return raw(dice, bytes, others);
    }
    match ending {
        "npz" => archive(dice, bytes, others).unwrap_or_else(|| raw(dice, bytes, others)),
        "npy" => array(dice, bytes, others),
        "safetensors" => tensors(dice, bytes, others),
        "gz" => zipped(dice, bytes, others).unwrap_or_else(|| raw(dice, bytes, others)),
        "csv" | "toml" | "txt" => text(dice, bytes),
        _ => raw(dice, bytes, others),
    }
}

/// Bits, bytes, stretches, sizes.
fn raw(dice: &mut Dice, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    match dice.below(8) {
        0 => {
            for _ in 0..1 + dice.below(8) {
                // Most of what matters lies at the start, where headers are.
                let bound = if dice.once_in(2) { changed.len().min(128) } else { changed.len() };
                let at = dice.below(bound);
                let bit = dice.below(8);
                changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
        }
        1 => changed.truncate(dice.below(bytes.len() + 1)),
        2 => drop(changed.drain(dice.stretch(bytes.len(), 64))),
        3 => {
            let twice = changed[dice.stretch(bytes.len(), 4096)].to_vec();
            let at = dice.below(changed.len() + 1);
            let times = [1, 2, 1000][dice.below(3)];
            changed.splice(at..at, twice.repeat(times).into_iter().take(3 * bytes.len() + 65_536));
        }
        4 => {
            let other = &others[dice.below(others.len())];
            let part = other[dice.stretch(other.len(), 4096)].to_vec();
            let at = dice.stretch(changed.len(), 4096);
            changed.splice(at, part);
        }
        5 => {
            let noise: Vec<u8> = (0..dice.below(64)).map(|_| dice.next() as u8).collect();
            let at = dice.below(changed.len() + 1);
            changed.splice(at..at, noise);
        }
        // A size, as any of four kinds of number.
        _ => {
            let sizes = [
                0,
                1,
                0x7f,
                0xff,
                0xffff,
                1 << 20,
                (1 << 31) - 1,
                1 << 31,
                u64::from(u32::MAX),
                1 << 45,
                1 << 62,
                u64::MAX,
            ];
            let size = sizes[dice.below(sizes.len())];
            let field = match dice.below(4) {
                0 => (size as u32).to_le_bytes().to_vec(),
                1 => (size as u32).to_be_bytes().to_vec(),
                2 => size.to_le_bytes().to_vec(),
                _ => (size as u16).to_le_bytes().to_vec(),
            };
            let bound = if dice.once_in(2) { changed.len().min(64) } else { changed.len() };
            let at = dice.below(bound);
            changed.iter_mut().skip(at).zip(field).for_each(|(old, new)| *old = new);
        }
    }
    changed
}

/// Numbers, words and lines of a text.
fn text(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let whole = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<String> = whole.split('\n').map(str::to_owned).collect();
    let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(14) {
        0..=3 => return number(dice, &whole).into_bytes(),
        4 | 5 => {
            // A sign where it does not belong.
            let place = dice.below(whole.len() + 1);
            let at = (place..=whole.len()).find(|&at| whole.is_char_boundary(at)).unwrap_or(0);
            let word = if dice.once_in(4) { dice.pick(&NUMBERS) } else { dice.pick(&WORDS) };
            return format!("{}{word}{}", &whole[..at], &whole[at..]).into_bytes();
        }
        6 => drop(lines.remove(one)),
        7 => lines.insert(other, lines[one].clone()),
        8 => lines.swap(one, other),
        9 => {
            let again = vec![lines[one].clone(); [2, 50, 1000][dice.below(3)]];
            lines.splice(other..other, again);
        }
        10 => {
            // One cell less, more, or another.
            let mut cells: Vec<&str> = lines[one].split(',').collect();
            let cell = dice.below(cells.len());
            match dice.below(4) {
                0 => drop(cells.remove(cell)),
                1 => cells.insert(cell, ""),
                2 => cells[cell] = dice.pick(&NUMBERS),
                _ => cells[cell] = dice.pick(&WORDS),
            }
            lines[one] = cells.join(",");
        }
        11 => lines.truncate(one),
        12 => return whole.replace('\n', "\r\n").into_bytes(),
        _ => return raw(dice, bytes, &[bytes.to_vec()]),
    }
    lines.join("\n").into_bytes()
}

/// Another number in the place of one.
fn number(dice: &mut Dice, whole: &str) -> String {
    let digits = |letter: char| letter.is_ascii_digit();
    let starts: Vec<usize> = whole
        .char_indices()
        .filter(|&(at, letter)| digits(letter) && !whole[..at].ends_with(digits))
        .map(|(at, _)| at)
        .collect();
    if starts.is_empty() {
        return whole.to_owned();
    }
    let start = starts[dice.below(starts.len())];
    // The whole of it or its digits only.
    let more = dice.once_in(2);
    let is_part = |letter: char| digits(letter) || (more && matches!(letter, '.' | 'e' | '-'));
    let end = whole[start..].find(|letter| !is_part(letter)).map_or(whole.len(), |length| start + length);
    format!("{}{}{}", &whole[..start], dice.pick(&NUMBERS), &whole[end..])
}

/// The text of a header: a number, a type, a name.
fn header(dice: &mut Dice, head: &str) -> String {
    let known: Vec<&str> = TYPES.iter().copied().filter(|word| head.contains(word)).collect();
    match dice.below(5) {
        0 if !known.is_empty() => {
            let old = known[dice.below(known.len())];
            head.replacen(old, dice.pick(&TYPES), 1 + dice.below(3))
        }
        1 => {
            let place = dice.below(head.len() + 1);
            let at = (place..=head.len()).find(|&at| head.is_char_boundary(at)).unwrap_or(0);
            format!("{}{}{}", &head[..at], dice.pick(&WORDS), &head[at..])
        }
        2 => {
            let names = [
                "fc1",
                "fc2",
                "weight",
                "bias",
                "blocks.0",
                "shape",
                "dtype",
                "data_offsets",
                "descr",
                "fortran_order",
                "x",
                "__metadata__",
            ];
            let (old, new) = (dice.pick(&names), dice.pick(&names));
            head.replacen(old, new, 1)
        }
        _ => number(dice, head),
    }
}

/// `.npy`: its header, mostly with the length that it then has.
fn array(dice: &mut Dice, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let length = bytes.get(8..10).map_or(0, |length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    let (Some(head), Some(data)) = (bytes.get(10..10 + length), bytes.get(10 + length..)) else {
        return raw(dice, bytes, others);
    };
    if dice.once_in(4) {
        return [&bytes[..10 + length], &raw(dice, data, others)].concat();
    }
    let mut head = header(dice, String::from_utf8_lossy(head).trim_end());
    let version = [1, 1, 1, 2, 3, 9][dice.below(6)];
    let size = if version == 1 { 10 } else { 12 };
    while !(size + head.len() + 1).is_multiple_of(64) && !dice.once_in(500) {
        head.push(' ');
    }
    head.push('\n');
    let length = if version == 1 {
        (head.len() as u16).to_le_bytes().to_vec()
    } else {
        (head.len() as u32).to_le_bytes().to_vec()
    };
    [b"\x93NUMPY", &[version, 0][..], &length, head.as_bytes(), data].concat()
}

/// `.safetensors`: its header, mostly with the length that it then has.
fn tensors(dice: &mut Dice, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let length = bytes.first_chunk::<8>().map_or(u64::MAX, |length| u64::from_le_bytes(*length));
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    let (Some(head), Some(data)) = (bytes.get(8..8 + length), bytes.get(8 + length..)) else {
        return raw(dice, bytes, others);
    };
    if dice.once_in(5) {
        // Values: bits, and numbers that are none.
        let mut data = data.to_vec();
        let at = 4 * dice.below(data.len() / 4);
        let value = [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0][dice.below(5)];
        data.iter_mut().skip(at).zip(value.to_le_bytes()).for_each(|(old, new)| *old = new);
        return [&bytes[..8 + length], &data].concat();
    }
    let head = header(dice, &String::from_utf8_lossy(head));
    [&(head.len() as u64).to_le_bytes()[..], head.as_bytes(), data].concat()
}

/// Gzip: what is inside, packed again.
fn zipped(dice: &mut Dice, bytes: &[u8], others: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut inside = Vec::new();
    GzDecoder::new(bytes).take(1 << 22).read_to_end(&mut inside).ok()?;
    // A long run of nothing packs to little.
    let inside = if dice.once_in(10) { [inside, vec![0; 8 << 20]].concat() } else { raw(dice, &inside, others) };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&inside).ok()?;
    encoder.finish().ok()
}

/// `.npz`: an array in it, or which arrays there are, with the checksums that they then have; or sizes in its directory.
fn archive(dice: &mut Dice, bytes: &[u8], others: &[Vec<u8>]) -> Option<Vec<u8>> {
    if dice.once_in(4) {
        return Some(lying(dice, bytes));
    }
    let mut reader = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut entries = Vec::new();
    for at in 0..reader.len() {
        let mut entry = reader.by_index(at).ok()?;
        let name = entry.name().ok()?.to_string();
        let mut inside = Vec::new();
        (&mut entry).take(1 << 22).read_to_end(&mut inside).ok()?;
        entries.push((name, inside));
    }
    if entries.is_empty() {
        return None;
    }
    let (one, other) = (dice.below(entries.len()), dice.below(entries.len()));
    match dice.below(8) {
        0 => drop(entries.remove(one)),
        1 => {
            let (one, other) = (entries[one].1.clone(), std::mem::take(&mut entries[other].1));
            entries[0].1 = if dice.once_in(2) { one } else { other };
        }
        2 => entries[one].0 = text_name(dice, &entries[other].0),
        3 if dice.once_in(4) => {
            // Two kilobytes that unpack to eight million.
            entries[one].1.extend(vec![0; 8 << 20]);
        }
        _ => entries[one].1 = array(dice, &entries[one].1, others),
    }
    let packed = dice.once_in(2);
    let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, inside) in entries {
        // A name twice is no archive that the crate writes; then it stays as it was.
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).ok()?;
        writer.write_all(&inside).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

/// How long a file is, or what is packed in it where that is longer.
pub fn unpacked(name: &str, bytes: &[u8]) -> usize {
    let found = match name.rsplit('.').next() {
        Some("gz") => {
            let mut inside = Vec::new();
            let _ = GzDecoder::new(bytes).take(64 << 20).read_to_end(&mut inside);
            inside.len()
        }
        Some("npz") => {
            let count = |mut reader: ZipArchive<Cursor<&[u8]>>| {
                let entries = reader.len();
                let whole = |at| std::io::copy(&mut reader.by_index(at).ok()?, &mut std::io::sink()).ok();
                (0..entries).filter_map(whole).sum::<u64>() as usize
            };
            ZipArchive::new(Cursor::new(bytes)).map_or(0, count)
        }
        _ => 0,
    };
    found.max(bytes.len())
}

fn text_name(dice: &mut Dice, name: &str) -> String {
    match dice.below(3) {
        0 => format!("../{name}"),
        1 => name.trim_end_matches(".npy").to_owned(),
        _ => format!("{name}{}", dice.pick(&WORDS)),
    }
}

/// Sizes and places in the directory of an archive that are not so, also as 64-bit numbers.
fn lying(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let signs: [&[u8]; 3] = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"];
    let sign = dice.pick(&signs);
    let found: Vec<usize> =
        changed.windows(4).enumerate().filter(|(_, four)| *four == sign).map(|(at, _)| at).collect();
    if found.is_empty() {
        return changed;
    }
    let at = found[dice.below(found.len())];
    let sizes = [0, 1, 64, 65_535, 1 << 20, (1 << 31) - 1, 1 << 31, u32::MAX];
    // Flags, method, checksum, sizes, lengths of names, places.
    let field = at + 4 + 2 * dice.below(20);
    let wide = if dice.once_in(2) { 4 } else { 2 };
    let size = sizes[dice.below(sizes.len())].to_le_bytes();
    changed.iter_mut().skip(field).take(wide).zip(size).for_each(|(old, new)| *old = new);
    // The first entry's sizes as an extra field of 64-bit numbers (the end of the directory says how long that is).
    if sign == b"PK\x01\x02" && dice.once_in(3) && changed.len() >= at + 46 {
        let name = usize::from(u16::from_le_bytes([bytes[at + 28], bytes[at + 29]]));
        let sizes = [1u64 << 20, 1 << 40, 1 << 45, 1 << 62, 1 << 63, u64::MAX];
        let extra =
            [&[1, 0, 16, 0][..], &sizes[dice.below(6)].to_le_bytes(), &sizes[dice.below(6)].to_le_bytes()].concat();
        let mut entry = bytes[at..(at + 46 + name).min(bytes.len())].to_vec();
        entry[20..28].fill(0xff);
        entry[30..32].copy_from_slice(&(extra.len() as u16).to_le_bytes());
        let rest = &bytes[(at + 46 + name).min(bytes.len())..];
        changed = [&bytes[..at], &entry, &extra, rest].concat();
        if let Some(end) = changed.windows(4).rposition(|four| four == b"PK\x05\x06")
            && let Some(length) = changed.get_mut(end + 12..end + 16)
        {
            let before = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            length.copy_from_slice(&(before + extra.len() as u32).to_le_bytes());
        }
    }
    changed
}
