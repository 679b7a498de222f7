//! `spendstream keys`: who may use the front door.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use ingest::keys::{ANY_TEAM, Key, Keys, RANDOM_BYTES};
use schemas::Timestamp;

use super::open::now;
use crate::table::{Style, Table};

/// Make, list and revoke the keys of the front door.
///
/// The file holds only hashes: it may be kept with the configuration, and no key can be read from it. Running services
/// see a change within a second.
#[derive(Debug, Args)]
pub(super) struct KeysCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(New),
    List(List),
    Revoke(Revoke),
}

/// Make a key. It is printed once, on standard output, and kept nowhere.
#[derive(Debug, Args)]
struct New {
    #[command(flatten)]
    file: KeyFile,
    /// Who will send with it. Everything sent has this source, or one beneath it (`checkout`, `checkout/worker`).
    #[arg(long)]
    source: String,
    /// Team that its events may claim; may be given many times, and `*` allows any. Without it events may claim none:
    /// keys, tags and resources decide who pays. A claim that is not allowed is removed and flagged; the event still
    /// counts.
    #[arg(long = "team")]
    teams: Vec<String>,
    /// How long it is good, such as `90days` [default: until it is revoked].
    #[arg(long, value_name = "DURATION", value_parser = stream::settings::parse_duration)]
    expires_in: Option<Duration>,
}

/// List every key: id, source, teams, expiry.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    file: KeyFile,
}

/// Revoke a key: it is taken out of the file, and refused within a second.
#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    file: KeyFile,
    /// Id of the key, the part between `spend_` and the next underscore.
    id: String,
}

#[derive(Debug, Args)]
struct KeyFile {
    /// File of the keys.
    #[arg(long = "keys", env = "SPENDSTREAM_KEYS", value_name = "FILE", default_value = "keys.jsonl")]
    path: PathBuf,
}

impl KeysCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::New(new) => new.run()?,
            Action::List(list) => list.run()?,
            Action::Revoke(revoke) => revoke.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        let mut text = self.file.read(true)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).context("ask the system for random bytes")?;
        let expires = self.expires_in.map(|length| -> anyhow::Result<Timestamp> {
            let seconds = i64::try_from(length.as_secs()).ok().filter(|seconds| *seconds < 100 * 366 * 86_400);
            Ok(now().plus_seconds(seconds.context("--expires-in is longer than a century: leave it out")?))
        });
        let (key, shown) =
            Key::new(&random, &self.source, &self.teams, expires.transpose()?).map_err(anyhow::Error::msg)?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&serde_json::to_string(&key)?);
        text.push('\n');
        Keys::parse(&text).map_err(anyhow::Error::msg)?;
        self.file.write(&text)?;
        eprintln!("key {} for {} is in {}; this is the only time it is shown:", key.id, key.source, self.file.name());
        println!("{shown}");
        Ok(())
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let text = self.file.read(false)?;
        let mut table = Table::new(&["id", "source", "teams", "expires"]);
        let now = now();
        for key in Keys::lines(&text) {
            let (_, key) = key.map_err(anyhow::Error::msg).with_context(|| format!("read {}", self.file.name()))?;
            let teams = match &key.teams[..] {
                [] => "none".to_owned(),
                teams if teams.iter().any(|team| team == ANY_TEAM) => "any".to_owned(),
                teams => teams.join(", "),
            };
            let expires = match key.expires {
                None => "never".to_owned(),
                Some(at) if at <= now => format!("{at} (over)"),
                Some(at) => at.to_string(),
            };
            table.row([key.id.to_string(), key.source.to_string(), teams, expires]);
        }
        print!("{}", table.render(Style::of_stdout()));
        Ok(())
    }
}

impl Revoke {
    fn run(self) -> anyhow::Result<()> {
        // Whoever has the key at hand may give all of it.
        let id = self.id.strip_prefix("spend_").unwrap_or(&self.id);
        let id = id.split('_').next().unwrap_or(id);
        let text = self.file.read(false)?;
        let lines = Keys::lines(&text).collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?;
        let Some((number, key)) = lines.into_iter().find(|(_, key)| key.id == id) else {
            bail!("there is no key {id} in {}: `spendstream keys list` shows them", self.file.name());
        };
        let kept = text.lines().enumerate().filter(|(index, _)| index + 1 != number);
        let kept: String = kept.flat_map(|(_, line)| [line, "\n"]).collect();
        self.file.write(&kept)?;
        println!("revoked {} of {}", key.id, key.source);
        Ok(())
    }
}

impl KeyFile {
    fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    fn read(&self, may_be_new: bool) -> anyhow::Result<String> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => {
                Keys::parse(&text).map_err(anyhow::Error::msg).with_context(|| format!("read {}", self.name()))?;
                Ok(text)
            }
            Err(error) if may_be_new && error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| format!("read {}", self.name())),
        }
    }

    /// Replaces the file in one step: a service that reads it at this moment sees all of the old or all of the new.
    fn write(&self, text: &str) -> anyhow::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.path.file_name().context("--keys names no file")?.to_string_lossy();
        // A symbolic link (a mounted secret) would be replaced by a file, and the next mount would undo that.
        let link = std::fs::symlink_metadata(&self.path).is_ok_and(|about| about.is_symlink());
        ensure!(!link, "{} is a symbolic link: change the file it comes from", self.name());
        let beside = folder.join(format!(".{name}.{}", std::process::id()));
        let written = std::fs::File::create(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| std::fs::rename(&beside, &self.path)).with_context(|| format!("write {}", self.name()))
    }
}
