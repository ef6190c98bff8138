"""Runs the statements of docs/reading.md on the lake of the quickstart.

usage: statements.py FOLDER [LIBRARY...]

FOLDER is what lake/ is in. With libraries only their statements are run. Spark's is
left to .ci/readers. Ends with an error when a statement fails or finds no rows, or
when the page does not name the versions of .ci/readers.
"""

import os
import re
import sys

# Of the month that the statements ask for, as the quickstart leaves it.
COUNTRIES = 7
COLUMNS = {"user_id", "coupon", "year", "month", "day", "_rescued_data"}

# How many statements the page has of each library.
STATEMENTS = {"duckdb": 2, "chdb": 1, "pyarrow": 1, "polars": 1, "fastparquet": 1}


def check(what, holds):
    if not holds:
        raise SystemExit("docs/reading.md: %s" % what)


def library(text):
    if "read_parquet" in text:
        return "duckdb"
    if text.startswith("SELECT"):
        return "chdb"
    return next(n for n in ("polars", "pyarrow", "fastparquet", "spark") if n in text)


def duckdb(text):
    import duckdb

    return len(duckdb.sql(text.rstrip().rstrip(";")).fetchall()) == COUNTRIES


def chdb(text):
    import chdb

    return len(str(chdb.query(text)).splitlines()) == COUNTRIES


def run(text):
    """Runs a program of the page and returns its table."""
    names = {}
    exec(text, names)
    return names["checkout"]


def python(text):
    table = run(text)
    if hasattr(table, "to_table"):
        return COLUMNS <= set(table.schema.names)
    return COLUMNS <= set((table.collect() if hasattr(table, "collect") else table).columns)


def page():
    with open("docs/reading.md", encoding="utf-8") as f:
        return f.read()


def statements(s3=False):
    """Returns the statements of the page, each after the library that it is for: those
    for folders, or those for S3."""
    before, found, rest = page().partition("\n## A lake in S3\n")
    check("it has no section about S3", found)
    there, heading, behind = rest.partition("\n## ")
    text = there if s3 else before + heading + behind
    return [(library(s), s) for s in re.findall(r"```(?:sql|python)\n(.*?)```", text, re.S)]


def check_versions():
    """Holds that the page's table of readers has what .ci/readers has."""
    with open(".ci/readers", encoding="utf-8") as f:
        script = f.read()
    pins = re.findall(r"\b(duckdb|pyarrow|polars|chdb|fastparquet)==([\d.]+)", script)
    pins += [("spark", v) for v in re.findall(r"spark_reads ([\d.]+)", script)]
    rows = [line.lower() for line in page().splitlines() if line.startswith("| ")]
    for name, version in pins:
        check("%s %s is not among the readers" % (name, version), any(re.search(r"\b%s\b.*\b%s\b" % (name, re.escape(version)), r) for r in rows))
    return len(pins)


def main(folder, libraries):
    pins, all_of_them = check_versions(), statements()
    os.chdir(folder)
    found = {name: sum(name == n for n, _ in all_of_them) for name in STATEMENTS}
    check("it has the statements %r" % found, found == STATEMENTS)
    wanted = [(n, s) for n, s in all_of_them if n in (libraries or STATEMENTS)]
    for name, s in wanted:
        check("wrong rows or columns of\n%s" % s, {"duckdb": duckdb, "chdb": chdb}.get(name, python)(s))
    print("%d statements of docs/reading.md work, it names %d readers" % (len(wanted), pins))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
