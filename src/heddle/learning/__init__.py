"""What trainings of LoRAs share, whatever computes them: what is asked for, datasets, the order of pictures, the course
from step to step, checkpoints, files, and the picture of the loss. Needs numpy and no PyTorch.
"""
