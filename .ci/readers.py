"""Reads lakes with readers that others wrote and compares with expect.json.

usage: readers.py READER WORLD...

READER is files, duckdb, pyarrow, polars, chdb or spark. A WORLD is a folder that
bench/readercheck wrote: lake/ beside expect.json. A table is read as its
documentation says: a recursive glob, united by name, Hive partitions. The reader
"files" looks at the form of the files instead. Ends with 1 at a difference.
"""

import datetime
import decimal
import glob
import json
import math
import os
import sys

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def files_of(folder):
    return sorted(glob.glob("**/*.parquet", root_dir=folder, recursive=True, include_hidden=True))


# What a text of expect.json and a value of a reader are compared as.


def expected_value(kind, text):
    if text is None:
        return None
    if kind == "int64":
        return int(text)
    if kind == "double":
        return canonical_float(float(text))
    if kind == "boolean":
        return text == "true"
    if kind == "timestamp":
        return millis(datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC))
    if kind == "date":
        return datetime.date.fromisoformat(text)
    if kind.startswith("decimal"):
        return decimal.Decimal(text)
    return text


def actual_value(kind, value):
    if value is None:
        return None
    if kind == "double" and isinstance(value, float):
        return canonical_float(value)
    if kind == "timestamp" and isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise SystemExit("a timestamp came without a zone: it is not marked as UTC")
        return millis(value)
    return value


def canonical_float(value):
    return "NaN" if math.isnan(value) else value


def millis(moment):
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


def kinds_of(table):
    kinds = dict(table["columns"])
    for level in table["partition"] or []:
        kinds[level] = "date" if level == "date" else "int64"
    return kinds


def expected_rows(table):
    kinds = kinds_of(table)
    return {
        tuple(int(row[k]) for k in table["key"]): {c: expected_value(kinds[c], v) for c, v in row.items()}
        for row in table["rows"]
    }


def limit(value, least, most):
    """A date or timestamp as a reader with a narrower range has it."""
    if isinstance(value, datetime.date):
        return value if least.date() <= value <= most.date() else "out of range"
    return value if millis(least) <= value <= millis(most) else "out of range"


def compare(table, rows, narrow=None):
    """Returns the differences between a table and rows, dicts by column."""
    kinds, want, out, got = kinds_of(table), expected_rows(table), [], {}
    for row in rows:
        row = {c.lower(): v for c, v in row.items()}
        if set(row) != set(kinds):
            missing, foreign = sorted(set(kinds) - set(row)), sorted(set(row) - set(kinds))
            return ["columns are missing: %r, and should not be there: %r" % (missing, foreign)]
        key = tuple(row[k] for k in table["key"])
        if key in got:
            out.append("row %r is there twice" % (key,))
        got[key] = {c: actual_value(kinds[c], v) for c, v in row.items()}
    out += ["row %r is missing" % (k,) for k in want if k not in got]
    out += ["row %r should not be there" % (k,) for k in got if k not in want]
    for key in want.keys() & got.keys():
        for c, w in want[key].items():
            g = got[key][c]
            if narrow and w is not None and kinds[c] in ("timestamp", "date"):
                w = limit(w, *narrow)
                g = g if w != "out of range" else w
            if type(w) is not type(g) or w != g:
                out.append("row %r: %s is %.120r instead of %.120r" % (key, c, g, w))
    return out


def falsified(table):
    """The table with one value changed: who sees no difference compares nothing."""
    rows = [dict(row) for row in table["rows"]]
    rows[-1]["_dump_id"] = str(int(rows[-1]["_dump_id"]) - 1)
    return dict(table, rows=rows)


# The readers. Each takes the folder of a table that has files and returns rows.


def rows_of(arrow_table):
    return arrow_table.to_pylist()


def duckdb_reader():
    import duckdb

    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")

    def read(folder, table):
        query = "SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = true)"
        levels = table["partition"] or []
        result = db.sql(query, params=[folder + "/**/*.parquet"]).to_arrow_table()
        return [typed_levels(row, levels) for row in rows_of(result)]

    return read


def pyarrow_reader():
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    def read(folder, table):
        schema = pa.unify_schemas([pq.read_schema(os.path.join(folder, f)) for f in files_of(folder)])
        levels = [pa.field(n, pa.date32() if n == "date" else pa.int32()) for n in table["partition"] or []]
        partitioning = ds.partitioning(pa.schema(levels), flavor="hive")
        both = pa.schema(list(schema) + levels)
        return rows_of(ds.dataset(folder, format="parquet", schema=both, partitioning=partitioning).to_table())

    return read


def polars_reader():
    import polars as pl

    def read(folder, table):
        levels = {n: pl.Date if n == "date" else pl.Int32 for n in table["partition"] or []}
        frames = [
            pl.scan_parquet(os.path.join(folder, f), glob=False, hive_partitioning=bool(levels), hive_schema=levels or None)
            for f in files_of(folder)
        ]
        return pl.concat(frames, how="diagonal").collect().to_dicts()

    return read


def chdb_reader():
    import chdb
    import pyarrow as pa

    # ClickHouse takes __HIVE_DEFAULT_PARTITION__ for a value that does not
    # parse, so partitions are taken from the path.
    settings = (
        "schema_inference_mode = 'union', use_hive_partitioning = 0, session_timezone = 'UTC', "
        "output_format_arrow_string_as_string = 1, schema_inference_make_columns_nullable = 1"
    )
    level = "nullIf(extract(_path, '/%s=([^/]*)/'), '__HIVE_DEFAULT_PARTITION__') AS `%s`"

    def read(folder, table):
        levels = table["partition"] or []
        path = folder + ("/**/*.parquet" if levels else "/*.parquet")
        columns = ", ".join(["*"] + [level % (n, n) for n in levels])
        query = "SELECT %s FROM file('%s', Parquet) SETTINGS %s" % (columns, path, settings)
        result = chdb.query(query, "Arrow").bytes()
        return [typed_levels(row, levels) for row in rows_of(pa.ipc.open_file(pa.py_buffer(result)).read_all())]

    return read


