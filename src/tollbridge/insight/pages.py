"""How many rows does insight read for one page of a list at most?"""

ROWS_MAX = 1001
"""A page of a thousand, and one to know that there are more."""
