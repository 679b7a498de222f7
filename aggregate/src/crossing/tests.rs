//! Each sentence of the definition, as a table of what is known and what is decided.

use super::*;
use crate::testing::{at, money};

/// Seconds of grace in these tables.
const GRACE: i64 = 300;

struct Row {
    net: &'static str,
    booked_at: &'static str,
    watermark: &'static str,
    fires: Option<(Direction, i32)>,
}

const fn row(
    net: &'static str,
    booked_at: &'static str,
    watermark: &'static str,
    fires: Option<(Direction, i32)>,
) -> Row {
    Row { net, booked_at, watermark, fires }
}

/// Goes through the rows, minute by minute, with a threshold of 80.
fn check(rows: &[Row]) -> Crossing {
    let minute = |text: &str| at(&format!("2026-11-22T{text}:00Z"));
    rows.iter().enumerate().fold(Crossing::ARMED, |crossing, (index, row)| {
        let facts = Facts {
            limit: Some(money("80")),
            in_force: true,
            net: money(row.net),
            booked_at: minute(row.booked_at),
            watermark: minute(row.watermark),
            grace_seconds: GRACE,
        };
        let decision = decide(crossing, &facts);
        assert_eq!(decision.fire, row.fires, "row {index}");
        // Deciding again on the same facts changes nothing.
        assert_eq!(decide(decision.crossing, &facts), Decision { crossing: decision.crossing, fire: None });
        decision.crossing
    })
}

const UP: Option<(Direction, i32)> = Some((Direction::Up, 1));
const DOWN: Option<(Direction, i32)> = Some((Direction::Down, 1));

#[test]
fn up_fires_exactly_once_when_the_net_reaches_the_threshold() {
    check(&[
        row("79.999999999999", "10:00", "09:59", None),
        row("80", "10:01", "10:00", UP),
        row("81", "10:02", "10:01", None),
        row("500", "10:03", "10:02", None),
    ]);
}

#[test]
fn up_never_fires_when_spend_never_reaches_it() {
    check(&[row("0", "10:00", "09:59", None), row("79.99", "10:01", "10:00", None), row("-5", "10:02", "12:00", None)]);
}

#[test]
fn a_dip_that_is_made_good_within_the_grace_fires_nothing() {
    let end = check(&[
        row("85", "10:00", "09:59", UP),
        row("70", "10:01", "10:00", None),
        row("90", "10:01", "10:01", None),
        row("90", "10:01", "12:00", None),
    ]);
    assert_eq!(end, Crossing { episode: 1, up: true, below_since: None });
}

#[test]
fn down_waits_until_the_watermark_has_passed_booked_at_and_grace() {
    check(&[
        row("85", "10:00", "09:59", UP),
        row("70", "10:01", "10:00", None),
        row("70", "10:01", "10:06", None),
        row("70", "10:01", "10:07", DOWN),
    ]);
}

#[test]
fn more_spend_that_stays_below_does_not_put_down_off() {
    check(&[
        row("85", "10:00", "09:59", UP),
        row("70", "10:01", "10:00", None),
        row("75", "10:05", "10:04", None),
        row("76", "10:06", "10:07", DOWN),
    ]);
}

#[test]
fn down_never_comes_without_up() {
    check(&[row("85", "10:00", "09:59", UP), row("70", "10:01", "10:30", DOWN), row("60", "10:31", "12:00", None)]);
    check(&[row("10", "10:00", "12:00", None)]);
}

#[test]
fn down_arms_the_threshold_for_a_new_episode() {
    let end = check(&[
        row("85", "10:00", "09:59", UP),
        row("70", "10:01", "10:30", DOWN),
        row("80", "10:31", "10:30", Some((Direction::Up, 2))),
        row("10", "10:32", "11:00", Some((Direction::Down, 2))),
    ]);
    assert_eq!(end, Crossing { episode: 3, up: false, below_since: None });
}

#[test]
fn a_revision_that_is_no_longer_in_force_comes_down_but_never_goes_up() {
    let facts = Facts {
        limit: Some(money("80")),
        in_force: false,
        net: money("100"),
        booked_at: at("2026-11-22T10:00:00Z"),
        watermark: at("2026-11-22T12:00:00Z"),
        grace_seconds: GRACE,
    };
    assert_eq!(decide(Crossing::ARMED, &facts).fire, None);
    let up = Crossing { up: true, ..Crossing::ARMED };
    assert_eq!(decide(up, &facts).fire, None);
    assert_eq!(decide(up, &Facts { limit: None, ..facts }).fire, DOWN);
    assert_eq!(decide(up, &Facts { limit: Some(money("101")), ..facts }).fire, DOWN);
}
