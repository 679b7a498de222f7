//! A key for each of 2^32 leaves, made from one root, of which any can be destroyed: a puncturable pseudorandom function
//! (Goldreich, Goldwasser, Micali: <https://doi.org/10.1145/6490.6503>).
//!
//! `child = SHA-256(parent, index)`, four children a node, sixteen levels. Whoever has a node has every leaf beneath it
//! and, since the hash cannot be undone, none elsewhere. To destroy a leaf is to replace the node above it by the
//! siblings along the way.

use sha2::{Digest, Sha256};

/// Bytes of a key: 128 bits, as the pseudonyms have. Twice as many would double what forgetting costs.
pub(crate) const KEY_BYTES: usize = 16;

/// A root, a node or a leaf.
pub(crate) type Key = [u8; KEY_BYTES];

/// Levels beneath the root.
const LEVELS: u8 = 16;

/// Leaves of a whole tree.
const LEAVES: u64 = width(0);

/// Stands for a destroyed leaf in the encoding, where a node has its level.
const DESTROYED: u8 = 0xff;

/// What is still there of a tree: nodes that cover all of its leaves but the destroyed ones.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// By their first leaf.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Node {
    /// First leaf beneath it.
    first: u32,
    /// Levels beneath the root.
    level: u8,
    key: Key,
}

/// Leaves beneath a node of this level.
const fn width(level: u8) -> u64 {
    1 << (2 * (LEVELS - level))
}

/// Which child of a node of this level leads to a leaf.
fn turn(leaf: u32, level: u8) -> u8 {
    (leaf >> (2 * (LEVELS - 1 - level)) & 3) as u8
}

fn child(parent: &Key, index: u8) -> Key {
    let digest = Sha256::new().chain_update(b"spendstream/user").chain_update(parent).chain_update([index]).finalize();
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&digest[..KEY_BYTES]);
    key
}

impl Node {
    fn covers(&self, leaf: u32) -> bool {
        leaf >= self.first && u64::from(leaf - self.first) < width(self.level)
    }
}

impl Tree {
    /// A whole tree.
    pub(crate) fn new(root: Key) -> Self {
        Tree { nodes: vec![Node { first: 0, level: 0, key: root }] }
    }

    /// Whether nothing of it was destroyed.
    pub(crate) fn is_whole(&self) -> bool {
        self.nodes.len() == 1 && self.nodes[0].level == 0
    }

    /// Nodes held.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Place of the node above a leaf; `None` when the leaf is destroyed.
    fn above(&self, leaf: u32) -> Option<usize> {
        let at = self.nodes.partition_point(|node| node.first <= leaf).checked_sub(1)?;
        self.nodes[at].covers(leaf).then_some(at)
    }

    /// The key of a leaf; `None` when it is destroyed.
    pub(crate) fn leaf(&self, leaf: u32) -> Option<Key> {
        let node = self.nodes[self.above(leaf)?];
        Some((node.level..LEVELS).fold(node.key, |key, level| child(&key, turn(leaf, level))))
    }

    /// Destroys the key of a leaf; false when it was destroyed before.
    pub(crate) fn puncture(&mut self, leaf: u32) -> bool {
        let Some(at) = self.above(leaf) else { return false };
        let mut node = self.nodes[at];
        let (mut before, mut after) = (Vec::<Node>::new(), Vec::<Node>::new());
        while node.level < LEVELS {
            let level = node.level + 1;
            let way = turn(leaf, node.level);
            let children = (0..4).map(|index| {
                let first = node.first + u32::from(index) * width(level) as u32;
                Node { first, level, key: child(&node.key, index) }
            });
            let children: Vec<Node> = children.collect();
            before.extend(&children[..usize::from(way)]);
            // What comes after the leaf is met from the far end.
            after.extend(children[usize::from(way) + 1..].iter().rev());
            node = children[usize::from(way)];
        }
        before.extend(after.into_iter().rev());
        self.nodes.splice(at..=at, before);
        true
    }

