//! `spendstream prices build`: the default book, made again of two packages and the rows checked by hand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use chrono::NaiveDate;
use clap::Args;
use enrich::price::import::{Sources, merge};

use super::{ImportSource, now};

/// End of the names of the files that are made.
const MADE: &str = ".imported.yaml";
/// List of the differences.
const DIFFERENCES: &str = "disagreements.tsv";

/// Make again the rows of a price folder that come from litellm and genai-prices, and list where the two differ.
///
/// Files of the folder whose names end in `.imported.yaml` are replaced; all others are yours. A model that one of your
/// files names keeps the prices of that file alone. The whole book is validated before anything is written.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// Folder with price files, such as `spendstream-config/prices`.
    folder: PathBuf,
    /// `model_prices_and_context_window_backup.json` of litellm [default: fetched from PyPI with pip].
    #[arg(long, value_name = "FILE")]
    litellm: Option<PathBuf>,
    /// `data.py` of genai-prices [default: fetched from PyPI with pip].
    #[arg(long, value_name = "FILE")]
    genai_prices: Option<PathBuf>,
    /// Version of litellm.
    #[arg(long, default_value = "1.106.2")]
    litellm_version: String,
    /// Version of genai-prices.
    #[arg(long, default_value = "0.2.3")]
    genai_prices_version: String,
    /// Day whose prices are compared; rows say that they were checked on it [default: today].
    #[arg(long, value_name = "DATE")]
    day: Option<NaiveDate>,
}

impl Build {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        ensure!(
            self.folder.is_dir(),
            "{} is no folder: name the one that holds the price files",
            self.folder.display()
        );
        let litellm = ImportSource::Litellm.text(self.litellm.as_deref(), &self.litellm_version)?;
        let genai = ImportSource::GenaiPrices.text(self.genai_prices.as_deref(), &self.genai_prices_version)?;
        let day = match self.day {
            Some(day) => day,
            None => now().to_string().get(..10).and_then(|day| day.parse().ok()).context("read the clock")?,
        };
        let (mut files, mut old) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&self.folder).with_context(|| format!("read {}", self.folder.display()))? {
            let path = entry.with_context(|| format!("read {}", self.folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(MADE) {
                old.push(path);
            } else if [".yaml", ".yml", ".jsonl"].iter().any(|end| name.ends_with(end)) {
                let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                files.push((format!("prices/{name}"), text));
            }
        }
        files.sort();
        let checked = enrich::price::parse_prices(&files).map_err(refused)?;
        let sources = Sources {
            litellm: &litellm,
            litellm_version: &self.litellm_version,
            genai: &genai,
            genai_version: &self.genai_prices_version,
            day,
        };
        let merged = merge(&sources, &checked).map_err(refused)?;
        files.extend(merged.files.iter().map(|(name, text)| (format!("prices/{name}"), text.clone())));
        let rows = enrich::price::parse_prices(&files).map_err(refused)?;
        for path in old {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        for (name, text) in merged.files.iter().chain([&(DIFFERENCES.to_owned(), merged.disagreements.clone())]) {
            let path = self.folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        for remark in &merged.remarks {
            eprintln!("left out: {remark}");
        }
        let differences = merged.disagreements.lines().count().saturating_sub(3);
        println!(
            "wrote {} files and {differences} differences; the book has {} rows, {} of them yours",
            merged.files.len(),
            rows.len(),
            checked.len()
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn refused(findings: Vec<enrich::Finding>) -> anyhow::Error {
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("nothing was written, because:\n  {}", findings.join("\n  "))
}
