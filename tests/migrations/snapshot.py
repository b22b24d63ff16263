"""What Postgres says a schema is: every relation, column, constraint, function, trigger, view and comment."""

from __future__ import annotations

import psycopg

_QUERY = """
SELECT 'relation', c.relname, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'i', 'S', 'm')
UNION ALL
SELECT 'column', a.attrelid::regclass::text || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attidentity::text || ' '
       || coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', n.conrelid::regclass::text || '.' || n.conname, pg_get_constraintdef(n.oid), ''
FROM pg_constraint n WHERE n.connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), ''
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), coalesce(obj_description(p.oid, 'pg_proc'), '')
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', g.tgrelid::regclass::text || '.' || g.tgname, pg_get_triggerdef(g.oid), coalesce(obj_description(g.oid, 'pg_trigger'), '')
FROM pg_trigger g WHERE NOT g.tgisinternal
UNION ALL
SELECT 'view', c.relname, pg_get_viewdef(c.oid), ''
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT 'type', t.typname, t.typtype::text, ''
FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
"""


def snapshot(url: str) -> set[tuple[str, ...]]:
    """The schema without Alembic's own table."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_QUERY).fetchall()
    return {tuple(row) for row in rows if "alembic_version" not in row[1]}