    /// The nodes in order, each its level and its key, and a mark for each destroyed leaf: the same tree is the same bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.nodes.len() * (KEY_BYTES + 2));
        let mut next = 0;
        let destroyed = |out: &mut Vec<u8>, from: u64, to: u64| (from..to).for_each(|_| out.push(DESTROYED));
        for node in &self.nodes {
            destroyed(&mut out, next, u64::from(node.first));
            out.push(node.level);
            out.extend_from_slice(&node.key);
            next = u64::from(node.first) + width(node.level);
        }
        destroyed(&mut out, next, LEAVES);
        out
    }

    /// What [`Tree::encode`] made.
    ///
    /// # Errors
    /// When the nodes do not cover every leaf that is not destroyed, once.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let mut nodes = Vec::new();
        let mut next = 0;
        while let [level, rest @ ..] = bytes {
            bytes = rest;
            if *level == DESTROYED {
                next += 1;
                continue;
            }
            let Some((key, rest)) = bytes.split_first_chunk::<KEY_BYTES>() else { return Err("a key is cut off") };
            bytes = rest;
            if *level > LEVELS {
                return Err("a node is deeper than a tree is");
            }
            let first = u32::try_from(next).map_err(|_| "there are more leaves than a tree has")?;
            if next % width(*level) != 0 {
                return Err("a node stands where none can be");
            }
            nodes.push(Node { first, level: *level, key: *key });
            next += width(*level);
        }
        match next == LEAVES {
            true => Ok(Tree { nodes }),
            false => Err("some leaves are neither there nor destroyed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: Key = *b"sixteen byte key";

    fn punctured(leaves: &[u32]) -> Tree {
        let mut tree = Tree::new(ROOT);
        for leaf in leaves {
            tree.puncture(*leaf);
        }
        tree
    }

    /// Leaves that part from the way to this one at every level, and some from everywhere.
    fn others(leaf: u32) -> impl Iterator<Item = u32> {
        let near = (0..32).map(move |bit| leaf ^ (1 << bit));
        near.chain((0..64u32).map(move |n| leaf.wrapping_add(n.wrapping_mul(0x9e37_79b9) | 1)))
    }

    #[test]
    fn a_destroyed_leaf_is_gone_with_everything_above_it_and_every_other_leaf_is_what_it_was() {
        let whole = Tree::new(ROOT);
        for leaf in [0, 1, 0x1234_5678, 0x8000_0000, u32::MAX] {
            let tree = punctured(&[leaf]);
            assert_eq!((tree.leaf(leaf), tree.len()), (None, 48));
            for other in others(leaf) {
                assert_eq!(tree.leaf(other), whole.leaf(other), "{other:#x} beside {leaf:#x}");
            }
            let bytes = tree.encode();
            let mut key = ROOT;
            for level in 0..=LEVELS {
                assert!(!bytes.windows(KEY_BYTES).any(|window| window == key), "the key at level {level} is there");
                if level < LEVELS {
                    key = child(&key, turn(leaf, level));
                }
            }
            assert_eq!(Some(key), whole.leaf(leaf), "the keys looked for are those on the way to the leaf");
        }
    }

    proptest! {
        #[test]
        fn leaves_are_destroyed_in_any_order_and_more_than_once(
            mut leaves in prop::collection::vec(prop_oneof![any::<u32>(), 0..40u32], 1..40),
            other in any::<u32>(),
        ) {
            let tree = punctured(&leaves);
            for leaf in &leaves {
                prop_assert_eq!(tree.leaf(*leaf), None);
            }
            if !leaves.contains(&other) {
                prop_assert_eq!(tree.leaf(other), Tree::new(ROOT).leaf(other));
            }
            let decoded = Tree::decode(&tree.encode());
            prop_assert!(decoded.is_ok_and(|decoded| decoded == tree));
            leaves.reverse();
            leaves.push(leaves[0]);
            prop_assert!(punctured(&leaves) == tree);
        }

        #[test]
        fn bytes_that_are_no_tree_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(tree) = Tree::decode(&bytes) {
                prop_assert_eq!(tree.encode(), bytes);
            }
        }
    }

    #[test]
    fn a_damaged_tree_is_refused() {
        let bytes = punctured(&[7]).encode();
        let damaged = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            bytes
        };
        for (bytes, why) in [
            (Vec::new(), "some leaves are neither there nor destroyed"),
            (bytes[..bytes.len() - 1].to_vec(), "a key is cut off"),
            (bytes[..bytes.len() - 17].to_vec(), "some leaves are neither there nor destroyed"),
            ([bytes.clone(), vec![DESTROYED]].concat(), "some leaves are neither there nor destroyed"),
            ([bytes.clone(), bytes.clone()].concat(), "there are more leaves than a tree has"),
            (damaged(17, 3), "a node stands where none can be"),
            (damaged(0, 17), "a node is deeper than a tree is"),
        ] {
            assert_eq!(Tree::decode(&bytes).err(), Some(why));
        }
    }
}
