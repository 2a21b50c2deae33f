"""Tollbridge: an AI gateway and the books behind it."""
