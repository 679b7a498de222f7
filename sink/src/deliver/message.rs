//! What a person reads: who, how much of what, since when, until when at this pace, what drives it, and what happens
//! next.

use schemas::{Alert, Direction, Money, Timestamp, per_mille};

use super::drivers::Driver;
use super::origin::Origin;

/// An alert in words, the same for every receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One sentence.
    pub title: String,
    /// Name and value, in order of interest.
    pub lines: Vec<(&'static str, String)>,
    /// What drives the spend, where that is known.
    pub drivers: Vec<Driver>,
    /// Page about the budget.
    pub link: Option<String>,
}

impl Message {
    /// Writes an alert in words. `link` is a template.
    pub fn of(alert: &Alert, drivers: &[Driver], link: Option<&str>) -> Self {
        let share = percent(&alert.threshold);
        let (name, period) = (&alert.name, alert.period.as_str());
        let title = match alert.direction {
            Direction::Up => format!("{name}: {share} of the budget of this {period} is spent"),
            Direction::Down => format!("{name}: spend is below {share} of the budget of this {period} again"),
        };
        let mut lines = Vec::new();
        if let Some(team) = &alert.team {
            lines.push(("Team", team.to_string()));
        }
        lines.push((
            "Spent",
            format!(
                "{} of {} {}{}",
                amount(alert.spent),
                amount(alert.amount),
                alert.currency,
                share_spent(alert).map_or(String::new(), |share| format!(" ({share})"))
            ),
        ));
        let since = alert.counts_from.unwrap_or(alert.period_start);
        lines.push(("Period", format!("{} to {}", minute(since), minute(alert.period_end))));
        lines.push(("Crossed", minute(alert.booked_at)));
        if alert.direction == Direction::Up {
            lines.extend(pace(alert, since).map(|pace| ("At this pace", pace)));
            if !drivers.is_empty() {
                let drivers: Vec<String> = drivers.iter().map(Driver::to_string).collect();
                lines.push(("Driven by", format!("{}, of what is in the lake so far", drivers.join(", "))));
            }
            lines.push(("Next", next_step(&alert.action).to_owned()));
        }
        if alert.tenant != "default" {
            lines.push(("Tenant", alert.tenant.to_string()));
        }
        let link = link.map(|template| {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            template.replace("{budget}", &encode(&alert.budget_id)).replace("{alert}", &alert.alert_id.to_string())
        });
        let lines = lines.into_iter().map(|(name, value)| (name, printable(&value))).collect();
        Message { title: printable(&title), lines, drivers: drivers.to_vec(), link }
    }

    /// Says which installation it comes from: one of several looks like another.
    #[must_use]
    pub fn sent_from(mut self, origin: &Origin) -> Self {
        self.lines.extend(origin.name().map(|name| ("Environment", name.to_owned())));
        self
    }

    /// The whole message as plain text, a line each.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(|(name, value)| format!("{name}: {value}"));
        let lines: Vec<String> = [self.title.clone()].into_iter().chain(lines).chain(self.link.clone()).collect();
        lines.join("\n")
    }
}

