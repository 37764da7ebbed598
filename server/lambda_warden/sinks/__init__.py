"""Sinks: where records and signed checkpoints go beside the store, out of reach of who can change it."""
