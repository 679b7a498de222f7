//! Every table of the lake.

use arrow::datatypes::SchemaRef;
use stream::Table;

use crate::column;
use crate::lake::{Lake, LakeConfig};
use crate::rows::{Alerts, Batches, Budgets, Charges, Facts, Ledger, Rejected, Rows, Windows, all_columns};
use crate::table::LakeTable;

/// One table: what it is called, what it reads, what it holds.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec {
    /// Name.
    pub name: &'static str,
    /// Topic it reads.
    pub topic: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Columns that rows are sorted by within a file.
    pub sort: &'static [&'static str],
    /// Columns with a bloom filter.
    pub lookups: &'static [&'static str],
    schema: fn() -> SchemaRef,
    columns: fn() -> String,
    open: fn(&Lake, &LakeConfig) -> anyhow::Result<Box<dyn Table>>,
}

impl TableSpec {
    /// Arrow schema, `event_date` first.
    pub fn schema(&self) -> SchemaRef {
        (self.schema)()
    }

    /// Opens the table for writing, or creates it.
    ///
    /// # Errors
    /// When the lake cannot be reached, or holds a table of this name with other column types.
    pub fn open(&self, lake: &Lake, config: &LakeConfig) -> anyhow::Result<Box<dyn Table>> {
        (self.open)(lake, config)
    }

    /// Documentation of the table as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}\n\n{} Filled from `{}`, partitioned by `event_date`.\n\n| column | type | unit | meaning |\n|---|---|---|---|\n",
            self.name, self.about, self.topic
        );
        text.push_str(&(self.columns)());
        text
    }
}

const fn spec<R: Rows>() -> TableSpec {
    TableSpec {
        name: R::TABLE,
        topic: R::TOPIC,
        about: R::ABOUT,
        sort: R::SORT,
        lookups: R::LOOKUPS,
        schema: || column::schema(&all_columns::<R>()),
        columns: || all_columns::<R>().iter().map(column::Column::markdown).collect(),
        open: |lake, config| Ok(Box::new(LakeTable::<R>::open(lake, config)?)),
    }
}

/// Every table.
pub const TABLES: &[TableSpec] = &[
    spec::<Charges>(),
    spec::<Facts>(),
    spec::<Windows>(),
    spec::<Budgets>(),
    spec::<Alerts>(),
    spec::<Rejected>(),
    spec::<Batches>(),
    spec::<Ledger>(),
];

/// Opens every table for writing.
///
/// # Errors
/// When a table cannot be read or made, or was written by something else with a column of another type.
pub fn open_tables(lake: &Lake, config: &LakeConfig) -> anyhow::Result<Vec<Box<dyn Table>>> {
    TABLES.iter().map(|table| table.open(lake, config)).collect()
}

/// The table of a name.
pub(crate) fn table(name: &str) -> Option<&'static TableSpec> {
    TABLES.iter().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `UPDATE_SCHEMAS=1` the files are written instead of compared.
    #[test]
    fn the_documentation_of_the_tables_is_up_to_date() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/lake");
        for table in TABLES {
            let path = folder.join(format!("{}.md", table.name));
            let text = table.markdown();
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(file, text, "{} is stale; run the test with UPDATE_SCHEMAS=1 and read the diff", path.display());
        }
    }

    #[test]
    fn no_table_has_two_columns_of_one_name() {
        for table in TABLES {
            let schema = table.schema();
            let mut names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", table.name);
        }
    }
}
