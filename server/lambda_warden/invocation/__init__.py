"""Calls: from a request that is allowed to a result on record. Who goes when, in which thread, and how often."""
