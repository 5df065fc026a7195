//! Builders of study sections for presets: one setting along several values, or several named variants.

use toml::Value;

use crate::spec::{StudySpec, Variant};

/// Seeds of a preset study: the fewest that show a spread.
pub(super) const SEEDS: [u64; 3] = [1, 2, 3];

/// Returns a study of one setting.
pub(super) fn along(axis: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Option<StudySpec> {
    let values = values.into_iter().map(Into::into).collect();
    Some(StudySpec { axis: axis.to_owned(), values, seeds: SEEDS.to_vec(), ..StudySpec::default() })
}

/// Returns a study of several variants, each with several settings.
pub(super) fn among(axis: &str, variants: &[(&str, &[&str])]) -> Option<StudySpec> {
    let variant = |(name, set): &(&str, &[&str])| Variant {
        name: (*name).to_owned(),
        set: set.iter().map(|setting| (*setting).to_owned()).collect(),
        values: Vec::new(),
    };
    let variants = variants.iter().map(variant).collect();
    Some(StudySpec { axis: axis.to_owned(), variants, seeds: SEEDS.to_vec(), ..StudySpec::default() })
}
