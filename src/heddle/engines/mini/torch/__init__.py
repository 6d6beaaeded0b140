"""The same model for PyTorch: as a pipeline of diffusers, so that it takes the way of large models there.

The engine `diffusers` opens it by name (`families.py`); nothing here is imported where it is not asked for.
"""
