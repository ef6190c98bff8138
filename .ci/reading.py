"""The readers that .ci/readers.py compares with what a lake must have.

Each reads a table as docs/reading.md says: a recursive glob, united by name, Hive
partitions. What a reader cannot do is one of its limits, by its version; it notes
each that it met. So a limit that is gone is found, as is a new one.
"""

import datetime
import glob
import os

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class Refused(Exception):
    """A table that a reader refuses for one of its limits."""


def files_of(folder):
    return sorted(glob.glob("**/*.parquet", root_dir=folder, recursive=True, include_hidden=True))


def millis(moment):
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


def quoted(name, mark='"'):
    return mark + name.replace(mark, mark + mark) + mark


class Reader:
    """Reads tables. read takes the folder of a table that has files and returns its
    rows: all, or those in a range that only gives as column, kind, least, most."""

    name = ""
    # Columns of which ranges are read.
    ranges = ("user_id", "born", "seen")

    def __init__(self, version):
        self.version = version
        self.limits, self.met = set(), set()

    def before(self, *version):
        return tuple(int(n) for n in self.version.split(".")[:2]) < version

    def as_read(self, kind, value):
        """Returns a value that is expected as this reader has it."""
        return value

    def typed_levels(self, row, levels):
        """Partition values as numbers and dates, of readers that take them for text."""
        for level in levels:
            if row[level] == NO_VALUE:
                self.met.add("a partition without a value is text")
                row[level] = None
            if isinstance(row[level], str):
                row[level] = datetime.date.fromisoformat(row[level]) if level == "date" else int(row[level])
        return row


class DuckDB(Reader):
    name = "duckdb"

    def __init__(self):
        import duckdb

        super().__init__(duckdb.__version__)
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        if self.before(1, 5):
            self.limits.add("a partition without a value is text")

    def read(self, folder, table, only):
        query = "SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = true)"
        params = [folder + "/**/*.parquet"]
        if only:
            query += " WHERE %s BETWEEN ? AND ?" % quoted(only[0])
            params += only[2:]
        levels = table["partition"] or []
        return [self.typed_levels(row, levels) for row in self.db.sql(query, params=params).to_arrow_table().to_pylist()]


class PyArrow(Reader):
    name = "pyarrow"

    def __init__(self):
        import pyarrow

        super().__init__(pyarrow.__version__)

    def read(self, folder, table, only):
        import pyarrow as pa
        import pyarrow.dataset as ds
        import pyarrow.parquet as pq

        schema = pa.unify_schemas([pq.read_schema(os.path.join(folder, f)) for f in files_of(folder)])
        levels = [pa.field(n, pa.date32() if n == "date" else pa.int32()) for n in table["partition"] or []]
        partitioning = ds.partitioning(pa.schema(levels), flavor="hive")
        both = pa.schema(list(schema) + levels)
        inside = None
        if only:
            inside = (ds.field(only[0]) >= only[2]) & (ds.field(only[0]) <= only[3])
        return ds.dataset(folder, format="parquet", schema=both, partitioning=partitioning).to_table(filter=inside).to_pylist()


class Polars(Reader):
    name = "polars"

    def __init__(self):
        import polars

        super().__init__(polars.__version__)

    def read(self, folder, table, only):
        import polars as pl

        levels = {n: pl.Date if n == "date" else pl.Int32 for n in table["partition"] or []}
        frames = [
            pl.scan_parquet(os.path.join(folder, f), glob=False, hive_partitioning=bool(levels), hive_schema=levels or None)
            for f in files_of(folder)
        ]
        frame = pl.concat(frames, how="diagonal")
        if only:
            frame = frame.filter(pl.col(only[0]).is_between(*only[2:]))
        return frame.collect().to_dicts()


