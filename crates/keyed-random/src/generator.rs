//! Keyed random streams.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// ChaCha with 8 rounds and a key of four words, such as a seed and the hash of a name. Its stream is the
/// same on every machine.
#[must_use]
pub fn generator(key: [u64; 4]) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(key) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(bytes)
}

/// Stream number `idx` with the key of `base`, from its start, regardless of earlier draws from `base`. The
/// streams do not overlap.
#[must_use]
pub fn substream(base: &ChaCha8Rng, idx: u64) -> ChaCha8Rng {
    let mut rng = base.clone();
    rng.set_stream(idx);
    rng.set_word_pos(0);
    rng
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::Rng;

    use super::*;

    /// The ChaCha8 keystream for an all-zero key (draft-strombergson-chacha-test-vectors-01, TC1).
    #[test]
    fn the_generator_is_chacha8() {
        assert_eq!(generator([0; 4]).next_u32().to_le_bytes(), [0x3e, 0x00, 0xef, 0x2f]);
    }

    /// Recorded once: a change here changes every run.
    #[test]
    fn the_streams_are_those_on_record() {
        let mut base = generator([7, 3, u64::from_le_bytes(*b"order\0\0\0"), 0]);
        assert_eq!([0; 2].map(|_| base.next_u32()), [3_245_408_233, 3_495_720_692]);
        assert_eq!(substream(&base, 0).next_u32(), 3_245_408_233);
        assert_ne!(substream(&base, 1).next_u32(), 3_245_408_233);
    }

    #[test]
    fn each_word_of_the_key_matters() {
        let first = |key| generator(key).next_u64();
        for word in 0..4 {
            let mut key = [0; 4];
            key[word] = 1;
            assert_ne!(first(key), first([0; 4]), "word {word}");
        }
    }
}
