//! The residual along the kernel's eigenvectors, and the kernel over points of the plane: against closed forms, symmetries and the
//! data themselves.

use std::f64::consts::PI;

use kernelscope::analysis::{GrowingResiduals, Outputs, Residuals, static_kernel_rate};
use kernelscope::chart::series_cache::{Key, SeriesCache, Window};
use kernelscope::chart::series_id::SeriesId;
use kernelscope::chart::{Figure, Format};
use kernelscope::data::prepare;
use kernelscope::math::modes::remaining_energy;
use kernelscope::math::plane::Plane;
use kernelscope::paint::render;
use kernelscope::run::{Event, History, RunInfo, angle_between, cell, grid, origin, profile};
use kernelscope::spec::{Loss, Parametrisation, Source, Spec, Width};

use super::{read_all, start, tiny};

fn history(spec: Spec) -> History {
    let mut history = History::default();
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    history
}

/// Full-batch descent on exactly the probes, by a network without end: nothing but the kernel decides.
fn full_batch() -> Spec {
    let mut spec = tiny();
    spec.tasks.classes = vec![(0..5).collect()];
    spec.tasks.epochs = vec![40.0];
    (spec.data.per_class, spec.kernel.probes_per_class, spec.kernel.train_on_probes) = (4, 4, true);
    (spec.training.loss, spec.training.batch, spec.training.rate) = (Loss::Mse, 64, 2.0);
    (spec.network.parametrisation, spec.network.width) = (Parametrisation::Ntk, Width::Infinite);
    (spec.kernel.per_epoch, spec.kernel.lag) = (1, 1.0);
    spec
}

fn residuals(history: &History) -> Residuals {
    GrowingResiduals::default().update(&Outputs::of(history).expect("a run")).expect("eigenvectors")
}

#[test]
fn a_residual_goes_mode_by_mode_as_the_standing_kernel_says() {
    // One output for each class, or one alone that says on which side of the middle the class is.
    modes_go_their_way(full_batch(), 10, |label, output| if label == output { 1.0 } else { 0.0 });
    let mut halves = full_batch();
    (halves.data.binary, halves.tasks.classes, halves.training.rate) = (true, vec![(3..8).collect()], 0.2);
    modes_go_their_way(halves, 1, |label, _| if label < 5 { -1.0 } else { 1.0 });
}

fn modes_go_their_way(spec: Spec, classes: usize, wanted: fn(usize, usize) -> f64) {
    let history = history(spec);
    let info = history.info().unwrap();
    let rate = static_kernel_rate(info).expect("all assumptions hold");
    let found = residuals(&history);
    assert_eq!(found.times.len(), 41);
    let n = info.probes.len();
    for (place, snapshot) in history.snapshots().iter().enumerate() {
        let outputs = &snapshot.outputs.as_ref().unwrap().network;
        assert_eq!(outputs.len(), n * classes);
        let target = |at: usize| wanted(info.probes[at / classes].label, at % classes);
        let whole: f64 = (0..n * classes).map(|at| (f64::from(outputs[at]) - target(at)).powi(2)).sum();
        let sum: f64 = found.energies[place].iter().sum();
        assert!((sum / whole - 1.0).abs() < 1e-9, "the modes share the residual: {sum} of {whole}");
    }
    let mut compared = 0;
    for (rank, &eigenvalue) in found.eigenvalues.iter().enumerate() {
        for (&(step, _), (_, share)) in found.times.iter().zip(found.left(rank)) {
            let expected = remaining_energy(rate, eigenvalue, n * classes, step as f64);
            // Outputs are told of in 32 bits: of the residual of a mode no more than that is left.
            assert!((share.sqrt() - expected.sqrt()).abs() < 2e-4, "mode {rank}, step {step}: {share} for {expected}");
            compared += usize::from(expected < 0.5);
        }
    }
    let least = if classes > 1 { 100 } else { 50 };
    assert!(compared > least, "{compared} of them had lost half");
}

#[test]
fn a_prediction_is_drawn_only_where_its_assumptions_hold() {
    let info = |change: &dyn Fn(&mut Spec)| {
        let mut spec = full_batch();
        spec.tasks.epochs = vec![1.0];
        change(&mut spec);
        RunInfo::clone(history(spec).info().unwrap())
    };
    assert!(static_kernel_rate(&info(&|_| ())).is_ok());
    let others: [&dyn Fn(&mut Spec); 4] = [
        &|spec| spec.training.batch = 8,
        &|spec| spec.training.momentum = 0.5,
        &|spec| spec.data.per_class = 5,
        &|spec| (spec.tasks.classes, spec.tasks.epochs) = (vec![vec![0, 1], vec![2, 3]], vec![1.0]),
    ];
    let said: Vec<&str> =
        others.iter().map(|change| static_kernel_rate(&info(change)).expect_err("one thing is otherwise")).collect();
    assert!((1..said.len()).all(|place| !said[..place].contains(&said[place])), "each says what: {said:?}");
}

