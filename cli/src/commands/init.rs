//! `spendstream init`: a commented starter configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::configuration::EXAMPLE;

/// Write a commented starter configuration (prices, owners, budgets) into a folder. Existing files are left alone.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Folder to write to.
    #[arg(default_value = "spendstream-config")]
    folder: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let taken: Vec<_> = EXAMPLE.iter().filter(|(name, _)| self.folder.join(name).exists()).collect();
        if let Some((name, _)) = taken.first() {
            bail!("{} exists already: name another folder, or remove it first", self.folder.join(name).display());
        }
        for (name, text) in EXAMPLE {
            let path = self.folder.join(name);
            let folder = path.parent().unwrap_or(&self.folder);
            std::fs::create_dir_all(folder).with_context(|| format!("make folder {}", folder.display()))?;
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        // Only when all is there: who reads no further must not end with a part of it.
        for (name, _) in EXAMPLE {
            println!("wrote {}", self.folder.join(name).display());
        }
        println!(
            "\nEdit them, then: spendstream up --config {0}   or   spendstream apply {0} --brokers HOST:PORT",
            self.folder.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
