//! Validates points of the plane in place of images, and the runs on them.
//!
//! The probes are separate from the training points, and each task that names a class has all of them.
//!
//! It adds the methods of [`Spec`] for this source, see `validate`.

use crate::math::plane::Plane;
use crate::spec::problem::problem;
use crate::spec::{DataShape, Problem, Spec, TaskKind};

/// Both sets of points have two classes.
pub const PLANE_CLASSES: usize = 2;

/// Number of points of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanePoints {
    /// Training points, beside the probes.
    pub training: usize,
    pub test: usize,
}

impl Spec {
    /// Returns the number of points of each class, as set or by default.
    pub fn plane_points(&self, plane: Plane) -> PlanePoints {
        let usual = match plane {
            Plane::Circle => 32,
            Plane::Disk => 128,
        };
        let or = |given: usize, usual: usize| if given == 0 { usual } else { given };
        PlanePoints { training: or(self.data.per_class, usual), test: or(self.data.test_per_class, 200) }
    }

    /// Returns the number of tasks of a `split` stream that name this class.
    pub fn sharing(&self, class: usize) -> usize {
        self.tasks.split_classes().iter().filter(|classes| classes.contains(&class)).count()
    }

    /// Returns the data shape of this set of points.
    pub(crate) fn plane_shape(&self, plane: Plane) -> DataShape {
        let points = self.plane_points(plane);
        let sharing = (0..PLANE_CLASSES).map(|class| self.sharing(class)).max().unwrap_or(0);
        let probes = self.kernel.probes_per_class.saturating_mul(sharing);
        DataShape {
            image: [1, 1, 2],
            classes: PLANE_CLASSES,
            outputs: PLANE_CLASSES,
            train_per_class: points.training.saturating_add(probes),
            test_per_class: points.test,
        }
    }

    /// Adds the problems that forbid a run on these points.
    pub(crate) fn plane_problems(&self, plane: Plane, found: &mut Vec<Problem>) {
        if self.network.program_for(&self.plane_shape(plane)).is_some_and(|program| program.has_windows()) {
            let message = "points of the plane are no images: take an mlp, a resmlp or an rnn";
            found.push(problem("network.program", message));
        }
        if self.tasks.kind != TaskKind::Split {
            let message = "points of the plane have no pixels to move and no groups of classes: take split tasks";
            found.push(problem("tasks.kind", message));
        }
        let points = self.plane_points(plane);
        if points.training > MOST_POINTS || points.test > MOST_POINTS {
            let field = if points.training > MOST_POINTS { "data.per_class" } else { "data.test_per_class" };
            found.push(problem(field, format!("there can be at most {MOST_POINTS} points of each class")));
        }
        let probes = self.kernel.probes_per_class;
        if plane == Plane::Disk && Plane::side(probes).is_none() {
            let message = format!(
                "the probes of the disk are a grid of k × k points, k²/2 of each class with k even, and {probes} is \
                 not such a number: take 32, 72, 128 or 200"
            );
            found.push(problem("kernel.probes_per_class", message));
        }
    }
}

/// Largest number of points; more give no further information.
const MOST_POINTS: usize = 100_000;
