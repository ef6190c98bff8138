"""The same job as reconcile's, in DuckDB, from scratch.

    python duckdb_job.py DUMPS OUT [--threads N] [--memory BYTES]

OUT gets one folder a table, with Parquet files (zstd) partitioned by day where
reconcile's are. DuckDB's own reader of Avro is an extension that it downloads;
so polars decodes the files, several at a time, and DuckDB takes its columns
over Arrow into a database on disk, which is removed at the end.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import delivery

ARGS = delivery.arguments()
os.environ["POLARS_MAX_THREADS"] = str(ARGS.threads)

import duckdb  # noqa: E402
import polars as pl  # noqa: E402  (it reads the number of threads when imported)


class Job:
    def __init__(self, args):
        self.args = args
        self.found = delivery.manifests(args.dumps)
        self.file = os.path.join(args.out, "work.duckdb")
        self.db = duckdb.connect(self.file)
        self.run("SET threads = %d" % args.threads)
        self.run("SET preserve_insertion_order = false")
        self.run("SET TimeZone = 'UTC'")
        self.run("SET partitioned_write_max_open_files = 1000")
        if args.memory:
            self.run("SET memory_limit = '%dB'" % args.memory)

    def run(self, sql):
        return self.db.execute(sql)

    def close(self):
        self.db.close()
        os.remove(self.file)

    def decode(self, todo):
        """Yield the frames of files in order; a few are decoded ahead."""
        ahead = self.args.threads + 1
        with ThreadPoolExecutor(self.args.threads) as pool:
            waiting = []
            for dump, key in todo:
                waiting.append((dump, pool.submit(pl.read_avro, os.path.join(self.args.dumps, key))))
                if len(waiting) >= ahead:
                    dump, frame = waiting.pop(0)
                    yield dump, frame.result()
            for dump, frame in waiting:
                yield dump, frame.result()

    def load(self, table):
        """Load all files of a table; return its columns."""
        todo, columns = [], []
        for dump, keys, listed in delivery.files(self.found, table):
            todo += [(dump, k) for k in keys]
            columns += [c for c in listed if c not in columns]
        types = ["%s %s" % (c, "BIGINT" if c in LONGS else "VARCHAR") for c in columns]
        self.run("CREATE TABLE raw_%s (%s, _dump_id BIGINT, _row BIGINT)" % (table, ", ".join(types)))
        row = 0
        for dump, frame in self.decode(todo):
            arrow = frame.with_row_index("_row", row).with_columns(_dump_id=pl.lit(dump, pl.Int64)).to_arrow()
            row += arrow.num_rows
            self.db.register("arriving", arrow)
            self.run("INSERT INTO raw_%s BY NAME SELECT * FROM arriving" % table)
            self.db.unregister("arriving")
        return columns

    def closure(self):
        """Load the newest mapping, followed to its ends."""
        *_, (dump, keys, _) = delivery.files(self.found, "user_migrations")
        pairs = {}
        for _, frame in self.decode([(dump, k) for k in keys]):
            pairs.update(frame.select("from_user_id", "to_user_id").iter_rows())
        ends = delivery.followed(pairs)
        arrow = pl.DataFrame(
            {"raw": ends.keys(), "canon": ends.values()}, schema={"raw": pl.Int64, "canon": pl.Int64}
        ).to_arrow()
        self.db.register("ends", arrow)
        self.run("CREATE TABLE closure AS SELECT * FROM ends")
        self.db.unregister("ends")

    def events(self, table, key):
        """Write a table of events: the newest row of each key and canonical user.

        The keys alone are judged first: a window over all columns takes longer.
        """
        columns = self.load(table)
        self.run(
            """
            CREATE TABLE winners AS
            SELECT _row, canon FROM (
                SELECT r._row, r.%s AS k, r.user_id AS raw, r._dump_id AS dump, coalesce(c.canon, r.user_id) AS canon
                FROM raw_%s r LEFT JOIN closure c ON c.raw = r.user_id
                WHERE r.%s IS NOT NULL AND r.user_id IS NOT NULL)
            QUALIFY row_number() OVER (PARTITION BY k, canon ORDER BY dump DESC, raw DESC, _row DESC) = 1
            """ % (key, table, key)
        )
        rest = [published(c) for c in columns if c not in (key, "user_id")]
        self.run(
            """
            COPY (
                SELECT w.canon AS user_id, %s, %s, r.user_id AS _raw_user_id, _dump_id,
                       epoch_ms(r.time::BIGINT)::DATE AS date
                FROM raw_%s r JOIN winners w USING (_row)
            ) TO '%s' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date))
            """ % (key, ", ".join(rest), table, os.path.join(self.args.out, table))
        )
        self.run("DROP TABLE winners")
        self.run("DROP TABLE raw_%s" % table)

    def users(self):
        """Write the users: the newest row of each, grouped by canonical user."""
        columns = self.load("users")
        order = "(coalesce(last_modified::BIGINT, -1), _dump_id, raw)"
        rest = [
            "arg_max(%s, %s) AS %s" % ("%s::VARCHAR" % c if c in delivery.NUMBERS else c, order, c)
            for c in columns
            if c not in ("user_id", "joindate", "last_modified")
        ]
        out = os.path.join(self.args.out, "users")
        os.makedirs(out)
        self.run(
            """
            COPY (
                SELECT canon AS user_id, epoch_ms(min(joindate::BIGINT)) AS joindate,
                       epoch_ms(max(last_modified::BIGINT)) AS last_modified, %s, max(_dump_id) AS _dump_id
                FROM (
                    SELECT r.* EXCLUDE (user_id), r.user_id AS raw, coalesce(c.canon, r.user_id) AS canon
                    FROM raw_users r LEFT JOIN closure c ON c.raw = r.user_id
                    WHERE r.user_id IS NOT NULL
                    QUALIFY row_number() OVER (
                        PARTITION BY r.user_id ORDER BY _dump_id DESC, last_modified::BIGINT DESC NULLS LAST, _row DESC) = 1)
                GROUP BY canon
            ) TO '%s' (FORMAT parquet, COMPRESSION zstd)
            """ % (", ".join(rest), os.path.join(out, "part.parquet"))
        )


LONGS = {"event_id", "user_id", "session_id"} | delivery.NUMBERS


def published(column):
    """Return a column with the type that it is published with."""
    if column in delivery.NUMBERS:
        return "%s::VARCHAR AS %s" % (column, column)
    if column in delivery.TIMES:
        return "epoch_ms(%s::BIGINT) AS %s" % (column, column)
    return column


def main():
    job = Job(ARGS)
    job.closure()
    for table, key in delivery.event_tables(job.found):
        job.events(table, key)
    job.users()
    job.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
