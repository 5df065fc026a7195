//! Lists the variants of an enum as an array.

/// Returns the variants that `strum` lists as a slice, as an array of its length; `N` is that length, as in
/// `pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS)`.
///
/// It is evaluated by the compiler, which refuses another `N`.
pub(crate) const fn variants<T: Copy, const N: usize>(slice: &[T]) -> [T; N] {
    *slice.as_array().expect("N is the length of the slice")
}
