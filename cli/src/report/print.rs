//! The report as a page for a terminal.

use std::fmt::Write;

use schemas::{BudgetPeriod, BudgetState, Direction, Money, Quantity, Timestamp};

use super::{Group, Report, Unpriced};
use crate::amount::{count, exact, money, quantity, reached, share};
use crate::ledger::{Ledger, StageLine, show};
use crate::period::first_day;
use crate::table::{Style, Table};

/// Most rows of a table; the rest is summed up in one line.
const ROWS_MAX: usize = 20;

/// The report as text.
pub fn print(report: &Report, style: Style) -> String {
    let mut page = String::new();
    title(report, style, &mut page);
    spend("Spend by team", "team", &report.teams, whose(report), style, &mut page);
    spend("Spend by model", "model", &report.models, whose(report), style, &mut page);
    savings(report, style, &mut page);
    budgets(report, style, &mut page);
    attention(report, style, &mut page);
    if let Some(ledger) = &report.ledger {
        page.push_str(&print_ledger(ledger, style));
    }
    lake(report, style, &mut page);
    page
}

/// Says whose something is, where there are several tenants: the same name is another team or budget in each.
fn whose(report: &Report) -> impl Fn(String, Option<&str>) -> String + use<> {
    let several = report.tenants.len() > 1;
    move |name: String, tenant: Option<&str>| match tenant.filter(|_| several) {
        Some(tenant) => format!("{name} of {tenant}"),
        None => name,
    }
}

fn section(title: &str, style: Style, page: &mut String) {
    let _ = writeln!(page, "\n{}", style.heading(title));
}

fn title(report: &Report, style: Style, page: &mut String) {
    let days = match (&report.from, &report.to) {
        (Some(from), Some(to)) if from == to => format!("{from} (UTC)"),
        (Some(from), Some(to)) => format!("{from} to {to} (UTC)"),
        _ => "nothing was charged yet".to_owned(),
    };
    let _ = writeln!(page, "{}  {days}", style.heading("AI spend"));
    for sum in &report.total {
        let rounded = money(sum.amount, 2);
        let _ =
            writeln!(page, "  {} {rounded}  {}", sum.currency, style.dim(&format!("exactly {}", exact(sum.amount))));
    }
    if let Some(all) = &report.converted {
        let converted = style.dim("all of it, by the exchange rates of the price book");
        let _ = writeln!(page, "  {} {}  {converted}", all.currency, money(all.amount, 2));
    }
    let _ = writeln!(page, "  {} calls, {} tokens", count(report.requests), quantity(report.tokens));
}

fn spend(
    title: &str,
    column: &str,
    groups: &[Group],
    whose: impl Fn(String, Option<&str>) -> String,
    style: Style,
    page: &mut String,
) {
    section(title, style, page);
    let mut table = Table::new(&[column, ">calls", ">tokens", ">from cache", ">cost", "", ">share"]);
    let mut total = Money::ZERO;
    for group in groups {
        total = total.checked_add(group.cost).unwrap_or(total);
    }
    let one_currency = groups.windows(2).all(|pair| pair[0].currency == pair[1].currency);
    // With credits among the charges, parts would be more than the whole.
    let whole = |group: &Group| {
        let same = || groups.iter().filter(|other| other.currency == group.currency);
        let mixed = same().any(|other| other.cost < Money::ZERO) && same().any(|other| other.cost > Money::ZERO);
        (!mixed).then(|| same().fold(Money::ZERO, |sum, other| sum.checked_add(other.cost).unwrap_or(sum)))
    };
    for group in groups.iter().take(ROWS_MAX) {
        let name = group.name.clone().unwrap_or_else(|| style.alarm("unallocated"));
        let cost = match group.unpriced_requests {
            unpriced if unpriced == group.charged_requests && group.cost.is_zero() => style.alarm("unpriced"),
            _ => money(group.cost, 4),
        };
        table.row([
            whose(name, group.tenant.as_deref()),
            count(group.requests),
            quantity(group.tokens),
            quantity(group.cache_read_tokens),
            cost,
            group.currency.to_string(),
            whole(group).and_then(|whole| share(group.cost, whole)).unwrap_or_default(),
        ]);
    }
    if groups.len() > ROWS_MAX {
        table.row([format!("and {} more", groups.len() - ROWS_MAX)]);
    }
    if one_currency && !groups.is_empty() {
        let requests = groups.iter().map(|group| group.requests).sum();
        table.total([
            "total".to_owned(),
            count(requests),
            String::new(),
            String::new(),
            money(total, 4),
            groups[0].currency.to_string(),
            String::new(),
        ]);
    }
    page.push_str(&table.render(style));
}

