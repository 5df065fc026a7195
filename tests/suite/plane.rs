//! Points of the plane: where they lie, which class they are of, and that a run on them is a run like any other.

use std::collections::BTreeSet;
use std::f64::consts::PI;

use kernelscope::data::{Prepared, prepare};
use kernelscope::math::plane::Plane;
use kernelscope::run::Ending;
use kernelscope::spec::{DataShape, Spec, preset};

use super::run::rows;
use super::{ending, read_all, start};

fn of(name: &str, changes: &[&str]) -> Spec {
    let mut spec = preset(name).unwrap().spec();
    changes.iter().for_each(|change| spec.set(change).unwrap());
    spec
}

fn point(pixels: &[f32]) -> [f64; 2] {
    [f64::from(pixels[0]), f64::from(pixels[1])]
}

/// The probes of a task by class, as points.
fn probes(data: &Prepared, task: usize) -> Vec<([f64; 2], usize)> {
    let rows = data.probes.blocks[task].clone();
    rows.map(|row| (point(&data.probes.pixels[2 * row..][..2]), data.probes.labels[row])).collect()
}

#[test]
fn the_probes_of_the_circle_are_evenly_spread_and_know_their_class() {
    let data = prepare(&of("circle", &["kernel.probes_per_class=12", "seed=1"])).unwrap();
    let other = prepare(&of("circle", &["kernel.probes_per_class=12", "seed=2"])).unwrap();
    assert_eq!(
        (&data.probes, &data.set.train),
        (&other.probes, &other.set.train),
        "the seed is the run's, not the data's"
    );
    let probes = probes(&data, 0);
    let mut angles: Vec<f64> = probes.iter().map(|([x, y], _)| y.atan2(*x)).collect();
    angles.sort_by(f64::total_cmp);
    assert_eq!(angles.len(), 24);
    for (at, angle) in angles.iter().enumerate() {
        let expected = -PI + 2.0 * PI * (at as f64 + 0.5) / 24.0;
        assert!((angle - expected).abs() < 1e-6, "{angle} where {expected} was expected");
    }
    // An odd number cannot be spread evenly over two quadrants each, but every point still has its class.
    for count in [1, 7, 12] {
        let of_class = |class| Plane::Circle.probes(class, count).into_iter().map(move |point| (point, class));
        let all: Vec<([f64; 2], usize)> = of_class(0).chain(of_class(1)).collect();
        assert_eq!(all.len(), 2 * count);
        assert!(all.iter().all(|([x, y], class)| usize::from(x * y > 0.0) == *class), "{count}");
    }
    let images = &data.set.train;
    for (at, label) in images.labels.iter().enumerate() {
        let [x, y] = point(images.image(at));
        assert!((x.hypot(y) - 1.0).abs() < 1e-6 && usize::from(x * y > 0.0) == *label);
    }
}

#[test]
fn the_probes_of_the_disk_are_a_grid_whose_classes_are_the_sides_of_the_curve() {
    for (per_class, side) in [(2, 2), (18, 6), (32, 8), (72, 12), (128, 16), (200, 20)] {
        let spec = of("disk", &[&format!("kernel.probes_per_class={per_class}")]);
        let data = prepare(&spec).unwrap();
        assert_eq!(data.set.shape(), DataShape::expected(&spec));
        let probes = probes(&data, 0);
        // Rows and columns of the grid, each place once.
        let place = |x: f64| ((x + 1.0) * side as f64 / 2.0 - 0.5).round() as usize;
        let places: BTreeSet<[usize; 2]> = probes.iter().map(|([x, y], _)| [place(*x), place(*y)]).collect();
        assert_eq!(places.len(), side * side, "{side}");
        assert!(places.iter().flatten().all(|place| *place < side));
        for ([x, y], class) in &probes {
            let above = y - 0.5 * (PI * x).sin();
            assert!(above.abs() < 1e-6 || usize::from(above > 0.0) == *class, "({x}, {y}) is not of class {class}");
        }
        let task = data.stream.task(1);
        assert_eq!(task.train_len(), 256, "as many as asked for, beside the probes");
        for &index in task.train_indices() {
            let [x, y] = point(data.set.train.image(index));
            assert!(x.hypot(y) < 1.0 && !task.probes().contains(&index));
            assert_eq!(usize::from(y > 0.5 * (PI * x).sin()), data.set.train.labels[index]);
        }
    }
    let refused = of("disk", &["kernel.probes_per_class=16"]);
    let problems = refused.problems(&DataShape::expected(&refused));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("32, 72"), "{}", problems[0].message);
}

/// A stream of one task has no switch; one of a class each has one; tasks that share a class have the same grid.
#[test]
fn runs_on_points_are_runs() {
    let short = ["tasks.epochs=[3.0]", "network.width=32", "kernel.lag=1.0", "training.rate=0.05"];
    for name in ["circle", "disk"] {
        for classes in ["[[0,1]]", "[[0],[1]]", "[[0,1],[1,0]]"] {
            for kind in ["mlp", "resmlp", "rnn"] {
                let classes = format!("tasks.classes={classes}");
                let kind = format!("network.kind={kind}");
                let spec = of(name, &[&short[..], &[&classes, &kind]].concat());
                let data = prepare(&spec).unwrap();
                assert_eq!(data.set.shape(), DataShape::expected(&spec), "{name}, {classes}");
                if data.stream.tasks().len() == 2 && data.stream.task(1).classes().len() == 2 {
                    assert_eq!(probes(&data, 0), probes(&data, 1));
                }
                let events = read_all(&start(spec));
                assert!(matches!(ending(&events), Ending::Finished { .. }), "{name}, {classes}, {kind}");
            }
        }
    }
}

#[test]
fn a_network_learns_the_points() {
    for name in ["circle", "disk"] {
        let rows = rows(of(name, &["tasks.epochs=[120.0]", "kernel.probes_per_class=18"]));
        let losses: Vec<f64> = rows.iter().filter_map(|row| row.train_loss).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < first / 10.0, "{name}: from {first} to {last}");
    }
}
