"""Hide what must not be seen, in data, texts, recorded events, logs and errors.

Pure functions, given the keys (``ZUMO_MASKED_KEYS``), whose time is linear in what they are given:

- :mod:`~zumolib.masking.keys`    under which names values are hidden,
- :mod:`~zumolib.masking.text`    what stands under such a name in a text, whatever wrote it,
- :mod:`~zumolib.masking.shapes`  what is secret by its form: a URL's password, a bearer token, a private key,
- :mod:`~zumolib.masking.values`  both, in plain data and in calls,
- :mod:`~zumolib.masking.table`   both, in recorded events,
- :mod:`~zumolib.masking.log`     both, in what a process logs,
- :mod:`~zumolib.masking.notebook`  both, in what the cells of a notebook printed, and in their errors.

In doubt more is hidden, never less. Without keys nothing is.
"""

from zumolib.masking.keys import KEYS, masked
from zumolib.masking.shapes import MASK
from zumolib.masking.text import mask_arguments, mask_text
from zumolib.masking.values import Hidden, hidden_positions, mask_call, mask_value

__all__ = [
    "KEYS",
    "MASK",
    "Hidden",
    "hidden_positions",
    "mask_arguments",
    "mask_call",
    "mask_text",
    "mask_value",
    "masked",
]
