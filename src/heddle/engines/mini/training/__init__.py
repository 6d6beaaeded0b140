"""LoRAs of `mini`, trained in numpy."""
