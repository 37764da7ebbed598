"""Manifests proposed from what an account or a template has, for a person to review."""
