//! The exclusive usage vector while it is being built, and how counts are read from a provider's usage object.

use schemas::{Flag, Meter, Metered, Quantity};
use smallvec::SmallVec;

use crate::json::{Json, Marks, NameSet, Object, quick_hash};
use crate::number;
use crate::problem::{Problem, Result};

/// Disjoint quantities by meter: those that were counted, each once, in any order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage(SmallVec<[Metered; 6]>);

impl PartialEq for Usage {
    fn eq(&self, other: &Self) -> bool {
        self.vector() == other.vector()
    }
}

impl Eq for Usage {}

impl Usage {
    pub(crate) fn get(&self, meter: Meter) -> Quantity {
        self.0.iter().find(|used| used.meter == meter).map_or(Quantity::ZERO, |used| used.quantity)
    }

    /// Adds whole units of a meter. Both sides are bounded by [`number::COUNT_MAX`], so sums stay far below overflow.
    #[inline]
    pub(crate) fn add(&mut self, meter: Meter, units: i64) {
        if units != 0 {
            self.add_quantity(meter, Quantity::from_units(units));
        }
    }

    /// Adds all of another vector.
    pub(crate) fn add_all(&mut self, other: &Usage) {
        for used in &other.0 {
            self.add_quantity(used.meter, used.quantity);
        }
    }

    /// Replaces a meter's whole units.
    pub(crate) fn set(&mut self, meter: Meter, units: i64) {
        self.0.retain(|used| used.meter != meter);
        self.add(meter, units);
    }

    pub(crate) fn add_quantity(&mut self, meter: Meter, quantity: Quantity) {
        match self.0.iter_mut().find(|used| used.meter == meter) {
            Some(used) => {
                let sum = used.quantity.checked_add(quantity);
                used.quantity = sum.expect("a record holds far fewer than 10^12 bounded counts");
            }
            None => self.0.push(Metered { meter, quantity }),
        }
    }

    /// True when nothing was counted, or nothing but zeros.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|used| used.quantity.is_zero())
    }

    /// Non-zero meters in registry order.
    pub(crate) fn vector(&self) -> Vec<Metered> {
        let mut vector: Vec<Metered> = self.0.iter().filter(|used| !used.quantity.is_zero()).cloned().collect();
        vector.sort_unstable_by_key(|used| used.meter as usize);
        vector
    }
}

/// A set of quality remarks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    pub(crate) fn set(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    pub(crate) fn clear(&mut self, flag: Flag) {
        self.0 &= !(1 << flag as u32);
    }

    pub(crate) fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    pub(crate) fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub(crate) fn list(self) -> Vec<Flag> {
        if self.0 == 0 {
            return Vec::new();
        }
        Flag::ALL.iter().filter(|flag| self.has(**flag)).copied().collect()
    }
}

/// Many names of one count. Most objects have none of them, which is told at once.
pub(crate) struct Aliases {
    names: &'static [&'static str],
    marks: Marks,
}

impl Aliases {
    pub(crate) const fn new(names: &'static [&'static str]) -> Self {
        let (mut marks, mut index) = (Marks::NONE, 0);
        while index < names.len() {
            marks = marks.with(quick_hash(names[index].as_bytes()));
            index += 1;
        }
        Aliases { names, marks }
    }
}

/// The counts of one usage object, with the path that problems name.
pub(crate) struct Counts<'o, 'a> {
    pub object: &'o Object<'a>,
    /// Path of the object it lies within, outermost first, and its own name there.
    outer: Option<&'o Counts<'o, 'a>>,
    name: &'o str,
}

impl<'o, 'a> Counts<'o, 'a> {
    pub(crate) fn new(object: &'o Object<'a>, path: &'o str) -> Self {
        Counts { object, outer: None, name: path }
    }

    /// The counts of an object within this one.
    pub(crate) fn within(&'o self, name: &'o str, object: &'o Object<'a>) -> Self {
        Counts { object, outer: Some(self), name }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let own = match self.outer {
            Some(outer) => outer.path(self.name),
            None => self.name.to_owned(),
        };
        if own.is_empty() { name.to_owned() } else { format!("{own}.{name}") }
    }

