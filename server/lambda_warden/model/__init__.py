"""The nouns: what a function, a manifest, a request, a decision and a result are. No I/O."""
