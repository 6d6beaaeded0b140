"""Programs that others make, doing nothing as fast as they can; run in a virtual environment of their own."""
