//! `kernelscope gram --blocks`: the bits of the kernel in memory, after a kill too; other processes and other kernels in its way;
//! eigenvalues against the dense solver.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kernelscope::math::spectrum::eigenvalues;
use kernelscope::math::{Gram, lanczos};
use kernelscope::spec::Activation;
use kernelscope::storage::BrokenDisk;
use proptest::prelude::*;

use super::cli::{kernelscope, text};
use super::gram::{Bench, inputs, weights};
use super::wait_until;

/// A folder with weights of an MLP and so many inputs.
fn bench(count: usize) -> Bench {
    let bench = Bench::new();
    bench.file("w.safetensors", &weights("mlp", Activation::Relu, "max"));
    bench.file("x.safetensors", &inputs(count, 3));
    bench
}

const FILES: &str = "--arch mlp_relu --weights {}/w.safetensors --inputs {}/x.safetensors";

fn matrix(path: &Path) -> (Vec<u64>, Vec<f64>) {
    let bytes = fs::read(path).unwrap();
    let array = npyz::NpyFile::new(&bytes[..]).unwrap();
    (array.shape().to_vec(), array.into_vec().unwrap())
}

/// The number of blocks that a stopped call has noted.
fn noted(folder: &Path) -> usize {
    fs::read_to_string(folder.join("k.npy.partial/done.txt")).map_or(0, |text| text.lines().count())
}

#[test]
fn blocks_are_the_kernel_to_the_last_bit() {
    for (arch, kind, activation, pool) in
        [("mlp_relu", "mlp", Activation::Relu, "max"), ("cnn_maxpool", "cnn", Activation::Relu, "max")]
    {
        let bench = Bench::new();
        bench.file("w.safetensors", &weights(kind, activation, pool));
        bench.file("x.safetensors", &inputs(50, 3));
        bench.file("y.safetensors", &inputs(41, 4));
        let files = format!("--arch {arch} --weights {{}}/w.safetensors --inputs {{}}/x.safetensors");
        for reduction in ["trace", "full", "sum-logits"] {
            for columns in ["", " --inputs2 {}/y.safetensors"] {
                let line = format!("{files} --reduction {reduction}{columns} --memory 64KiB");
                let whole = bench.kernels(&line);
                bench.gram(&format!("{line} --blocks --out {{}}/k.npy")).unwrap();
                let (shape, values) = matrix(&bench.path("k.npy"));
                assert_eq!(shape, whole[reduction].0, "{line}");
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&values), bits(&whole[reduction].1), "{line}");
                assert!(!bench.path("k.npy.partial").exists(), "{line}");
                fs::remove_file(bench.path("k.npy")).unwrap();
            }
        }
    }
}