fn savings(report: &Report, style: Style, page: &mut String) {
    let says = |kind: &str| match kind {
        "uncached" => Some("Prompt caching"),
        "unbatched" => Some("Batching"),
        "standard_tier" => Some("Other tiers than the standard one"),
        _ => None,
    };
    let lines: Vec<String> = report
        .savings
        .iter()
        .filter(|saving| !saving.amount.is_zero())
        .filter_map(|saving| {
            let what = says(&saving.kind)?;
            let part = share(saving.amount, saving.without)
                .map(|part| format!(", {part} of what it would have cost"))
                .unwrap_or_default();
            let (amount, currency) = (money(saving.amount, 2), &saving.currency);
            Some(match amount.strip_prefix('-') {
                Some(more) => format!("  {what} cost {more} {currency} more than doing without"),
                None => format!("  {what} saved {amount} {currency}{part}"),
            })
        })
        .collect();
    if !lines.is_empty() {
        section("Savings at list prices, of calls billed by use", style, page);
        let _ = writeln!(page, "{}", lines.join("\n"));
    }
}

fn budgets(report: &Report, style: Style, page: &mut String) {
    if report.budgets.is_empty() {
        return;
    }
    let whose = whose(report);
    section("Budgets", style, page);
    let mut table = Table::new(&["budget", "period", "from", ">budget", ">spent", ">left", "", ">used", "state"]);
    for budget in &report.budgets {
        table.row([
            whose(budget.name.to_string(), Some(&budget.tenant)),
            budget.period.to_string(),
            match budget.counts_from {
                Some(from) => format!("{}, counts from {}", begins(budget.period, budget.period_start), minute(from)),
                None => begins(budget.period, budget.period_start),
            },
            money(budget.amount, 2),
            money(budget.spent, 2),
            money(budget.remaining, 2),
            budget.currency.to_string(),
            reached(budget.spent, budget.amount).unwrap_or_default(),
            state(budget, style),
        ]);
    }
    page.push_str(&table.render(style));
    if report.alerts.is_empty() {
        let _ = writeln!(page, "  no alert has fired");
        return;
    }
    section("Alerts", style, page);
    let mut table = Table::new(&["when", "budget", "period", ">threshold", "", ">spent", "action", "severity"]);
    for alert in &report.alerts {
        let direction = match alert.direction {
            Direction::Up => "reached",
            Direction::Down => "back below",
        };
        table.row([
            minute(alert.booked_at),
            whose(alert.name.to_string(), Some(&alert.tenant)),
            format!("{} of {}", alert.period, begins(alert.period, alert.period_start)),
            percent(&alert.threshold),
            direction.to_owned(),
            format!("{} {}", money(alert.spent, 2), alert.currency),
            alert.action.to_string(),
            alert.severity.to_string(),
        ]);
    }
    page.push_str(&table.render(style));
}

/// How a budget stands. One without a threshold of its own can be overspent all the same.
fn state(budget: &BudgetState, style: Style) -> String {
    match (&budget.crossed, budget.blocked) {
        (_, true) => style.alarm("BLOCKED"),
        (Some(share), _) => style.alarm(&format!("over {}", percent(share))),
        (None, _) if budget.spent > budget.amount => style.alarm("overspent"),
        (None, _) => "ok".to_owned(),
    }
}

