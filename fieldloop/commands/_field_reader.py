"""What the types of fields mean to the mirror: the sync worker does not know the backend, this program does."""

from __future__ import annotations

from collections.abc import Sequence

from db.projects import FieldRow
from db.regions import PageSize, Region, read_result, write_region
from db.words import Box, PageWords
from ml_backend.extraction.fields import FieldSpec, FieldType, split_column
from ml_backend.extraction.normalize import normalize
from ml_backend.interactive import answer
from ml_backend.regions import Sheet


class SchemaReader:
    """One version of a field schema. A ``sync.values.FieldReader``."""

    def __init__(self, rows: Sequence[FieldRow]) -> None:
        tables = {split_column(row.name)[0] for row in rows if split_column(row.name)[1]}
        self._specs = {
            row.name: FieldSpec(
                name=row.name.rpartition(".")[2],
                type=FieldType(row.type),
                label_en=row.label_en,
                label_pt=row.label_pt,
                format=row.format,
                required=row.required,
                multiple=row.multiple,
            )
            for row in rows
            if row.name not in tables and row.type != FieldType.TABLE
        }
        self._types = {name: spec.type for name, spec in self._specs.items()}
        self._names = frozenset(self._specs)

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def normalise(self, field: str, text: str) -> tuple[str | None, str | None]:
        spec = self._specs.get(field)
        if spec is None:
            return None, None
        found = normalize(text, spec)
        return found.value, found.problem

    def text_in(self, field: str, page: PageWords, box: Box) -> str:
        """As if the box had been drawn with the smart tool."""
        size = PageSize(page.width, page.height)
        drawn = Region(id="drawn", field=field, page=0, box=box, text=None, kind="rectanglelabels")
        entry = write_region(drawn, size, (1, 1))[0]
        found = answer(entry, [page], [Sheet(size, (1, 1))], self._types)
        regions = read_result(found, [size]).regions
        return (regions[0].text or "") if regions else ""
