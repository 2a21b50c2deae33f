"""Where are facts kept, and when are they certain? Engines, transactions, types, migrations."""
