//! `spendstream forget`: makes the pseudonyms of users impossible to compute.

use std::io::BufRead;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use schemas::topics::{REF_USERS, SECRETS_GONE_WITHIN};

use super::open::LogArgs;
use crate::forget::{Outcome, forget};

/// Forget users, and customers who are people: nobody can tell any more which pseudonym was theirs. Totals do not change.
///
/// Destroys the key that a user's pseudonym is made with, and waits until it is gone from the log: up to a minute on
/// Kafka. What the user sends from then on has another pseudonym. Services need no restart. The command cannot know
/// whether a user was ever seen, so it accepts any id. It does not reach raw records, which hold the id itself until
/// they expire (7 days, 35 on usage.corrections), nor ids that a producer put into tags, nor keys in backups of the
/// log.
#[derive(Debug, Args)]
pub(super) struct Forget {
    /// User or customer as the producers name them, letter by letter; may be given many times. `-` reads one a line from standard
    /// input, which keeps ids out of the shell's history.
    #[arg(required = true, value_name = "USER")]
    users: Vec<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl Forget {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut users = Vec::new();
        for user in self.users {
            match user.as_str() {
                "-" => {
                    for line in std::io::stdin().lock().lines() {
                        users.push(line.context("read users from standard input")?.trim_end_matches('\r').to_owned());
                    }
                }
                _ => users.push(user),
            }
        }
        users.retain(|user| !user.is_empty());
        ensure!(!users.is_empty(), "no user is given: name one, or give one a line on standard input");
        let log = self.log.open()?;
        let Outcome { renewed, gone } = forget(&*log, &users)?;
        let within = SECRETS_GONE_WITHIN.as_secs();
        ensure!(
            gone,
            "their keys are replaced, but the old ones are still in {REF_USERS} after {within} s: compare its settings with \
             `spendstream topics diff`, see that the brokers' log cleaner runs (log.cleaner.backoff.ms), and run this again"
        );
        // Users are counted, never named: this may end in a log.
        println!("forgotten: {} {}", users.len(), if users.len() == 1 { "user" } else { "users" });
        if renewed > 0 {
            println!(
                "{renewed} of 256 buckets were full and began anew: everybody in them has another pseudonym from now on"
            );
        }
        println!("their keys are gone from the log");
        Ok(ExitCode::SUCCESS)
    }
}
