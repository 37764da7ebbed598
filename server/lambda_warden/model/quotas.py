"""What Lambda allows, as far as a manifest is held to it."""

from __future__ import annotations

SYNC_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's request or response (Lambda quotas: 6 MB each)."""
ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an asynchronous invocation's request (Lambda quotas: 1 MB)."""
FUNCTION_TIMEOUT_LIMIT = 900
"""Seconds a function may run (Lambda quotas: 15 minutes), unless it runs on Lambda Managed Instances."""
MANAGED_TIMEOUT_LIMIT = 5400
"""Seconds a function on Lambda Managed Instances may run, when it is invoked as an Event (Lambda API reference,
CreateFunction: Timeout)."""
WAIT_LIMIT = MANAGED_TIMEOUT_LIMIT + 60
"""Seconds that an answer can be asked to be waited for: as long as a function may run, and its start before that."""
