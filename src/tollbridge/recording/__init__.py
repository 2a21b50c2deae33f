"""Will we still know after a crash, and what do the books say? Spool, drain, details, roll-ups."""
