"""May it be shown? What is secret in texts and JSON values, and what only looks like it. Nothing here does I/O."""
