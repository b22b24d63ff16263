"""gunicorn's settings. The only other reader of the environment: gunicorn wants them as module globals."""

from __future__ import annotations

import os

from ml_backend.preload import preload

bind = os.environ.get("FIELDLOOP_BIND", "127.0.0.1:9090")
workers = int(os.environ.get("FIELDLOOP_WEB_WORKERS", "2"))
# Threads, not more processes: a request waits for Postgres, and a process holds the models in memory.
threads = int(os.environ.get("FIELDLOOP_WEB_THREADS", "8"))
worker_class = "gthread"
# Loaded once before the fork: the workers share the pages of scikit-learn and of the application.
preload_app = True
preload("ml_backend.app", "ml_backend.extraction.artifact")
timeout = 120
graceful_timeout = 10
keepalive = 30
accesslog = None
errorlog = "-"
# Label Studio calls /ml/<secret>/…: addresses never reach a log.
capture_output = False
# It would lie in the home folder, one for all stacks of a user; the supervisor is who controls us.
control_socket_disable = True
