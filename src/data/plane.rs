//! Creates points of the plane as images of one row and two pixels, so that all code for images applies to them.
//!
//! The first images of each class are the probes of the tasks, one task's after the other's; the training points follow.
//! Nothing is standardised: the points are those of the networks in the literature.

use super::{DataSet, Images, Scaling};
use crate::math::plane::{Plane, Point, PointSplit};
use crate::spec::{PLANE_CLASSES, Spec};

/// Builds the set of this spec.
pub(super) fn set(plane: Plane, spec: &Spec) -> DataSet {
    let counts = spec.plane_points(plane);
    let training = |class: usize| {
        let mut points = plane.probes(class, spec.kernel.probes_per_class).repeat(spec.sharing(class));
        points.extend(plane.points(class, counts.training, PointSplit::Training));
        points
    };
    let (name, class_names) = match plane {
        Plane::Circle => ("circle", ["x₁x₂ < 0", "x₁x₂ > 0"]),
        Plane::Disk => ("disk", ["below", "above"]),
    };
    DataSet {
        name: name.to_owned(),
        class_names: class_names.map(str::to_owned).into(),
        train: images(training),
        test: images(|class| plane.points(class, counts.test, PointSplit::Test)),
        // Maps −1 to black and 1 to white.
        scaling: Scaling { mean: vec![0.5], std: vec![0.5] },
        notes: Vec::new(),
    }
}

fn images(points: impl Fn(usize) -> Vec<Point>) -> Images {
    let of_class = |class: usize| points(class).into_iter().map(move |point| (point, class));
    let (points, labels): (Vec<Point>, Vec<usize>) = (0..PLANE_CLASSES).flat_map(of_class).unzip();
    let pixels = points.into_iter().flatten().map(|x| x as f32).collect();
    Images { shape: [1, 1, 2], pixels, labels, values: Vec::new() }
}