    /// A whole count; absent and null are `None`, which is not zero.
    #[inline]
    pub(crate) fn count(&self, name: &str) -> Result<Option<i64>> {
        // Most counts that are asked for are not there.
        if self.object.lacks(name) { Ok(None) } else { self.stated(name) }
    }

    fn stated(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.object.get(name) else { return Ok(None) };
        let text = value.number().ok_or_else(|| Problem::wrong_type(&self.path(name), value, "a whole number"))?;
        number::count(text).map(Some).map_err(|error| Problem::number(&self.path(name), value, error))
    }

    /// A whole count, absent meaning zero.
    #[inline]
    pub(crate) fn or_zero(&self, name: &str) -> Result<i64> {
        self.count(name).map(|count| count.unwrap_or(0))
    }

    /// A count that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<i64> {
        self.count(name)?.ok_or_else(|| Problem::missing(&self.path(name), "send the count, zero included"))
    }

    /// A quantity that may have a fraction (seconds).
    pub(crate) fn quantity(&self, name: &str) -> Result<Option<Quantity>> {
        let Some(value) = self.object.get(name) else { return Ok(None) };
        let text = value.number().ok_or_else(|| Problem::wrong_type(&self.path(name), value, "a number"))?;
        number::quantity(text).map(Some).map_err(|error| Problem::number(&self.path(name), value, error))
    }

    /// One count that different emitters spell differently. Present under several names it must be the same number:
    /// aliases are never added up.
    #[inline]
    pub(crate) fn alias(&self, names: &[&str]) -> Result<Option<i64>> {
        if names.iter().all(|name| self.object.lacks(name)) { Ok(None) } else { self.agreed(names) }
    }

    /// As [`Counts::alias`], of many names.
    #[inline]
    pub(crate) fn alias_of(&self, aliases: &Aliases) -> Result<Option<i64>> {
        if self.object.may_have_one(&aliases.marks) { self.agreed(aliases.names) } else { Ok(None) }
    }

    fn agreed(&self, names: &[&str]) -> Result<Option<i64>> {
        let mut found: Option<(&str, i64)> = None;
        for name in names {
            let Some(count) = self.count(name)? else { continue };
            match found {
                Some((first, other)) if other != count && other != 0 && count != 0 => {
                    let (first, name) = (self.path(first), self.path(name));
                    let message =
                        format!("{first} is {other} but {name}, the same count under another name, is {count}");
                    return Err(Problem::contradiction(&first, message));
                }
                Some((_, other)) if other != 0 => {}
                _ => found = Some((name, count)),
            }
        }
        Ok(found.map(|(_, count)| count))
    }

    /// True when the object holds a field that is neither known nor null nor zero.
    pub(crate) fn has_unknown(&self, known: &NameSet) -> bool {
        self.object.iter().any(|(name, value)| !matches!(value.text(), "0" | "0.0" | "null") && !known.contains(name))
    }

    /// A nested object.
    #[inline]
    pub(crate) fn inner(&self, name: &str) -> Result<Option<Object<'a>>> {
        let Some(value) = self.object.get(name) else { return Ok(None) };
        value.object().map(Some).ok_or_else(|| Problem::wrong_type(&self.path(name), value, "an object"))
    }
}

/// What is left of a total after some of its parts. Below zero the fields contradict each other.
pub(crate) fn rest(total: i64, total_field: &str, parts: &[(i64, &str)]) -> Result<i64> {
    let sum: i64 = parts.iter().map(|(count, _)| count).sum();
    if sum <= total {
        return Ok(total - sum);
    }
    let named: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{name} {count}")).collect();
    let message = format!("{total_field} is {total}, less than its parts: {}", named.join(" + "));
    Err(Problem::contradiction(total_field, message))
}

/// The text of an object, for [`schemas::UsageEvent::raw_usage`].
pub(crate) fn raw(value: Option<Json<'_>>) -> &str {
    value.map_or("", Json::text)
}
