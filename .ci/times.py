"""Tries what docs/reading.md says of times and of columns that came later.

usage: times.py FOLDER, the folder that lake/ of the quickstart is in. Ends with an
error where the page is wrong.
"""

import sys

sys.dont_write_bytecode = True

import datetime
import glob
import os
import re
import zoneinfo

import duckdb
import pandas as pd
import polars as pl

from statements import COLUMNS, check, run, statements

FILES = "lake/checkout/**/*.parquet"
EAST, WEST = "Pacific/Kiritimati", "America/Los_Angeles"
MIDNIGHT = datetime.datetime(2026, 3, 3)
UTC = datetime.timezone.utc


def fails(error, use):
    try:
        use()
    except Exception as e:
        return type(e).__name__ == error
    return False


def times_in_duckdb():
    db = duckdb.connect()
    table = "read_parquet('%s', union_by_name = true)" % FILES

    def column(expression, zone, where=""):
        db.execute("SET TimeZone = '%s'" % zone)
        return db.execute("SELECT %s FROM %s %s ORDER BY event_id" % (expression, table, where)).fetchall()

    types = dict(row[:2] for row in db.execute("DESCRIBE SELECT * FROM " + table).fetchall())
    check("DuckDB has other types of times", types["time"] == "TIMESTAMP WITH TIME ZONE")
    alone = [row[0] for row in db.execute("DESCRIBE SELECT * FROM read_parquet('%s')" % FILES).fetchall()]
    check("DuckDB unites columns unasked", "coupon" in types and "coupon" not in alone)
    for x in ["time::VARCHAR", "time::DATE", "date_trunc('day', time)"]:
        check("DuckDB shows %s alike in all zones" % x, column(x, EAST) != column(x, WEST))
    for x in ["epoch_ms(time)", "(time AT TIME ZONE 'UTC')::DATE"]:
        check("DuckDB has another %s by zone" % x, column(x, EAST) == column(x, WEST) == column(x, "UTC"))
    day = "WHERE time >= '2026-03-03%s'"
    check("DuckDB compares with midnight in UTC", column("event_id", EAST, day % "") != column("event_id", WEST, day % ""))
    day = day % " 00:00:00+00"
    check("DuckDB compares by zone", column("event_id", EAST, day) == column("event_id", WEST, day))
    db.execute("SET TimeZone = '%s'" % WEST)
    check("DuckDB gives pandas another zone", WEST in str(db.sql("SELECT time FROM " + table).df().dtypes["time"]))
    days = {tuple(map(int, re.findall(r"=(\d+)/", f))) for f in glob.glob(FILES, recursive=True) if "__HIVE" not in f}
    day = column("DISTINCT (time AT TIME ZONE 'UTC')::DATE AS event_id", EAST, "WHERE time IS NOT NULL")
    check("folders are other days than those in UTC", days == {(d.year, d.month, d.day) for d, in day})


def times_in_pandas(checkout):
    first = pd.read_parquet("lake/checkout")
    check("pandas unites columns", "coupon" not in first.columns)
    frame = checkout.to_table().to_pandas()
    check("pandas lacks a column of pyarrow", COLUMNS <= set(frame.columns))
    time = frame["time"]
    check("pandas has other types of times", str(time.dtype) == "datetime64[ms, UTC]")
    after = (time >= pd.Timestamp(MIDNIGHT, tz="UTC")).sum()
    check("pandas compares with text otherwise", 0 < after == (time >= "2026-03-03").sum())
    check("pandas compares without a zone", fails("TypeError", lambda: time >= pd.Timestamp(MIDNIGHT)))
    check("pandas keeps the zone", str(time.dt.tz_localize(None).dtype) == "datetime64[ms]")
    check("pandas has other types of numbers with nulls", str(frame["session_id"].dtype) == "float64" or not frame["session_id"].isna().any())
    kept = checkout.to_table().to_pandas(types_mapper=pd.ArrowDtype)
    check("pandas changes numbers of pyarrow", str(kept["session_id"].dtype) == "int64[pyarrow]")


def times_in_polars(checkout):
    for read in [lambda: pl.read_parquet(FILES), lambda: pl.scan_parquet(FILES).collect()]:
        check("Polars unites columns", fails("SchemaError", read))
    check("Polars has columns that it ignores", "coupon" not in pl.scan_parquet(FILES, extra_columns="ignore").collect().columns)
    time = checkout.collect_schema()["time"]
    check("Polars has other types of times", time == pl.Datetime("ms", "UTC"))
    later = lambda t: checkout.filter(pl.col("time") >= t).collect().height
    check("Polars finds nothing by a time in UTC", later(MIDNIGHT.replace(tzinfo=UTC)) > 0)
    for other in [MIDNIGHT, MIDNIGHT.replace(tzinfo=zoneinfo.ZoneInfo(WEST))]:
        check("Polars compares with %s" % other, fails("SchemaError", lambda: later(other)))
    naive = pl.DataFrame({"time": [MIDNIGHT]})
    check("Polars joins times without a zone", fails("SchemaError", lambda: pl.concat([checkout.select("time").collect(), naive])))
    check("Polars has the same days in all zones", len({
        tuple(checkout.select(pl.col("time").dt.convert_time_zone(zone).dt.date()).collect()["time"]) for zone in [EAST, WEST]}) == 2)


def main(folder):
    programs = dict(statements())
    os.chdir(folder)
    times_in_duckdb()
    times_in_pandas(run(programs["pyarrow"]))
    times_in_polars(run(programs["polars"]))
    print("what docs/reading.md says of times and later columns is so")


main(sys.argv[1])