fn attention(report: &Report, style: Style, page: &mut String) {
    let mut lines = Vec::new();
    for row in &report.unpriced {
        let estimate = row.estimate.as_ref().map_or_else(String::new, |estimate| {
            format!("; {} {} at {}", money(estimate.amount, 2), estimate.currency, estimate.model)
        });
        lines.push([
            "unpriced".to_owned(),
            count(row.requests),
            format!("{} {}: {} without a price{estimate}", row.provider, row.model, without_a_price(row)),
        ]);
    }
    for row in &report.unallocated {
        let key = row.key_id.as_deref().unwrap_or("no key");
        let cost = format!("{} {}", money(row.cost, 4), row.currency);
        lines.push(["unallocated".to_owned(), count(row.requests), format!("{key} from {}: {cost}", row.source)]);
    }
    for sum in &report.unconverted {
        let amount = format!("{} {}", money(sum.amount, 2), sum.currency);
        let text = format!("{amount} without an exchange rate in the price book: there is no total in one currency");
        lines.push(["no rate".to_owned(), "-".to_owned(), text]);
    }
    let known_badly = [
        (
            "no id",
            report.without_id,
            "calls without an id of their own: fed again from another file or place they count again",
        ),
        (
            "no time",
            report.without_time,
            "calls that state no time: they count at that of the call before them in their file, else at their arrival",
        ),
    ];
    for (says, calls, text) in known_badly {
        if calls != 0 {
            lines.push([says.to_owned(), count(calls), text.to_owned()]);
        }
    }
    if let Some(ledger) = &report.ledger {
        for (window, what) in [("hour", "hour"), ("day", "day"), ("month", "month"), ("quarter", "quarter")] {
            let late = ledger.count("combine", &format!("late.{window}"));
            if late != 0 {
                let text = format!("came after their {what} had ended and its grace had passed; counted all the same");
                lines.push(["late".to_owned(), count(late), text]);
            }
        }
        let skipped = ledger.count("combine", "budget_currency_skipped");
        if skipped != 0 {
            let text = "by a budget in another currency than the charge and the reports".to_owned();
            lines.push(["left out".to_owned(), count(skipped), text]);
        }
        let forgotten = ledger.count("enrich", "unpriced.forgotten");
        if forgotten != 0 {
            let text =
                "had no price and were too many to wait for one: once there is one, `spendstream reprice` charges them";
            lines.push(["unpriced".to_owned(), count(forgotten), text.to_owned()]);
        }
        let copies = [
            ("duplicates", "duplicate", "copies of calls counted already"),
            ("superseded", "superseded", "gave way to a better copy, or were the better copy"),
            ("conflicts", "conflict", "contradict a copy of the same call; decided by rule"),
        ];
        for (name, says, text) in copies {
            let (found, money) = (ledger.count("enrich", name), ledger.money("enrich", name));
            let worth = if money.is_empty() { String::new() } else { format!(", worth {}", show(&money)) };
            if found != 0 {
                lines.push([says.to_owned(), count(found), format!("{text}{worth}")]);
            }
        }
        for (reason, ignored) in ledger.counts("ingest", "ignored") {
            lines.push(["not billable".to_owned(), count(ignored), reason.replace('_', " ")]);
        }
    }
    for (reason, rejected) in &report.rejected {
        lines.push(["rejected".to_owned(), count(*rejected), reason.replace('_', " ")]);
    }
    section("Worth a look", style, page);
    if lines.is_empty() {
        let _ = writeln!(page, "  nothing: everything has a price and an owner");
        return;
    }
    let mut table = Table::new(&["what", ">items", "which"]);
    let more = lines.len().saturating_sub(3 * ROWS_MAX);
    for line in lines.into_iter().take(3 * ROWS_MAX) {
        table.row(line);
    }
    page.push_str(&table.render(style));
    if more > 0 {
        let _ = writeln!(page, "  and {more} more");
    }
    if !report.rejected.is_empty() && report.ledger.is_some() {
        let _ = writeln!(page, "  `spendstream rejected list` says of each rejected item where it stands and why");
    }
}

