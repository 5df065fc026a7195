//! The sharpness at each step near a switch: against dense eigenvalues of the oracle's kernel, and without an effect on the run.

use burn::tensor::{Device, Tensor, TensorData};
use faer::MatRef;
use kernelscope::chart::curves::{Quantity, scale};
use kernelscope::chart::series_cache::series;
use kernelscope::data::prepare;
use kernelscope::math::Gram;
use kernelscope::math::spectrum::eigenvalues;
use kernelscope::model::Network;
use kernelscope::ntk::{Reduction, Request, jacobian};
use kernelscope::run::{Event, History, Metric, Row, StepSharpness};
use kernelscope::spec::{DataShape, Loss, Spec};

use super::gram::safetensors;
use super::run::{rows, timeless};
use super::{read_all, start, tiny};

/// Twelve steps an epoch; snapshots after every third step, and after every one in the epoch behind the switch.
fn near(steps: u64) -> Spec {
    let mut spec = tiny();
    spec.kernel.sharpness_steps = steps;
    spec
}

fn all(rows: &[Row]) -> Vec<StepSharpness> {
    rows.iter().flat_map(|row| row.sharpness.iter().copied()).collect()
}

#[test]
fn it_is_measured_after_each_step_near_a_switch_and_changes_nothing() {
    let (with, without) = (rows(near(5)), rows(near(0)));
    // Task 1 ends at step 24: five steps before, the switch itself, five after; on the probes of both tasks.
    let found = all(&with);
    let expected: Vec<(u64, usize)> = (19..=29).flat_map(|step| [(step, 1), (step, 2)]).collect();
    assert_eq!(found.iter().map(|one| (one.at_step, one.task)).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|one| (one.at_epoch.unwrap() - one.at_step as f64 / 12.0).abs() < 1e-12));
    // Each goes with the first row that is not before it; where that row has the number too, it is the same to the last bit.
    let mut both = 0;
    for pair in with.windows(2) {
        for one in pair[1].sharpness.iter() {
            assert!(pair[0].step < one.at_step && one.at_step <= pair[1].step);
            let own = &pair[1].blocks[one.task];
            if one.at_step == pair[1].step && own.sharpness.is_some() {
                assert_eq!((one.sharpness, one.sharpness_loss), (own.sharpness, own.sharpness_loss));
                both += 1;
            }
        }
    }
    assert_eq!(both, 2, "at the switch");
    // Everything else is what it is without.
    let bare: Vec<Row> = with.iter().map(|row| Row { sharpness: std::sync::Arc::default(), ..row.clone() }).collect();
    assert_eq!(bare, without);
    // The view draws them between the snapshots, in order.
    let mut history = History::default();
    for event in read_all(&start(near(5))) {
        history.push(event);
    }
    let chart = scale(&history, Quantity::linear(Metric::SharpnessLoss));
    let curve = series(&history, chart.curves[0].series);
    assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0), "{curve:?}");
    let of_first = found.iter().filter(|one| one.task == 1);
    for one in of_first {
        let point = (one.at_epoch.unwrap(), one.sharpness_loss.unwrap());
        assert!(curve.contains(&point), "{point:?} is not in {curve:?}");
    }
}

/// With one step an epoch every step ends one, and the rows have the numbers too.
#[test]
fn it_is_that_of_the_ends_of_epochs() {
    let mut spec = near(4);
    (spec.training.batch, spec.tasks.epochs) = (100_000, vec![6.0, 5.0]);
    for loss in [Loss::CrossEntropy, Loss::Mse] {
        spec.training.loss = loss;
        let rows = rows(spec.clone());
        let found = all(&rows);
        assert_eq!(found.len(), 2 * 9);
        for one in found {
            let row = rows.iter().find(|row| row.step == one.at_step).unwrap();
            let own = &row.blocks[one.task];
            assert_eq!(
                (one.sharpness, one.sharpness_loss),
                (own.sharpness, own.sharpness_loss),
                "step {}",
                one.at_step
            );
            assert_eq!(one.sharpness == one.sharpness_loss, loss == Loss::Mse);
        }
    }
}

