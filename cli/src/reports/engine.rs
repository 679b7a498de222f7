//! Runs a query over tables of the lake.
//!
//! A table is read by the lake's own reader, only the columns that the plan asks for; everything else is DataFusion.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::{SessionConfig, SessionContext};
use sink::read::{Snapshot, TableFile};

/// Memory that grouping and sorting may take. A query that needs more fails, and says so.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// Parts of a table that are read at the same time.
const READERS: usize = 2;

/// Answers a query over these tables, each by its name.
///
/// # Errors
/// When the query cannot be understood, a table cannot be read, or the answer needs too much memory.
pub fn query(tables: &[Snapshot], sql: &str) -> anyhow::Result<RecordBatch> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(READERS)
        .thread_name("report")
        .build()
        .context("start threads for the query")?;
    let memory = RuntimeEnvBuilder::new().with_memory_limit(MEMORY_BYTES_MAX, 1.0);
    // Literals with a time zone are in UTC, like the lake.
    let config =
        SessionConfig::new().with_target_partitions(READERS).set_str("datafusion.execution.time_zone", "+00:00");
    let context = SessionContext::new_with_config_rt(config, Arc::new(memory.build()?));
    for table in tables {
        context.register_table(table.name(), Arc::new(Table::of(table)))?;
    }
    let answer = runtime.block_on(async {
        let frame = context.sql(sql).await?;
        let planned = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        // In how it keeps texts the engine does not always do as it planned.
        let schema = batches.first().map_or(planned, RecordBatch::schema);
        concat_batches(&schema, &batches).map_err(DataFusionError::from)
    });
    plain(&answer?)
}

/// A table of the lake.
#[derive(Debug)]
struct Table {
    snapshot: Snapshot,
    schema: SchemaRef,
}

impl Table {
    fn of(snapshot: &Snapshot) -> Self {
        let whole = snapshot.schema();
        // What a column means is no part of its type; some of the engine's checks would take it for one.
        let fields = whole.fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true));
        Table { snapshot: snapshot.clone(), schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())) }
    }
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        // Large and small files of neighbouring days alternate, so that the parts are about alike.
        let part = |reader: usize| {
            let files: Vec<TableFile> = self.snapshot.files().iter().skip(reader).step_by(READERS).cloned().collect();
            Arc::new(Part { table: self.snapshot.clone(), files, schema: schema.clone() }) as Arc<dyn PartitionStream>
        };
        let parts = (0..READERS).map(part).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema.clone(), parts, None, [], false, limit)?))
    }
}

/// Some files of a table.
struct Part {
    table: Snapshot,
    files: Vec<TableFile>,
    schema: SchemaRef,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files of {}", self.files.len(), self.table.name())
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (scan, failed) = match self.table.scan_files(&columns, &self.files) {
            Ok(scan) => (Some(scan), None),
            Err(error) => (None, Some(Err(error))),
        };
        let schema = self.schema.clone();
        let batches = scan.into_iter().flatten().chain(failed).map(move |batch| {
            let batch = batch.map_err(|error| DataFusionError::External(error.into()))?;
            Ok(batch.with_schema(schema.clone())?)
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), futures::stream::iter(batches)))
    }
}

/// Gives columns the types that the lake itself uses.
fn plain(rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let kind = match column.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        columns.push(cast(column, &kind)?);
        fields.push(Field::new(field.name(), kind, true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
