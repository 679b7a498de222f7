"""Tables of a lake as DuckDB reads them without its `delta` extension, which is downloaded when it is used."""


def view(connection, name, table):
    """Makes a view of a table: its files, which `deltalake` names, and the columns that no file has a value in."""
    connection.register(f"{name}_columns", table.to_pyarrow_dataset().schema.empty_table())
    columns = f"SELECT * FROM {name}_columns"
    files = table.file_uris()
    if files:
        columns = f"FROM read_parquet({files!r}, hive_partitioning = true, union_by_name = true) UNION ALL BY NAME {columns}"
    connection.execute(f"CREATE VIEW {name} AS {columns}")
