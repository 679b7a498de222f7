//! A Parquet file in the store, of which only the parts that are asked for are fetched.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Bytes fetched from the end of a file at once: enough for the metadata of most files of the lake.
const TAIL_BYTES: usize = 64 * 1024;

/// A file up to this size is fetched whole, with one request: asking for its parts would take at least three.
const WHOLE_BYTES: u64 = 512 * 1024;

#[derive(Debug)]
pub(crate) struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    whole: Option<Bytes>,
}

impl StoredFile {
    /// A file of this size. Nothing is fetched yet.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, size: u64) -> Self {
        StoredFile { store, path, size, whole: None }
    }

    async fn fetch(&mut self, range: Range<u64>) -> Result<Bytes> {
        if self.size > WHOLE_BYTES {
            return self.store.get_range(&self.path, range).await.map_err(external);
        }
        let whole = match &self.whole {
            Some(whole) => whole,
            None => {
                let fetched = self.store.get(&self.path).await.map_err(external)?.bytes().await.map_err(external)?;
                self.whole.insert(fetched)
            }
        };
        if range.end > whole.len() as u64 {
            return Err(ParquetError::EOF(format!("{} has {} bytes, not {}", self.path, whole.len(), self.size)));
        }
        Ok(whole.slice(range.start as usize..range.end as usize))
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.fetch(range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            if self.size > WHOLE_BYTES {
                return self.store.get_ranges(&self.path, &ranges).await.map_err(external);
            }
            let mut parts = Vec::with_capacity(ranges.len());
            for range in ranges {
                parts.push(self.fetch(range).await?);
            }
            Ok(parts)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(TAIL_BYTES));
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}
