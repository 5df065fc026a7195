//! Data as people have them: pictures in a folder for each class, and NumPy archives.

use std::fs;
use std::path::{Path, PathBuf};

use kernelscope::data::{DataError, DataSet, load, prepare};
use kernelscope::spec::{DataSpec, Source, Spec};
use kernelscope::storage::write_arrays;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures").join(name)
}

fn spec(source: Source, path: &Path) -> DataSpec {
    let path = Some(path.to_owned());
    DataSpec { source, path, per_class: 0, test_per_class: 0, standardise: false, side: 8, ..DataSpec::default() }
}

fn read(source: Source, path: &Path) -> Result<DataSet, DataError> {
    load(&spec(source, path))
}

fn sentence(source: Source, path: &Path) -> String {
    let text = read(source, path).unwrap_err().to_string();
    assert!(!text.contains('\n') && !text.contains("os error"), "{text}");
    text
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(from, to).unwrap() }
    }
}

/// Pictures of several sizes and kinds are those that torchvision's transforms make of them, and an archive of these is read in the
/// order of their axes.
#[test]
fn pictures_are_those_of_torchvision() {
    let found = read(Source::ImageFolder, &fixture("set")).unwrap();
    let expected = read(Source::Npz, &fixture("squares.npz")).unwrap();
    assert_eq!((found.train.shape, found.class_names.join(" ")), ([3, 8, 8], "apple pear".to_owned()));
    assert!(found.notes.iter().any(|note| note.contains("1 files that are no .png")), "{:?}", found.notes);
    assert!(expected.notes[0].contains("channels last"), "{:?}", expected.notes);
    for (found, expected) in [(&found.train, &expected.train), (&found.test, &expected.test)] {
        assert_eq!((found.shape, &found.labels), (expected.shape, &expected.labels));
        for image in 0..found.len() {
            let pairs = found.image(image).iter().zip(expected.image(image));
            let off = 255.0 * pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            eprintln!("image {image} of {}: {off} greys", found.len());
            assert!(off < 2.01, "image {image} of {}: {off} greys", found.len());
        }
    }
    // The parts of a class that are kept are the first ones by name.
    let first = load(&DataSpec { per_class: 1, ..spec(Source::ImageFolder, &fixture("set")) }).unwrap();
    assert_eq!(first.train.labels, [0, 1]);
    assert_eq!(first.train.image(1), found.train.image(3));
}

