"""Write the reference of the schema from the comments in the database.

``python -m db.describe > docs/reference/schema.md`` with DATABASE_URL naming a migrated database.
"""

from __future__ import annotations

import sys

import psycopg

from db.config import Settings
from db.session import libpq_conninfo

_RELATIONS = """
SELECT c.oid, c.relname, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'alembic_version'
ORDER BY c.relname
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_FUNCTIONS = """
SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), coalesce(obj_description(p.oid, 'pg_proc'), '')
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE '%\\_as\\_of'
ORDER BY p.proname
"""


def describe(url: str) -> str:
    """The reference as Markdown."""
    lines = [
        "# The record: tables, views and functions",
        "",
        "Made from the comments in the database by `python -m db.describe`; `\\d+ name` in psql shows the same.",
        "The role `fieldloop_reader` may read all of it. Times are `timestamptz`, boxes are in points from the",
        "top left of the page as displayed, pages and rows count from 0.",
    ]
    with psycopg.connect(libpq_conninfo(url), connect_timeout=5) as connection:
        relations = connection.execute(_RELATIONS).fetchall()
        for kind, title in (("v", "Views"), ("r", "Tables")):
            lines += ["", f"## {title}"]
            for oid, name, relkind, comment in relations:
                if relkind != kind:
                    continue
                lines += [
                    "",
                    f"### {name}",
                    "",
                    comment,
                    "",
                    "| column | type | |",
                    "|---|---|---|",
                ]
                for column, type_, required, text in connection.execute(_COLUMNS, [oid]):
                    marker = "" if required or kind == "v" else ", may be empty"
                    lines.append(
                        f"| `{column}` | {type_}{marker} | {text.replace('|', chr(92) + '|')} |"
                    )
        lines += ["", "## Functions about the past"]
        for name, arguments, result, comment in connection.execute(_FUNCTIONS):
            lines += ["", f"### {name}({arguments})", "", comment, "", f"Returns `{result}`."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe(Settings.from_environ(needs=("DATABASE_URL",)).database_url))
