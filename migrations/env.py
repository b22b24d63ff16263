"""How Alembic reaches the database: a connection handed over by ``db.migrate``, or DATABASE_URL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

import db.models  # noqa: F401 - fills the metadata
from db.base import Base
from db.config import Settings
from db.migrate import migration_connection


def run(connection: Connection) -> None:
    # Nothing may run on the connection before this: it would open a transaction that Alembic
    # takes for somebody else's and does not commit. Timeouts are therefore connection options.
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    if context.is_offline_mode():
        raise SystemExit("Migrations need a database: some of them look at its rows.")
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    settings = Settings.from_environ(needs=("DATABASE_URL",))
    with migration_connection(settings.database_url) as connection:
        run(connection)


main()