/// η λ_max of the Gauss–Newton matrix of the cross-entropy, from the Jacobian of the last weights in f64 and all eigenvalues.
#[test]
fn it_is_the_largest_eigenvalue_of_the_gauss_newton_matrix() {
    let mut spec = near(3);
    // The run ends three steps behind the switch: its weights are those of the last line.
    (spec.tasks.steps, spec.training.rate, spec.network.width) = (vec![12, 3], 0.02, 16.into());
    let events = read_all(&start(spec.clone()));
    let weights = events
        .iter()
        .rev()
        .find_map(|event| if let Event::Weights(found) = event { Some(found.clone()) } else { None });
    let found = all(&timeless(events));
    let data = prepare(&spec).unwrap();
    let tensors = weights.unwrap().tensors.clone();
    let bytes = safetensors(tensors.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.values)));
    let (network, _) = Network::load(&spec.network, &[bytes], [1, 28, 28], &Device::flex()).unwrap();
    let pixels = TensorData::new(data.probes.pixels.clone(), [data.probes.len(), 784]);
    let probes = Tensor::<2>::from_data(pixels, &Device::flex());
    let kernel = jacobian::measure(&network, &probes, None, &Request::of(Reduction::Full), &|| false).unwrap().values;
    let outputs: Vec<f32> = network.forward(probes).into_data().iter::<f32>().collect();
    let width = 10 * data.probes.len();
    for (place, rows) in data.probes.blocks.iter().enumerate() {
        let (first, n) = (10 * rows.start, 10 * rows.len());
        // L with L Lᵀ = diag p − p pᵀ is diag √p − p √pᵀ, image by image.
        let p: Vec<f64> = outputs[first..first + n]
            .chunks(10)
            .flat_map(|row| {
                let parts: Vec<f64> = row.iter().map(|value| f64::from(*value).exp()).collect();
                let sum: f64 = parts.iter().sum();
                parts.into_iter().map(move |part| part / sum)
            })
            .collect();
        let root = faer::Mat::from_fn(n, n, |i, j| {
            let of_diagonal = if i == j { p[i].sqrt() } else { 0.0 };
            if i / 10 == j / 10 { of_diagonal - p[i] * p[j].sqrt() } else { 0.0 }
        });
        let theta = MatRef::from_row_major_slice(&kernel, width, width).submatrix(first, first, n, n);
        let product = root.transpose() * theta * &root;
        let values = (0..n * n).map(|at| product[(at / n, at % n)]).collect();
        let top = *eigenvalues(&Gram::symmetrised(n, values).unwrap().0).unwrap().last().unwrap();
        let expected = 0.02 * top / rows.len() as f64;
        let last = found.iter().rfind(|one| one.task == place + 1).unwrap();
        let told = last.sharpness_loss.unwrap();
        assert!(
            last.at_step == 15 && (told / expected - 1.0).abs() < 1e-4,
            "task {}: {told} and {expected}",
            place + 1
        );
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let refused = |setting: &[&str]| {
        let mut spec = near(5);
        setting.iter().for_each(|setting| spec.set(setting).unwrap());
        let found = spec.problems(&DataShape::expected(&spec));
        found.into_iter().find(|problem| problem.field == "kernel.sharpness_steps").map(|problem| problem.message)
    };
    assert_eq!(refused(&[]), None);
    assert!(refused(&["kernel.probes_per_class=30"]).unwrap().contains("3000 rows of at most 2560"));
    assert!(refused(&["kernel.method=jacobian"]).unwrap().contains("layer-wise"));
    assert!(refused(&["kernel.sharpness_steps=100000"]).unwrap().contains("up to 1000 steps"));
}
