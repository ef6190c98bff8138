"""The same job as reconcile's, in ClickHouse SQL (chdb), from scratch.

    python chdb_job.py DUMPS OUT [--threads N] [--memory BYTES]

DUMPS is an export as bench/generate makes it. OUT gets one folder a table, with
Parquet files (zstd) partitioned by day where reconcile's are.
"""

import os
import sys

import chdb.session

import delivery


class Job:
    def __init__(self, args):
        self.args = args
        self.found = delivery.manifests(args.dumps)
        self.session = chdb.session.Session()
        self.run("SET max_threads = %d" % args.threads)
        for setting in (
            "engine_file_truncate_on_insert = 1",
            "output_format_parquet_compression_method = 'zstd'",
            "max_partitions_per_insert_block = 0",
        ):
            self.run("SET " + setting)
        if args.memory:
            self.run("SET max_memory_usage = %d" % args.memory)

    def run(self, sql, fmt="CSV"):
        return self.session.query(sql, fmt)

    def source(self, table):
        """Return a table expression over all files of a table, and its columns."""
        keys, columns = [], []
        for _, names, listed in delivery.files(self.found, table):
            keys += names
            columns += [c for c in listed if c not in columns]
        types = ", ".join(
            "%s Nullable(%s)" % (c, "Int64" if c in LONGS else "String") for c in columns
        )
        # The files of a dump are below sync_<dump>/.
        glob = os.path.join(self.args.dumps, "sync_*", "_heap_table_name=" + table, "*.avro")
        return "file('%s', 'Avro', '%s')" % (glob, types), columns

    def closure(self):
        """Load the newest mapping, followed to its ends, as a table to look up."""
        *_, (_, keys, _) = delivery.files(self.found, "user_migrations")
        glob = os.path.join(self.args.dumps, os.path.dirname(keys[0]), "*.avro") if keys else None
        pairs = {}
        if glob:
            text = self.run(
                "SELECT from_user_id, to_user_id FROM file('%s', 'Avro')" % glob, "TabSeparated"
            )
            for line in str(text).splitlines():
                a, b = line.split("\t")
                pairs[int(a)] = int(b)

        rows = "\n".join("%d\t%d" % p for p in delivery.followed(pairs).items())
        path = os.path.join(self.args.out, "closure.tsv")
        with open(path, "w", encoding="utf-8") as f:
            f.write(rows)
        self.run("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
        self.run("CREATE TABLE bench.closure (raw Int64, canon Int64) ENGINE = Join(ANY, LEFT, raw)")
        if rows:
            self.run(
                "INSERT INTO bench.closure SELECT * FROM file('%s', 'TabSeparated', 'raw Int64, canon Int64')" % path
            )
        os.remove(path)

    def rows(self, table, key, columns):
        """Return a query over the delivered rows, with raw and canonical user and dump."""
        return """
            SELECT %s, _raw_user_id, _dump_id, %s AS user_id
            FROM (
                SELECT * EXCEPT (user_id, %s), assumeNotNull(user_id) AS _raw_user_id, assumeNotNull(%s) AS %s,
                       toInt64(extract(_path, 'sync_(\\\\d+)/')) AS _dump_id
                FROM %s
                WHERE user_id IS NOT NULL AND %s IS NOT NULL
            )""" % (
            ", ".join(c for c in columns if c != "user_id"), CANON, key, key, key, self.source(table)[0], key
        )

    def events(self, table, key):
        """Write a table of events: the newest row of each key and canonical user.

        Two passes, the first over the keys only, take half the time of one with
        LIMIT 1 BY, a window function or argMax over all columns.
        """
        columns = self.source(table)[1]
        winners = "bench.winners_" + table
        self.run("CREATE TABLE %s (key Int64, raw Int64, dump Int64) ENGINE = Memory" % winners)
        self.run(
            """
            INSERT INTO %s SELECT %s, newest.2, newest.1 FROM (
                SELECT %s, user_id, max((_dump_id, _raw_user_id)) AS newest
                FROM (%s) GROUP BY %s, user_id)
            """ % (winners, key, key, self.rows(table, key, [key]), key)
        )
        rest = []
        for c in columns:
            if c not in (key, "user_id", "time"):
                rest.append("toString(%s) AS %s" % (c, c) if c in delivery.NUMBERS else c)
        os.makedirs(os.path.join(self.args.out, table))
        out = os.path.join(self.args.out, table, "day={_partition_id}", "part.parquet")
        self.run(
            """
            INSERT INTO FUNCTION file('%s', 'Parquet')
            PARTITION BY formatDateTime(assumeNotNull(time), '%%Y-%%m-%%d')
            SELECT user_id, %s, fromUnixTimestamp64Milli(toInt64OrNull(time), 'UTC') AS time, %s, _raw_user_id, _dump_id
            FROM (%s)
            WHERE (%s, _raw_user_id, _dump_id) IN (SELECT key, raw, dump FROM %s)
            """ % (out, key, ", ".join(rest), self.rows(table, key, columns), key, winners)
        )

    def users(self):
        """Write the users: the newest row of each, grouped by canonical user."""
        source, columns = self.source("users")
        order = "(coalesce(last_modified, -1), _dump_id, _raw_user_id)"
        rest = []
        for c in columns:
            if c in ("user_id", "joindate", "last_modified"):
                continue
            value = "toString(%s)" % c if c in delivery.NUMBERS else c
            rest.append("argMax(%s, %s) AS %s_" % (value, order, c))
        names = ["canon AS user_id", "fromUnixTimestamp64Milli(j, 'UTC') AS joindate", "fromUnixTimestamp64Milli(m, 'UTC') AS last_modified"]
        names += ["%s_ AS %s" % (c, c) for c in columns if c not in ("user_id", "joindate", "last_modified")]
        os.makedirs(os.path.join(self.args.out, "users"))
        out = os.path.join(self.args.out, "users", "part.parquet")
        self.run(
            """
            INSERT INTO FUNCTION file('%s', 'Parquet')
            SELECT %s, dump AS _dump_id
            FROM (
                SELECT %s AS canon,
                       min(joindate) AS j, max(last_modified) AS m, max(_dump_id) AS dump, %s
                FROM (
                    SELECT assumeNotNull(user_id) AS _raw_user_id, toInt64OrNull(joindate) AS joindate,
                           toInt64OrNull(last_modified) AS last_modified, * EXCEPT (user_id, joindate, last_modified),
                           toInt64(extract(_path, 'sync_(\\\\d+)/')) AS _dump_id
                    FROM %s
                    WHERE user_id IS NOT NULL
                    ORDER BY _dump_id DESC, last_modified DESC
                    LIMIT 1 BY _raw_user_id
                )
                GROUP BY canon
            )
            """
            % (out, ", ".join(names), CANON, ", ".join(rest), source)
        )


LONGS = {"event_id", "user_id", "session_id"} | delivery.NUMBERS

CANON = "coalesce(nullIf(joinGet('bench.closure', 'canon', _raw_user_id), 0), _raw_user_id)"


def main():
    job = Job(delivery.arguments())
    job.closure()
    for table, key in delivery.event_tables(job.found):
        job.events(table, key)
    job.users()
    return 0


if __name__ == "__main__":
    sys.exit(main())
