//! The conditions of one SKU, laid out so that a call is checked against all of them at once.

use smallvec::SmallVec;

use super::{Condition, Context, NONE};

/// Distinct conditions of one SKU, numbered.
#[derive(Debug, Default)]
pub(crate) struct ConditionSet {
    each: Vec<Condition>,
    /// Dimensions some of them look at, one bit each.
    looks_at: u16,
    /// One for each of those dimensions.
    tables: Vec<Table>,
    /// Those that also ask for a size or a time, one bit each.
    beyond: u128,
}

/// Which conditions the values of one dimension meet, one bit each.
#[derive(Debug)]
struct Table {
    dimension: usize,
    /// Values some condition names, and none.
    named: SmallVec<[(u32, u128); 4]>,
    /// All other values.
    other: u128,
}

impl ConditionSet {
    /// Most conditions there may be.
    pub const MAX: usize = u128::BITS as usize;

    /// The number of a condition, which is added if it is new.
    pub fn number(&mut self, condition: Condition) -> usize {
        self.each.iter().position(|known| *known == condition).unwrap_or_else(|| {
            self.looks_at |= condition.looks_at;
            self.each.push(condition);
            self.each.len() - 1
        })
    }

    /// Makes the tables, once all conditions are there.
    pub fn complete(&mut self) {
        let dimensions = (0..super::DIMENSIONS).filter(|dimension| self.looks_at & (1 << dimension) != 0);
        self.tables = dimensions.map(|dimension| Table::new(dimension, &self.each)).collect();
        self.beyond = bits(&self.each, |condition| condition.band.is_some() || condition.hours.is_some());
    }

    /// Dimensions some condition looks at, one bit each.
    pub fn looks_at(&self) -> u16 {
        self.looks_at
    }

    /// The conditions that a call in this context meets, one bit each.
    #[inline]
    pub fn met(&self, context: &Context<'_>) -> u128 {
        let mut met = self.tables.iter().fold(u128::MAX, |met, table| met & table.of(context.values[table.dimension]));
        let mut beyond = met & self.beyond;
        while beyond != 0 {
            let number = beyond.trailing_zeros();
            if !self.each[number as usize].holds_beyond(context) {
                met &= !(1 << number);
            }
            beyond &= beyond - 1;
        }
        met
    }
}

impl std::ops::Index<u8> for ConditionSet {
    type Output = Condition;

    fn index(&self, number: u8) -> &Condition {
        &self.each[usize::from(number)]
    }
}

impl Table {
    fn new(dimension: usize, conditions: &[Condition]) -> Self {
        let mut values: SmallVec<[u32; 8]> =
            conditions.iter().flat_map(|one| &one.allowed[dimension]).copied().collect();
        values.push(NONE);
        values.sort_unstable();
        values.dedup();
        let meeting = |value: u32| bits(conditions, |condition| condition.allows(dimension, value));
        let named = values.into_iter().map(|value| (value, meeting(value))).collect();
        Table { dimension, named, other: meeting(super::UNKNOWN) }
    }

    #[inline]
    fn of(&self, value: u32) -> u128 {
        self.named.iter().find(|(named, _)| *named == value).map_or(self.other, |(_, met)| *met)
    }
}

fn bits(conditions: &[Condition], wanted: impl Fn(&Condition) -> bool) -> u128 {
    conditions
        .iter()
        .take(ConditionSet::MAX)
        .enumerate()
        .fold(0, |bits, (number, condition)| bits | u128::from(wanted(condition)) << number)
}
