"""The two APIs on the wire: what may come in (pydantic models) and what goes out (plain dicts, described by models)."""
