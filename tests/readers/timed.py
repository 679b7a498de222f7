"""Runs a query in DuckDB over the tables of a lake.

usage: timed.py LAKE QUERY

Prints the seconds from opening the files to the last row, how many rows there were, and the processor seconds of that.
"""

import sys
import time
from pathlib import Path

import deltalake
import duckdb
from tables import view

lake, query = sys.argv[1:]
tables = {name: deltalake.DeltaTable(f"{lake}/{name}") for name in ("charges", "facts") if Path(lake, name).exists()}
duck = duckdb.connect(config={"threads": 2})
duck.execute("SET TimeZone = 'UTC'")
began, used = time.perf_counter(), time.process_time()
for name, table in tables.items():
    view(duck, name, table)
rows = len(duck.execute(query).fetchall())
print(time.perf_counter() - began, rows, time.process_time() - used)
