"""Whether this machine has a GPU, for those who may load no library to find out."""

from __future__ import annotations

from pathlib import Path

from heddle.settings import visible_gpus


def there(devices: Path = Path("/dev")) -> bool:
    """By what the NVIDIA driver, or Windows below Linux, has put among the devices; one that is hidden is none."""
    if visible_gpus() in ([], ["-1"]):
        return False
    return any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()
