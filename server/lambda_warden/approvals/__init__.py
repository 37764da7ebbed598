"""Approval by a person: what is asked, and the ways to ask it."""
