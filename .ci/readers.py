"""Reads lakes with readers that others wrote and compares with expect.json.

usage: readers.py READER [-tables NAME,...] WORLD...

READER is files, duckdb, pyarrow, polars, chdb, fastparquet or spark. A WORLD is a
folder that bench/readercheck wrote: lake/ beside expect.json. The reader "files"
looks at the form of the files instead of their rows. Ends with 1 at a difference,
and where a reader has a limit that docs/reading.md does not name, or has it no more.
With -tables only the tables of these names are read.
"""

import sys

sys.dont_write_bytecode = True

import datetime
import decimal
import json
import math
import os

from reading import EPOCH, READERS, UTC, Refused, files_of, millis


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


def compare(table, rows, as_read):
    """Returns the differences between a table, as a reader has its values, and rows, dicts by column."""
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
            g, w = got[key][c], as_read(kinds[c], w)
            if type(w) is not type(g) or w != g:
                out.append("row %r: %s is %.120r instead of %.120r" % (key, c, g, w))
    return out


def falsified(table):
    """The table with one value changed: who sees no difference compares nothing."""
    rows = [dict(row) for row in table["rows"]]
    rows[-1]["_dump_id"] = str(int(rows[-1]["_dump_id"]) - 1)
    return dict(table, rows=rows)


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


def parts(table, columns):
    """Returns ranges of values that statistics can decide on, and the table that has only those rows."""
    kinds = kinds_of(table)
    for c in columns:
        values = sorted(row[c] for row in expected_rows(table).values() if row.get(c) is not None)
        if kinds.get(c) not in ("int64", "date", "timestamp") or not values:
            continue
        least, most = (values[0], values[len(values) // 3]) if kinds[c] != "int64" else (values[len(values) // 2],) * 2
        inside = [r for r in table["rows"] if r.get(c) is not None and least <= expected_value(kinds[c], r[c]) <= most]
        if kinds[c] == "timestamp":
            least, most = (EPOCH + datetime.timedelta(milliseconds=v) for v in (least, most))
        yield (c, kinds[c], least, most), dict(table, rows=inside)


def check_table(reader, folder, table):
    """Returns what a reader finds different, and how many rows it read."""
    try:
        rows = reader.read(folder, table, None)
        out = compare(table, rows, reader.as_read)[:10]
        if not compare(falsified(table), rows, reader.as_read):
            out.append("a false value was not seen")
        if table["name"] == "checkout":
            for only, part in parts(table, reader.ranges):
                found = compare(part, reader.read(folder, table, only), reader.as_read)[:10]
                out += ["where %s is from %s to %s: %s" % (only[0], only[2], only[3], d) for d in found]
    except Refused:
        return [], 0
    except Exception as e:  # whatever a reader cannot read is a finding
        return ["it cannot be read: %s" % e], 0
    return out, len(rows)


def check_world(reader, world, names):
    with open(os.path.join(world, "expect.json"), encoding="utf-8") as f:
        tables = [t for t in json.load(f)["tables"] if not names or t["name"] in names]
    lake = os.path.join(os.path.abspath(world), "lake")
    if reader is None:
        return ["%s: %s" % (world, what) for what in check_form(lake, tables)], len(tables), 0
    out, rows_read = [], 0
    for table in tables:
        folder = os.path.join(lake, table["folder"])
        there = bool(files_of(folder)) if os.path.isdir(folder) else False
        if reader.name == "spark" and table["folder"].startswith("_"):
            continue  # Spark hides folders of such names, as plans warn
        if there != bool(table["rows"]):
            out.append("%s: table %s has %s" % (world, table["name"], "files and should be empty" if there else "no files"))
        elif there:
            differences, n = check_table(reader, folder, table)
            rows_read += n
            out += ["%s: table %s: %s" % (world, table["name"], d) for d in differences]
    return out, len(tables), rows_read


def main():
    name, worlds, names = sys.argv[1] if len(sys.argv) > 2 else "", sys.argv[2:], []
    if worlds and worlds[0] == "-tables":
        names, worlds = worlds[1].split(","), worlds[2:]
    if not worlds or name not in list(READERS) + ["files"] or names and name == "files":
        raise SystemExit(__doc__)
    reader = READERS[name]() if name in READERS else None
    found, tables, rows = [], 0, 0
    for world in worlds:
        differences, t, r = check_world(reader, world, names)
        found, tables, rows = found + differences, tables + t, rows + r
    if reader:
        name += " " + reader.version
        found += ["docs/reading.md names a limit that it did not have: " + what for what in sorted(reader.limits - reader.met)]
        found += ["it has a limit that docs/reading.md does not name: " + what for what in sorted(reader.met - reader.limits)]
    for line in found:
        print(name + ": " + line)
    print("%s: %d tables, %d rows, %d differences" % (name, tables, rows, len(found)))
    if found or tables == 0 or reader and rows == 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
