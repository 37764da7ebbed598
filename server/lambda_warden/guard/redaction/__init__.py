"""Redaction: what must not reach a model is replaced, by its form or by its place. Pure; nothing is kept."""
