"""``python -m fieldloop.stack.warm``: after an installation, import once what the parts of the stack import.

Python compiles a module when it is first imported and keeps the result beside it. Without this the five
processes of the first start would all compile scikit-learn at once; and where they may not keep anything, as
in a container that runs as somebody else or with PYTHONDONTWRITEBYTECODE, they would do so at every start.
"""

from __future__ import annotations

from ml_backend.preload import preload

PARTS = (
    *("fieldloop.cli", "fieldloop.commands.up", "fieldloop.commands.migrate", "alembic.command"),
    *("gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    *("ml_backend.app", "ml_backend.extraction.artifact"),
    *("fieldloop.commands.worker", "ml_backend.jobs", "ml_backend.reading.nursery"),
    *("fieldloop.commands.sync", "fieldloop.commands.init"),
    *("fieldloop.commands.status", "fieldloop.commands.upload", "fieldloop.commands.demo"),
)

if __name__ == "__main__":
    preload(*PARTS)
