//! Folders of images as people have them: which set is meant, what it is called, and what is said where it cannot be read.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use kernelscope::data::{Cifar, DataError, DataSet, TaskStream, idx, load, read_pickle};
use kernelscope::run::Event;
use kernelscope::spec::{DataSpec, Source, Spec, TaskKind};
use proptest::prelude::*;

fn idx_file(code: u8, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let magic = [0, 0, code, sizes.len() as u8];
    magic.into_iter().chain(sizes.iter().flat_map(|size| size.to_be_bytes())).chain(bytes.iter().copied()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes a file and the folders above it.
fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Four files of images of 2 × 3 pixels, with these labels in either part; pixel p of image i is 10 i + p.
fn set(folder: &Path, names: [&str; 4], labels: &[u8]) {
    let pixels: Vec<u8> = (0..labels.len()).flat_map(|i| (0..6).map(move |p| (10 * i + p) as u8)).collect();
    for part in [0, 2] {
        put(&folder.join(names[part]), &idx_file(8, &[labels.len() as u32, 2, 3], &pixels));
        put(&folder.join(names[part + 1]), &idx_file(8, &[labels.len() as u32], labels));
    }
}

const MNIST: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn read(source: Source, path: &Path) -> Result<DataSet, DataError> {
    let path = Some(path.to_owned());
    load(&DataSpec { source, path, test_per_class: 0, standardise: false, ..DataSpec::default() })
}

fn sentence(source: Source, path: &Path) -> String {
    let text = read(source, path).unwrap_err().to_string();
    assert!(!text.contains('\n') && !text.contains("os error"), "{text}");
    text
}

/// The embedded images as the files of a folder, so many of each class; the labels as they are or turned by one class.
pub fn fashion(folder: &Path, per_class: usize, turned: bool) {
    let all =
        load(&DataSpec { per_class, test_per_class: per_class, standardise: false, ..DataSpec::default() }).unwrap();
    for (part, images) in [(0, &all.train), (2, &all.test)] {
        let pixels: Vec<u8> = images.pixels.iter().map(|pixel| (pixel * 255.0).round() as u8).collect();
        let labels = images.labels.iter().map(|&label| ((label + usize::from(turned)) % 10) as u8).collect::<Vec<_>>();
        put(&folder.join(MNIST[part]), &gzip(&idx_file(8, &[images.len() as u32, 28, 28], &pixels)));
        put(&folder.join(MNIST[part + 1]), &idx_file(8, &[images.len() as u32], &labels));
    }
}

/// A set has the name of a known one where its content is that of the known one, whatever people call the folder.
#[test]
fn a_set_is_known_by_its_content() {
    let root = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = (0..20).map(|i| i % 10).collect();
    for folder in ["FashionMNIST/raw", "fashion-mnist", "MNIST/raw", "x"] {
        let folder = root.path().join("other").join(folder);
        set(&folder, MNIST, &labels);
        let found = read(Source::Idx, &folder).unwrap();
        assert_eq!(found.class_names[..2], ["class 0", "class 1"], "{}", folder.display());
        assert!(found.name.starts_with("IDX folder "), "{}", found.name);
        assert_eq!(found.notes.len(), usize::from(!folder.ends_with("x")), "{:?}", found.notes);
    }
    for (place, per_class) in [("MNIST/raw", 3), ("raw", 150)] {
        let folder = root.path().join("fashion").join(place);
        fashion(&folder, per_class, false);
        let found = read(Source::Idx, &folder).unwrap();
        assert_eq!((found.class_names[9].as_str(), found.name.as_str()), ("ankle boot", "Fashion-MNIST, in part"));
    }
    // The same images under other labels are another set.
    let folder = root.path().join("turned/fashion-mnist/raw");
    fashion(&folder, 3, true);
    assert_eq!(read(Source::Idx, &folder).unwrap().class_names[9], "class 9");
}

#[test]
fn folders_of_torchvision_and_kaggle_are_looked_into() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let labels = [1, 0, 2];
    set(&data.join("MNIST/raw"), MNIST, &labels);
    for chosen in ["", "data", "data/MNIST", "data/MNIST/raw", "data/MNIST/raw/train-images-idx3-ubyte"] {
        let found = read(Source::Idx, &root.path().join(chosen)).unwrap();
        assert_eq!((found.train.labels.as_slice(), found.class_names.len()), ([1, 0, 2].as_slice(), 3), "{chosen}");
    }
    // A second set: which one is meant?
    set(&data.join("KMNIST/raw"), MNIST, &[0; 3]);
    let text = sentence(Source::Idx, &data);
    assert!(text.contains("several sets") && text.contains("KMNIST/raw, ") && text.contains("MNIST/raw)"), "{text}");
    assert_eq!(read(Source::Idx, &data.join("KMNIST")).unwrap().train.labels, [0; 3]);

    // Each file in a folder of its name, beside one that lies plainly.
    let kaggle = root.path().join("archive");
    let nested = MNIST.map(|name| format!("{name}/{name}"));
    set(&kaggle, nested.each_ref().map(String::as_str), &labels);
    assert_eq!(read(Source::Idx, &kaggle).unwrap().test.labels, labels.map(usize::from));
    put(&kaggle.join("t10k-labels.idx1-ubyte"), &idx_file(8, &[3], &[2, 2, 2]));
    assert_eq!(read(Source::Idx, &kaggle).unwrap().test.labels, [2; 3], "the plain file comes first");
}

/// EMNIST's parts lie beside each other, with rows and columns exchanged, up to 62 classes, and a table of their letters.
#[test]
fn the_parts_of_emnist_are_chosen_by_name_and_stand_upright() {
    let root = tempfile::tempdir().unwrap();
    let raw = root.path().join("EMNIST/raw");
    let part = |name: &str| {
        ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"]
            .map(|what| format!("emnist-{name}-{what}-ubyte"))
    };
    let labels = [61u8, 10, 36];
    set(&raw, part("byclass").each_ref().map(String::as_str), &labels);
    let alone = read(Source::Idx, root.path()).unwrap();
    assert_eq!((alone.class_names.len(), alone.train.labels.as_slice()), (62, [61, 10, 36].as_slice()));
    assert_eq!(alone.class_names[61], "class 61", "no table of letters");
    // Stored as 2 rows of 3: [0 1 2][3 4 5]; upright it is 3 rows of 2.
    assert_eq!(alone.train.shape, [1, 3, 2]);
    let bytes: Vec<u8> = alone.train.image(0).iter().map(|pixel| (pixel * 255.0).round() as u8).collect();
    assert_eq!(bytes, [0, 3, 1, 4, 2, 5]);
    assert!(alone.notes.iter().any(|note| note.contains("upright")), "{:?}", alone.notes);

    set(&raw, part("letters").each_ref().map(String::as_str), &[1, 2, 26]);
    let text = sentence(Source::Idx, &raw);
    assert!(text.contains("raw/emnist-byclass, ") && text.contains("raw/emnist-letters)"), "{text}");
    put(&raw.join("emnist-letters-mapping.txt"), b"1 65 97\n2 66 98\n26 90 122\n\n");
    for chosen in ["emnist-letters", "emnist-letters-test-labels-idx1-ubyte"] {
        let letters = read(Source::Idx, &raw.join(chosen)).unwrap();
        assert_eq!((letters.class_names[1].as_str(), letters.class_names[26].as_str()), ("A a", "Z z"), "{chosen}");
    }
    // A table that lacks a letter, or is none, names nothing.
    for table in ["1 65\n2 66\n", "1 65 97\n2 66 98\n26 ninety\n", "1 7\n2 66\n26 90\n"] {
        put(&raw.join("emnist-letters-mapping.txt"), table.as_bytes());
        assert_eq!(read(Source::Idx, &raw.join("emnist-letters")).unwrap().class_names[26], "class 26", "{table}");
    }
    // Class 0 has no letter, and no task is given it.
    set(&raw, part("letters").each_ref().map(String::as_str), &[1, 2, 26, 1, 2, 26]);
    let letters = Arc::new(read(Source::Idx, &raw.join("emnist-letters")).unwrap());
    let mut spec = Spec::default();
    (spec.tasks.kind, spec.tasks.count) = (TaskKind::Rotated, 2);
    (spec.kernel.probes_per_class, spec.kernel.train_on_probes) = (1, true);
    assert_eq!(TaskStream::new(&spec, letters).unwrap().task(2).classes(), [1, 2, 26]);
}

/// Colour, other numbers than bytes, and the several columns of QMNIST's labels.
#[test]
fn other_kinds_of_idx_are_read_exactly_or_not() {
    let images = |file: &[u8]| idx::read_images("f", file);
    let bytes: Vec<u8> = (0..24).collect();
    let last = images(&idx_file(8, &[2, 2, 2, 3], &bytes)).unwrap();
    assert_eq!((last.channels, last.height, last.width), (3, 2, 2));
    assert_eq!(last.pixels[..12], [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11], "red, green, blue");
    let first = images(&idx_file(8, &[2, 3, 2, 2], &bytes)).unwrap();
    assert_eq!((first.channels, first.pixels), (3, bytes.clone()));
    for sizes in [[1, 3, 2, 3], [1, 2, 2, 4], [1, 3, 1, 1]] {
        let size: u32 = sizes.iter().product();
        let text = images(&idx_file(8, &sizes, &vec![0; size as usize])).unwrap_err().to_string();
        assert!(text.contains("channels"), "{sizes:?}: {text}");
    }
    let floats = |values: [f32; 2]| idx_file(13, &[1, 1, 2], &values.map(f32::to_be_bytes).concat());
    assert_eq!(images(&floats([255.0, 3.0])).unwrap().pixels, [255, 3]);
    assert!(images(&floats([0.5, 1.0])).unwrap_err().to_string().contains("multiply them by 255"));
    for wrong in [[0.5, 2.0], [256.0, 0.0], [-1.0, 9.0], [f32::NAN, 9.0], [f32::INFINITY, 9.0]] {
        assert!(images(&floats(wrong)).unwrap_err().to_string().contains("no whole number from 0 to 255"), "{wrong:?}");
    }
    let shorts = idx_file(11, &[1, 1, 2], &[7i16, 200].map(i16::to_be_bytes).concat());
    assert_eq!(images(&shorts).unwrap().pixels, [7, 200]);
    let columns: Vec<u8> = (0..16i32).flat_map(i32::to_be_bytes).collect();
    assert_eq!(idx::read_labels("f", idx_file(12, &[2, 8], &columns).as_slice()).unwrap(), [0, 8]);
    let one_hot = idx_file(8, &[2, 3], &[0, 1, 0, 1, 0, 0]);
    assert!(idx::read_labels("f", one_hot.as_slice()).unwrap_err().to_string().contains("3 columns"));
}

/// What is there instead of the files is named, with what to do.
#[test]
fn what_cannot_be_read_is_named() {
    let root = tempfile::tempdir().unwrap();
    let make = |names: &[&str]| names.iter().for_each(|name| put(&root.path().join(name), b"x"));
    make(&[
        "py/cifar-10-batches-py/data_batch_1",
        "py/cifar-10-batches-py/test_batch",
        "py/cifar-10-batches-py/batches.meta",
    ]);
    make(&[
        "py100/cifar-100-python/train",
        "py100/cifar-100-python/meta",
        "tar/cifar-10-python.tar.gz",
        "csv/mnist_train.csv",
        "keras/cifar-10-batches-py.tar.gz",
    ]);
    make(&["old/MNIST/processed/training.pt", "bin/cifar-10-batches-bin/data_batch_1.bin", "zip/archive.zip"]);
    for (source, place, words) in [
        (
            Source::Cifar10,
            "py/cifar-10-batches-py",
            "Python version of CIFAR-10, but not as its authors wrote it: fetch the binary version, cifar-10-binary.tar.gz",
        ),
        (Source::Cifar10, "py", "cifar-10-batches-py is the Python version"),
        (
            Source::Cifar100,
            "py100/cifar-100-python",
            "Python version of CIFAR-100, but not as its authors wrote it: fetch the binary version, cifar-100-binary",
        ),
        (Source::Cifar10, "tar/cifar-10-python.tar.gz", "is an archive: unpack it"),
        (Source::Cifar10, "tar", "cifar-10-python.tar.gz is an archive"),
        (Source::Cifar10, "keras", "cifar-10-batches-py.tar.gz is an archive"),
        (Source::Cifar100, "bin", "set data.source=cifar10"),
        (Source::Idx, "bin", "set data.source=cifar10"),
        (Source::Idx, "py", "set data.source=cifar10"),
        (Source::Idx, "csv", "tables of text"),
        (Source::Idx, "old/MNIST", "training.pt"),
        (Source::Idx, "zip", "archive.zip is an archive: unpack it"),
        (Source::Idx, "zip/archive.zip", "is an archive: unpack it"),
        (Source::Idx, "nowhere", "is not a folder"),
    ] {
        let text = sentence(source, &root.path().join(place));
        assert!(text.contains(words), "{place}: {text}");
    }
    // Half a set is told by what it lacks, where it lies.
    let half = root.path().join("half/MNIST/raw");
    set(&half, MNIST, &[0, 1]);
    fs::remove_file(half.join(MNIST[3])).unwrap();
    let text = sentence(Source::Idx, &root.path().join("half"));
    assert!(text.contains("MNIST/raw has no t10k-labels-idx1-ubyte"), "{text}");
}

/// A pipe would be waited for for ever, and so would a device be read.
#[cfg(unix)]
#[test]
fn only_regular_files_are_opened() {
    let root = tempfile::tempdir().unwrap();
    set(root.path(), MNIST, &[0, 1]);
    let file = root.path().join(MNIST[0]);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert!(sentence(Source::Idx, root.path()).contains("has no train-images-idx3-ubyte"));
    let bin = root.path().join("cifar-10-batches-bin");
    put(&bin.join("data_batch_1.bin"), &[0; 3073]);
    for batch in 2..=5 {
        std::os::unix::fs::symlink("/dev/zero", bin.join(format!("data_batch_{batch}.bin"))).unwrap();
    }
    let text = sentence(Source::Cifar10, &bin);
    assert!(text.contains("data_batch_2.bin") && text.contains("no regular file"), "{text}");
}

/// A folder that may not be read is not one that has no such files.
#[cfg(unix)]
#[test]
fn a_closed_folder_is_said_to_be_closed() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("closed");
    set(&folder, MNIST, &[0, 1]);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read everything, so this thread looks as another user (it is no change of the process, and taken back).
    #[cfg(target_os = "linux")]
    let before = unsafe { libc::setfsuid(65_534) };
    if fs::read_dir(&folder).is_ok() {
        super::skipped(super::Missing::Installable, "a closed folder: this user may read everything");
    } else {
        for source in [Source::Idx, Source::Cifar10] {
            assert!(sentence(source, &folder).contains("cannot be listed"));
        }
        assert!(sentence(Source::Idx, &folder.join("raw")).contains("cannot be listed"));
    }
    #[cfg(target_os = "linux")]
    unsafe {
        libc::setfsuid(before as libc::uid_t);
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

/// A run over more than ten classes, from a folder two levels up: its names, its notes and its tasks.
#[test]
fn a_run_takes_more_than_ten_classes() {
    let root = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = (0..62 * 4).map(|i| i % 62).collect();
    set(&root.path().join("EMNIST/raw"), MNIST, &labels);
    let mut spec = super::tiny();
    (spec.data.source, spec.data.path) = (Source::Idx, Some(root.path().to_owned()));
    (spec.data.per_class, spec.data.test_per_class) = (0, 0);
    spec.tasks.classes = vec![(0..31).collect(), (31..62).collect()];
    spec.tasks.steps = vec![2, 2];
    let shape = kernelscope::spec::DataShape::expected(&spec);
    assert_eq!((shape.classes, spec.problems(&shape)), (62, Vec::new()));
    let worker = super::start(spec);
    let events = super::read_all(&worker);
    assert!(
        matches!(super::ending(&events), kernelscope::run::Ending::Finished { .. }),
        "{:?}",
        super::ending(&events)
    );
    let info = events.iter().find_map(|event| match event {
        Event::Started(info) => Some(info),
        _ => None,
    });
    assert_eq!(info.unwrap().class_names.len(), 62);
    let noted =
        events.iter().any(|event| matches!(event, Event::Warning { message, .. } if message.contains("EMNIST/raw")));
    assert!(noted, "the folder that was taken is not told");
}

/// The label sequence of MNIST alone does not make MNIST: the test images are compared, too.
#[test]
fn labels_alone_make_no_known_set() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("MNIST");
    for (part, count) in [(0, 60_000u32), (2, 10_000)] {
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        put(&folder.join(MNIST[part]), &gzip(&idx_file(8, &[count, 28, 28], &vec![0; 784 * count as usize])));
        put(&folder.join(MNIST[part + 1]), &gzip(&idx_file(8, &[count], &labels)));
    }
    let spec =
        DataSpec { source: Source::Idx, path: Some(folder), per_class: 2, test_per_class: 2, ..DataSpec::default() };
    assert_eq!(load(&spec).unwrap().class_names[3], "class 3");
}

/// The instructions of a pickle as Python 2 wrote them for the set's authors, and as Python 3 writes the same.
fn pickle(labels: &[u8], pixels: &[u8], key: &str, of_python_3: bool) -> Vec<u8> {
    let bytes = |bytes: &[u8]| -> Vec<u8> {
        if of_python_3 {
            let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            let words =
                [b"c_codecs\nencode\n(X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
            [words, b"X\x06\0\0\0latin1tR".to_vec()].concat()
        } else {
            [b"T".as_slice(), &(bytes.len() as u32).to_le_bytes(), bytes].concat()
        }
    };
    let list: Vec<u8> = labels.iter().flat_map(|&label| [b'K', label]).collect();
    let rows = (labels.len() as u16).to_le_bytes();
    [
        b"\x80\x02}q\x00(".to_vec(),
        bytes(b"batch_label"),
        bytes(b"one"),
        bytes(key.as_bytes()),
        [b"]q\x01(".to_vec(), list, b"e".to_vec()].concat(),
        bytes(b"data"),
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85".to_vec(),
        [bytes(b"b"), b"\x87R(K\x01M".to_vec()].concat(),
        [rows.as_slice(), b"M\x00\x0c\x86cnumpy\ndtype\nX\x02\0\0\0u1K\x00K\x01\x87R".as_slice()].concat(),
        b"(K\x03X\x01\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89".to_vec(),
        [bytes(pixels), b"tbu.".to_vec()].concat(),
    ]
    .concat()
}

/// What torchvision and Keras leave on disk is read to the byte, and no instruction of it is trusted.
#[test]
fn the_python_version_of_cifar_is_read() {
    let pixels: Vec<u8> = (0..3 * 3072).map(|at| (at * 7 % 256) as u8).collect();
    for of_python_3 in [false, true] {
        let file = pickle(&[7, 0, 9], &pixels, "labels", of_python_3);
        let images = read_pickle(&file, Cifar::Ten, 10).unwrap();
        assert_eq!((images.shape, images.labels.as_slice()), ([3, 32, 32], [7, 0, 9].as_slice()));
        assert_eq!(images.pixels, pixels, "Python 3: {of_python_3}");
        assert!(read_pickle(&file, Cifar::Ten, 2).is_none(), "more than the original has");
        assert!(read_pickle(&file, Cifar::Hundred, 10).is_none());
        assert!((0..file.len()).step_by(97).all(|cut| read_pickle(&file[..cut], Cifar::Ten, 10).is_none()));
    }
    assert!(read_pickle(&pickle(&[10, 0, 9], &pixels, "labels", false), Cifar::Ten, 10).is_none());
    assert!(read_pickle(&pickle(&[1, 2], &pixels, "labels", false), Cifar::Ten, 10).is_none());
    // Lists within lists, so many that letting go of them one by one would take more stack than there is.
    for nested in [vec![0x85; 2_000_000], b"]a".repeat(1_000_000), b"(]t".repeat(1_000_000)] {
        let deep = [b"\x80\x02]".as_slice(), &nested, b"."].concat();
        assert!(read_pickle(&deep, Cifar::Ten, 10).is_none());
    }
    assert!(read_pickle(b"cos\nsystem\n(X\x04\0\0\0exittR.", Cifar::Ten, 10).is_none());

    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data/cifar-100-python");
    put(&folder.join("train"), &pickle(&[99, 0, 9], &pixels, "fine_labels", true));
    put(&folder.join("test"), &pickle(&[5], &pixels[..3072], "fine_labels", false));
    put(&folder.join("meta"), b"");
    let set = read(Source::Cifar100, root.path()).unwrap();
    assert_eq!((set.train.labels, set.test.labels, set.class_names[99].as_str()), (vec![99, 0, 9], vec![5], "99"));
}

proptest! {
    #[test]
    fn mutated_pickles_are_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        of_python_3: bool,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = pickle(&[7], &[200; 3072], "labels", of_python_3);
        // Half of the edits fall on what is not a pixel.
        for (at, (place, byte)) in edits.into_iter().enumerate() {
            let place = place.index(file.len());
            let place = if at % 2 == 0 { place % 250 } else { place };
            file[place] = byte;
        }
        file.truncate(cut.map_or(file.len(), |cut| cut.index(file.len())));
        if let Some(images) = read_pickle(&file, Cifar::Ten, 10) {
            prop_assert_eq!(images.pixels.len(), images.labels.len() * 3072);
        }
    }
}
