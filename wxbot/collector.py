"""Python's collector of circles: out of the way while the program is loaded, and off what stays for good.

To be imported before anything large. Loading makes some hundred thousand things that stay; looking through them again
and again takes a sixth of the start, and later each look would stop the event loop for as long.
"""

import gc

gc.disable()


def settle() -> None:
    """What is there by now stays for good and is never looked through again; what comes from now on is."""
    gc.freeze()
    gc.enable()