#[test]
fn a_folder_of_classes_alone_is_divided_and_grey_pictures_have_one_channel() {
    let root = tempfile::tempdir().unwrap();
    for (class, picture) in [("a", "val/pear/d.png"), ("b", "train/pear/c.png")] {
        fs::create_dir(root.path().join(class)).unwrap();
        for number in 0..7 {
            fs::copy(fixture("set").join(picture), root.path().join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    let found = read(Source::ImageFolder, root.path()).unwrap();
    assert_eq!((found.train.shape, found.train.len()), ([1, 8, 8], 12));
    assert_eq!(found.test.labels, [0, 1]);
    assert!(found.notes.iter().any(|note| note.contains("every sixth")), "{:?}", found.notes);
}

#[test]
fn pictures_that_cannot_be_read_are_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("set");
    assert!(sentence(Source::ImageFolder, &folder).contains("is not a folder"));
    fs::create_dir(&folder).unwrap();
    assert!(sentence(Source::ImageFolder, &folder).contains("has no folders with pictures"));
    copy(&fixture("set"), &folder);
    assert!(sentence(Source::Idx, &folder).contains("set data.source=image-folder"));
    fs::write(folder.join("train/pear/z.png"), b"no picture").unwrap();
    assert!(sentence(Source::ImageFolder, &folder).contains("it is no PNG or JPEG"));
    let whole = fs::read(folder.join("train/apple/a.png")).unwrap();
    fs::write(folder.join("train/pear/z.png"), &whole[..whole.len() / 2]).unwrap();
    let text = sentence(Source::ImageFolder, &folder);
    assert!(text.contains("z.png") && text.contains("it is damaged"), "{text}");
    fs::rename(folder.join("train/pear/z.png"), folder.join("train/pear/z.webp")).unwrap();
    assert!(sentence(Source::ImageFolder, &folder).contains(".webp are not read"));
    fs::remove_file(folder.join("train/pear/z.webp")).unwrap();
    fs::rename(folder.join("val/pear"), folder.join("val/quince")).unwrap();
    assert!(sentence(Source::ImageFolder, &folder).contains("is a class of test pictures"));
}

/// Arrays of 24 images with pixel p of image i = i + p, in a shape, and their labels.
fn archive(path: &Path, names: [&str; 4], shape: &[usize], scale: f64, labels: &[f64]) {
    let size: usize = shape.iter().product();
    let dim = size / shape[0];
    let x: Vec<f64> = (0..size).map(|at| scale * (at / dim + at % dim) as f64).collect();
    let arrays = [
        (names[0].to_owned(), shape.to_vec(), &x[..]),
        (names[1].to_owned(), vec![labels.len()], labels),
        (names[2].to_owned(), shape.to_vec(), &x[..]),
        (names[3].to_owned(), vec![labels.len(), 1], labels),
    ];
    write_arrays(path, arrays).unwrap();
}

const KERAS: [&str; 4] = ["x_train", "y_train", "x_test", "y_test"];

#[test]
fn arrays_are_read_in_the_order_of_their_axes() {
    let root = tempfile::tempdir().unwrap();
    let labels: Vec<f64> = (0..24).map(|at| f64::from(at % 3)).collect();
    for (number, (shape, image)) in [
        (vec![24, 6], [1, 1, 6]),
        (vec![24, 7, 5], [1, 7, 5]),
        (vec![24, 3, 7, 5], [3, 7, 5]),
        (vec![24, 7, 6, 3], [3, 7, 6]),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = root.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        let medmnist = ["train_images", "train_labels", "test_images", "test_labels"];
        archive(&folder.join("x.npz"), if number == 1 { medmnist } else { KERAS }, &shape, -0.5, &labels);
        // These are floats, so they stay as they are.
        let set = read(Source::Npz, &folder).unwrap();
        assert_eq!((set.train.shape, set.class_names.len()), (image, 3));
        let [channels, height, width] = image;
        for (channel, place) in [(0, 0), (channels - 1, height * width - 1)] {
            let last = shape.len() == 4 && shape[3] == 3;
            let at = if last { place * channels + channel } else { channel * height * width + place };
            assert_eq!(set.train.image(4)[channel * height * width + place], -0.5 * (4 + at) as f32);
        }
        assert!(set.notes.iter().any(|note| note.contains("as they are")), "{:?}", set.notes);
        // The least is shown black and the most white.
        let bytes = set.thumbnails(&set.train.pixels);
        assert_eq!((bytes.iter().min(), bytes.iter().max()), (Some(&0), Some(&255)));
    }
}

#[test]
fn arrays_that_are_no_set_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("x.npz");
    let labels: Vec<f64> = (0..4).map(f64::from).collect();
    let refused = |names, shape: &[usize], scale, labels: &[f64]| {
        _ = fs::remove_file(&file);
        archive(&file, names, shape, scale, labels);
        sentence(Source::Npz, &file)
    };
    assert!(sentence(Source::Npz, root.path()).contains("file that ends in .npz"));
    assert!(refused(["x", "y", "z", "w"], &[4, 2], 1.0, &labels).contains("no array x_train"));
    assert!(refused(KERAS, &[3, 2], 1.0, &labels).contains("3 images and 4 labels"));
    assert!(refused(KERAS, &[4, 2], f64::NAN, &labels).contains("NaN in image 0"));
    assert!(refused(KERAS, &[4, 2, 2, 2, 2], 1.0, &labels).contains("shape"));
    for wrong in [-1.0, 0.5, 65_536.0] {
        assert!(refused(KERAS, &[4, 2], 1.0, &[0.0, 1.0, wrong, 1.0]).contains("at image 2"));
    }
    fs::copy(&file, root.path().join("y.npz")).unwrap();
    assert!(sentence(Source::Npz, root.path()).contains("several sets"));
}

/// With statistics of the first task its training images have mean 0 and deviation 1 in each channel, and the others do not.
#[test]
fn statistics_can_be_those_of_the_first_task() {
    let mut spec = Spec::default();
    spec.set("tasks.classes=[[0,1],[8,9]]").unwrap();
    spec.set("tasks.order=[2,1]").unwrap();
    spec.data.standardise_first = true;
    let data = prepare(&spec).unwrap();
    let moments = |classes: [usize; 2]| {
        let chosen = (0..data.set.train.len()).filter(|&at| classes.contains(&data.set.train.labels[at]));
        let values: Vec<f64> = chosen.flat_map(|at| data.set.train.image(at)).map(|&value| f64::from(value)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    };
    let (mean, variance) = moments([8, 9]);
    assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    let (mean, _) = moments([0, 1]);
    assert!(mean.abs() > 0.05, "{mean}");
    // What is shown is the same image.
    let usual = prepare(&Spec::default()).unwrap();
    assert_eq!(data.set.thumbnails(data.set.train.image(7)), usual.set.thumbnails(usual.set.train.image(7)));
}
