//! Describes heat maps as data: square matrices on common colour scales.

/// Describes the heat maps of a figure, in rows, and their colour scales.
#[derive(Clone, Debug, Default)]
pub struct HeatMaps {
    pub title: String,
    /// The number of maps in a full row.
    pub columns: usize,
    pub rows: Vec<Vec<HeatMap>>,
    pub scales: Vec<ColourScale>,
    /// The text below the maps.
    pub note: String,
}

/// Describes the heat map of one matrix.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// The title above the map.
    pub title: String,
    pub n: usize,
    /// Row-major [n, n].
    pub values: Vec<f64>,
    /// The index of its colour scale.
    pub scale: usize,
    /// The numbers of the tasks along its edges, and how many rows each has.
    pub tasks: Vec<(usize, usize)>,
}

/// Describes the map from numbers to colours that several heat maps share.
#[derive(Clone, Debug)]
pub struct ColourScale {
    pub name: &'static str,
    /// Whether 0 is pale and lies in the middle.
    pub diverging: bool,
    pub range: (f64, f64),
}
