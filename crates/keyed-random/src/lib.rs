#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

/// Output number `idx` of SplitMix64 started from the state `key`: 64 random bits for each pair.
///
/// A bijection of the key, so different keys, even adjacent ones, give different numbers. Source: Steele, Lea
/// and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014.
#[inline]
#[must_use]
pub fn splitmix64(key: u64, idx: u64) -> u64 {
    let mut z = skip(key, idx.wrapping_add(1));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The state after `n` outputs: `splitmix64(skip(key, n), idx)` is `splitmix64(key, n + idx)`.
#[inline]
#[must_use]
pub fn skip(key: u64, n: u64) -> u64 {
    key.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The key of a run.
#[must_use]
pub fn seed_key(seed: u64) -> u64 {
    splitmix64(seed, 0)
}

/// The key of the child `name` of the item with the key `parent`.
#[must_use]
pub fn child_key(parent: u64, name: &str) -> u64 {
    name.bytes().fold(splitmix64(parent, 0), |key, byte| splitmix64(key ^ u64::from(byte), 0))
}

/// The key of draw number `draw` of `consumer` in a step. The elements of the draw are [`splitmix64`] of it.
#[must_use]
pub fn draw_key(consumer: u64, step: u64, draw: u64) -> u64 {
    splitmix64(splitmix64(consumer ^ splitmix64(step, 0), 0) ^ draw, 0)
}

/// A uniform number in [0, 1), a multiple of 2⁻²⁴, from the top 24 of 64 random bits.
#[inline]
#[must_use]
pub fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 * (1.0 / (1 << 24) as f32)
}

/// The 64-bit FNV-1a hash of empty input; [`hash_words`] starts from it.
pub const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// The 64-bit FNV-1a hash of a name's UTF-8 bytes.
#[must_use]
pub fn hash_name(name: &str) -> u64 {
    hash_words(HASH_START, name.bytes().map(u64::from))
}

/// Extends a hash by `words`, each processed as FNV-1a processes a byte.
///
/// Source: Fowler, Noll and Vo, <https://datatracker.ietf.org/doc/html/rfc9923>.
#[must_use]
pub fn hash_words(hash: u64, words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(hash, |hash, word| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(feature = "generator")]
mod generator;
#[cfg(feature = "generator")]
pub use generator::{generator, substream};

#[cfg(test)]
mod tests {
    use super::*;

    /// The published first outputs from the state 0 (as in `java.util.SplittableRandom`).
    #[test]
    fn splitmix64_is_the_published_one() {
        let published = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([0, 1, 2].map(|idx| splitmix64(0, idx)), published);
        // A key is a state, so the stream continues from each.
        assert_eq!(splitmix64(0x9e37_79b9_7f4a_7c15, 1), published[2]);
        assert_eq!([1, 2].map(|n| splitmix64(skip(0, n), 0)), published[1..]);
    }

    /// Recorded once: a change here changes every run with dropout.
    #[test]
    fn keys_are_those_on_record() {
        let consumer = child_key(child_key(seed_key(7), "head"), "dropout");
        assert_eq!(
            [seed_key(7), consumer, draw_key(consumer, 3, 1)],
            [7_191_089_600_892_374_487, 12_438_586_561_249_413_329, 7_785_501_898_083_901_967]
        );
    }

    #[test]
    fn units_are_below_one() {
        assert_eq!([0, 1 << 40, u64::MAX].map(unit), [0.0, f32::EPSILON / 2.0, 1.0 - f32::EPSILON / 2.0]);
    }

    /// The authors' test vectors.
    #[test]
    fn the_hash_is_fnv_1a() {
        for (name, hash) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(hash_name(name), hash, "{name:?}");
        }
        assert_eq!(
            hash_words(hash_name("foo"), [u64::from(b'b'), u64::from(b'a'), u64::from(b'r')]),
            hash_name("foobar")
        );
    }
}
