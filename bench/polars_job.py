"""The same job as reconcile's, in polars, from scratch.

    python polars_job.py DUMPS OUT [--threads N]

OUT gets one folder a table, with Parquet files (zstd) partitioned by day where
reconcile's are. polars has no limit for memory: --memory is ignored.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import delivery

ARGS = delivery.arguments()
os.environ["POLARS_MAX_THREADS"] = str(ARGS.threads)

import polars as pl  # noqa: E402  (it reads the number of threads when imported)

RAW, CANON, DUMP = "_raw_user_id", "user_id", "_dump_id"


class Job:
    def __init__(self, args):
        self.args = args
        self.found = delivery.manifests(args.dumps)
        self.closure = self.mapping()

    def read(self, table, newest=False):
        """Decode all files of a table; a file is decoded by one thread."""
        deliveries = list(delivery.files(self.found, table))
        todo = [(d, k) for d, keys, _ in (deliveries[-1:] if newest else deliveries) for k in keys]

        def one(dump_and_key):
            dump, key = dump_and_key
            frame = pl.read_avro(os.path.join(self.args.dumps, key))
            return frame.with_columns(pl.lit(dump, pl.Int64).alias(DUMP))

        with ThreadPoolExecutor(self.args.threads) as pool:
            frames = list(pool.map(one, todo))
        return pl.concat(frames, how="diagonal", rechunk=False) if frames else None

    def mapping(self):
        """Return the newest mapping, followed to its ends, as a frame."""
        frame = self.read("user_migrations", newest=True)
        pairs = dict(frame.select("from_user_id", "to_user_id").iter_rows()) if frame is not None else {}
        ends = delivery.followed(pairs)
        return pl.DataFrame({RAW: ends.keys(), "canon": ends.values()}, schema={RAW: pl.Int64, "canon": pl.Int64})

    def resolved(self, frame):
        """Add the canonical user to the raw one, in the order of the rows."""
        return (
            frame.join(self.closure.lazy(), on=RAW, how="left", maintain_order="left")
            .with_columns(pl.coalesce("canon", RAW).alias(CANON))
            .drop("canon")
        )

    def published(self, frame):
        """Give columns the types that they are published with."""
        casts = []
        for name in frame.collect_schema().names():
            if name in delivery.NUMBERS:
                casts.append(pl.col(name).cast(pl.String))
            elif name in delivery.TIMES and frame.collect_schema()[name] == pl.String:
                casts.append(pl.col(name).cast(pl.Int64).cast(pl.Datetime("ms", "UTC")))
        return frame.with_columns(casts)

    def events(self, table, key):
        """Write a table of events: the newest row of each key and canonical user."""
        rows = self.read(table).rename({CANON: RAW}).with_row_index("row")
        winners = (
            self.resolved(rows.lazy().select("row", key, RAW, DUMP))
            .drop_nulls([key, RAW])
            .sort(DUMP, RAW, "row")
            .unique([key, CANON], keep="last", maintain_order=False)
            .select("row", CANON)
            .sort("row")
            .collect()
        )
        rows = rows[winners["row"]].drop("row").with_columns(winners[CANON])
        lazy = self.published(rows.lazy()).with_columns(pl.col("time").dt.date().alias("date"))
        del rows
        place = pl.PartitionBy(os.path.join(self.args.out, table), key="date", include_key=False)
        lazy.sink_parquet(place, compression="zstd", mkdir=True)

    def users(self):
        """Write the users: the newest row of each, grouped by canonical user."""
        rows = self.read("users").rename({CANON: RAW}).with_row_index("row")
        rest = [c for c in rows.columns if c not in (RAW, DUMP, "row", "joindate", "last_modified")]
        members = self.published(rows.lazy()).drop_nulls(RAW)
        members = members.sort(DUMP, "last_modified", "row", nulls_last=False).unique(RAW, keep="last")
        out = (
            self.resolved(members)
            .sort("last_modified", DUMP, RAW, nulls_last=False)
            .group_by(CANON, maintain_order=True)
            .agg(
                pl.col("joindate").min(),
                pl.col("last_modified").max(),
                *[pl.col(c).drop_nulls().last() for c in rest],
                pl.col(DUMP).max(),
            )
        )
        out.sink_parquet(os.path.join(self.args.out, "users", "part.parquet"), compression="zstd", mkdir=True)


def main():
    job = Job(ARGS)
    for table, key in delivery.event_tables(job.found):
        job.events(table, key)
    job.users()
    return 0


if __name__ == "__main__":
    sys.exit(main())