/// The program on blocks small enough that there are many.
fn start(bench: &Bench) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kernelscope"));
    let files = FILES.replace("{}/", "");
    let rest = "--memory 256KiB --threads 1 --blocks --out k.npy";
    command.current_dir(bench.folder.path()).args(format!("gram --device cpu {files} {rest}").split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_kernel_survives_a_kill_and_others_wait_for_it() {
    let bench = bench(800);
    let line = format!("{FILES} --memory 256KiB");
    bench.gram(&format!("{line} --blocks --out {{}}/whole.npy")).unwrap();
    let folder = bench.folder.path();
    let mut child = start(&bench);
    wait_until("three blocks are done", || noted(folder) >= 3);
    // It stands still meanwhile: on a busy machine it would be done before it is asked for.
    #[cfg(unix)]
    assert!(Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap().success());
    let said = bench.gram(&format!("{line} --blocks --out {{}}/k.npy")).unwrap_err().to_string();
    assert!(said.contains("is being written by another Kernelscope"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    let done = noted(folder);
    assert!(!bench.path("k.npy").exists() && done < 66, "it was killed after {done} blocks");
    // What a kill leaves behind of a line and of a block counts for nothing.
    let list = bench.path("k.npy.partial/done.txt");
    fs::write(&list, fs::read_to_string(&list).unwrap() + "65").unwrap();
    let mut second = start(&bench);
    wait_until("it goes on", || noted(folder) > done || bench.path("k.npy").exists());
    assert!(second.wait().unwrap().success());
    assert!(fs::read(bench.path("k.npy")).unwrap() == fs::read(bench.path("whole.npy")).unwrap(), "bytes differ");
    assert!(!bench.path("k.npy.partial").exists());
}

#[test]
fn no_write_that_fails_spoils_the_kernel() {
    let bench = bench(45);
    let line = format!("{FILES} --memory 64KiB --blocks");
    bench.gram(&format!("{line} --out {{}}/whole.npy")).unwrap();
    let whole = fs::read(bench.path("whole.npy")).unwrap();
    let mut failed = 0;
    for good in 0.. {
        let out = format!("{line} --out {{}}/k.npy");
        let disk = BrokenDisk::after(bench.folder.path(), good);
        let first = bench.gram(&out);
        drop(disk);
        match first {
            Ok(()) => break,
            Err(err) => assert!(err.to_string().contains("the disk is full"), "{good}: {err}"),
        }
        failed += 1;
        // The last write of all is the name of the whole array.
        if !bench.path("k.npy").exists() {
            bench.gram(&out).unwrap_or_else(|err| panic!("{good}: {err}"));
        }
        assert!(fs::read(bench.path("k.npy")).unwrap() == whole, "{good}");
        fs::remove_file(bench.path("k.npy")).unwrap();
    }
    assert!(failed > 15, "{failed} writes");
}

#[test]
fn blocks_of_another_kernel_are_not_continued() {
    let bench = bench(70);
    let line = format!("{FILES} --blocks --out {{}}/k.npy");
    let disk = BrokenDisk::after(bench.folder.path(), 20);
    bench.gram(&format!("{line} --memory 64KiB")).unwrap_err();
    drop(disk);
    assert!(noted(bench.folder.path()) > 0);
    let refused = |line: &str| {
        let said = bench.gram(line).unwrap_err().to_string();
        assert!(said.contains("blocks of another kernel"), "{line}: {said}");
        said
    };
    assert!(refused(&format!("{line} --memory 32KiB")).contains("its blocks differ"));
    assert!(refused(&format!("{line} --memory 64KiB --reduction sum-logits")).contains("its reduction differs"));
    bench.file("x.safetensors", &inputs(70, 4));
    assert!(refused(&format!("{line} --memory 64KiB")).contains("its inputs differ"));
    bench.gram(&format!("{line} --memory 64KiB --overwrite")).unwrap();
    let own = bench.kernels(&format!("{FILES} --memory 64KiB"));
    assert_eq!(matrix(&bench.path("k.npy")).1, own["trace"].1);
    let said = bench.gram(&format!("{FILES} --blocks --out {{}}/other.npz")).unwrap_err().to_string();
    assert!(said.contains("let the name"), "{said}");
    let said = bench.gram(&line).unwrap_err().to_string();
    assert!(said.contains("exists"), "{said}");
}

#[test]
fn eigenvalues_come_with_bounds() {
    let bench = bench(120);
    let files = FILES.replace("{}/", "");
    for rest in ["--blocks --out k.npy", ""] {
        let line = format!("gram --device cpu {files} --memory 64KiB {rest} --eigenvalues 7");
        let done = kernelscope(bench.folder.path(), &line.split_whitespace().collect::<Vec<_>>());
        assert!(done.status.success(), "{}", text(&done.stderr));
        let table = text(&done.stdout);
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("number,eigenvalue,bound"));
        let rows: Vec<[f64; 3]> = lines
            .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap())
            .collect();
        assert_eq!(rows.len(), 7);
        let (_, values) = matrix(&bench.path("k.npy"));
        let dense = eigenvalues(&Gram::symmetrised(120, values).unwrap().0).unwrap();
        for ([number, found, bound], expected) in rows.into_iter().zip(dense.iter().rev()) {
            assert!((found - expected).abs() <= bound + 1e-12 * dense[119], "{number}: {found} ± {bound}, {expected}");
            assert!(bound <= 1e-9 * dense[119], "{number}: ± {bound}");
        }
    }
}

proptest! {
    /// Of eigenvalues that lie close together, too, and with a limit of steps that is met.
    #[test]
    fn the_leading_eigenvalues_are_those_of_the_dense_solver(
        a in proptest::collection::vec(-2.0f64..2.0, 30 * 30),
        power in 0i32..6,
        count in 1usize..12,
    ) {
        let entry = |at: usize| (0..30).map(|k| {
            a[at / 30 * 30 + k] * a[at % 30 * 30 + k] * (-f64::from(power) * k as f64 / 10.0).exp()
        }).sum();
        let gram = Gram::symmetrised(30, (0..900).map(entry).collect()).unwrap().0;
        let dense = eigenvalues(&gram).unwrap();
        let apply = |vector: &[f64], product: &mut [f64]| {
            gram.multiply(vector, product);
            Ok::<(), std::io::Error>(())
        };
        let found = lanczos::leading(30, count, apply).unwrap().unwrap();
        prop_assert_eq!(found.len(), count);
        for (found, expected) in found.iter().zip(dense.iter().rev()) {
            prop_assert!((found.value - expected).abs() <= found.residual + 1e-12 * dense[29], "{:?} {}", found, expected);
            prop_assert!(found.residual <= 1e-9 * dense[29]);
        }
    }
}
