//! The data of a Python package: a file that was named, or the package's own, fetched for as long as it takes to read it.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::ImportSource;

impl ImportSource {
    /// Name of the package on PyPI, and the file in it that holds the prices.
    fn package(self) -> (&'static str, &'static str) {
        match self {
            ImportSource::Litellm => ("litellm", "litellm/model_prices_and_context_window_backup.json"),
            ImportSource::GenaiPrices => ("genai-prices", "genai_prices/data.py"),
        }
    }

    /// The text of a file, or of the one in this version of the package, which is fetched without what it depends on.
    pub(super) fn text(self, named: Option<&Path>, version: &str) -> anyhow::Result<String> {
        let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()));
        if let Some(path) = named {
            return read(path);
        }
        let (package, file) = self.package();
        let folder = std::env::temp_dir().join(format!("spendstream-{package}-{}", std::process::id()));
        let pip = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&folder)
            .arg(format!("{package}=={version}"))
            .status();
        let text = match pip.is_ok_and(|status| status.success()) {
            true => read(&folder.join(file)),
            false => Err(anyhow::anyhow!(
                "{package} {version} was not fetched: python3 needs pip and a way to PyPI, or name its {file}"
            )),
        };
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        text
    }
}
