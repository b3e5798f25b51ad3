"""What an evaluation found: figures over seeds, comparisons, JSON, terminal, HTML page.

In: results of ``models.evaluation``; out: plain dictionaries and the text made of them. The door
is ``assemble``. Imports evaluation and what is below it.
"""
