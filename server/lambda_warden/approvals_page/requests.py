"""What the pages of one machine and those of a team have in common: forms, bounds, the style sheet."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from lambda_warden.approvals_page.views import STYLE
from lambda_warden.store.approvals import ApprovalState, ApprovalVerdict

NOTE_CHARACTERS: Final = 500
BODY_BYTES: Final = 16_384
OVER: Final[tuple[ApprovalState, ...]] = ("approved", "denied", "used", "expired", "void")
VERDICTS: Final[dict[str, ApprovalVerdict]] = {"approve": "approved", "deny": "denied"}


async def style(_: Request) -> Response:
    """The style sheet."""
    return Response(STYLE, media_type="text/css")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; none if it can't be read, or has one twice."""
    try:
        fields = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    names = [name for name, _ in fields]
    return dict(fields) if len(set(names)) == len(names) else {}