/// What of a model's usage has no price: its tokens, and whatever else was used of it.
fn without_a_price(row: &Unpriced) -> String {
    let tokens =
        (row.tokens != Quantity::ZERO || row.others.is_empty()).then(|| format!("{} tokens", quantity(row.tokens)));
    let others =
        row.others.iter().map(|(meter, used)| format!("{} {}", quantity(*used), meter.as_str().replace('_', " ")));
    tokens.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

/// The conservation ledger as text.
pub fn print_ledger(ledger: &Ledger, style: Style) -> String {
    let mut page = String::new();
    section("Conservation ledger", style, &mut page);
    let mut table = Table::new(&["stage", "reads", ">in", "out", ">money in", ">money out", "adds up"]);
    for line in &ledger.stages {
        let (taken, sent) = match line.stage.as_str() {
            // Ingest reads what has no price yet.
            "ingest" => ("-".to_owned(), "-".to_owned()),
            "enrich" => ("-".to_owned(), show(&line.money_sent)),
            "merge" => (show(&line.money_taken), show(&line.counts_money_sum(&["window_money", "expired.hour"]))),
            _ => (show(&line.money_taken), show(&line.money_sent)),
        };
        table.row([
            line.stage.clone(),
            line.reads.join(", "),
            count(line.taken),
            outs(line),
            taken,
            sent,
            style.verdict(line.ok),
        ]);
    }
    page.push_str(&table.render(style));
    let mut said = |text: String| {
        let _ = writeln!(page, "  {text}");
    };
    if let Some(line) = ledger.stages.iter().find(|line| line.stage == "ingest") {
        let of = |name: &str| line.counts.get(name).copied().unwrap_or(0);
        said(format!(
            "{} records = {} items = {} events + {} facts + {} corrections + {} rejected + {} not billable",
            count(of("records")),
            count(of("items")),
            count(of("events")),
            count(of("facts")),
            count(of("corrections")),
            count(of("rejected")),
            count(of("ignored")),
        ));
    }
    if let Some(line) = ledger.stages.iter().find(|line| line.stage == "enrich") {
        let of = |name: &str| line.counts.get(name).copied().unwrap_or(0);
        said(format!(
            "{} events = {} originals + {} duplicates + {} superseded + {} conflicts + {} sent on",
            count(of("events")),
            count(of("originals")),
            count(of("duplicates")),
            count(of("superseded")),
            count(of("conflicts")),
            count(of("forwarded")),
        ));
        let shares = match of("allocations") {
            0 => String::new(),
            shares => format!(" + {} allocations", count(shares)),
        };
        said(format!(
            "{} charges = {} originals + {} reversals + {} replacements{shares}",
            count(line.sent.get(schemas::topics::CHARGES).copied().unwrap_or(0)),
            count(of("originals")),
            count(of("reversals")),
            count(of("replacements")),
        ));
    }
    if ledger.in_flight > 0 {
        said(format!("{} items are on their way between stages", count(ledger.in_flight)));
    }
    if ledger.skipped > 0 {
        said(style.alarm(&format!("{} items were left out by order of an operator", count(ledger.skipped))));
    }
    for found in &ledger.breaks {
        said(style.alarm(&found.to_string()));
    }
    said(match ledger.breaks.len() {
        0 => "Everything adds up, to the picodollar.".to_owned(),
        1 => style.alarm("One thing does not add up."),
        many => style.alarm(&format!("{many} things do not add up.")),
    });
    page
}

fn outs(line: &StageLine) -> String {
    let outs: Vec<String> =
        line.sent.iter().filter(|(_, items)| **items > 0).map(|(to, n)| format!("{} {to}", count(*n))).collect();
    match (outs.is_empty(), line.stage.as_str()) {
        (true, "merge") => {
            let of = |name: &str| count(line.counts.get(name).copied().unwrap_or(0));
            format!("{} window and {} budget upserts", of("windows.upserted"), of("budgets.upserted"))
        }
        _ => outs.join(", "),
    }
}

fn lake(report: &Report, style: Style, page: &mut String) {
    section("Lake", style, page);
    let address = report.lake.trim_end_matches('/');
    let _ = writeln!(
        page,
        "  {address}  {}",
        style.dim("Delta tables: charges, windows, budgets, alerts, rejected, facts, batches, ledger")
    );
    let _ = writeln!(
        page,
        "  duckdb -c \"SELECT team, currency, sum(effective_cost) AS cost FROM delta_scan('{address}/charges') GROUP BY ALL ORDER BY cost DESC\""
    );
    let _ = writeln!(
        page,
        "  python -c \"from deltalake import DeltaTable; print(*DeltaTable('{address}/charges').to_pyarrow_table().group_by(['team', 'currency']).aggregate([('effective_cost', 'sum')]).to_pylist(), sep='\\n')\""
    );
}

/// `0.8` as `80 %`.
fn percent(share: &str) -> String {
    match share.parse::<Money>() {
        Ok(share) => {
            let hundred = Money::from_picos(share.picos().saturating_mul(100)).unwrap_or(share);
            format!("{hundred} %")
        }
        Err(_) => share.to_owned(),
    }
}

fn begins(period: BudgetPeriod, start: Timestamp) -> String {
    first_day(period, start).map_or_else(|| minute(start), |day| day.to_string())
}

fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(16).collect::<String>().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemas::Meter;

    use super::*;

    fn budget(spent: i64, crossed: Option<&str>, blocked: bool) -> BudgetState {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        BudgetState {
            tenant: "acme".into(),
            budget_id: "search".into(),
            name: "search".into(),
            budget_revision: "r1".into(),
            period: BudgetPeriod::Month,
            period_start: start,
            period_end: start.plus_seconds(30 * 86_400),
            counts_from: None,
            amount: Money::from_units(100),
            currency: "USD".into(),
            spent: Money::from_units(spent),
            gross: Money::from_units(spent),
            remaining: Money::from_units(100 - spent),
            requests: 1,
            blocked,
            crossed: crossed.map(Into::into),
            revision: 1,
            emitted_at: start,
            team: None,
            business_unit: None,
            scope: None,
        }
    }

    #[test]
    fn a_budget_without_thresholds_is_overspent_all_the_same() {
        for (budget, says) in [
            (budget(100, None, false), "ok"),
            (budget(101, None, false), "overspent"),
            (budget(101, Some("0.8"), false), "over 80 %"),
            (budget(101, Some("1"), true), "BLOCKED"),
        ] {
            assert_eq!(state(&budget, Style::default()), says);
        }
    }

    #[test]
    fn a_credit_among_charges_leaves_no_shares_of_their_total() {
        let group = |name: &str, cost: i64| Group {
            name: Some(name.to_owned()),
            tenant: Some("acme".into()),
            currency: "USD".into(),
            requests: 1,
            charged_requests: 1,
            tokens: Quantity::ZERO,
            cache_read_tokens: Quantity::ZERO,
            cost: Money::from_units(cost),
            unpriced_requests: 0,
        };
        let page = |groups: &[Group]| {
            let mut page = String::new();
            spend("Spend by team", "team", groups, |name, _| name, Style::default(), &mut page);
            page
        };
        assert!(page(&[group("a", 30), group("b", 10)]).contains("75.0 %"));
        assert!(!page(&[group("a", 30), group("b", -10)]).contains('%'));
    }

    #[test]
    fn what_has_no_price_is_told_by_what_it_is() {
        let row = |tokens: i64, others: &[(Meter, i64)]| Unpriced {
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
            requests: 1,
            tokens: Quantity::from_units(tokens),
            others: others
                .iter()
                .map(|(meter, used)| (*meter, Quantity::from_units(*used)))
                .collect::<BTreeMap<_, _>>(),
            estimate: None,
        };
        assert_eq!(without_a_price(&row(11_000, &[])), "11,000 tokens");
        assert_eq!(without_a_price(&row(0, &[(Meter::WebSearches, 2)])), "2 web searches");
        assert_eq!(without_a_price(&row(5, &[(Meter::WebSearches, 2)])), "5 tokens, 2 web searches");
        assert_eq!(without_a_price(&row(0, &[])), "0 tokens");
    }
}
