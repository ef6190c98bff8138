"""Runs the statements of docs/reading.md for a lake in S3, on the lake of the quickstart.

usage: s3statements.py FOLDER VERSITYGW LIBRARY...

FOLDER is what lake/ is in; VERSITYGW is the server, which shows a copy of it. Runs the
statements of the libraries. Ends with an error when one fails or finds no rows.
"""

import sys

sys.dont_write_bytecode = True

import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time

from statements import COUNTRIES, check, chdb, python, statements

ID, SECRET, REGION = "reader", "of-the-lake", "eu-west-1"
STATEMENTS = ["duckdb", "pyarrow", "polars", "chdb"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def replaced(text, old, new):
    check("a statement lacks %r" % old, old in text)
    return text.replace(old, new)


def duckdb(text, at):
    """Runs the statements with a secret that leads to the server."""
    import duckdb
    import duckdb_extension_httpfs

    folder = os.path.dirname(duckdb_extension_httpfs.__file__)
    db = duckdb.connect()
    db.execute("LOAD '%s'" % glob.glob(folder + "/**/*.duckdb_extension", recursive=True)[0])
    secret = "KEY_ID '%s', SECRET '%s', ENDPOINT '%s', URL_STYLE 'path', USE_SSL false" % (ID, SECRET, at)
    return len(db.execute(replaced(text, "PROVIDER credential_chain", secret)).fetchall()) == COUNTRIES


def read(name, text, at):
    if name == "duckdb":
        return duckdb(text, at)
    if name == "chdb":
        text = replaced(text, "https://acme-lake.s3.eu-west-1.amazonaws.com/", "http://%s/acme-lake/" % at)
        return chdb(replaced(text, ", Parquet)", ", '%s', '%s', 'Parquet')" % (ID, SECRET)))
    there = 'S3FileSystem(region="eu-west-1"'
    return python(replaced(text, there, there + ', endpoint_override="http://%s"' % at))


def wait_for(server, port):
    for _ in range(200):
        check("the server ended", server.poll() is None)
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    check("the server does not answer", False)


def main(folder, versitygw, libraries):
    wanted, port = statements(s3=True), free_port()
    check("it has other statements for S3: %r" % wanted, [n for n, _ in wanted] == STATEMENTS)
    at = "127.0.0.1:%d" % port
    os.environ.update(AWS_ACCESS_KEY_ID=ID, AWS_SECRET_ACCESS_KEY=SECRET, AWS_REGION=REGION)
    os.environ.update(AWS_ENDPOINT_URL="http://" + at, AWS_ALLOW_HTTP="true")
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(os.path.join(folder, "lake"), os.path.join(root, "acme-lake", "heap"))
        settings = dict(os.environ, ROOT_ACCESS_KEY=ID, ROOT_SECRET_KEY=SECRET)
        command = [versitygw, "--port", at, "--region", REGION, "--quiet", "posix", root]
        with subprocess.Popen(command, env=settings) as server:
            try:
                wait_for(server, port)
                for name, text in (w for w in wanted if w[0] in libraries):
                    check("wrong rows or columns of\n%s" % text, read(name, text, at))
            finally:
                server.kill()
    print("the statements of docs/reading.md for %s work on S3" % ", ".join(libraries))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
