"""``./atoll``: starts, stops and looks after a whole Atoll on one machine.

``arguments``, ``bootstrap`` and what they import need nothing but Python itself;
everything else runs inside the virtual environment that ``bootstrap`` makes.
"""
