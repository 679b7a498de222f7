//! Where an export's rows come from: the files of a table, or the answer of a query over them.

use anyhow::Context;
use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use sink::read::{Cells, Snapshot};

use super::{Job, Of, Request};

/// Rows of a batch of an answer, as many as the lake's reader gives: it becomes text at once.
const BATCH_ROWS: usize = 8192;

/// Rows that are the same, in the same order, whenever they are read again.
pub(super) enum Source {
    /// A table at one version.
    Table(Box<Snapshot>),
    /// An answer, which counts as one file.
    #[cfg_attr(not(feature = "reports"), allow(dead_code, reason = "this build has no query engine to answer"))]
    Answer(RecordBatch),
}

/// The query that a request is answered by; `None` for a table as it stands.
#[cfg(feature = "reports")]
pub(super) fn query(request: &Request) -> anyhow::Result<Option<String>> {
    match request.of {
        Of::Focus => super::focus::sql(request).map(Some),
        Of::Charges | Of::Alerts | Of::Budgets => Ok(None),
    }
}

/// Says what this build lacks.
#[cfg(not(feature = "reports"))]
pub(super) fn query(request: &Request) -> anyhow::Result<Option<String>> {
    anyhow::ensure!(request.of != Of::Focus, "--type focus is the answer of a query, but {}", crate::NO_ENGINE);
    Ok(None)
}

impl Source {
    pub(super) fn of(job: &Job, snapshot: Snapshot) -> anyhow::Result<Self> {
        match &job.query {
            None => Ok(Source::Table(Box::new(snapshot))),
            #[cfg(feature = "reports")]
            Some(sql) => super::focus::answer(&snapshot, sql).map(Source::Answer),
            #[cfg(not(feature = "reports"))]
            Some(_) => anyhow::bail!("the export is the answer of a query, but {}", crate::NO_ENGINE),
        }
    }

    /// What a reader of the rows should know.
    pub(super) fn remarks(&self) -> Vec<String> {
        let Source::Answer(rows) = self else { return Vec::new() };
        let without = rows.column_by_name("BilledCost").map_or(0, |costs| costs.null_count());
        let said = format!(
            "{without} of its rows are usage without a price, so without costs, which FOCUS allows in no row: `spendstream report \
             unpriced` says what lacks one"
        );
        if without == 0 { Vec::new() } else { vec![said] }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        match self {
            Source::Table(snapshot) => snapshot.schema(),
            Source::Answer(rows) => rows.schema(),
        }
    }

    pub(super) fn files(&self) -> usize {
        match self {
            Source::Table(snapshot) => snapshot.files().len(),
            Source::Answer(_) => 1,
        }
    }

    /// The rows of a file, in its order.
    pub(super) fn scan(
        &self,
        index: usize,
    ) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<RecordBatch>> + '_>> {
        match self {
            Source::Table(snapshot) => {
                let schema = snapshot.schema();
                let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let scan = snapshot.scan_files(&columns, snapshot.files().get(index..=index).unwrap_or_default())?;
                Ok(Box::new(scan.map(move |batch| batch.with_context(|| gone(snapshot)))))
            }
            Source::Answer(rows) => {
                let starts = (0..rows.num_rows()).step_by(BATCH_ROWS);
                Ok(Box::new(starts.map(|at| Ok(rows.slice(at, BATCH_ROWS.min(rows.num_rows() - at))))))
            }
        }
    }

    /// The rows that were asked for. An answer has no others.
    pub(super) fn taken(&self, batch: &RecordBatch, request: &Request) -> anyhow::Result<RecordBatch> {
        if matches!(self, Source::Answer(_)) {
            return Ok(batch.clone());
        }
        let keep: Vec<bool> =
            (0..batch.num_rows()).map(|row| request.takes(Cells(batch), row)).collect::<anyhow::Result<_>>()?;
        if keep.iter().all(|keep| *keep) {
            return Ok(batch.clone());
        }
        Ok(filter_record_batch(batch, &BooleanArray::from(keep))?)
    }
}

fn gone(snapshot: &Snapshot) -> String {
    format!(
        "read version {:?} of the table {} (files that were replaced are kept for a week or as the sink is told; an \
         export older than that begins again in another folder)",
        snapshot.version(),
        snapshot.name()
    )
}
