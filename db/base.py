"""The declarative base: names of constraints, types of columns, and the columns most tables share."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import Enum

# Every constraint has a predictable name, so that migrations can name what they drop
# and an error in a log says which rule was broken.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Tables of the record."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        str: Text(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        list[str]: JSONB(),
    }


def text_enum(kind: type[enum.StrEnum], name: str) -> Enum:
    """A text column checked against the values of ``kind``.

    CHECK-backed, not a Postgres enum type: it goes down and up cleanly and drops values freely.
    """
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=None,
        values_callable=lambda members: [member.value for member in members],
    )


# Ordered by id, never by time: two transactions may end in another order than they began.
identity = Annotated[
    int,
    mapped_column(
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment="Number of the row; rows recorded later have higher ones.",
    ),
]
uuid_key = Annotated[
    UUID,
    mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()"), comment="Identity of the row."
    ),
]
# clock_timestamp(), not now(): now() stands still for a whole transaction.
recorded_time = Annotated[
    datetime,
    mapped_column(
        DateTime(timezone=True),
        server_default=func.clock_timestamp(),
        comment="When this was recorded, by the database's clock.",
    ),
]
json_object = Annotated[dict[str, Any], mapped_column(JSONB, server_default=text("'{}'::jsonb"))]
json_list = Annotated[list[Any], mapped_column(JSONB, server_default=text("'[]'::jsonb"))]
