//! Arrays and archives from elsewhere: whatever NumPy has written is read as NumPy reads it, whatever lies or is damaged is one
//! sentence, and the kernels in an archive get the numbers that can be worked out by hand.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use kernelscope::run::{Block, Metric};
use kernelscope::spec::Spec;
use kernelscope::storage::{
    Arrays, Layout, Loaded, array_of, create, load, load_kernels, load_lazily, measure_kernels, read_singles,
    write_arrays,
};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::cli::{kernelscope, text};
use super::ui::{until, window};
use super::{read_all, start, tiny};

/// The text of a header as NumPy writes it.
fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")
}

/// An array file of this version.
fn npy(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let length = dictionary.len() + 1;
    match version {
        1 => bytes.extend((length as u16).to_le_bytes()),
        _ => bytes.extend((length as u32).to_le_bytes()),
    }
    bytes.extend(dictionary.as_bytes());
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// An archive of these members, with Python's own names.
fn npz(members: &[(&str, Vec<u8>)], packed: bool) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = if packed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Where these bytes stand for the n-th time.
fn place(bytes: &[u8], part: &[u8], n: usize) -> usize {
    let found = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(part)).nth(n);
    found.unwrap_or_else(|| panic!("{part:?} is not there"))
}

#[test]
fn every_kind_of_number_and_order_and_version_is_read() {
    // 2 × 3 × 2 numbers that every type below has.
    let numbers: Vec<u8> = (0..12).collect();
    let shape = [2, 3, 2];
    let expected: Vec<f64> = numbers.iter().map(|&number| f64::from(number)).collect();
    type Coder = fn(u8, bool) -> Vec<u8>;
    macro_rules! coder {
        ($number:ty) => {
            (|number, big| {
                let value = number as $number;
                if big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
            }) as Coder
        };
    }
    // Halves by hand: 0, 1, … 11 as sign, exponent and fraction.
    let half: Coder = |number, big| {
        let bits = match number {
            0 => 0,
            _ => {
                let exponent = 7 - number.leading_zeros() as u16;
                (15 + exponent) << 10 | (u16::from(number) << (10 - exponent) & 0x3ff)
            }
        };
        if big { bits.to_be_bytes().to_vec() } else { bits.to_le_bytes().to_vec() }
    };
    let kinds: [(&str, Coder); 11] = [
        ("f8", coder!(f64)),
        ("f4", coder!(f32)),
        ("f2", half),
        ("i1", coder!(i8)),
        ("i2", coder!(i16)),
        ("i4", coder!(i32)),
        ("i8", coder!(i64)),
        ("u1", coder!(u8)),
        ("u2", coder!(u16)),
        ("u4", coder!(u32)),
        ("u8", coder!(u64)),
    ];
    let place = tempfile::tempdir().unwrap();
    for (kind, coder) in kinds {
        for (big, sign) in [(false, "<"), (true, ">"), (cfg!(target_endian = "big"), "="), (false, "|")] {
            for fortran in [false, true] {
                let mut bytes = Vec::new();
                for at in 0..12 {
                    // In Fortran order the first index runs fastest.
                    let [a, b, c] = if fortran { [at % 2, at / 2 % 3, at / 6] } else { [at / 6, at / 2 % 3, at % 2] };
                    bytes.extend(coder(numbers[(a * 3 + b) * 2 + c], big));
                }
                for (version, tuple) in [(1, "(2, 3, 2)"), (2, "(2, 3, 2)"), (3, "(2, 3, 2)"), (1, "(2L, 3L, 2L)")] {
                    let array = npy(version, &dictionary(&format!("'{sign}{kind}'"), fortran, tuple), &bytes);
                    let read = read_singles(&array, "x").unwrap();
                    let found: Vec<f64> = read.values.iter().map(|&value| f64::from(value)).collect();
                    assert_eq!((&read.shape[..], &found), (&shape[..], &expected), "{sign}{kind} {fortran} {version}");
                    let said = read.note.unwrap_or_default();
                    assert_eq!(said.contains("Fortran"), fortran, "{said}");
                    for packed in [false, true] {
                        let path = place.path().join("a.npz");
                        fs::write(&path, npz(&[("x_train.npy", array.clone())], packed)).unwrap();
                        let (shape, values) = Arrays::open(&path).unwrap().floats("x_train").unwrap().unwrap();
                        assert_eq!((shape, &values), (vec![2, 3, 2], &expected));
                    }
                }
            }
        }
    }
    // Truth values, one of which somebody has written as 2; and headers that others write.
    let truth = npy(1, &dictionary("'|b1'", false, "(4,)"), &[0, 1, 2, 0]);
    assert_eq!(read_singles(&truth, "x").unwrap().values, [0.0, 1.0, 1.0, 0.0]);
    let data = doubles(&[1.5, 2.5]);
    for header in [
        "{\"shape\": (2,), \"fortran_order\": False, \"descr\": \"<f8\"}",
        "{u'descr': u'<f8', u'fortran_order': True, u'shape': (2L,)}",
        "{'descr':'<f8','fortran_order':False,'shape':[2]}            \0\0",
        "  {'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }   ",
    ] {
        assert_eq!(read_singles(&npy(1, header, &data), "x").unwrap().values, [1.5, 2.5], "{header}");
    }
    assert_eq!(read_singles(&npy(1, &dictionary("'<f8'", false, "()"), &doubles(&[7.0])), "x").unwrap().values, [7.0]);
}

