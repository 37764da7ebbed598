"""Results that are kept for a while, whole and redacted, so that they can be read later, in pieces.

They stand in a file of their own: records are append-only and are on disk before anything happens, results expire,
and one may be lost in a crash. Nothing comes in here that was not redacted before.
"""
