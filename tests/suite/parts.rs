//! The parts of a kernel (layers, sets of logits, blocks between tasks) and how sharply the loss curves: against the oracle,
//! against dense eigenvalues, and as a run tells of them against its own Grams.

use super::{FIVE, sized};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use faer::{Mat, Side};
use kernelscope::math::spectrum::eigenvalues;
use kernelscope::math::{Gram, lanczos, rng};
use kernelscope::model::Network;
use kernelscope::ntk::{FullKernel, Kernel, MeasuredKernels, PartKind, Reduction, Request, jacobian, layerwise};
use kernelscope::run::{Block, Event, Logits, Row, Snapshot};
use kernelscope::spec::{Loss, NetworkSpec, Parametrisation, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions};
use proptest::prelude::*;

use super::{read_all, start, tiny};

fn noise(n: usize, inputs: usize, seed: u64) -> Tensor<2> {
    let mut generator = rng::rng(seed, rng::Stream::Init, 77, 0);
    let values: Vec<f32> = (0..n * inputs).map(|_| generator.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, [n, inputs]), &Device::flex())
}

fn gap(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let gap: f64 = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
    gap.sqrt()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn sum<'a>(parts: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    parts.fold(Vec::new(), |sum, part| {
        if sum.is_empty() { part.clone() } else { sum.iter().zip(part).map(|(a, b)| a + b).collect() }
    })
}

/// Each kind of network × {unblocked, blocked}: parts by layer and set of logits, from both implementations.
#[test]
fn layers_and_sets_of_logits_are_the_oracles_and_sum_to_the_whole() {
    let settings = [("depth", 2), ("blocks", 1), ("heads", 2), ("patch", 4)];
    let images = noise(6, 128, 3);
    for kind in FIVE {
        let spec = NetworkSpec { width: 8.into(), ..sized(kind, &settings) };
        let network = Network::new(&spec, 7, [2, 8, 8], 4, &Device::flex());
        let plain = Request::of(Reduction::Trace);
        let oracle = |request: &Request| jacobian::measure(&network, &images, None, request, &|| false).unwrap();
        let whole = oracle(&plain).values;
        let full = oracle(&Request::of(Reduction::Full));
        let sets = vec![vec![2, 0, 1], vec![3]];
        for memory in [plain.memory, 40_000, 1] {
            let request = Request { apart: PartKind::Layers, logits: sets.clone(), memory, ..plain.clone() };
            let found = layerwise::measure(&network, &images, None, &request, &|| false).unwrap();
            let slow = oracle(&request);
            let close = |what: &str, found: &[f64], expected: &[f64]| {
                let gap = gap(found, expected) / norm(&whole);
                assert!(gap < 1e-5, "{kind:?}, {memory} B, {what}: {gap:e}");
            };
            close("the whole", &found.values, &whole);
            close("the sum of the parts", &sum(found.parts.iter().map(|part| &part.1)), &found.values);
            assert_eq!(found.parts.len(), slow.parts.len());
            let per_set = found.parts.len() / 2;
            for (place, (name, part)) in found.parts.iter().enumerate() {
                assert_eq!(*name, found.parts[place % per_set].0, "the same layers for each set");
                let of_set = &slow.parts[place / per_set * per_set..][..per_set];
                let expected = &of_set.iter().find(|(layer, _)| layer == name).expect("a layer of the oracle").1;
                close(name, part, expected);
            }
            let measured = MeasuredKernels::new(found, &request, None);
            for (layer, part) in &measured.parts {
                let only = Some(vec![layer.to_string()]);
                close(layer, part, &oracle(&Request { only, ..plain.clone() }).values);
            }
            for (set, part) in sets.iter().zip(&measured.logits) {
                let at = |i: usize, j: usize, c: usize| full.values[(i * 4 + c) * 24 + j * 4 + c];
                let mean = |at_: usize| set.iter().map(|&c| at(at_ / 6, at_ % 6, c)).sum::<f64>() / set.len() as f64;
                close("a set of logits", part, &(0..36).map(mean).collect::<Vec<_>>());
            }
            // Tensor by tensor, from which the layers are made.
            let request = Request { apart: PartKind::Tensors, ..request };
            let found = layerwise::measure(&network, &images, None, &request, &|| false).unwrap();
            let by_tensor = MeasuredKernels::new(found, &request, None);
            for (tensor, part) in &by_tensor.parts {
                let only = Some(vec![tensor.to_string()]);
                close(tensor, part, &oracle(&Request { only, ..plain.clone() }).values);
            }
            let named = network.named();
            let names: Vec<&str> = named.iter().map(|tensor| tensor.name.as_str()).collect();
            assert_eq!(by_tensor.parts.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), names);
            close("the sum of the tensors", &sum(by_tensor.parts.iter().map(|(_, part)| part)), &by_tensor.trace);
            let weighted = |at: usize| 0.75 * measured.logits[0][at] + 0.25 * measured.logits[1][at];
            close("the weighted mean of the sets", &measured.trace, &(0..36).map(weighted).collect::<Vec<_>>());
        }
    }
}

