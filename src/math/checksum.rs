//! The FNV-1a hash (Fowler, Noll and Vo; RFC 9923) of 64 bits, by which a file is known again. It finds accidents and no malice.

/// The hash of nothing.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Computes the hash of these bytes one after the other, as 16 hexadecimal digits.
pub fn fnv1a<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    let hash = parts.into_iter().flatten().fold(BASIS, step);
    format!("{hash:016x}")
}
