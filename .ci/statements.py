"""Runs the statements of docs/reading.md on the lake of the quickstart.

usage: statements.py FOLDER, the folder that lake/ is in. Spark's is left to
.ci/readers. Ends with an error when a statement fails or finds no rows.
"""

import os
import re
import sys

import chdb
import duckdb

# Of the month that the statements ask for, as the quickstart leaves it.
COUNTRIES = 7
COLUMNS = {"user_id", "coupon", "year", "month", "day", "_rescued_data"}


def check(what, holds):
    if not holds:
        raise SystemExit("docs/reading.md: %s" % what)


def sql(text):
    if "read_parquet" in text:
        return len(duckdb.sql(text.rstrip().rstrip(";")).fetchall())
    return len(str(chdb.query(text)).splitlines())


def python(text):
    names = {}
    exec(text, names)
    table = names["checkout"]
    if hasattr(table, "to_table"):
        return set(table.schema.names)
    return set(table.collect().columns)


def main(folder):
    with open("docs/reading.md", encoding="utf-8") as f:
        text = f.read()
    os.chdir(folder)
    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    programs = [p for p in re.findall(r"```python\n(.*?)```", text, re.S) if "spark" not in p]
    check("the statements are gone", len(queries) == 2 and len(programs) == 2)
    for q in queries:
        check("wrong number of rows of\n%s" % q, sql(q) == COUNTRIES)
    for p in programs:
        check("columns are missing in\n%s" % p, COLUMNS <= python(p))
    print("%d statements of docs/reading.md work" % (len(queries) + len(programs)))


main(sys.argv[1])
