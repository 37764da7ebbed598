"""The guard: pure decisions on what may be sent. No I/O here, so that every rule can be tested by properties."""
