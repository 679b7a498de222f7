//! `spendstream alerts`: what became of alerts, and sending them again.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use schemas::Timestamp;
use sink::Lake;
use sink::deliver::attempt::{Attempt, Outcome};
use sink::deliver::ledger::Place;
use sink::deliver::message::Message;
use sink::deliver::{Delivery, DeliveryConfig, Ledger, test_route};

use super::open::{LogArgs, lake_config, now};
use crate::table::{Style, Table};

/// Show what became of alerts on their way to Slack, PagerDuty and webhooks, and send them again.
///
/// Reads the delivery ledger in the lake. `spendstream report` shows the alerts themselves, sent or not.
#[derive(Debug, Args)]
pub(super) struct Alerts {
    #[command(subcommand)]
    what: What,
    /// Lake: a folder or s3://bucket/prefix [default: `lake` of the data folder].
    #[arg(long, env = "SPENDSTREAM_LAKE", global = true)]
    lake: Option<String>,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    delivery: DeliveryConfig,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List alerts with the state of each route, newest day last.
    List {
        /// Only those crossed on this day (UTC).
        #[arg(long)]
        day: Option<NaiveDate>,
        /// Only those that some route has not delivered.
        #[arg(long)]
        undelivered: bool,
    },
    /// Show one alert as people read it, and every attempt to send it.
    Show {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Send an alert again on one route, now, whatever became of it before. Needs --alert-routes.
    Resend {
        /// Its id, or the beginning of it.
        id: String,
        /// The route.
        #[arg(long)]
        route: String,
    },
    /// Send a made-up alert and its recovery on a route, now. Needs --alert-routes. PagerDuty wakes somebody up.
    TestRoute {
        /// The route.
        route: String,
    },
}

impl Alerts {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = lake_config(&self.log.lake(self.lake.as_deref())?)?;
        let lake = Lake::open_read_only(&config)?;
        let ledger = Ledger::of(&lake);
        let routes = || -> anyhow::Result<_> {
            let delivery = Delivery::open(&lake, None, &self.delivery, "")?;
            delivery.context("say which routes there are: --alert-routes FILE")
        };
        match &self.what {
            What::List { day, undelivered } => list(&ledger, *day, *undelivered),
            What::Show { id } => show(&ledger, &find(&ledger, id)?),
            What::Resend { id, route } => Ok(told(&routes()?.resend(&find(&ledger, id)?, route)?)),
            What::TestRoute { route } => Ok(told(&test_route(&*routes()?, route, now())?)),
        }
    }
}

fn find(ledger: &Ledger, id: &str) -> anyhow::Result<Place> {
    ensure!(id.len() >= 4, "{id:?} is too short: give at least four characters of the id");
    let mut found = ledger.places(None)?;
    found.retain(|place| place.alert_id.to_string().starts_with(id));
    match found.as_slice() {
        [place] => Ok(place.clone()),
        [] => bail!("no alert {id} was taken in for delivery; `spendstream alerts list` shows those that were"),
        several => bail!("{} alerts begin with {id}; give more of the id", several.len()),
    }
}

fn list(ledger: &Ledger, day: Option<NaiveDate>, undelivered: bool) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(&["when", "alert", "budget", "threshold", "", "route", "attempts", "state"]);
    for place in ledger.places(day)? {
        let sending = ledger.sending(&place)?;
        let alert = &sending.alert;
        for (route, attempts) in &sending.routes {
            let arrived = attempts.iter().any(|attempt| matches!(attempt.outcome, Some((_, Outcome::Delivered))));
            if undelivered && arrived {
                continue;
            }
            table.row([
                minute(alert.booked_at),
                place.alert_id.to_string().chars().take(12).collect(),
                alert.name.to_string(),
                alert.threshold.to_string(),
                alert.direction.as_str().to_owned(),
                route.clone(),
                attempts.len().to_string(),
                if arrived { "delivered".to_owned() } else { attempts.last().map_or("waiting".to_owned(), state) },
            ]);
        }
    }
    match table.is_empty() {
        // Those of the topic are taken in by a sink that has routes.
        true => println!(
            "no alerts to deliver; `spendstream cat spend.alerts` shows what fired, also without --alert-routes"
        ),
        false => println!("{}", table.render(Style::of_stdout())),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(ledger: &Ledger, place: &Place) -> anyhow::Result<ExitCode> {
    let sending = ledger.sending(place)?;
    println!("{}\n\n{}\n", place.alert_id, Message::of(&sending.alert, &sending.drivers, None).text());
    let mut table = Table::new(&["route", "attempt", "at", "outcome"]);
    for (route, attempts) in &sending.routes {
        for (number, attempt) in attempts.iter().enumerate() {
            table.row([route.clone(), (number + 1).to_string(), attempt.at.to_string(), state(attempt)]);
        }
        if attempts.is_empty() {
            table.row([route.clone(), "-".to_owned(), "-".to_owned(), "waiting".to_owned()]);
        }
    }
    println!("{}", table.render(Style::of_stdout()));
    Ok(ExitCode::SUCCESS)
}

fn state(attempt: &Attempt) -> String {
    match &attempt.outcome {
        None => "under way, or its process ended".to_owned(),
        Some((_, outcome)) => describe(outcome),
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered => "delivered".to_owned(),
        Outcome::Refused { why, .. } => format!("refused: {why}"),
        Outcome::Unknown { why } => format!("unknown: {why}"),
        Outcome::Rejected { why } => format!("rejected: {why}"),
    }
}

fn told(outcome: &Outcome) -> ExitCode {
    println!("{}", describe(outcome));
    if *outcome == Outcome::Delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn minute(at: Timestamp) -> String {
    at.to_datetime().map_or_else(|| at.to_string(), |time| time.format("%Y-%m-%d %H:%M").to_string())
}
