//! How tables lie on disk: what readers use to leave things out.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use serde_json::Value;
use sink::TABLES;

use crate::ground::Ground;
use crate::sample::{Sample, drive};

fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(data_files(&path));
        } else if path.extension().is_some_and(|end| end == "parquet") && !path.to_string_lossy().contains("_delta_log")
        {
            files.push(path);
        }
    }
    files
}

/// The entries of a table's log, one action a line.
fn actions(folder: &Path) -> Vec<Value> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder.join("_delta_log"))
        .expect("a log")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    entries.sort();
    let texts = entries.iter().map(|path| std::fs::read_to_string(path).expect("an entry can be read"));
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_table_is_cut_by_day_sorted_and_has_bounds_and_bloom_filters_where_they_pay() {
    let (ground, sample) = (Ground::folder(), Sample::new());
    drive(&ground.lake(), &sample, 2, 0);
    for table in TABLES {
        let folder = ground.file(table.name);
        let actions = actions(&folder);
        let made = actions.iter().find_map(|action| action.get("metaData")).expect("a table was made");
        assert_eq!(made["partitionColumns"], serde_json::json!(["event_date"]), "{}", table.name);
        assert_eq!(made["name"], table.name);
        let schema: Value = serde_json::from_str(made["schemaString"].as_str().expect("text")).expect("JSON");
        for field in schema["fields"].as_array().expect("columns") {
            let comment = field["metadata"]["comment"].as_str().unwrap_or_default();
            assert!(comment.ends_with('.') && comment.len() > 3, "{}.{} says nothing", table.name, field["name"]);
            let amount = field["type"].as_str().is_some_and(|of| of.starts_with("decimal") || of == "timestamp");
            assert!(!amount || comment.contains("Unit: "), "{}.{} has no unit", table.name, field["name"]);
        }

        // Delta's statistics know every column that rows are sorted by, where it is not null in all of them.
        let adds: Vec<&Value> = actions.iter().filter_map(|action| action.get("add")).collect();
        for add in &adds {
            let statistics: Value = serde_json::from_str(add["stats"].as_str().expect("text")).expect("JSON");
            for column in table.sort {
                let (least, most) = (&statistics["minValues"][column], &statistics["maxValues"][column]);
                assert!(!least.is_null() && !most.is_null(), "{}.{column} has no bounds: {statistics}", table.name);
            }
        }

        let files = data_files(&folder);
        assert_eq!(files.len(), adds.len());
        for path in files {
            let day = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
            assert!(day.starts_with("event_date=2026-"), "{}", path.display());
            let file = path.display().to_string();
            let reader = SerializedFileReader::new(File::open(&path).expect("a file")).expect("Parquet");
            for group in reader.metadata().row_groups() {
                let name = |column: usize| group.column(column).column_path().string();
                let sorted = group.sorting_columns().expect("the order is stated");
                let sorted: Vec<String> = sorted.iter().map(|by| name(by.column_idx as usize)).collect();
                assert_eq!(sorted, table.sort, "{}", path.display());
                for column in group.columns() {
                    let path = column.column_path().string();
                    let nulls = column.statistics().and_then(Statistics::null_count_opt);
                    // A column without any value has nothing to look up, and nothing to pack.
                    let empty = nulls == Some(column.num_values() as u64);
                    let wanted = table.lookups.contains(&path.as_str()) && !empty;
                    assert_eq!(column.bloom_filter_offset().is_some(), wanted, "{}.{path}", table.name);
                    let packed = match column.compression() {
                        Compression::UNCOMPRESSED => empty,
                        Compression::SNAPPY => file.ends_with(".snappy.parquet"),
                        Compression::ZSTD(_) => file.ends_with(".zstd.parquet"),
                        _ => false,
                    };
                    assert!(packed, "{}.{path} of {file}: {}", table.name, column.compression());
                }
            }
        }
    }
}
