"""What inkstream measures about itself. Every number is written down with its configuration and its machine.

A bench is a module that ``stream/app/commands/bench.py`` lists; ``bench`` is what they are all made of. They share
``models`` and ``shapes`` (which network), ``timing`` and ``work`` (speed, memory, operations), ``rows`` (tables) and
``older`` (what changed since); ``synthetic`` is a stream without a network, ``report`` writes the documentation's page.
"""
