//! Reference data of an installation: prices, owners and budgets, from a folder or from the built-in example.

use std::collections::BTreeMap;
use std::path::Path;

use aggregate::budget::{Budgets, Definition, parse_budgets};
use anyhow::{Context, bail};
use enrich::{Directory, PriceBook, Severity};
use ingest::Mapping;
use schemas::{ReferenceItem, ReferenceRow, Text, Timestamp};
use stream::Log;
use stream::log::{Published, compare_reference, publish_reference, reference_items};
use stream::reference::{Compiled, manifest};

/// The example configuration: name and text of every file, by name; the notices of other people's data among them.
pub const EXAMPLE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/example.rs"));

/// Rows of every set, validated whole.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Prices.
    pub prices: Vec<ReferenceRow>,
    /// Owners.
    pub owners: Vec<ReferenceRow>,
    /// Budgets.
    pub budgets: Vec<ReferenceRow>,
    /// House formats, of `formats.yaml`. They are not published: a service reads the file itself (`--mappings`).
    pub mappings: Vec<Mapping>,
}

impl Configuration {
    /// The built-in example.
    ///
    /// # Errors
    /// Never in a release: its tests read it.
    pub fn example() -> anyhow::Result<Self> {
        let files: Vec<(String, String)> =
            EXAMPLE.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Self::parse(&files)
    }

