"""JSON without a word of Lambda: strict reading, pointers, previews and queries. Pure."""
