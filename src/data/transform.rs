//! Transforms a task's images: by nothing, by a permutation of pixels, or by a rotation.
//!
//! A transform is a table of source pixels, applied when images are read, so that ten permuted tasks do not store ten
//! copies of a data set. Both kinds commute with standardisation, because the weights of a pixel sum to one including the
//! share of the black background: rotating standardised images with standardised black equals rotating first.

use rand::seq::SliceRandom as _;

use crate::math::rng::{Stream, rng};

/// The source pixels of a plane; the same for every channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Transform {
    Identity,
    /// Pixel p is the pixel `.0[p]` of the original.
    Permuted(Vec<u32>),
    /// Each pixel is a weighted mean of up to four others and the background.
    Rotated(Vec<BilinearSource>),
}

/// The sources of one pixel, with their bilinear weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BilinearSource {
    sources: [(u32, f32); 4],
    /// Weight of the background.
    outside: f32,
}

impl Transform {
    /// Returns a random permutation of `pixels` places, for this task and seed.
    pub fn permuted(seed: u64, task: usize, pixels: usize) -> Self {
        let mut places: Vec<u32> = (0..pixels as u32).collect();
        places.shuffle(&mut rng(seed, Stream::Permutation, task as u64, 0));
        Self::Permuted(places)
    }

    /// Returns a rotation about the centre, counter-clockwise on the screen, bilinear. Right angles of a square are exact.
    pub fn rotated(degrees: f64, height: usize, width: usize) -> Self {
        let angle = degrees.rem_euclid(360.0);
        if angle == 0.0 {
            return Self::Identity;
        }
        let (sin, cos) = angle.to_radians().sin_cos();
        let centre = [(height - 1) as f64 / 2.0, (width - 1) as f64 / 2.0];
        let places = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let taps = places.map(|(row, column)| {
            let (down, right) = (row as f64 - centre[0], column as f64 - centre[1]);
            let source = [centre[0] + sin * right + cos * down, centre[1] + cos * right - sin * down];
            BilinearSource::at(source.map(snap), height, width)
        });
        Self::Rotated(taps.collect())
    }

    /// Appends one transformed plane; `background` is the value of black in this channel.
    pub fn extend(&self, plane: &[f32], background: f32, into: &mut Vec<f32>) {
        match self {
            Self::Identity => into.extend_from_slice(plane),
            Self::Permuted(places) => into.extend(places.iter().map(|&place| plane[place as usize])),
            Self::Rotated(taps) => into.extend(taps.iter().map(|tap| {
                let inside: f32 = tap.sources.iter().map(|&(place, weight)| weight * plane[place as usize]).sum();
                inside + tap.outside * background
            })),
        }
    }
}

impl BilinearSource {
    /// Returns the bilinear weights at a position (row, column) between pixels.
    fn at([row, column]: [f64; 2], height: usize, width: usize) -> Self {
        let mut tap = Self::default();
        let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        for (source, (down, right)) in tap.sources.iter_mut().zip(corners) {
            let (near_row, near_column) = (row.floor() + down, column.floor() + right);
            let weight = ((1.0 - (row - near_row).abs()) * (1.0 - (column - near_column).abs())) as f32;
            let inside = |place: f64, size: usize| place >= 0.0 && place < size as f64;
            if inside(near_row, height) && inside(near_column, width) {
                *source = ((near_row as usize * width + near_column as usize) as u32, weight);
            } else {
                tap.outside += weight;
            }
        }
        tap
    }
}

/// Rounds a position: a sine of 10⁻¹⁷ instead of zero must not blur a rotation by a right angle over two pixels.
fn snap(place: f64) -> f64 {
    if (place - place.round()).abs() < 1e-9 { place.round() } else { place }
}
