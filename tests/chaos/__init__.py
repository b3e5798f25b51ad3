"""Real faults on a real Kafka, drawn at random, and a judge: ``python -m tests.chaos``.

The order of reading: `__main__` (what is run), `run` (one phase), `faults` (what strikes),
`systems` (the service, and stock Faust for comparison), `judge` (what must be equal at the end).
"""
