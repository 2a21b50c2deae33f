"""What may still be spent, what was, and who holds what: budgets, leases, purses, postings."""
