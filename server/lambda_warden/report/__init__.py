"""The report: bytes from AWS → what a model reads, bounded, decoded and marked as data from outside. Pure."""