#[test]
fn what_is_no_number_is_named() {
    let refused = |bytes: &[u8], part: &str| {
        let said = read_singles(bytes, "x").unwrap_err();
        assert!(said.contains(part) && !said.contains('\n'), "{part}: {said}");
    };
    let of = |descr: &str, data: usize| npy(1, &dictionary(descr, false, "(2,)"), &vec![0; data]);
    refused(&of("'<c8'", 16), "complex numbers (<c8)");
    refused(&of("'<c16'", 32), "real part");
    refused(&of("'|O'", 0), "Python objects");
    refused(&of("[('a', '<f4'), ('b', '<i2', (2, 3))]", 32), "structured");
    refused(&of("'<U5'", 40), "text (<U5)");
    refused(&of("'|S3'", 6), "text (|S3)");
    refused(&of("'<M8[ns]'", 16), "dates or times");
    refused(&of("'|V2'", 4), "bfloat16");
    refused(&of("'<f16'", 32), "long doubles");
    refused(&of("'<q7'", 14), "no known type");
    refused(&npy(4, &dictionary("'<f8'", false, "(1,)"), &[0; 8]), "version 4.0");
    refused(&of("'<f8'", 15), "promises 16 bytes of values and there are 15");
    refused(&of("'<f8'", 17), "1 bytes behind its values");
    for shape in
        ["(4294967296, 4294967296)", "(9223372036854775807, 9223372036854775807, 0)", "(99999999999999999999,)"]
    {
        assert!(read_singles(&npy(1, &dictionary("'<f8'", false, shape), &[0; 8]), "x").is_err(), "{shape}");
    }
    for header in
        ["{", "", "{'descr': '<f8'}", "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", "((((((((", "[[[["]
    {
        refused(&npy(1, header, &[0; 8]), "header is damaged");
    }
    let others: [(&[u8], &str); 9] = [
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"MATLAB 5.0 MAT-file", "loadmat"),
        (b"1.0,2.0,3.0\n4.0,5.0,6.0\n", "CSV"),
        (b"\x80\x04\x95", "pickle"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "markup"),
        (&npz(&[("archive/data.pkl", vec![0; 9])], false), "PyTorch"),
    ];
    let place = tempfile::tempdir().unwrap();
    for (bytes, part) in others {
        let path = place.path().join("k.npz");
        fs::write(&path, bytes).unwrap();
        for said in [Arrays::open(&path).err().unwrap(), measure_kernels(&path).unwrap_err()] {
            assert!(said.contains(part) && !said.contains('\n'), "{part}: {said}");
        }
    }
}

/// The two words of a field of zip64 in the entry that follows.
fn wide(bytes: &[u8], size: u64, packed: u64) -> Vec<u8> {
    let directory = place(bytes, b"PK\x01\x02", 0);
    let field = |from: usize| u16::from_le_bytes([bytes[directory + from], bytes[directory + from + 1]]) as usize;
    let (name, extra, comment) = (field(28), field(30), field(32));
    let mut entry = bytes[directory..directory + 46 + name].to_vec();
    entry[20..28].fill(0xff);
    entry[30..32].copy_from_slice(&20u16.to_le_bytes());
    entry.extend([1, 0, 16, 0]);
    entry.extend(size.to_le_bytes());
    entry.extend(packed.to_le_bytes());
    let mut end = bytes[directory + 46 + name + extra + comment..].to_vec();
    let length = entry.len() as u32;
    end[12..16].copy_from_slice(&length.to_le_bytes());
    [&bytes[..directory], &entry, &end].concat()
}

