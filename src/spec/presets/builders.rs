//! What a ready-made study asks: one setting along its values, or a few settings side by side.

use toml::Value;

use crate::spec::{StudySpec, Variant};

/// Seeds of a ready-made study: the least that shows a spread.
pub(super) const SEEDS: [u64; 3] = [1, 2, 3];

/// A study of one setting.
pub(super) fn along(axis: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Option<StudySpec> {
    let values = values.into_iter().map(Into::into).collect();
    Some(StudySpec { axis: axis.to_owned(), values, seeds: SEEDS.to_vec(), ..StudySpec::default() })
}

/// A study of several settings at once.
pub(super) fn among(axis: &str, variants: &[(&str, &[&str])]) -> Option<StudySpec> {
    let variant = |(name, set): &(&str, &[&str])| Variant {
        name: (*name).to_owned(),
        set: set.iter().map(|setting| (*setting).to_owned()).collect(),
        values: Vec::new(),
    };
    let variants = variants.iter().map(variant).collect();
    Some(StudySpec { axis: axis.to_owned(), variants, seeds: SEEDS.to_vec(), ..StudySpec::default() })
}
