"""What gunicorn serves: ``gunicorn -c python:ml_backend.gunicorn_config ml_backend.wsgi:app``."""

from __future__ import annotations

from db.config import Settings
from ml_backend.app import create_app
from ml_backend.services import Services

app = create_app(Services.open(Settings.from_environ()))
