"""What was seen and drawn, on disk: the last minutes to go back to (``store``), journals to render again (``journal``).

Both are files of records (``records``), which only ever grow, so that a kill loses the record that is being written and
no other. ``recorder`` writes them on a thread of its own, ``reel`` reads one.
"""
