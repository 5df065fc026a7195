//! Describes heat maps as data: square matrices on common colour scales.

/// Heat maps in rows, and their colour scales.
#[derive(Clone, Debug, Default)]
pub struct HeatMaps {
    pub title: String,
    /// How many stand in a full row.
    pub columns: usize,
    pub rows: Vec<Vec<HeatMap>>,
    pub scales: Vec<ColourScale>,
    /// What stands below them.
    pub note: String,
}

/// One matrix.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// What stands above it.
    pub title: String,
    pub n: usize,
    /// Row-major [n, n].
    pub values: Vec<f64>,
    /// The index of its colour scale.
    pub scale: usize,
    /// The numbers of the tasks along its edges, and how many rows each has.
    pub tasks: Vec<(usize, usize)>,
}

/// The map from numbers to colours that several heat maps share.
#[derive(Clone, Debug)]
pub struct ColourScale {
    pub name: &'static str,
    /// Whether 0 is pale and lies in the middle.
    pub diverging: bool,
    pub range: (f64, f64),
}
