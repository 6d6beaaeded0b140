"""The catalog of models: a model has versions, a version has files, and an AIR names a version.

One table, one file: `models`, `versions`, `files`; `entries` writes and reads the three together.
"""
