"""The web application: Label Studio's ML contract, page images, the documents API and the console."""

from __future__ import annotations

from flask import Flask

from ml_backend import console, documents_api, errors, ml_api, page_images
from ml_backend.services import Services


def create_app(services: Services) -> Flask:
    """The application on these services; opens nothing by itself."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    errors.install(app)
    app.register_blueprint(ml_api.blueprint(services))
    app.register_blueprint(page_images.blueprint(services))
    app.register_blueprint(documents_api.blueprint(services))
    app.register_blueprint(console.blueprint(services))
    return app
