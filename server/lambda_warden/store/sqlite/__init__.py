"""The default backend: two SQLite files, or none, of which nothing but this folder knows."""
