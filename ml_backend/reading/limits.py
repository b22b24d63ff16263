"""What one document may cost. The settings that change a limit are named in its error."""

from __future__ import annotations

from dataclasses import dataclass

from db.config import Settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one document and of each of its pages."""

    file_bytes: int = 50 * MIB
    """FIELDLOOP_MAX_FILE_MB"""
    pages: int = 1000
    """FIELDLOOP_MAX_PAGES"""
    page_words: int = 100_000
    page_pixels: int = 25_000_000
    """A page that would be larger at the wanted dpi is drawn at a lower one."""
    page_side_points: float = 20_000.0
    """Seven metres: no page on paper is longer."""
    memory_bytes: int = 1024 * MIB
    """Address space of the reading process. FIELDLOOP_READ_MEMORY_MB"""
    page_cpu_seconds: float = 10.0
    """FIELDLOOP_PAGE_SECONDS; OCR has its own."""
    open_cpu_seconds: float = 30.0
    """Opening a document, before its first page."""
    ocr_seconds: float = 90.0
    """Wall time of OCR for one page."""
    cpu_seconds: float = 900.0
    """CPU of the whole document, OCR apart."""
    wall_seconds: float = 3600.0
    """FIELDLOOP_READ_SECONDS. The whole document, OCR and waiting included."""
    step_wall_seconds: float = 240.0
    """Wall time of opening, or of one page: more than its CPU time, on a busy machine and with OCR."""
    scratch_bytes: int = 64 * MIB
    """Largest file the reading process may write; it needs none."""
    page_restarts: int = 3
    """How often reading goes on after a page that had to be stopped."""

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings of this process name; the others as they are here."""
        return cls(
            file_bytes=settings.max_file_bytes,
            pages=settings.max_pages,
            memory_bytes=settings.read_memory_bytes,
            page_cpu_seconds=settings.page_seconds,
            wall_seconds=settings.read_seconds,
        )