/// A trajectory is what the outputs say, read while the run grows or at its end.
#[test]
fn trajectories_are_the_outputs() {
    let mut history = History::default();
    let grown = SeriesCache::default();
    let window = Window { from: 0.0, to: 3.0, pixels: 4000 };
    let key = Key { source: SeriesId::Output(None, 13, 6), log: false };
    for event in read_all(&start(tiny())) {
        let measured = matches!(event, Event::Snapshot(_));
        history.push(event);
        if measured {
            grown.visible(&history, key, window);
        }
    }
    let drawn: Vec<(f64, f64)> = grown.visible(&history, key, window).pieces.iter().flatten().copied().collect();
    let said = history.snapshots().iter().map(|snapshot| {
        let outputs = &snapshot.outputs.as_ref().unwrap().network;
        (snapshot.row.epoch, f64::from(outputs[13 * 10 + 6]))
    });
    assert_eq!(drawn, said.collect::<Vec<_>>());
}

#[test]
fn the_points_of_the_probes_are_the_data() {
    for (source, plane, per_class) in [(Source::Circle, Plane::Circle, 6), (Source::Disk, Plane::Disk, 8)] {
        let mut spec = tiny();
        (spec.data.source, spec.kernel.probes_per_class) = (source, per_class);
        (spec.tasks.classes, spec.tasks.epochs) = (vec![vec![0, 1], vec![1, 0]], vec![1.0]);
        let data = prepare(&spec).unwrap();
        let history = history(spec);
        let (found, points) = history.info().unwrap().plane().expect("points");
        assert_eq!(found, plane);
        let pixels: Vec<f32> = points.iter().flatten().map(|&x| x as f32).collect();
        assert_eq!(pixels, data.probes.pixels);
    }
    let mut spec = tiny();
    (spec.data.source, spec.kernel.probes_per_class) = (Source::Disk, 8);
    (spec.tasks.classes, spec.tasks.epochs) = (vec![vec![0, 1]], vec![1.0]);
    let record = history(spec);
    let (side, points) = grid(record.info().unwrap()).expect("a grid");
    let mut cells: Vec<(usize, usize)> = points.iter().map(|point| cell(*point, side)).collect();
    assert_eq!((side, cell([-0.9, 0.9], side), cell([0.9, -0.9], side)), (4, (0, 0), (3, 3)), "x to the right, y up");
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(cells.len(), 16, "every square has its point");
    assert!(Figure::Disk.is_of(&record) && !Figure::Circle.is_of(&record));
    let svg = String::from_utf8(render(&record, Figure::Disk, Format::Svg).unwrap()).unwrap();
    assert!(svg.contains("1. at epoch 0:") && svg.contains("6. at epoch 1.0:"));
    // The pictures are written in letters, which may happen to be these.
    let without_pictures: Vec<&str> = svg.split("base64,").map(|piece| piece.split_once('"').unwrap().1).collect();
    assert!(without_pictures.iter().all(|piece| !piece.contains("NaN")));
    assert!(history(tiny()).info().unwrap().plane().is_none());
}

/// Over the circle the kernel at infinite width depends on the angle alone, and falls with it.
#[test]
fn the_profile_of_the_limit_is_even_and_the_same_from_everywhere() {
    let mut spec = tiny();
    (spec.data.source, spec.kernel.probes_per_class) = (Source::Circle, 8);
    (spec.tasks.classes, spec.tasks.steps) = (vec![vec![0, 1]], vec![1]);
    (spec.network.parametrisation, spec.network.width) = (Parametrisation::Ntk, Width::Infinite);
    let history = history(spec);
    let (_, points) = history.info().unwrap().plane().unwrap();
    let gram = &history.snapshots()[0].gram;
    let from_here = profile(gram, &points, origin(&points));
    assert!(from_here.windows(2).all(|pair| pair[0].0 < pair[1].0), "in the order of the angle");
    let at = |profile: &[(f64, f64)], angle: f64| {
        profile.iter().find(|point| (point.0 - angle).abs() < 1e-9).map(|point| point.1).expect("a point there")
    };
    let most = at(&from_here, 0.0);
    for step in 1..8 {
        let angle = f64::from(step) * PI / 8.0;
        // The points themselves are in 32 bits.
        assert!((at(&from_here, angle) - at(&from_here, -angle)).abs() < 1e-6 * most);
        assert!(at(&from_here, angle) < at(&from_here, angle - PI / 8.0));
    }
    for from in 0..points.len() {
        let there = profile(gram, &points, from);
        assert!(there.iter().zip(&from_here).all(|(a, b)| (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-6 * most));
    }
    let [x, y] = points[origin(&points)];
    assert!(x > 0.9 && y.abs() < 0.3, "x₀ is near (1, 0)");
    assert_eq!(angle_between([1.0, 0.0], [-1.0, 0.0]), PI);
    assert!((angle_between([0.0, 1.0], [1.0, 0.0]) + PI / 2.0).abs() < 1e-15);
}