/// A random positive semi-definite matrix A Aᵀ of a rank that may be lower than its size.
fn kernels(n: usize, rank: usize) -> impl Strategy<Value = Gram> {
    proptest::collection::vec(-2.0f64..2.0, n * rank).prop_map(move |a| {
        let entry = |at: usize| (0..rank).map(|k| a[at / n * rank + k] * a[at % n * rank + k]).sum();
        Gram::symmetrised(n, (0..n * n).map(entry).collect()).unwrap().0
    })
}

/// A matrix whose first eigenvector has hardly any part in the start vector: the iteration meets a small residual at the second
/// eigenvalue, 0.5 % lower.
#[test]
fn a_start_vector_without_the_first_eigenvector_does_not_end_at_the_second() {
    const N: usize = 96;
    for part in [1e-2, 1e-3, 1e-4] {
        let value = |place: usize| match place {
            0 => 1.0,
            1 => 0.995,
            place => 0.8 * (1.0 - place as f64 / N as f64).powi(3),
        };
        let mut along = [((1.0 - part * part) / (N - 1) as f64).sqrt(); N];
        along[0] = part;
        let mut mirror: Option<Vec<f64>> = None;
        let found = lanczos::largest(N, |vector, product| {
            // A reflection takes the start vector, which is the first to be multiplied, to the wanted parts.
            let mirror = mirror.get_or_insert_with(|| {
                let gap: Vec<f64> = vector.iter().zip(along).map(|(own, part)| own - part).collect();
                let norm = gap.iter().map(|value| value * value).sum::<f64>().sqrt();
                gap.iter().map(|value| value / norm).collect()
            });
            let reflect = |vector: &[f64]| -> Vec<f64> {
                let along: f64 = mirror.iter().zip(vector).map(|(a, b)| a * b).sum();
                vector.iter().zip(mirror.iter()).map(|(value, part)| value - 2.0 * along * part).collect()
            };
            let mut inner = reflect(vector);
            inner.iter_mut().enumerate().for_each(|(place, number)| *number *= value(place));
            product.copy_from_slice(&reflect(&inner));
        });
        let found = found.expect("found");
        assert!((found - 1.0).abs() < lanczos::TOLERANCE, "{found} where the part is {part}");
    }
}

proptest! {
    #[test]
    fn the_largest_eigenvalue_is_that_of_the_dense_solver(a in kernels(24, 24), b in kernels(24, 3), copies in 1usize..5) {
        for gram in [a, b] {
            let expected = *eigenvalues(&gram).unwrap().last().unwrap();
            // Several times over, as the full kernel of several logits is.
            let n = gram.len();
            let found = lanczos::largest(n * copies, |vector, product| {
                for (vector, product) in vector.chunks_exact(n).zip(product.chunks_exact_mut(n)) {
                    gram.multiply(vector, product);
                }
            });
            let found = found.expect("found");
            prop_assert!((found / expected - 1.0).abs() < lanczos::TOLERANCE, "{} against {}", found, expected);
            prop_assert!(found <= expected * (1.0 + 1e-12));
        }
    }

    #[test]
    fn the_coupling_of_two_blocks_is_between_0_and_1(a in kernels(9, 9), rank in 1usize..4) {
        let norm = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| a.frobenius_of(rows, columns);
        let square: f64 = [(0..4, 0..4), (0..4, 4..9), (4..9, 0..4), (4..9, 4..9)].map(|(r, c)| norm(r, c).powi(2)).iter().sum();
        prop_assert!((square.sqrt() / a.frobenius() - 1.0).abs() < 1e-12, "the blocks make the whole");
        for gram in [a.clone(), a.block(0..2 * rank)] {
            let (n, half) = (gram.len(), gram.len() / 2);
            let own = (gram.frobenius_of(0..half, 0..half) * gram.frobenius_of(half..n, half..n)).sqrt();
            let coupling = gram.frobenius_of(0..half, half..n) / own;
            prop_assert!((0.0..=1.0 + 1e-12).contains(&coupling), "{}", coupling);
        }
    }
}

fn full(kernel: Kernel) -> FullKernel {
    FullKernel::from(kernel)
}

