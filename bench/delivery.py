"""What the jobs share: which files a table has, and where users end up.

All dumps are taken to be live: an export of bench/generate has its only full
delivery first.
"""

import argparse
import json
import os
import shutil

NUMBERS = {"duration_ms", "visits"}  # delivered as numbers, published as text
TIMES = {"time", "joindate", "last_modified"}


def manifests(dumps):
    """Return the manifests in the order of their dumps."""
    folder = os.path.join(dumps, "manifests")
    found = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            found.append(json.load(f))
    return sorted(found, key=lambda m: m["dump_id"])


def files(found, table):
    """Return (dump, files, columns) of every delivery of a table."""
    for manifest in found:
        for t in manifest["tables"]:
            if t["name"] == table:
                keys = [f.split("/", 3)[3] for f in t["files"]]
                yield manifest["dump_id"], keys, t["columns"]


def event_tables(found):
    """Return (table, key) of every table of events and sessions."""
    names = {t["name"] for m in found for t in m["tables"]} - {"users", "user_migrations"}
    return [(n, "session_id" if n == "sessions" else "event_id") for n in sorted(names)]


def followed(pairs):
    """Follow every user of a mapping to the end of its chain."""

    def end(user):
        while user in pairs and pairs[user] != user:
            user = pairs[user]
        return user

    return {a: end(a) for a in pairs}


def arguments():
    """Parse the arguments that every job takes, and empty the folder for its output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dumps")
    parser.add_argument("out")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--memory", type=int, default=0)
    args = parser.parse_args()
    args.dumps, args.out = os.path.abspath(args.dumps), os.path.abspath(args.out)
    shutil.rmtree(args.out, ignore_errors=True)
    os.makedirs(args.out)
    return args