    /// A folder with `prices.yaml` or `prices/*` (`.yaml`, or imported rows as `.jsonl`), `owners.yaml` or `owners/*`
    /// (`.yaml`, or tables as `.csv`), and `budgets.yaml`; `formats.yaml` maps house formats.
    ///
    /// # Errors
    /// Everything that is wrong, each with file, row and remedy; nothing of the folder is used then.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(current) = folders.pop() {
            let entries = std::fs::read_dir(&current).with_context(|| format!("read folder {}", current.display()))?;
            for entry in entries {
                let path = entry.with_context(|| format!("read folder {}", current.display()))?.path();
                if path.is_dir() && current == folder {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|extension| ["yaml", "yml", "jsonl", "csv"].iter().any(|known| extension == *known))
                {
                    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    files.push((name, text));
                }
            }
        }
        files.sort();
        Self::parse(&files).with_context(|| format!("use the configuration in {}", folder.display()))
    }

    fn parse(files: &[(String, String)]) -> anyhow::Result<Self> {
        let of = |set: &str| {
            // Tables are read for owners alone.
            let readable = |name: &str| !name.ends_with(".md") && (set == Directory::SET || !name.ends_with(".csv"));
            let belongs =
                |name: &str| readable(name) && name.strip_prefix(set).is_some_and(|rest| rest.starts_with(['/', '.']));
            files.iter().filter(|(name, _)| belongs(name)).cloned().collect::<Vec<_>>()
        };
        let (prices, owners, budgets) = (of(PriceBook::SET), of(Directory::SET), of(Budgets::SET));
        for (set, files) in [(PriceBook::SET, &prices), (Directory::SET, &owners), (Budgets::SET, &budgets)] {
            if files.is_empty() {
                bail!("no {set}: put {set}.yaml there (`spendstream init` writes an example)");
            }
        }
        let mut wrong = Vec::new();
        let mut rows = |parsed: Result<Vec<ReferenceRow>, Vec<enrich::Finding>>| {
            parsed.unwrap_or_else(|findings| {
                let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
                wrong.extend(errors.map(ToString::to_string));
                Vec::new()
            })
        };
        let prices = rows(enrich::price::parse_prices(&prices));
        let owners = rows(enrich::owner::parse_owners(&owners));
        let mut budget_rows = Vec::new();
        let mut ids: BTreeMap<Text, Text> = BTreeMap::new();
        for (name, text) in &budgets {
            match parse_budgets(name, text) {
                Ok(rows) => {
                    // Within a file it was looked for; a version in which one stands twice would stop every stage that reads it.
                    for row in &rows {
                        let Definition { id, .. } = serde_json::from_str(&row.body).context("read a budget again")?;
                        match ids.get(&id) {
                            Some(first) => wrong
                                .push(format!("{}: id {id} is taken by {first}; give each budget its own", row.origin)),
                            None => drop(ids.insert(id, row.origin.clone())),
                        }
                    }
                    budget_rows.extend(rows);
                }
                Err(findings) => wrong.push(findings.to_string()),
            }
        }
        let mut mappings = Vec::new();
        for (name, text) in of("formats") {
            match Mapping::parse(&name, &text) {
                Ok(read) => mappings.extend(read),
                Err(found) => wrong.extend(found.lines().map(str::to_owned)),
            }
        }
        if !wrong.is_empty() {
            bail!("nothing was used, because:\n  {}", wrong.join("\n  "));
        }
        Ok(Configuration { prices, owners, budgets: budget_rows, mappings })
    }

    /// The price book and directory, compiled.
    ///
    /// # Errors
    /// When validated rows do not compile: a mistake of ours.
    pub fn compile(&self) -> anyhow::Result<(PriceBook, Directory)> {
        Ok((compile(&self.prices)?, compile(&self.owners)?))
    }

    /// Budgets that can hardly be meant as they are written, though they are used: each a sentence.
    ///
    /// # Errors
    /// As [`Configuration::compile`].
    pub fn warnings(&self) -> anyhow::Result<Vec<String>> {
        let (book, directory) = self.compile()?;
        let mut found = Vec::new();
        for budget in self.definitions() {
            let (row, budget) = budget?;
            let Definition { id, currency, .. } = &budget;
            if currency.as_str() != book.reporting_currency() {
                let reported = book.reporting_currency();
                found.push(format!(
                    "{}: budget {id} is in {currency}, but spend is reported in {reported}: only what is charged in {currency} counts",
                    row.origin
                ));
            }
            for action in budget.thresholds.iter().map(|threshold| &*threshold.action) {
                if let Some(meant) = slip_of(action) {
                    found.push(format!(
                        "{}: budget {id} has the action {action:?}, a word of your own; {meant} was probably meant",
                        row.origin
                    ));
                }
            }
            for share in budget.thresholds.iter().map(|threshold| threshold.share).filter(|share| share.is_unlikely()) {
                found.push(format!(
                    "{}: budget {id} has a threshold of {share} times its amount: 80 % is written \"0.8\"",
                    row.origin
                ));
            }
            if let Some(team) = budget.named("team").filter(|team| directory.lists(team) == Some(false)) {
                found.push(format!("{}: budget {id} bounds team {team}, which the owners do not list", row.origin));
            }
            for (dimension, value) in &budget.scope {
                let unknown = |value: &str| directory.lists_value(dimension, value) == Some(false);
                if let Some(value) = value.as_deref().filter(|value| unknown(value)) {
                    found.push(format!(
                        "{}: budget {id} bounds {dimension} {value}, which the owners do not list",
                        row.origin
                    ));
                }
            }
        }
        Ok(found)
    }

    /// Budgets that bound the spend of another tenant than everything is read for: each a sentence.
    ///
    /// # Errors
    /// When a validated row cannot be read: a mistake of ours.
    pub fn budgets_of_others(&self, tenant: &str) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for budget in self.definitions() {
            let (row, budget) = budget?;
            if budget.tenant.as_str() != tenant {
                let (id, theirs) = (&budget.id, &budget.tenant);
                let origin = &row.origin;
                found.push(format!(
                    "{origin}: budget {id} is of tenant {theirs}, but everything here is read as tenant {tenant}: nothing counts"
                ));
            }
        }
        Ok(found)
    }

    /// Publishes every set whose rows differ from its newest version.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub fn publish(
        &self,
        log: &dyn Log,
        now: Timestamp,
        effective_after_seconds: i64,
    ) -> anyhow::Result<Vec<(&'static str, Published)>> {
        self.each_set(|set, rows| publish_reference(log, set, rows, now, effective_after_seconds))
    }

    /// What [`Self::publish`] would do; nothing is written.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn compare(
        &self,
        log: &dyn Log,
        now: Timestamp,
        effective_after_seconds: i64,
    ) -> anyhow::Result<Vec<(&'static str, Published)>> {
        self.each_set(|set, rows| compare_reference(log, set, rows, now, effective_after_seconds))
    }

    fn each_set(
        &self,
        act: impl Fn(&str, &[ReferenceRow]) -> anyhow::Result<Published>,
    ) -> anyhow::Result<Vec<(&'static str, Published)>> {
        let sets = [(PriceBook::SET, &self.prices), (Directory::SET, &self.owners), (Budgets::SET, &self.budgets)];
        sets.into_iter().map(|(set, rows)| Ok((set, act(set, rows)?))).collect()
    }

    /// Every budget, and the row it is of.
    fn definitions(&self) -> impl Iterator<Item = anyhow::Result<(&ReferenceRow, Definition)>> {
        self.budgets.iter().map(|row| {
            let budget: Definition = serde_json::from_str(&row.body).with_context(|| row.origin.to_string())?;
            anyhow::Ok((row, budget))
        })
    }
}

/// The action that was meant, where one is a slip of the pen away: a budget whose action is `blok` never blocks anybody.
fn slip_of(action: &str) -> Option<&'static str> {
    const ACTIONS: [&str; 4] = ["notify", "review", "page", "block"];
    let near = |meant: &&&str| distance(action, meant) <= meant.len().div_ceil(4);
    if ACTIONS.contains(&action) { None } else { ACTIONS.iter().find(near).copied() }
}