def typed_levels(row, levels):
    """Partition values as numbers and dates, of readers that take them for text."""
    for level in levels:
        if isinstance(row[level], str):
            row[level] = datetime.date.fromisoformat(row[level]) if level == "date" else int(row[level])
    return row


def spark_reader():
    from pyspark.sql import SparkSession, functions, types

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")

    def read(folder, table):
        frame = spark.read.option("mergeSchema", "true").parquet(folder)
        columns = []
        for field in frame.schema.fields:
            column = frame["`" + field.name.replace("`", "``") + "`"]
            if isinstance(field.dataType, types.TimestampType):
                column = functions.unix_millis(column)
            columns.append(column.alias(field.name))
        return [row.asDict() for row in frame.select(columns).collect()]

    return read


# The form of the files.


def check_form(lake, tables):
    """Returns what is wrong with the files of a lake, beside their rows."""
    import pyarrow.parquet as pq

    out = []
    folders = {t["folder"] for t in tables}
    for name in sorted(set(os.listdir(lake)) - folders):
        if name != "_reconcile":
            out.append("%s is no table's folder" % name)
    if files_of(os.path.join(lake, "_reconcile")):
        out.append("there are *.parquet files under _reconcile")
    for table in tables:
        folder, seen = os.path.join(lake, table["folder"]), {}
        for name in files_of(folder):
            file = pq.ParquetFile(os.path.join(folder, name))
            out += ["%s/%s: %s" % (table["folder"], name, what) for what in check_file(file, table, seen)]
            if len(os.path.dirname(name).split("/")) != max(1, len(table["partition"] or [])):
                out.append("%s/%s has not the levels %r" % (table["folder"], name, table["partition"]))
        for at, dirs, files in os.walk(folder):
            if not dirs and not files:
                out.append("%s is an empty folder" % at)
    return out


def check_file(file, table, seen):
    if file.metadata.num_rows == 0:
        yield "a file without rows"
    footer = file.metadata.metadata or {}
    if not any(b"commit" in k for k in footer) or not any(b"version" in k for k in footer):
        yield "the footer does not name commit and version, only %r" % sorted(footer)
    for i in range(len(file.schema)):
        column = file.schema.column(i)
        kind = table["columns"].get(column.name.lower())
        logical = json.loads(column.logical_type.to_json())
        form = (column.name, column.physical_type, json.dumps(logical, sort_keys=True))
        if seen.setdefault(column.name.lower(), form) != form:
            yield "column %r is %r here and %r in another file" % (column.name, form, seen[column.name.lower()])
        if column.name in (table["partition"] or []):
            yield "the partition column %r is in the file" % column.name
        if kind == "string" and logical["Type"] != "String":
            yield "column %r is not annotated as a string but as %r" % (column.name, logical)
        if kind == "timestamp" and not (logical.get("isAdjustedToUTC") and logical.get("timeUnit") == "milliseconds"):
            yield "column %r is not a timestamp(ms, UTC) but %r" % (column.name, logical)


READERS = {"duckdb": duckdb_reader, "pyarrow": pyarrow_reader, "polars": polars_reader, "chdb": chdb_reader, "spark": spark_reader}

# ClickHouse's Date32 and DateTime64 end where others go on.
NARROW = {"chdb": (datetime.datetime(1900, 1, 1, tzinfo=UTC), datetime.datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC))}


def check_world(name, reader, world):
    with open(os.path.join(world, "expect.json"), encoding="utf-8") as f:
        tables = json.load(f)["tables"]
    lake = os.path.join(os.path.abspath(world), "lake")
    if name == "files":
        return ["%s: %s" % (world, what) for what in check_form(lake, tables)], len(tables), 0
    out, rows_read = [], 0
    for table in tables:
        folder = os.path.join(lake, table["folder"])
        there = bool(files_of(folder)) if os.path.isdir(folder) else False
        if name == "spark" and table["folder"].startswith("_"):
            continue  # Spark hides folders of such names, as plans warn
        if there != bool(table["rows"]):
            out.append("%s: table %s has %s" % (world, table["name"], "files and should be empty" if there else "no files"))
        elif there:
            try:
                rows = reader(folder, table)
            except Exception as e:  # whatever a reader cannot read is a finding
                out.append("%s: table %s cannot be read: %s" % (world, table["name"], e))
                continue
            rows_read += len(rows)
            if not compare(falsified(table), rows, NARROW.get(name)):
                out.append("%s: table %s: a false value was not seen" % (world, table["name"]))
            out += ["%s: table %s: %s" % (world, table["name"], d) for d in compare(table, rows, NARROW.get(name))[:10]]
    return out, len(tables), rows_read


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in list(READERS) + ["files"]:
        raise SystemExit(__doc__)
    name = sys.argv[1]
    reader = READERS[name]() if name in READERS else None
    found, tables, rows = [], 0, 0
    for world in sys.argv[2:]:
        differences, t, r = check_world(name, reader, world)
        found, tables, rows = found + differences, tables + t, rows + r
    for line in found:
        print(name + ": " + line)
    print("%s: %d tables, %d rows, %d differences" % (name, tables, rows, len(found)))
    if found or tables == 0 or name != "files" and rows == 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