class ClickHouse(Reader):
    name = "chdb"

    # Partitions are taken from the path, see hive.
    SETTINGS = (
        "schema_inference_mode = 'union', use_hive_partitioning = 0, session_timezone = 'UTC', "
        "output_format_arrow_string_as_string = 1, schema_inference_make_columns_nullable = 1"
    )
    LEVEL = "nullIf(extract(_path, '/%s=([^/]*)/'), '" + NO_VALUE + "') AS `%s`"

    def __init__(self):
        import chdb

        super().__init__(chdb.__version__)
        self.limits = {"a partition without a value is no null"}

    def read(self, folder, table, only):
        import chdb
        import pyarrow as pa

        levels = table["partition"] or []
        if only and NO_VALUE in "".join(files_of(folder)):
            self.hive(folder, levels)
        path = folder + ("/**/*.parquet" if levels else "/*.parquet")
        columns = ", ".join(["*"] + [self.LEVEL % (n, n) for n in levels])
        inside = "WHERE `%s` BETWEEN %s AND %s" % (only[0], *map(self.literal, only[2:])) if only else ""
        query = "SELECT %s FROM file('%s', Parquet) %s SETTINGS %s" % (columns, path, inside, self.SETTINGS)
        found = pa.ipc.open_file(pa.py_buffer(chdb.query(query, "Arrow").bytes())).read_all()
        return [self.typed_levels(row, levels) for row in found.to_pylist()]

    def hive(self, folder, levels):
        """Holds that such a partition is text to it, or an error: whatever the first file lets it guess."""
        import chdb

        query = "SELECT DISTINCT toString(`%s`) FROM file('%s/**/*.parquet', Parquet) SETTINGS use_hive_partitioning = 1"
        try:
            answer = str(chdb.query(query % (levels[0], folder)))
        except RuntimeError as e:
            answer = str(e)
        if NO_VALUE[:11] in answer:
            self.met.add("a partition without a value is no null")

    @staticmethod
    def literal(value):
        if isinstance(value, datetime.datetime):
            value = value.replace(tzinfo=None).isoformat(" ", "milliseconds")
        return str(value) if isinstance(value, int) else "'%s'" % value


class FastParquet(Reader):
    """Reads file by file, and takes partitions from their paths."""

    name = "fastparquet"
    ranges = ("user_id",)

    def __init__(self):
        import fastparquet

        super().__init__(fastparquet.__version__)
        self.limits = {"decimals are doubles", "a double that is null is NaN", "dates outside 1677 to 2262 are other dates",
                       "times have no zone", "delta-packed numbers are wrong", "row_filter spoils columns with nulls",
                       "a folder that has a partition without a value cannot be read"}

    def read(self, folder, table, only):
        if only and NO_VALUE in "".join(files_of(folder)):
            self.whole(folder)
        files = [self.file(folder, name, table, only) for name in files_of(folder)]
        names = {name for rows in files for row in rows for name in row}
        return [{name: row.get(name) for name in names} for rows in files for row in rows]

    def file(self, folder, name, table, only):
        from fastparquet import ParquetFile

        path = os.path.join(folder, name)
        file, packed = ParquetFile(path), delta_packed(path)
        values = {n: self.packed(file, n, v) for n, v in packed.items()}
        # Row groups are left out where that is by statistics alone.
        inside = [[(only[0], ">=", only[2]), (only[0], "<=", only[3])]] if only and not packed else []
        frame = file.to_pandas(columns=[n for n in file.columns if n not in packed], filters=inside)
        if inside:
            self.filtered(file, inside, frame[(frame[only[0]] >= only[2]) & (frame[only[0]] <= only[3])])
        for n in frame.columns:
            values[n] = self.values(table["columns"][n.lower()], frame[n])
        rows = [dict(zip(values, row)) for row in zip(*values.values())]
        if only:
            rows = [row for row in rows if only[2] <= row[only[0]] <= only[3]]
        levels = dict(level.split("=") for level in name.split("/")[:-1])
        levels = self.typed_levels({n: None if v == NO_VALUE else v for n, v in levels.items()}, levels)
        levels = {n: self.as_read("date", v) if n == "date" else v for n, v in levels.items()}
        return [row | levels for row in rows]

    def whole(self, folder):
        """Holds that a folder with such a partition cannot be read as one."""
        from fastparquet import ParquetFile

        try:
            ParquetFile(folder).to_pandas()
        except ValueError as e:
            if "is not in list" in str(e):
                self.met.add("a folder that has a partition without a value cannot be read")

    def filtered(self, file, inside, right):
        """Holds that row_filter spoils columns that have nulls."""
        got = file.to_pandas(filters=inside, row_filter=True)
        if any(got[n].astype(str).tolist() != right[n].astype(str).tolist() for n in right.columns):
            self.met.add("row_filter spoils columns with nulls")

    def packed(self, file, name, right):
        """Holds that a column is read wrongly, and returns what is right."""
        series = file.to_pandas(columns=[name])[name]
        if [None if no else v for v, no in zip(series.tolist(), series.isna())] != right:
            self.met.add("delta-packed numbers are wrong")
        return right

    def values(self, kind, series):
        """Returns the values of a column as compare wants them."""
        absent = series.isna()
        if kind == "date":
            if series.dtype != "datetime64[ns]":
                raise ValueError("dates are %s" % series.dtype)
            return [None if no else v for v, no in zip(series.astype("int64").tolist(), absent)]
        if kind == "timestamp":
            if series.dtype != "datetime64[ms]":
                raise ValueError("timestamps are %s" % series.dtype)
            self.met.add("times have no zone")
            counts = series.astype("int64").tolist()
            return [None if no else EPOCH + datetime.timedelta(milliseconds=v) for v, no in zip(counts, absent)]
        if kind.startswith("decimal"):
            if series.dtype != "float64":
                raise ValueError("decimals are %s" % series.dtype)
            return [self.about(v) for v in series.tolist()]
        if kind == "double":
            return series.tolist()
        return [None if no else v for v, no in zip(series.tolist(), absent)]

    def as_read(self, kind, value):
        if kind.startswith("decimal"):
            self.met.add("decimals are doubles")
            return self.about(float("nan") if value is None else value)
        if kind == "double" and value is None:
            self.met.add("a double that is null is NaN")
            return "NaN"
        if kind == "date" and value is not None:
            nanos = (value - EPOCH.date()).days * 86_400 * 10**9
            kept = (nanos + 2**63) % 2**64 - 2**63
            if kept != nanos:
                self.met.add("dates outside 1677 to 2262 are other dates")
            return kept
        return value

    @staticmethod
    def about(value):
        return "%.12g" % value