/// Letters to add, to drop or to change to make one word of another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// When the newest prices or owners of a log take effect, if others were in force before.
///
/// # Errors
/// When the log cannot be read.
pub fn changed_at(log: &dyn Log) -> anyhow::Result<Option<Timestamp>> {
    let mut changed: Option<Timestamp> = None;
    for set in [PriceBook::SET, Directory::SET] {
        let (items, _) = reference_items(log, &format!("ref.{set}"), 0).with_context(|| format!("read ref.{set}"))?;
        let effects = items.into_iter().filter_map(|item| match item {
            ReferenceItem::Manifest(manifest) => Some(manifest.effective_at),
            ReferenceItem::Row(_) => None,
        });
        let effects: Vec<Timestamp> = effects.collect();
        if effects.len() > 1 {
            changed = changed.max(effects.into_iter().max());
        }
    }
    Ok(changed)
}

fn compile<T: Compiled>(rows: &[ReferenceRow]) -> anyhow::Result<T> {
    let version = manifest(T::SET, rows, Timestamp::MIN, Timestamp::MIN).version;
    T::compile(&version, &rows.iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid_and_compiles() {
        let example = Configuration::example().unwrap();
        assert!(!example.prices.is_empty() && !example.owners.is_empty() && !example.budgets.is_empty());
        example.compile().unwrap();
    }

    #[test]
    fn budgets_that_can_hardly_be_meant_are_told() {
        let mut example = Configuration::example().unwrap();
        assert_eq!(example.warnings().unwrap(), Vec::<String>::new());
        let budget = |id: &str, team: &str, currency: &str| {
            format!(
                "  - id: {id}\n    name: {id}\n    tenant: default\n    scope: {{team: {team}}}\n    currency: {currency}\n    amounts: {{month: \"1\"}}\n"
            )
        };
        let thresholds = "    thresholds: [{share: \"50\", period: month, action: notify, severity: warning}]\n";
        let percent = budget("percent", "platform", "USD") + thresholds;
        let slip = budget("slip", "platform", "USD") + &thresholds.replace("\"50\"", "\"1\"").replace("notify", "blok");
        let own = budget("own", "search", "USD") + &thresholds.replace("\"50\"", "\"1\"").replace("notify", "wake");
        let budgets =
            [budget("mistyped", "plattform", "USD"), budget("foreign", "platform", "EUR"), percent, slip, own].concat();
        example.budgets = parse_budgets("budgets.yaml", &format!("budgets:\n{budgets}")).unwrap();
        let told = example.warnings().unwrap();
        assert!(told[0].contains("budget mistyped bounds team plattform, which the owners do not list"), "{told:?}");
        assert!(told[1].contains("budget foreign is in EUR, but spend is reported in USD"), "{told:?}");
        assert!(told[2].contains("budget percent has a threshold of 50 times its amount"), "{told:?}");
        assert!(told[3].contains("budget slip has the action \"blok\"") && told[3].contains("block was"), "{told:?}");
        assert_eq!(told.len(), 4);
        assert!(example.budgets_of_others("default").unwrap().is_empty());
        let others = example.budgets_of_others("acme").unwrap();
        assert!(others.len() == 5 && others[0].contains("read as tenant acme: nothing counts"), "{others:?}");
    }

    #[test]
    fn a_budget_of_an_environment_that_nobody_lists_is_told() {
        let mut example = Configuration::example().unwrap();
        let owners = "claims: any\nenvironments:\n  - {environment: production}\n";
        example.owners = enrich::owner::parse_owners(&[("owners.yaml".to_owned(), owners.to_owned())]).unwrap();
        assert_eq!(example.warnings().unwrap(), Vec::<String>::new());
        let text = "budgets:\n  - {id: slip, name: slip, tenant: default, scope: {environment: prodution}, currency: USD, amounts: {month: \"1\"}}\n";
        example.budgets = parse_budgets("budgets.yaml", text).unwrap();
        assert!(example.warnings().unwrap()[0].contains("bounds environment prodution, which the owners do not list"));
    }

    #[test]
    fn a_budget_id_that_stands_in_two_files_is_refused_with_both_places() {
        let mut files: Vec<(String, String)> =
            EXAMPLE.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let again =
            "budgets:\n  - {id: growth, name: Growth, tenant: default, currency: USD, amounts: {month: \"1\"}}\n";
        files.push(("budgets/more.yaml".to_owned(), again.to_owned()));
        files.sort();
        let error = Configuration::parse(&files).unwrap_err().to_string();
        assert!(
            error.contains("id growth is taken by") && error.contains("budgets/more.yaml, budgets[0] (growth)"),
            "{error}"
        );
        assert!(error.contains("budgets.yaml, budgets["), "{error}");
    }

    #[test]
    fn a_folder_with_a_corrupt_price_file_is_refused_whole_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in EXAMPLE {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Configuration::read(folder.path()).unwrap();
        std::fs::write(folder.path().join("prices/zzz.yaml"), "rates: [").unwrap();
        let error = format!("{:#}", Configuration::read(folder.path()).unwrap_err());
        assert!(error.contains("zzz.yaml"), "{error}");
    }
}