/// λ_max(ΘH) as that of LᵀHL with Θ = LLᵀ, which the code does not use.
fn dense(
    full: &FullKernel,
    images: std::ops::Range<usize>,
    classes: usize,
    second: impl Fn(usize, usize, usize) -> f64,
) -> f64 {
    let n = images.len() * classes;
    let index = |at: usize| (images.start + at / classes, at % classes);
    let mut theta = Mat::from_fn(n, n, |row, column| full.at(index(row), index(column)));
    let jitter = 1e-9 * theta[(0, 0)];
    (0..n).for_each(|at| theta[(at, at)] += jitter);
    let factor = theta.llt(Side::Lower).unwrap();
    let lower = factor.L();
    let h = Mat::from_fn(n, n, |row, column| {
        let ((i, c), (j, d)) = (index(row), index(column));
        if i == j { second(i, c, d) } else { 0.0 }
    });
    let product = lower.transpose() * h * lower;
    let values = (0..n * n).map(|at| product[(at / n, at % n)]).collect();
    *eigenvalues(&Gram::symmetrised(n, values).unwrap().0).unwrap().last().unwrap()
}

#[test]
fn sharpness_is_that_of_dense_eigenvalues() {
    let spec = NetworkSpec { width: 64.into(), ..sized("mlp", &[("depth", 2)]) };
    let network = Network::new(&spec, 3, [1, 3, 4], 5, &Device::flex());
    let images = noise(7, 12, 9);
    let kernel = layerwise::measure(&network, &images, None, &Request::of(Reduction::Full), &|| false).unwrap();
    let full = full(kernel);
    let outputs: Vec<f32> = network.forward(images).into_data().iter::<f32>().map(|value| 3.0 * value).collect();
    for block in [0..7, 2..6] {
        let n = block.len() as f64;
        let one = |_: usize, c: usize, d: usize| if c == d { 1.0 / (5.0 * n) } else { 0.0 };
        let (found, expected) = (full.sharpness(block.clone()).unwrap(), dense(&full, block.clone(), 5, one));
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} against {expected}");
        let p = |i: usize, c: usize| {
            let row: Vec<f64> = outputs[i * 5..][..5].iter().map(|value| f64::from(*value).exp()).collect();
            row[c] / row.iter().sum::<f64>()
        };
        let of_softmax = |i: usize, c: usize, d: usize| (if c == d { p(i, c) } else { 0.0 } - p(i, c) * p(i, d)) / n;
        let found = full.sharpness_of_cross_entropy(block.clone(), &outputs).unwrap();
        let expected = dense(&full, block.clone(), 5, of_softmax);
        assert!((found / expected - 1.0).abs() < 1e-4, "cross-entropy: {found} against {expected}");
    }
}

/// What the number is for: full-batch descent on a wide network falls just below 2 and rises just above.
#[test]
fn two_is_where_full_batch_descent_begins_to_rise() {
    let network =
        NetworkSpec { width: 2048.into(), parametrisation: Parametrisation::Ntk, ..sized("mlp", &[("depth", 1)]) };
    let mut spec = Spec { network, ..Spec::default() };
    spec.training.loss = Loss::Mse;
    let images = noise(6, 12, 11);
    let pixels: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
    let labels = [0, 1, 2, 3, 4, 0];
    let after = |sharpness: f64| {
        let mut learner = NetworkTrainer::new(&spec, [1, 3, 4], 5, &Device::flex());
        let full = learner.kernel(&images, true, &|| false).unwrap().full.unwrap();
        let rate = sharpness / full.sharpness(0..6).unwrap();
        (0..30).map(|_| learner.step(&pixels, &labels, &StepOptions::at(rate), false).loss).collect::<Vec<f64>>()
    };
    let below = after(1.9);
    assert!(below.windows(2).all(|pair| pair[1] < pair[0]), "below 2 each step lowers the loss: {below:?}");
    // The other directions fall first; a network that goes on finds flatter ground, and the loss falls again.
    let above = after(2.1);
    let least = above[..8].iter().copied().fold(f64::INFINITY, f64::min);
    assert!(above[8..].iter().any(|loss| *loss > 1.3 * least), "above 2 it rises: {above:?}");
}

fn snapshots(spec: Spec) -> Vec<Arc<Snapshot>> {
    let snapshot = |event| if let Event::Snapshot(snapshot) = event { Some(snapshot) } else { None };
    read_all(&start(spec)).into_iter().filter_map(snapshot).collect()
}

fn block(row: &Row, task: usize) -> &kernelscope::run::BlockMetrics {
    row.blocks.iter().find(|metrics| metrics.block == Block::Task(task)).unwrap()
}

