//! How budgets were kept: each by itself, and those of a team or business unit together.

use std::collections::BTreeMap;

use schemas::PICO;

use super::figures::{Line, Sums};
use super::measures::{Found, Measure};

/// Whose budgets, of which period of a quarter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    whose: Whose,
    /// `month` or `quarter`.
    period: String,
    /// Which month of the quarter, from 0; 0 for the quarter itself.
    place: u32,
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Budget { tenant: String, name: String, id: String },
    Team(String),
    BusinessUnit(String),
}

/// Budgets together. A budget of a part lies within the budget of the whole: where there is one of the whole, it alone counts.
#[derive(Debug, Default)]
struct Together {
    /// Those whose scope names nobody else, by tenant, and those of a part.
    whole: BTreeMap<String, Sum>,
    parts: BTreeMap<String, Sum>,
    /// `2026-10`.
    month: String,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    overspent: i128,
    amount: i128,
    budgets: i128,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.overspent = self.overspent.saturating_add(other.overspent);
        self.amount = self.amount.saturating_add(other.amount);
        self.budgets += other.budgets;
    }
}

impl Together {
    fn found(&self) -> Found {
        let mut all = Sum::default();
        let parts = self.parts.iter().filter(|(tenant, _)| !self.whole.contains_key(*tenant));
        self.whole.values().chain(parts.map(|(_, sum)| sum)).for_each(|sum| all.add(*sum));
        let of = all.budgets * PICO;
        Found { numerator: all.overspent, denominator: Some(all.amount), answered: of, of }
    }
}

fn kept(lines: &[Line]) -> BTreeMap<Kept, Together> {
    let mut kept: BTreeMap<Kept, Together> = BTreeMap::new();
    for line in lines {
        let sum = |name: &str| line.sums.get(name).copied().unwrap_or(0);
        let word = |name: &str| line.words.get(name).cloned().unwrap_or_default();
        let (period, day) = (word("period"), word("day_within"));
        let month = day.get(5..7).and_then(|month| month.parse::<u32>().ok()).unwrap_or(1);
        let place = if period == "month" { (month - 1) % 3 } else { 0 };
        let budget = Whose::Budget { tenant: word("tenant"), name: word("name"), id: word("budget_id") };
        let team = line.words.get("team").cloned().map(Whose::Team);
        let unit = line.words.get("business_unit").cloned().map(Whose::BusinessUnit);
        let names_both = team.is_some() && unit.is_some();
        let this = Sum { overspent: sum("overspent"), amount: sum("amount"), budgets: 1 };
        for (whose, is_part) in [(Some(budget), false), (team, names_both), (unit, names_both)] {
            let Some(whose) = whose else { continue };
            let key = Kept { whose, period: period.clone(), place, currency: word("currency") };
            let together = kept.entry(key).or_default();
            let into = if is_part { &mut together.parts } else { &mut together.whole };
            into.entry(word("tenant")).or_default().add(this);
            together.month = day.get(..7).unwrap_or_default().to_owned();
        }
    }
    kept
}