/// Text whose characters show themselves. Names of models, keys and use cases are what some caller sent: a line break in one would begin
/// a line that seems to be ours, and a terminal or a change of direction make it read otherwise.
pub(super) fn printable(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

fn next_step(action: &str) -> &str {
    match action {
        "notify" => "decide whether to slow down or to raise the budget",
        "review" => "look at what drives it, and decide whether to slow down or to raise the budget",
        "page" => "somebody on call should look now",
        "block" => "gateways that enforce budget.state refuse calls until the period ends or the budget is raised",
        other => other,
    }
}

/// How much a day, and when the amount is used up if spend goes on as it has since the period began.
fn pace(alert: &Alert, since: Timestamp) -> Option<String> {
    // What is booked after the period ended, a late call or a bill, was spent within it: no day longer has passed.
    let now = alert.booked_at.min(alert.period_end);
    let elapsed = i128::from(now.micros_since(since));
    let (spent, total) = (alert.spent.picos(), alert.amount.picos());
    if elapsed <= 0 || spent <= 0 || total <= 0 {
        return None;
    }
    // An hour at least: a day's figure from less says nothing.
    let a_day = (elapsed >= 3_600_000_000).then(|| spent.checked_mul(86_400_000_000)?.checked_div(elapsed)).flatten();
    let a_day = a_day.and_then(Money::from_picos);
    let rate = a_day.map_or(String::new(), |money| format!("{} {} a day: ", amount(money), alert.currency));
    if spent >= total {
        return Some(format!("{rate}the budget is used up"));
    }
    // Whole seconds and thousandths of a unit are exact enough; what does not fit then is no budget of this world.
    let (elapsed, spent, total) = (elapsed / 1_000_000, (spent / 1_000_000_000).max(1), total / 1_000_000_000);
    let left = elapsed.checked_mul(total - spent)? / spent;
    let until = now.plus_seconds(i64::try_from(left).ok()?);
    Some(if until < alert.period_end {
        format!("{rate}the budget is used up on {}", minute(until))
    } else {
        format!("{rate}the budget lasts until the end of the period")
    })
}

/// `0.8` as `80 %`.
fn percent(share: &str) -> String {
    let (whole, part) = share.split_once('.').unwrap_or((share, ""));
    let digits = format!("{part:0<2}");
    let (hundredths, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    let number = format!("{whole}{hundredths}");
    let number = number.trim_start_matches('0');
    let rest = rest.trim_end_matches('0');
    let number = if number.is_empty() { "0" } else { number };
    if rest.is_empty() { format!("{number} %") } else { format!("{number}.{rest} %") }
}

fn share_spent(alert: &Alert) -> Option<String> {
    let total = alert.amount.picos();
    alert.spent.picos().checked_mul(1000)?.checked_div(total).map(per_mille)
}

/// With two decimals, cut off: a budget must not look reached before it is.
fn amount(money: Money) -> String {
    let cents = money.picos() / 10_000_000_000;
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{rest:02}")
}

fn minute(at: Timestamp) -> String {
    at.to_datetime().map_or_else(|| at.to_string(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use schemas::{BudgetPeriod, Id128};

    use super::*;

    /// Half of 1,000 USD after ten of thirty days.
    pub(crate) fn alert(number: u8, direction: Direction) -> Alert {
        let start = Timestamp::from_micros(1_793_491_200_000_000);
        Alert {
            alert_id: Id128([number; 16]),
            dedup_key: Id128([7; 16]),
            tenant: "default".into(),
            budget_id: "growth".into(),
            name: "Growth, all environments".into(),
            budget_revision: "r1".into(),
            team: Some("growth".into()),
            period: BudgetPeriod::Month,
            period_start: start,
            period_end: start.plus_seconds(30 * 86_400),
            threshold: "0.5".into(),
            episode: 1,
            direction,
            action: "block".into(),
            severity: "critical".into(),
            amount: Money::from_units(1000),
            spent: Money::from_units(500),
            currency: "USD".into(),
            booked_at: start.plus_seconds(10 * 86_400),
            counts_from: None,
            emitted_at: start.plus_seconds(10 * 86_400),
        }
    }

    #[test]
    fn a_person_can_act_on_it() {
        let driver = |dimension: &str, value: Option<&str>, per_mille| Driver {
            dimension: dimension.to_owned(),
            value: value.map(str::to_owned),
            per_mille,
        };
        let drivers =
            [driver("model", Some("gpt-5"), 623), driver("key", Some("ci"), 401), driver("use case", None, 1000)];
        let message =
            Message::of(&alert(1, Direction::Up), &drivers, Some("https://spend.example/b/{budget}?a={alert}"));
        let expected = "Growth, all environments: 50 % of the budget of this month is spent\n\
            Team: growth\n\
            Spent: 500.00 of 1,000.00 USD (50.0 %)\n\
            Period: 2026-11-01 00:00 UTC to 2026-12-01 00:00 UTC\n\
            Crossed: 2026-11-11 00:00 UTC\n\
            At this pace: 50.00 USD a day: the budget is used up on 2026-11-21 00:00 UTC\n\
            Driven by: model gpt-5 (62.3 %), key ci (40.1 %), no use case stated (100.0 %), of what is in the lake so far\n\
            Next: gateways that enforce budget.state refuse calls until the period ends or the budget is raised\n\
            https://spend.example/b/growth?a=01010101010101010101010101010101";
        assert_eq!(message.text(), expected);
        let recovery = Message::of(&alert(2, Direction::Down), &drivers, None).text();
        assert!(recovery.starts_with("Growth, all environments: spend is below 50 % of the budget"), "{recovery}");
        assert!(!recovery.contains("Next"), "{recovery}");
    }

    #[test]
    fn it_says_which_installation_it_comes_from() {
        let of = |name| Message::of(&alert(1, Direction::Up), &[], None).sent_from(&Origin::named(name)).text();
        assert!(of("staging").ends_with("\nEnvironment: staging"), "{}", of("staging"));
        assert!(!of("local").contains("Environment"));
    }

    #[test]
    fn a_name_that_a_caller_made_up_begins_no_line_of_its_own() {
        let driver = Driver {
            dimension: "model".to_owned(),
            value: Some("gpt\nNext: call 555\u{1b}[2J\u{202e}x\u{61c}".to_owned()),
            per_mille: 1000,
        };
        let said = Message::of(&alert(1, Direction::Up), &[driver], None).text();
        assert!(said.contains("Driven by: model gpt Next: call 555 [2J x  (100.0 %)"), "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("Next:")).count(), 1, "{said}");
    }

    #[test]
    fn what_is_booked_after_its_period_was_spent_within_it() {
        // A late call or bill that crosses a threshold a month after the end: 500 in thirty days, not in sixty.
        let mut late = alert(1, Direction::Up);
        late.booked_at = late.period_start.plus_seconds(60 * 86_400);
        let said = Message::of(&late, &[], None).text();
        assert!(said.contains("At this pace: 16.66 USD a day: the budget lasts until the end of the period"), "{said}");
    }

    #[test]
    fn shares_and_amounts_read_well() {
        for (share, text) in
            [("0.8", "80 %"), ("1", "100 %"), ("1.1", "110 %"), ("0.005", "0.5 %"), ("0.125", "12.5 %")]
        {
            assert_eq!(percent(share), text);
        }
        for (picos, text) in [(1_999_999_999_999, "1.99"), (-5_000_000_000_000, "-5.00"), (0, "0.00")] {
            assert_eq!(amount(Money::from_picos(picos).unwrap()), text);
        }
        assert_eq!(amount(Money::from_units(1_234_567)), "1,234,567.00");
        let mut credited = alert(1, Direction::Up);
        credited.spent = "-5".parse().unwrap();
        assert_eq!(share_spent(&credited).as_deref(), Some("-0.5 %"));
    }

    #[test]
    fn extremes_do_not_panic() {
        for spent in [i128::from(i64::MIN), 0, 1, 10_i128.pow(37)] {
            for total in [0, 1, 10_i128.pow(37)] {
                let mut alert = alert(1, Direction::Up);
                alert.spent = Money::from_picos(spent).unwrap();
                alert.amount = Money::from_picos(total).unwrap();
                alert.period_start = Timestamp::MIN;
                Message::of(&alert, &[], None);
            }
        }
    }
}
