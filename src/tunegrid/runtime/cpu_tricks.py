"""One switch for all that makes this process faster on a CPU: `hardware.cpu_tricks` of the study (`training/fast`)."""

_on = True


def switch(on: bool) -> None:
    """Has this process use the tricks from here on, or none of them."""
    global _on
    _on = on


def are_on() -> bool:
    """Whether this process uses the tricks."""
    return _on
