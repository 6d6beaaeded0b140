"""Moving pictures: a scene in motion, or a camera that moves over a source picture.

    prompt -> script (what is said of motion) -> courses (how each thing moves) -> stage (layers) -> frames -> file

The scene is the one that a still picture would have. Every part of it is either still, and rendered once, or moves,
and is rendered for every frame; parts that follow each other in the order of painting share a layer.
"""