#[test]
fn an_archive_that_lies_or_is_damaged_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let array = npy(1, &dictionary("'<f8'", false, "(3, 5)"), &doubles(&(0..15).map(f64::from).collect::<Vec<_>>()));
    let good = npz(&[("x_train.npy", array.clone())], false);
    let packed = npz(&[("x_train.npy", array.clone())], true);
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Arrays::open(&path).and_then(|mut arrays| arrays.floats("x_train")).map(|found| found.unwrap().1)
    };
    let expected = read(&good).unwrap();
    assert_eq!((expected[14], &read(&packed).unwrap()), (14.0, &expected));
    let refused = |bytes: &[u8], part: &str| {
        let said = read(bytes).err().unwrap_or_else(|| panic!("{part}: it was read"));
        assert!(said.contains(part) && !said.contains('\n'), "{part}: {said}");
    };
    // A bit in a number, in a checksum, and in what is packed.
    let mut bad = good.clone();
    let at = place(&bad, &14f64.to_le_bytes(), 0);
    bad[at + 6] ^= 4;
    refused(&bad, "checksum");
    let mut bad = good.clone();
    let directory = place(&bad, b"PK\x01\x02", 0);
    bad[directory + 16] ^= 1;
    refused(&bad, "checksum");
    let start = place(&packed, b"x_train.npy", 0) + 11;
    for at in start..place(&packed, b"PK\x01\x02", 0) {
        let mut bad = packed.clone();
        bad[at] ^= 8;
        // What deflate does not use may be anything.
        if let Ok(values) = read(&bad) {
            assert_eq!(values, expected, "byte {at}");
        }
    }
    // Sizes that no file has, or that differ from what is there.
    for (size, stored) in [(1 << 45, 1 << 40), (1 << 63, 1 << 62), (u64::MAX, u64::MAX), (1 << 45, array.len() as u64)]
    {
        refused(&wide(&good, size, stored), "damaged");
        refused(&wide(&packed, size, stored), "damaged");
    }
    let length = array.len() as u64;
    assert_eq!(read(&wide(&good, length, length)).unwrap(), expected, "and the truth in 64 bits is read");
    for (from, part) in [(24, "damaged"), (20, "damaged"), (28, "damaged"), (42, "damaged")] {
        let mut bad = good.clone();
        bad[directory + from] ^= 0x5a;
        refused(&bad, part);
    }
    for (method, name) in [(9, "deflate64"), (12, "bzip2"), (14, "lzma"), (93, "zstd"), (77, "unknown method")] {
        let mut bad = good.clone();
        bad[directory + 10] = method;
        refused(&bad, name);
    }
    let mut bad = good.clone();
    bad[directory + 8] |= 1;
    refused(&bad, "encrypted");
    for length in 0..good.len() {
        assert!(read(&good[..length]).is_err(), "cut off at {length}");
    }
    // Two of one name, and two in the same bytes.
    let mut twice = npz(&[("x_train.npy", array.clone()), ("y_train.npy", array.clone())], false);
    let mut shared = twice.clone();
    let second = place(&shared, b"PK\x01\x02", 1);
    shared[second + 42..second + 46].fill(0);
    refused(&shared, "same bytes");
    while let Some(at) = (0..twice.len()).find(|&at| twice[at..].starts_with(b"y_train")) {
        twice[at] = b'x';
    }
    refused(&twice, "two arrays named x_train");
    // Something in front of an archive, behind it, and a directory that is told in 64 bits.
    assert_eq!(read(&[&b"#!/bin/sh\n"[..], &good].concat()).unwrap(), expected);
    assert_eq!(read(&[&good[..], b"\n\n"].concat()).unwrap(), expected);
    let end = place(&good, b"PK\x05\x06", 0);
    let told = |from: usize| u32::from_le_bytes(good[end + from..end + from + 4].try_into().unwrap());
    let mut far = good[..end].to_vec();
    far.extend(b"PK\x06\x06");
    far.extend(44u64.to_le_bytes());
    far.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [1, 1, u64::from(told(12)), u64::from(told(16))] {
        far.extend(number.to_le_bytes());
    }
    far.extend(b"PK\x06\x07\0\0\0\0");
    far.extend((end as u64).to_le_bytes());
    far.extend(1u32.to_le_bytes());
    far.extend(&good[end..end + 8]);
    far.extend([0xff; 12]);
    far.extend([0, 0]);
    assert_eq!(read(&far).unwrap(), expected);
    // A small file that unpacks to much.
    let zeros = npy(1, &dictionary("'<f4'", false, "(25, 1048576)"), &vec![0; 100 << 20]);
    refused(&npz(&[("x_train.npy", zeros)], true), "unpacks from");
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::os::unix::fs::symlink("/dev/zero", here.join("endless.npz")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(here.join("pipe.npz")).status().unwrap();
    assert!(made.success());
    let good = npy(1, &dictionary("'<f8'", false, "(2, 2)"), &doubles(&[2.0, 1.0, 1.0, 2.0]));
    fs::write(here.join("x.npy"), &good).unwrap();
    fs::write(here.join("w.safetensors"), b"none").unwrap();
    for name in ["endless.npz", "pipe.npz"] {
        let gram = ["gram", "--arch", "mlp_relu", "--weights"];
        let out = ["--inputs", "x.npy", "--out", "k.npz"];
        for args in [
            vec!["theory", "--inputs", name, "--out", "k.npz"],
            vec!["metrics", name],
            vec!["figures", name],
            [&gram[..], &[name], &out].concat(),
            [&gram[..], &["w.safetensors", "--inputs", name, "--out", "k.npz"]].concat(),
        ] {
            let done = kernelscope(here, &args);
            let said = text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        }
    }
    // A link to a file is a file.
    std::os::unix::fs::symlink(here.join("x.npy"), here.join("link.npy")).unwrap();
    assert!(kernelscope(here, &["metrics", "link.npy"]).status.success());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    /// Whatever happens to an archive, it is read or refused: and what is read is what was written.
    #[test]
    fn damaged_archives_are_read_or_refused(
        packed in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let gram = npy(1, &dictionary("'<f8'", false, "(2, 3, 3)"), &doubles(&[3.0, 1.0, 0.5, 1.0, 2.0, 0.25, 0.5, 0.25, 1.5].repeat(2)));
        let labels = npy(2, &dictionary("'<U2'", false, "(3,)"), &[b'a', 0, 0, 0, 0, 0, 0, 0].repeat(3));
        let step = npy(1, &dictionary("'>i4'", false, "(2L,)"), &[0, 0, 0, 1, 0, 0, 0, 9]);
        let mut bytes = npz(&[("gram.npy", gram), ("labels.npy", labels), ("step.npy", step)], packed);
        let original = bytes.clone();
        for (at, value, digit) in changes {
            let at = at.index(bytes.len());
            // Digits become other digits: that is where shapes are.
            bytes[at] = if digit && bytes[at].is_ascii_digit() { b'0' + value % 10 } else { value };
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("k.npz");
        fs::write(&path, &bytes).unwrap();
        match load_kernels(&path, &mut |_, _| true) {
            Err(said) => prop_assert!(!said.contains('\n'), "{said}"),
            Ok(Loaded { history, .. }) => {
                fs::write(&path, &original).unwrap();
                let whole = load_kernels(&path, &mut |_, _| true).unwrap().history;
                prop_assert_eq!(&history.snapshots()[0].gram, &whole.snapshots()[0].gram);
            }
        }
    }

    #[test]
    fn damaged_arrays_are_read_or_refused(
        version in 1..4u8,
        fortran in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = npy(version, &dictionary("'<i2'", fortran, "(4, 5, 6)"), &[1; 240]);
        for (at, value, digit) in changes {
            let at = at.index(bytes.len().min(120));
            bytes[at] = if digit && bytes[at].is_ascii_digit() { b'0' + value % 10 } else { value };
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = read_singles(&bytes, "x") {
            prop_assert_eq!(read.values.len(), read.shape.iter().product::<usize>());
            prop_assert!(read.values.len() <= bytes.len());
        }
    }
}

#[test]
fn images_are_said_as_they_are_understood_and_refused_the_other_way_round() {
    for (shape, images, words) in [
        (&[40, 3, 32, 32][..], true, "40 inputs of 3 channels, 32 × 32"),
        (&[1, 28, 28], true, "1 input of 1 channel, 28 × 28"),
        (&[7, 784], true, "7 inputs of 1 channel, 28 × 28"),
        (&[7, 3072], true, "7 inputs of 3 channels, 32 × 32"),
        (&[7, 12], false, "7 inputs of 12 values"),
        (&[7, 2, 8, 8], false, "7 inputs of 128 values (2 channels, 8 × 8)"),
        // Channels of a hidden layer, and many of them.
        (&[9, 64, 3, 3], true, "9 inputs of 64 channels, 3 × 3"),
        (&[9, 64, 1, 1], true, "9 inputs of 64 channels, 1 × 1"),
    ] {
        assert_eq!(Layout::of(shape, images).unwrap().description, words);
    }
    for shape in [[5, 28, 28, 1], [5, 32, 32, 3], [5, 16, 24, 4], [1, 224, 224, 3], [5, 8, 8, 2]] {
        for images in [false, true] {
            let said = Layout::of(&shape, images).unwrap_err().to_string();
            assert!(said.contains("(0, 3, 1, 2)") && said.contains(&format!("{shape:?}")), "{said}");
        }
    }
    let said = Layout::of(&[32, 32, 3, 500], true).unwrap_err().to_string();
    assert!(said.contains("(3, 2, 0, 1)"), "{said}");
    // What could be both is read the one way, and the other is mentioned.
    assert!(Layout::of(&[5, 3, 3, 3], true).unwrap().description.contains("if its last axis is the channels"));
    assert!(Layout::of(&[32, 32, 3], true).unwrap().description.contains("if it is one image"));
    for shape in [&[][..], &[4], &[0, 4], &[4, 0, 3, 3], &[1, 1, 1, 1, 1], &[4, 785]] {
        assert!(Layout::of(shape, true).is_err(), "{shape:?}");
    }

    // And the commands say so.
    let folder = tempfile::tempdir().unwrap();
    let x: Vec<f64> = (0..2 * 3 * 5 * 5).map(|value| f64::from(value % 7)).collect();
    for (shape, good) in [(vec![2, 3, 5, 5], true), (vec![2, 5, 5, 3], false)] {
        write_arrays(&folder.path().join("x.npz"), [("x_train".to_owned(), shape, &x[..])]).unwrap();
        let cnn = ["--set", "network.kind=cnn", "--set", "network.pool=none", "--set", "network.depth=2"];
        let args = [&["theory", "--inputs", "x.npz", "--overwrite", "--out", "k.npz"][..], &cnn].concat();
        let done = kernelscope(folder.path(), &args);
        let said = text(&done.stderr);
        assert_eq!(done.status.success(), good, "{said}");
        assert!(said.contains(if good { "2 inputs of 3 channels, 5 × 5" } else { "(0, 3, 1, 2)" }), "{said}");
    }
    // A scalar where inputs were expected, and a plain array.
    let arrays = [("x_train".to_owned(), vec![2, 75], &x[..]), ("x_test".to_owned(), vec![], &x[..1])];
    write_arrays(&folder.path().join("x.npz"), arrays).unwrap();
    let done = kernelscope(folder.path(), &["theory", "--inputs", "x.npz", "--out", "s.npz"]);
    assert!(done.status.code() == Some(2) && text(&done.stderr).contains("x_test has shape []"), "{done:?}");
    fs::write(folder.path().join("x.npy"), npy(1, &dictionary("'<f8'", false, "(2, 75)"), &doubles(&x))).unwrap();
    let done = kernelscope(folder.path(), &["theory", "--inputs", "x.npy", "--out", "a.npz"]);
    assert!(text(&done.stderr).contains("2 inputs of 75 values; the array is x_train"), "{done:?}");
    write_arrays(&folder.path().join("x.npz"), [("x_train".to_owned(), vec![2, 75], &x[..])]).unwrap();
    assert!(kernelscope(folder.path(), &["theory", "--inputs", "x.npz", "--out", "b.npz"]).status.success());
    let kernel = |name: &str| Arrays::open(&folder.path().join(name)).unwrap().floats("ntk_train_train").unwrap();
    assert_eq!(kernel("a.npz"), kernel("b.npz"));
}

/// a I + b J + c v vᵀ with v = (1, 1, −1, −1): all that is told of it follows from a, b and c.
fn kernel([a, b, c]: [f64; 3]) -> Vec<f64> {
    let v = [1.0, 1.0, -1.0, -1.0];
    (0..16).map(|at| if at / 4 == at % 4 { a } else { 0.0 } + b + c * v[at / 4] * v[at % 4]).collect()
}

#[test]
fn the_metrics_of_an_archive_are_those_that_can_be_worked_out() {
    let folder = tempfile::tempdir().unwrap();
    let parts = [[1.0, 2.0, 0.5], [1.5, 2.0, 1.0], [2.0, 1.0, 3.0]];
    let grams: Vec<f64> = parts.iter().flat_map(|&parts| kernel(parts)).collect();
    let labels = npy(1, &dictionary("'<U3'", false, "(4,)"), &{
        let word = |text: &'static str| text.chars().flat_map(|letter| u32::from(letter).to_le_bytes());
        ["dog", "dog", "cat", "cat"].into_iter().flat_map(word).collect::<Vec<u8>>()
    });
    let gram = npy(1, &dictionary("'<f8'", false, "(3, 4, 4)"), &doubles(&grams));
    let step = npy(
        1,
        &dictionary("'<i8'", false, "(3,)"),
        &[0u64, 10, 20].into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>(),
    );
    fs::write(
        folder.path().join("k.npz"),
        npz(&[("gram.npy", gram), ("labels.npy", labels), ("step.npy", step)], true),
    )
    .unwrap();
    let done = kernelscope(folder.path(), &["metrics", "k.npz", "--out", "m.csv"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut table = csv::Reader::from_path(folder.path().join("m.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let expected: Vec<&str> =
        ["step", "epoch", "task", "block"].into_iter().chain(Metric::ALL.map(Metric::column)).collect();
    assert_eq!(header.iter().collect::<Vec<_>>(), expected);
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    // ⟨·,·⟩ of two of these with H = I − J/4: the part in J falls away.
    let centred = |x: [f64; 3], y: [f64; 3]| 3.0 * x[0] * y[0] + 4.0 * (x[0] * y[2] + x[2] * y[0]) + 16.0 * x[2] * y[2];
    let plain = |x: [f64; 3], y: [f64; 3]| {
        let own = 4.0 * (x[0] * y[0] + x[0] * y[1] + x[1] * y[0] + x[0] * y[2] + x[2] * y[0]);
        own + 16.0 * (x[1] * y[1] + x[2] * y[2])
    };
    let gap = |of: &dyn Fn([f64; 3], [f64; 3]) -> f64, x, y| 1.0 - of(x, y) / (of(x, x) * of(y, y)).sqrt();
    for (place, row) in rows.iter().enumerate() {
        let (at, now) = (place / 2, parts[place / 2]);
        let cell = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
        assert_eq!((cell("step"), cell("task")), (["0", "10", "20"][at], "1"));
        assert_eq!(cell("block"), ["all", "1"][place % 2]);
        let close = |name: &str, expected: f64| {
            let found: f64 = cell(name).parse().unwrap_or_else(|_| panic!("{name} is {:?}", cell(name)));
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{name}: {found}, not {expected}");
        };
        let (size, first) = (plain(now, now).sqrt(), plain(parts[0], parts[0]).sqrt());
        let apart = [0, 1, 2].map(|part| now[part] - parts[0][part]);
        let values = [now[0], now[0], now[0] + 4.0 * now[1], now[0] + 4.0 * now[2]];
        let sum: f64 = values.iter().sum();
        close("lambda_max", values.into_iter().fold(0.0, f64::max));
        close("lambda_min", now[0]);
        close("trace", sum);
        close("frobenius", size);
        close("effective_rank", (-values.iter().map(|value| value / sum * (value / sum).ln()).sum::<f64>()).exp());
        close("scale", size / first);
        close("rotation", gap(&plain, now, parts[0]));
        close("drift", plain(apart, apart).sqrt() / first);
        close("distance", gap(&centred, now, parts[0]));
        close("asymmetry", 0.0);
        // Y Yᵀ of two classes of two is ½ (J + v vᵀ); centred the first falls away.
        close("alignment", plain(now, [0.0, 0.5, 0.5]) / (size * 8f64.sqrt()));
        close("alignment_centred", centred(now, [0.0, 0.0, 0.5]) / (centred(now, now).sqrt() * 2.0));
        if at > 0 {
            let before = parts[at - 1];
            close("lag_steps", 10.0);
            close("velocity", gap(&centred, now, before) / 10.0);
            close("velocity_uncentred", gap(&plain, now, before) / 10.0);
            close("velocity_angle", (1.0 - gap(&centred, now, before)).acos() / 10.0);
        }
        let absent = ["loss", "step_norm", "rate", "kernel_seconds", "waiting_seconds", "sharpness", "distance_switch"];
        assert!(absent.iter().all(|name| cell(name).is_empty()), "{row:?}");
        assert_eq!(cell("velocity").is_empty(), at == 0);
    }
    let Loaded { history, warnings } = load_kernels(&folder.path().join("k.npz"), &mut |_, _| true).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let info = history.info().unwrap();
    assert_eq!(info.class_names, ["cat", "dog"], "labels as text are classes by name");
    assert_eq!(info.probes.iter().map(|probe| probe.label).collect::<Vec<_>>(), [1, 1, 0, 0]);

    // Nothing is replaced unasked, and without --out it is standard output.
    let kept = fs::read_to_string(folder.path().join("m.csv")).unwrap();
    let refused = kernelscope(folder.path(), &["metrics", "k.npz", "--out", "m.csv"]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("--overwrite")), (Some(2), true));
    assert!(kernelscope(folder.path(), &["metrics", "k.npz", "--out", "m.csv", "--overwrite"]).status.success());
    assert_eq!(fs::read_to_string(folder.path().join("m.csv")).unwrap(), kept);
    // Not even with --overwrite a file of another kind, its own input least of all.
    let archive = fs::read(folder.path().join("k.npz")).unwrap();
    let refused = kernelscope(folder.path(), &["metrics", "k.npz", "--out", "k.npz", "--overwrite"]);
    assert_eq!((refused.status.code(), fs::read(folder.path().join("k.npz")).unwrap() == archive), (Some(2), true));
    assert_eq!(text(&kernelscope(folder.path(), &["metrics", "k.npz"]).stdout).trim_end(), kept.trim_end());
}

#[test]
fn what_the_program_writes_it_opens() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let x: Vec<f64> = (0..40).map(|value| (f64::from(value) * 0.7).sin()).collect();
    write_arrays(&here.join("x.npz"), [("x_train".to_owned(), vec![8, 5], &x[..])]).unwrap();
    assert!(kernelscope(here, &["theory", "--inputs", "x.npz", "--out", "t.npz"]).status.success());
    let values = |name: &str| Arrays::open(&here.join("t.npz")).unwrap().floats(name).unwrap().unwrap().1;
    let opened = |path: &str| load_kernels(&here.join(path), &mut |_, _| true);
    let Loaded { history, warnings } = opened("t.npz").unwrap();
    assert_eq!(*history.snapshots()[0].gram, values("ntk_train_train"));
    assert!(warnings[0].contains("ntk_train_train; write t.npz:NAME for another: nngp_train_train"), "{warnings:?}");
    assert_eq!(*opened("t.npz:nngp_train_train").unwrap().history.snapshots()[0].gram, values("nngp_train_train"));
    assert!(opened("t.npz:none").unwrap_err().contains("no array named none; there are nngp_train_train"));

    // The names of `gram`, its parts among them; the whole is what is meant.
    let (whole, part, wide) = (kernel([2.0, 1.0, 1.0]), kernel([1.0, 0.5, 0.5]), vec![1.0; 8]);
    for name in ["trace", "sum-logits", "full"] {
        let tensor = format!("{name}_by_param/fc1.weight");
        let arrays = [(tensor.clone(), vec![4, 4], &part[..]), (name.to_owned(), vec![4, 4], &whole[..])];
        write_arrays(&here.join("k.npz"), arrays).unwrap();
        assert_eq!(*opened("k.npz").unwrap().history.snapshots()[0].gram, whole[..]);
        assert_eq!(*opened(&format!("k.npz:{tensor}")).unwrap().history.snapshots()[0].gram, part[..]);
    }
    write_arrays(&here.join("r.npz"), [("trace".to_owned(), vec![2, 4], &wide[..])]).unwrap();
    assert!(opened("r.npz").unwrap_err().contains("trace has the shape [2, 4]"));
    assert_eq!(array_of(&here.join("k.npz:a/b")), (here.join("k.npz"), Some("a/b".to_owned())));
    assert_eq!(array_of(Path::new("nowhere.npz:x")), (PathBuf::from("nowhere.npz:x"), None));

    // In the window, too, which says what was taken.
    let mut harness = window(tiny());
    harness.state_mut().open(vec![here.join("t.npz:nngp_train_train")]);
    until(&mut harness, "the kernel", |app| app.session().is_some());
    let app = harness.state();
    assert_eq!(*app.history().snapshots()[0].gram, values("nngp_train_train"));
    assert!(app.toasts().texts().any(|said| said.contains("The kernel is the array nngp_train_train")));

    // Figures of one kernel lie beside it, and are not replaced unasked.
    let drawn = kernelscope(here, &["figures", "k.npz"]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
    assert_eq!(text(&drawn.stdout).lines().collect::<Vec<_>>(), ["k-figures/eigenvalues.svg", "k-figures/gram.svg"]);
    let refused = kernelscope(here, &["figures", "k.npz"]);
    assert_eq!((refused.status.code(), text(&refused.stderr).contains("--overwrite")), (Some(2), true));
    assert!(kernelscope(here, &["figures", "k.npz", "--overwrite"]).status.success());
    assert!(kernelscope(here, &["figures", "k.npz:full_by_param/fc1.weight"]).status.success());
    assert!(here.join("k-full_by_param-fc1.weight-figures/gram.svg").exists());
    // Of several there are curves; of labels too.
    let grams = [kernel([1.0, 2.0, 0.5]), kernel([1.5, 2.0, 1.0])].concat();
    let arrays =
        [("gram".to_owned(), vec![2, 4, 4], &grams[..]), ("labels".to_owned(), vec![4], &[-1.0, -1.0, 1.0, 1.0])];
    write_arrays(&here.join("g.npz"), arrays).unwrap();
    let drawn = kernelscope(here, &["figures", "g.npz", "--out", "out"]);
    let names: Vec<String> =
        text(&drawn.stdout).lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect();
    let expected = ["velocity.svg", "lambda-max.svg", "alignment.svg", "eigenvalues.svg", "gram.svg", "distances.svg"];
    assert_eq!(names, expected, "{}", text(&drawn.stderr));
    assert_eq!(opened("g.npz").unwrap().history.info().unwrap().class_names, ["−1", "1"]);
    // A lag that fits no pair is said.
    let arrays = [("gram".to_owned(), vec![2, 4, 4], &grams[..]), ("lag".to_owned(), vec![], &[7.0])];
    write_arrays(&here.join("g.npz"), arrays).unwrap();
    let warnings = opened("g.npz").unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("7 steps apart"), "{warnings:?}");
    let refused = kernelscope(here, &["metrics", "."]);
    assert_eq!((refused.status.code(), text(&refused.stderr).trim_end().lines().count()), (Some(2), 1));
}

/// 1 − CKA of two kernels of the same rows, centred or not, by its definition.
fn apart(x: &[f64], y: &[f64], n: usize, centred: bool) -> f64 {
    let turned = |k: &[f64]| -> Vec<f64> {
        let mean = |row: usize| (0..n).map(|column| k[row * n + column]).sum::<f64>() / n as f64;
        let means: Vec<f64> = (0..n).map(mean).collect();
        let all = means.iter().sum::<f64>() / n as f64;
        (0..n * n).map(|at| if centred { k[at] - means[at / n] - means[at % n] + all } else { k[at] }).collect()
    };
    let (x, y) = (turned(x), turned(y));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    1.0 - dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt()
}

#[test]
fn the_velocity_of_every_row_can_be_computed_from_the_kernels_of_its_folder() {
    let place = tempfile::tempdir().unwrap();
    // On the grid of snapshots, beside it, longer than an epoch, and tasks that end off the grid.
    for (name, changes) in [
        ("usual", &[][..]),
        ("short", &["kernel.lag=0.01"]),
        ("long", &["kernel.lag=1.1", "tasks.steps=[29,17]"]),
        ("off", &["tasks.steps=[20,13]"]),
    ] {
        let mut spec: Spec = tiny();
        changes.iter().for_each(|change| spec.set(change).unwrap());
        let out = place.path().join(name);
        let mut folder = create(&out, &spec, false).unwrap().folder;
        read_all(&start(spec)).iter().for_each(|event| folder.take(event).unwrap());
        drop(folder);
        let history = load(&out).unwrap().history;
        let path = out.join("kernels.npz");
        let mut arrays = Arrays::open(&path).unwrap();
        let mut floats = |name: &str| arrays.floats(name).unwrap().unwrap_or_else(|| panic!("there is no {name}"));
        let (shape, grams) = floats("gram");
        let (steps, lags, partners) = (floats("step").1, floats("lag_steps").1, floats("partner").1);
        let partner_steps = floats("partner_step").1;
        let n = shape[1];
        let row_of = |values: &[f64], place: usize| values[place * n * n..(place + 1) * n * n].to_vec();
        let at = |step: f64| {
            let own = steps.iter().position(|&other| other == step).map(|place| row_of(&grams, place));
            own.or_else(|| partner_steps.iter().position(|&other| other == step).map(|place| row_of(&partners, place)))
        };
        let mut velocities = 0;
        for (place, row) in history.rows().iter().enumerate() {
            assert_eq!(row.step as f64, steps[place]);
            let block = row.blocks.iter().find(|block| block.block == Block::All).unwrap();
            assert_eq!(block.lag_steps.unwrap_or(0) as f64, lags[place]);
            let Some(velocity) = block.velocity else { continue };
            let before =
                at(steps[place] - lags[place]).unwrap_or_else(|| panic!("{name}: no partner of step {}", row.step));
            let now = row_of(&grams, place);
            let epochs = block.velocity_uncentred.unwrap() / apart(&now, &before, n, false);
            let expected = apart(&now, &before, n, true) * epochs;
            assert!(
                (velocity - expected).abs() <= 1e-8 * expected.abs().max(1e-9),
                "{name}: {velocity}, not {expected}"
            );
            velocities += 1;
        }
        assert!(velocities > 4, "{name}: {velocities}");
        assert!(name == "usual" || !partner_steps.is_empty(), "{name} has rows without a neighbour one lag before");

        // Opened as anybody's, the kernels of a run have its own velocities, all of them.
        let theirs = measure_kernels(&path).unwrap().history;
        for (found, expected) in theirs.rows().iter().zip(history.rows()) {
            for (found, expected) in found.blocks.iter().zip(&expected.blocks) {
                assert_eq!((found.block, found.lag_steps), (expected.block, expected.lag_steps));
                match (found.velocity, expected.velocity) {
                    (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-8 * b.abs().max(1e-9), "{name}: {a}, not {b}"),
                    (a, b) => assert_eq!(a, b, "{name}"),
                }
            }
        }
    }
}

#[test]
fn a_bit_of_a_stored_kernel_is_noticed_by_whoever_reads_it() {
    let place = tempfile::tempdir().unwrap();
    let (spec, out) = (tiny(), place.path().join("run"));
    let mut folder = create(&out, &spec, false).unwrap().folder;
    read_all(&start(spec)).iter().for_each(|event| folder.take(event).unwrap());
    drop(folder);
    let whole = load(&out).unwrap();
    let (second, third) = (&whole.history.snapshots()[1], &whole.history.snapshots()[2]);
    let path = out.join("kernels.npz");
    let mut bytes = fs::read(&path).unwrap();
    // The first number of the second kernel.
    let at = self::place(&bytes, &doubles(&second.gram[..8]), 0);
    bytes[at + 5] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let grams = load_lazily(&out).unwrap().1.unwrap();
    assert!(grams.read(second.row.step).unwrap_err().contains("checksum"));
    assert_eq!(grams.read(third.row.step).unwrap(), third.gram, "and harms no other");
    // Read whole, none is shown; the rows stay.
    let damaged = load(&out).unwrap();
    assert_eq!((damaged.history.rows(), damaged.history.snapshots().len()), (whole.history.rows(), 0));
    assert!(damaged.warnings.iter().any(|said| said.contains("checksum")), "{:?}", damaged.warnings);
    assert!(measure_kernels(&path).unwrap_err().contains("checksum"));
    // An older archive has one checksum for all: none is read.
    let name = b"gram_crc32";
    while let Some(at) = (0..bytes.len()).find(|&at| bytes[at..].starts_with(name)) {
        bytes[at] = b'h';
    }
    fs::write(&path, &bytes).unwrap();
    let grams = load_lazily(&out).unwrap().1.unwrap();
    assert!(grams.read(third.row.step).unwrap_err().contains("checksum"));
}
