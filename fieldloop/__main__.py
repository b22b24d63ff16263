"""``python -m fieldloop``: the same program as ``fieldloop``, where its script is not on PATH."""

from __future__ import annotations

from fieldloop.cli import main

main()
