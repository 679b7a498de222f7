//! How budgets were kept: each by itself, and those of a team or business unit together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use schemas::PICO;

use super::figures::{Line, Sums};
use super::measures::{Found, Measure};

/// Whose budgets, of which period of a quarter. The same team of two tenants is two teams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    whose: Whose,
    tenant: String,
    /// `month` or `quarter`.
    period: String,
    /// Which month of the quarter, from 0; 0 for the quarter itself.
    place: u32,
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Budget { name: String, id: String },
    Team(String),
    BusinessUnit(String),
}

/// What spend a budget is about: each dimension with the value it must have, null for what has none.
type Scope = BTreeMap<String, Option<String>>;

/// True when everything of the inner scope is in the outer one, too.
fn holds(outer: &Scope, inner: &Scope) -> bool {
    outer.iter().all(|(dimension, value)| inner.get(dimension) == Some(value))
}

/// True when no spend can be in both.
fn apart(one: &Scope, other: &Scope) -> bool {
    one.iter().any(|(dimension, value)| other.get(dimension).is_some_and(|others| others != value))
}

/// Budgets together.
#[derive(Debug, Default)]
struct Together {
    budgets: Vec<(Scope, Sum)>,
    /// `2026-10`.
    month: String,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    overspent: i128,
    amount: i128,
}

impl Together {
    /// A budget of a part lies within the budget of the whole, which alone counts. What is left is added up if no spend is in
    /// two of them; else there is no sum.
    fn found(&self) -> Found {
        let within = |inner: &Scope| self.budgets.iter().any(|(outer, _)| outer != inner && holds(outer, inner));
        let whole: Vec<&(Scope, Sum)> = self.budgets.iter().filter(|(scope, _)| !within(scope)).collect();
        let of = whole.len() as i128 * PICO;
        let mut others = whole
            .iter()
            .enumerate()
            .flat_map(|(at, (one, _))| whole.iter().skip(at + 1).map(move |(other, _)| (one, other)));
        if others.any(|(one, other)| !apart(one, other)) {
            return Found { numerator: 0, denominator: Some(0), answered: 0, of };
        }
        let add = |part: fn(&Sum) -> i128| whole.iter().fold(0i128, |all, (_, sum)| all.saturating_add(part(sum)));
        Found { numerator: add(|sum| sum.overspent), denominator: Some(add(|sum| sum.amount)), answered: of, of }
    }
}

/// The scope of a state. Those that older releases wrote have none, and say which team and business unit it names.
fn scope(line: &Line) -> anyhow::Result<Scope> {
    if let Some(text) = line.words.get("scope") {
        return serde_json::from_str(text).with_context(|| format!("understand the scope {text} of a budget's state"));
    }
    let named = ["team", "business_unit"]
        .into_iter()
        .filter_map(|dimension| line.words.get(dimension).map(|value| (dimension.to_owned(), Some(value.clone()))));
    Ok(named.collect())
}

fn kept(lines: &[Line]) -> anyhow::Result<BTreeMap<Kept, Together>> {
    let mut kept: BTreeMap<Kept, Together> = BTreeMap::new();
    for line in lines {
        let sum = |name: &str| line.sums.get(name).copied().unwrap_or(0);
        let word = |name: &str| line.words.get(name).cloned().unwrap_or_default();
        let (period, day) = (word("period"), word("day_within"));
        let month = day.get(5..7).and_then(|month| month.parse::<u32>().ok()).unwrap_or(1);
        let place = if period == "month" { (month - 1) % 3 } else { 0 };
        let scope = scope(line)?;
        let budget = Whose::Budget { name: word("name"), id: word("budget_id") };
        let team = line.words.get("team").cloned().map(Whose::Team);
        let unit = line.words.get("business_unit").cloned().map(Whose::BusinessUnit);
        for whose in [Some(budget), team, unit].into_iter().flatten() {
            let (period, tenant) = (period.clone(), word("tenant"));
            let together = kept.entry(Kept { whose, tenant, period, place, currency: word("currency") }).or_default();
            together.budgets.push((scope.clone(), Sum { overspent: sum("overspent"), amount: sum("amount") }));
            together.month = day.get(..7).unwrap_or_default().to_owned();
        }
    }
    Ok(kept)
}