/// The measure: one figure for each budget and period, then for each team and each business unit that scopes name.
pub(super) fn measure(now: &Sums, then: &Sums) -> anyhow::Result<Measure> {
    let before = kept(&then.budgets);
    let mut figures = Vec::new();
    for (key, together) in kept(&now.budgets) {
        let previous = before.get(&key).map(Together::found).unwrap_or_default();
        let mut figure = together.found().figure("all".to_owned(), &previous)?;
        let whose = match &key.whose {
            Whose::Budget { name, id, .. } => format!("{name} ({id})"),
            Whose::Team(team) => format!("team {team}"),
            Whose::BusinessUnit(unit) => format!("business unit {unit}"),
        };
        figure.subject = Some(match key.period.as_str() {
            "month" => format!("{whose}, month of {}", together.month),
            period => format!("{whose}, {period}"),
        });
        figure.currency = Some(key.currency);
        figures.push(figure);
    }
    if figures.is_empty() {
        figures.push(Found::default().figure("all".to_owned(), &Found::default())?);
    }
    Ok(Measure {
        name: "budget_variance",
        definition: "What was spent above a budget (below it: negative), as a share of it. The newest state of each budget's \
                     months and quarter, each period by itself, and those together whose scopes name a team or a business unit. \
                     Where some name the business unit and no team, they alone are its budget, else those of its teams add up; \
                     likewise those of a team that name no business unit. Budgets of one scope that differ in other dimensions \
                     (environment, model) add up, also where they overlap. The quarter before: its quarter, or the month at the same place in it. A state is known \
                     from the moment it was written, by the clock on the wall: as of a day before data was fed with `--input` \
                     there is none.",
        unit: "share",
        numerator: "spent less budget",
        denominator: Some("budget"),
        coverage: "every budget with a state answers",
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(team: &str, day: &str, amount: i128, overspent: i128) -> Line {
        let words =
            [("tenant", "acme"), ("name", team), ("budget_id", team), ("team", team), ("business_unit", "retail")];
        let words = words.into_iter().chain([("period", "month"), ("day_within", day), ("currency", "USD")]);
        let sums = [("amount", amount * PICO), ("overspent", overspent * PICO)];
        Line {
            words: words.map(|(name, word)| (name.to_owned(), word.to_owned())).collect(),
            sums: sums.map(|(name, sum)| (name.to_owned(), sum)).into(),
        }
    }

    #[test]
    fn a_budget_within_another_is_not_counted_twice() {
        let without = |mut line: Line, dimension: &str, id: &str| {
            line.words.remove(dimension);
            line.words.insert("budget_id".to_owned(), id.to_owned());
            line.words.insert("name".to_owned(), id.to_owned());
            line
        };
        let of = |tenant: &str, mut line: Line| {
            line.words.insert("tenant".to_owned(), tenant.to_owned());
            line
        };
        let day = "2026-11-16";
        let quarter = |mut line: Line| {
            line.words.insert("period".to_owned(), "quarter".to_owned());
            line
        };
        let (whole, of_a) = (line("x", day, 1000, -500), line("a", day, 100, 20));
        let lines = [
            without(whole.clone(), "team", "unit"),
            quarter(without(whole, "team", "unit")),
            of_a.clone(),
            line("b", day, 300, -120),
            without(line("a", day, 200, 0), "business_unit", "a-alone"),
            // Another tenant's business unit has no budget of its own: its teams' are counted.
            of("other", line("a", day, 100, 100)),
        ];
        let said: Vec<String> = kept(&lines)
            .into_iter()
            .filter(|(key, _)| !matches!(key.whose, Whose::Budget { .. }))
            .map(|(key, together)| {
                let Found { numerator, denominator, answered, .. } = together.found();
                let [over, amount, budgets] = [numerator, denominator.unwrap(), answered].map(|sum| sum / PICO);
                format!("{:?} {}: {over} of {amount} in {budgets}", key.whose, key.period)
            })
            .collect();
        assert_eq!(
            said,
            [
                "Team(\"a\") month: 100 of 300 in 2",
                "Team(\"b\") month: -120 of 300 in 1",
                "BusinessUnit(\"retail\") month: -400 of 1100 in 2",
                "BusinessUnit(\"retail\") quarter: -500 of 1000 in 1",
            ]
        );
    }

    #[test]
    fn budgets_of_a_business_unit_add_up_beside_the_same_month_of_the_quarter_before() {
        let now = [line("a", "2026-11-16", 100, 20), line("b", "2026-11-16", 300, -120)];
        let then = [line("a", "2026-08-16", 100, 50), line("a", "2026-07-16", 100, 90)];
        let sums = |budgets: &[Line]| Sums { budgets: budgets.to_vec(), ..Sums::default() };
        let measure = measure(&sums(&now), &sums(&then)).unwrap();
        let said = measure
            .figures
            .iter()
            .map(|figure| (figure.subject.as_deref().unwrap(), figure.value.as_str(), figure.previous.as_str()));
        let said = said.collect::<Vec<_>>();
        assert_eq!(
            said,
            [
                ("a (a), month of 2026-11", "0.2", "0.5"),
                ("b (b), month of 2026-11", "-0.4", "no coverage"),
                ("team a, month of 2026-11", "0.2", "0.5"),
                ("team b, month of 2026-11", "-0.4", "no coverage"),
                ("business unit retail, month of 2026-11", "-0.25", "0.5"),
            ]
        );
    }
}
