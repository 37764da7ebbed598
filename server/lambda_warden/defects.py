"""Defects of lambda-warden's own, told to the operator."""

from __future__ import annotations

import logging
import traceback

logger = logging.getLogger(__name__)


def log_defect(what: str, error: Exception) -> None:
    """Log a defect. Its message may quote a payload, so only its kind and place are logged."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s failed: %s at %s:%s", what, type(error).__name__, where.filename, where.lineno)