def delta_packed(path):
    """Returns the columns of a file that have delta-packed pages, as pyarrow reads them."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(g) for g in range(file.metadata.num_row_groups)]
    names = {c.path_in_schema for g in groups for c in map(g.column, range(g.num_columns)) if "DELTA_BINARY_PACKED" in c.encodings}
    return {n: file.read(columns=[n]).column(0).to_pylist() for n in sorted(names)}


class Spark(Reader):
    name = "spark"

    # Setting and value that let it read what it refuses, by a word of the refusal.
    WAYS = {
        "datetimeRebaseModeInRead": ("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED"),
        "DELTA_BINARY_PACKED": ("spark.sql.parquet.enableVectorizedReader", "false"),
    }
    # Java 17 keeps these from Spark 3.2.
    OPENS = ("java.nio", "java.lang", "java.lang.invoke", "java.util", "java.util.concurrent", "sun.nio.ch", "sun.security.action", "sun.util.calendar")

    def __init__(self):
        import pyspark
        from pyspark.sql import SparkSession

        super().__init__(pyspark.__version__)
        builder = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
        )
        if self.before(3, 3):
            opens = " ".join("--add-opens=java.base/%s=ALL-UNNAMED" % p for p in self.OPENS)
            builder = builder.config("spark.driver.extraJavaOptions", opens)
            self.limits |= {"names with blanks", "DELTA_BINARY_PACKED"}
        if self.before(4, 0):
            self.limits.add("datetimeRebaseModeInRead")
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")

    def read(self, folder, table, only):
        for setting, _ in self.WAYS.values():
            self.spark.conf.unset(setting)
        tried = []
        while True:
            try:
                return self.collect(folder, only)
            except Exception as e:
                if "contains invalid character(s)" in str(e) and any(c in n for n in table["columns"] for c in " ,;{}()\n\t="):
                    self.met.add("names with blanks")
                    raise Refused from e
                ways = [w for w in self.WAYS if w in str(e) and w not in tried]
                if not ways:
                    raise
                tried.append(ways[0])
                self.met.add(ways[0])
                self.spark.conf.set(*self.WAYS[ways[0]])

    def collect(self, folder, only):
        from pyspark.sql import functions, types

        frame = self.spark.read.option("mergeSchema", "true").parquet(folder)
        if only:
            frame = frame.where("%s BETWEEN %s AND %s" % (quoted(only[0], "`"), *(self.literal(only[1], v) for v in only[2:])))
        columns = []
        for field in frame.schema.fields:
            name = quoted(field.name, "`")
            column = frame[name]
            if isinstance(field.dataType, types.TimestampType):
                column = functions.expr("unix_millis(%s)" % name)
            columns.append(column.alias(field.name))
        return [row.asDict() for row in frame.select(columns).collect()]

    @staticmethod
    def literal(kind, value):
        if kind == "date":
            return "DATE '%s'" % value
        return "timestamp_millis(%d)" % millis(value) if kind == "timestamp" else "%dL" % value


READERS = {r.name: r for r in (DuckDB, PyArrow, Polars, ClickHouse, FastParquet, Spark)}
