//! Says of most keys that a file does not have them, without reading it.

/// Bits for each key: about one absent key in two hundred is looked for in vain.
const KEY_BITS: usize = 12;

/// Odd numbers that choose one bit in each word of a block.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// A split block Bloom filter, as Parquet has it: a key sets one bit in each of a block's eight words, so that a look
/// touches one line of cache. Keys are hashes already, and are not hashed again.
/// Source: <https://github.com/apache/parquet-format/blob/master/BloomFilter.md>, checked 2026-11-27.
#[derive(Debug)]
pub(super) struct Filter {
    blocks: Vec<[u32; 8]>,
}

impl Filter {
    /// An empty filter with room for so many keys.
    pub(super) fn with_room(keys: usize) -> Self {
        Filter { blocks: vec![[0; 8]; (keys * KEY_BITS).div_ceil(256).max(1)] }
    }

    /// The block follows the order of keys: what is written in order touches memory in order.
    fn block(&self, key: u128) -> usize {
        (((key >> 64) * self.blocks.len() as u128) >> 64) as usize
    }

    pub(super) fn insert(&mut self, key: u128) {
        let block = self.block(key);
        for (word, bit) in self.blocks[block].iter_mut().zip(bits(key)) {
            *word |= bit;
        }
    }

    /// False when the key was never inserted; true when it was, and seldom else.
    pub(super) fn may_hold(&self, key: u128) -> bool {
        let block = &self.blocks[self.block(key)];
        block.iter().zip(bits(key)).fold(0, |missing, (word, bit)| missing | (bit & !word)) == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * size_of::<[u32; 8]>()
    }
}

fn bits(key: u128) -> [u32; 8] {
    SALTS.map(|salt| 1 << ((key as u32).wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn every_key_is_found_and_few_others_are_looked_for() {
        let mut chance = StdRng::seed_from_u64(1);
        let keys: Vec<u128> = (0..20_000).map(|_| chance.random()).collect();
        let mut filter = Filter::with_room(keys.len());
        keys.iter().for_each(|key| filter.insert(*key));
        assert!(keys.iter().all(|key| filter.may_hold(*key)));
        let vain = (0..100_000).filter(|_| filter.may_hold(chance.random())).count();
        assert!(vain < 1_500, "{vain} of 100,000 absent keys");
    }
}