/// The measure: one figure for each budget and period, then for each team and each business unit that scopes name.
pub(super) fn measure(now: &Sums, then: &Sums) -> anyhow::Result<Measure> {
    let before = kept(&then.budgets)?;
    let kept = kept(&now.budgets)?;
    // Whoever has one tenant need not read its name in every line.
    let several = kept.keys().map(|key| &key.tenant).collect::<BTreeSet<_>>().len() > 1;
    let mut figures = Vec::new();
    for (key, together) in kept {
        let previous = before.get(&key).map(Together::found).unwrap_or_default();
        let mut figure = together.found().figure("all".to_owned(), &previous)?;
        let whose = match &key.whose {
            Whose::Budget { name, id } => format!("{name} ({id})"),
            Whose::Team(team) => format!("team {team}"),
            Whose::BusinessUnit(unit) => format!("business unit {unit}"),
        };
        let whose = if several { format!("{whose} of {}", key.tenant) } else { whose };
        figure.subject = Some(match key.period.as_str() {
            "month" => format!("{whose}, month of {}", together.month),
            period => format!("{whose}, {period}"),
        });
        (figure.currency, figure.tenant) = (Some(key.currency), Some(key.tenant));
        figures.push(figure);
    }
    if figures.is_empty() {
        figures.push(Found::default().figure("all".to_owned(), &Found::default())?);
    }
    Ok(Measure {
        name: "budget_variance",
        definition: "What was spent above a budget (below it: negative), as a share of it. The newest state of each budget's \
                     months and quarter, each period by itself, and those together whose scopes name a team or a business unit, \
                     of one tenant. Of these a budget that lies within another (its scope names the same and more) is left out; the \
                     others add up where no spend can be in two of them, and else there is no coverage. The quarter before: its \
                     quarter, or the month at the same place in it. A state is known from the moment it was written, by the clock \
                     on the wall: as of a day before data was fed with `--input` there is none.",
        unit: "share",
        numerator: "spent less budget",
        denominator: Some("budget"),
        coverage: "budgets that add up, of those that lie within no other",
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state of a month's budget; its scope as older releases leave it out.
    fn line(id: &str, day: &str, named: &[(&str, &str)], amount: i128, overspent: i128) -> Line {
        let words = [("tenant", "acme"), ("name", id), ("budget_id", id), ("period", "month"), ("day_within", day)];
        let words = words.iter().chain(named).chain(&[("currency", "USD")]);
        let sums = [("amount", amount * PICO), ("overspent", overspent * PICO)];
        Line {
            words: words.map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect(),
            sums: sums.map(|(name, sum)| (name.to_owned(), sum)).into(),
        }
    }

    fn with(mut line: Line, name: &str, word: &str) -> Line {
        line.words.insert(name.to_owned(), word.to_owned());
        line
    }

    /// A state that says its scope.
    fn scoped(id: &str, scope: &[(&str, &str)], amount: i128, overspent: i128) -> Line {
        let named = scope.iter().filter(|(name, _)| ["team", "business_unit"].contains(name)).copied();
        let line = line(id, "2026-11-16", &named.collect::<Vec<_>>(), amount, overspent);
        let scope: BTreeMap<_, _> = scope.iter().map(|(name, value)| (*name, Some(*value))).collect();
        with(line, "scope", &serde_json::to_string(&scope).unwrap())
    }

    /// What teams and business units have together.
    fn together(lines: &[Line]) -> Vec<String> {
        let kept = kept(lines).unwrap();
        let of_several = kept.into_iter().filter(|(key, _)| !matches!(key.whose, Whose::Budget { .. }));
        let said = of_several.map(|(key, together)| {
            let Found { numerator, denominator, answered, of } = together.found();
            let [over, amount, answered, of] = [numerator, denominator.unwrap(), answered, of].map(|sum| sum / PICO);
            let sum = if answered == 0 { "overlap".to_owned() } else { format!("{over} of {amount}") };
            format!("{:?} of {} {}: {sum} in {of}", key.whose, key.tenant, key.period)
        });
        said.collect()
    }

    #[test]
    fn a_budget_within_another_is_not_counted_twice() {
        let day = "2026-11-16";
        let of_both = |team: &str, amount, overspent| {
            line(team, day, &[("team", team), ("business_unit", "retail")], amount, overspent)
        };
        let whole = line("unit", day, &[("business_unit", "retail")], 1000, -500);
        let lines = [
            whole.clone(),
            with(whole, "period", "quarter"),
            of_both("a", 100, 20),
            of_both("b", 300, -120),
            line("a-alone", day, &[("team", "a")], 200, 0),
            // Another tenant's business unit has no budget of its own, and its team is another team.
            with(of_both("a", 100, 100), "tenant", "other"),
        ];
        assert_eq!(
            together(&lines),
            [
                "Team(\"a\") of acme month: 0 of 200 in 1",
                "Team(\"a\") of other month: 100 of 100 in 1",
                "Team(\"b\") of acme month: -120 of 300 in 1",
                "BusinessUnit(\"retail\") of acme month: -500 of 1000 in 1",
                "BusinessUnit(\"retail\") of acme quarter: -500 of 1000 in 1",
                "BusinessUnit(\"retail\") of other month: 100 of 100 in 1",
            ]
        );
    }

    #[test]
    fn budgets_of_a_team_add_up_only_where_no_spend_is_in_two_of_them() {
        let production = scoped("p", &[("team", "a"), ("environment", "production")], 100, 20);
        let staging = scoped("s", &[("team", "a"), ("environment", "staging")], 50, -10);
        let of_model = scoped("m", &[("team", "a"), ("model", "gpt-5.5")], 70, 0);
        let whole = scoped("w", &[("team", "a")], 400, 4);
        let (p, s, m, w) = (&production, &staging, &of_model, &whole);
        for (lines, says) in [
            (vec![p, s], "10 of 150 in 2"),
            (vec![p, m], "overlap in 2"),
            (vec![p, s, m, w], "4 of 400 in 1"),
            // The same spend, bounded twice: neither lies within the other, and neither is more right.
            (vec![w, w], "overlap in 2"),
        ] {
            let lines: Vec<Line> = lines.into_iter().cloned().collect();
            assert_eq!(together(&lines), [format!("Team(\"a\") of acme month: {says}")]);
        }
        // What older releases wrote names no other dimension, so two of a team may be about the same.
        let unknown = line("u", "2026-11-16", &[("team", "a")], 1, 0);
        assert_eq!(together(&[unknown.clone(), unknown]), ["Team(\"a\") of acme month: overlap in 2"]);
    }

    #[test]
    fn what_overlaps_has_no_coverage_and_what_is_of_several_tenants_says_whose() {
        let overlapping = scoped("p", &[("team", "a"), ("environment", "production")], 100, 20);
        let lines = [
            overlapping,
            scoped("m", &[("team", "a"), ("model", "gpt-5.5")], 70, 0),
            with(scoped("p", &[("team", "a")], 10, 1), "tenant", "other"),
        ];
        let sums = Sums { budgets: lines.to_vec(), ..Sums::default() };
        let measure = measure(&sums, &Sums::default()).unwrap();
        let said = measure.figures.iter().map(|figure| {
            let share = figure.coverage.share.as_deref().unwrap_or_default();
            (figure.tenant.as_deref().unwrap(), figure.subject.as_deref().unwrap(), figure.value.as_str(), share)
        });
        assert_eq!(
            said.collect::<Vec<_>>(),
            [
                ("acme", "m (m) of acme, month of 2026-11", "0", "1"),
                ("acme", "p (p) of acme, month of 2026-11", "0.2", "1"),
                ("other", "p (p) of other, month of 2026-11", "0.1", "1"),
                ("acme", "team a of acme, month of 2026-11", "no coverage", "0"),
                ("other", "team a of other, month of 2026-11", "0.1", "1"),
            ]
        );
    }

    #[test]
    fn budgets_of_a_business_unit_add_up_beside_the_same_month_of_the_quarter_before() {
        let line = |team: &str, day: &str, amount, overspent| {
            line(team, day, &[("team", team), ("business_unit", "retail")], amount, overspent)
        };
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
