"""The report: a redacted answer → what a model reads, bounded and marked as data from outside. Pure."""