/// What a run tells of its parts, against its own Grams.
#[test]
fn a_run_tells_of_layers_pairs_and_logits_what_its_grams_have() {
    let spec = tiny();
    for snapshot in snapshots(spec) {
        let (row, n) = (&snapshot.row, 20);
        let squares = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            rows.flat_map(|r| columns.clone().map(move |c| (r, c)))
                .map(|(r, c)| snapshot.gram[r * n + c].powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let [pair] = row.cross[..] else { panic!("two tasks have one pair") };
        let (one, other, between) = (squares(0..10, 0..10), squares(10..20, 10..20), squares(0..10, 10..20));
        assert_eq!((pair.task, pair.other), (1, 2));
        assert!((pair.frobenius.unwrap() / between - 1.0).abs() < 1e-12);
        let coupling = pair.coupling.unwrap();
        assert!((coupling - between / (one * other).sqrt()).abs() < 1e-12 && (0.0..=1.0).contains(&coupling));
        for task in [1, 2] {
            let whole = block(row, task);
            let trace = whole.trace.unwrap();
            let probe = row.accuracy[task - 1].probe;
            assert_eq!(probe.is_some(), whole.alignment_full.is_some(), "where the dearer numbers are");
            assert!(probe.is_none_or(|accuracy| (0.2..=1.0).contains(&accuracy)), "{probe:?}: better than chance");
            let layers: Vec<_> = row.layers.iter().filter(|layer| layer.task == task).collect();
            assert_eq!(layers.iter().map(|layer| &*layer.layer).collect::<Vec<_>>(), ["fc1", "fc2", "fc3"]);
            assert!((layers.iter().map(|layer| layer.share.unwrap()).sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(layers.iter().all(|layer| layer.velocity.is_some() == whole.velocity.is_some()));
            let tensors: Vec<_> = row.tensors.iter().filter(|tensor| tensor.task == task).collect();
            for (pair, layer) in tensors.chunks(2).zip(&layers) {
                let names = [format!("{}.weight", layer.layer), format!("{}.bias", layer.layer)];
                assert_eq!(pair.iter().map(|tensor| &*tensor.tensor).collect::<Vec<_>>(), names);
                let [weight, bias, both] = [pair[0].share, pair[1].share, layer.share].map(Option::unwrap);
                assert!((weight + bias - both).abs() < 1e-12);
            }
            // The gradient of the logits with respect to the last bias is the same for all images: nothing in it can turn.
            let (last, others) = tensors.split_last().unwrap();
            assert!(last.velocity.is_none());
            assert!(others.iter().all(|tensor| tensor.velocity.is_some() == whole.velocity.is_some()));
            // What is carried for the picture is what was told of.
            assert_eq!(snapshot.tensors.len(), tensors.len());
            let mut sum = vec![0.0; n * n];
            for (gram, told) in snapshot.tensors.iter().zip(&tensors) {
                assert_eq!(gram.tensor, told.tensor);
                let gram = gram.unpack(n).unwrap();
                sum.iter_mut().zip(&gram).for_each(|(sum, value)| *sum += value);
                let rows = 10 * (task - 1)..10 * task;
                let share = rows.map(|at| gram[at * n + at]).sum::<f64>() / trace;
                let of = told.share.unwrap();
                assert!((share - of).abs() < 1e-6, "{}: {share} against {of}", told.tensor);
            }
            assert!(gap(&sum, &snapshot.gram) < 1e-6 * norm(&snapshot.gram));
            let logits: Vec<_> = row.logits.iter().filter(|logits| logits.task == task).collect();
            assert_eq!(logits.iter().map(|logits| logits.logits).collect::<Vec<_>>(), [Logits::Old, Logits::New]);
            // Five classes each, so the trace of the whole is their mean.
            let mean = logits.iter().map(|logits| logits.trace.unwrap()).sum::<f64>() / 2.0;
            assert!((mean / trace - 1.0).abs() < 1e-9, "{mean} against {trace}");
            assert!(logits.iter().all(|logits| logits.lambda_max.is_some_and(|value| value <= logits.trace.unwrap())));
            let sharp = [whole.sharpness, whole.sharpness_loss];
            assert!(sharp.iter().all(|value| value.is_some() == whole.alignment_full.is_some()), "{sharp:?}");
            // ‖H‖ ≤ ½ for cross-entropy, and 1/C for the squared error.
            assert!(sharp[0].zip(sharp[1]).is_none_or(|(plain, loss)| loss > 0.0 && loss <= 0.5 * 10.0 * plain));
        }
        assert!(row.blocks[0].sharpness.is_none(), "of tasks only");
    }
    // Where task 1 has all classes there are no others, and where the kernel is of their sum none of them stands alone.
    for change in ["tasks.kind=permuted", "kernel.reduction=sum-logits"] {
        let mut spec = tiny();
        spec.set(change).unwrap();
        assert!(
            snapshots(spec).iter().all(|snapshot| snapshot.row.logits.is_empty() && !snapshot.row.layers.is_empty())
        );
    }
}
