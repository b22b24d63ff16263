"""Page images by signed address: the reviewer's browser fetches them across origins, without a login."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy import select

from db.models import PageImage
from ml_backend.errors import BadRequest
from ml_backend.page_links import is_signed
from ml_backend.services import Services


def blueprint(services: Services) -> Blueprint:
    """GET /pages/<document version>/<page, 0-based>?sig=…"""
    views = Blueprint("pages", __name__)

    @views.get("/pages/<uuid:version_id>/<int:page>")
    def image(version_id: UUID, page: int) -> Response:
        signature = request.args.get("sig", "")
        if not is_signed(services.settings.signing_key, version_id, page, signature):
            raise BadRequest(
                "wrong_signature",
                "The address of this page image is not signed with FIELDLOOP_SIGNING_KEY; open it from its task.",
                403,
            )
        with services.sessions.begin() as session:
            row = session.scalar(
                select(PageImage).where(
                    PageImage.document_version_id == version_id, PageImage.page == page
                )
            )
        if row is None:
            raise BadRequest(
                "no_page", "There is no image of this page; its document was erased.", 404
            )
        if request.if_none_match.contains(row.sha256):
            answer = Response(status=304)
        else:
            answer = Response(services.blobs.get(row.sha256), mimetype=row.media_type)
        answer.set_etag(row.sha256)
        # The content of an address never changes. Browsers keep it; shared caches must not: it is a document.
        answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    return views
