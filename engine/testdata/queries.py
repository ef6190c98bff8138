"""Reads one table again and again with an engine that others wrote.

usage: queries.py chdb|duckdb TABLE

TABLE is a URL for chdb, whose keys are in the environment as the AWS SDK wants
them, and a folder for duckdb. Each line of standard input is answered by one line
of JSON: the rows of a query over the whole table, or the error that it ended with.
"""

import json
import os
import sys

COLUMNS = ("event", "user", "path", "file")


def chdb_reader(table):
    from chdb.session import Session

    keys = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    query = "SELECT event_id, user_id, path, _path FROM s3('%s/**/*.parquet', '%s', '%s', Parquet)" % ((table,) + keys)

    # A session gives what it had of the rows of a query that failed with those of
    # the next one, so that none is used again after a failure.
    session = []

    def read():
        here = session.pop() if session else Session()
        rows = json.loads(here.query(query, "JSONCompact").bytes())["data"]
        session.append(here)
        return rows

    return read


def duckdb_reader(table):
    import duckdb

    db = duckdb.connect()
    query = "SELECT event_id, user_id, path, filename FROM read_parquet(?, filename = true)"
    return lambda: db.execute(query, [table + "/**/*.parquet"]).fetchall()


def main():
    read = {"chdb": chdb_reader, "duckdb": duckdb_reader}[sys.argv[1]](sys.argv[2])
    for _ in sys.stdin:
        try:
            answer = {"rows": [dict(zip(COLUMNS, row)) for row in read()]}
        except Exception as e:
            answer = {"error": str(e) or repr(e)}
        print(json.dumps(answer), flush=True)


main()
