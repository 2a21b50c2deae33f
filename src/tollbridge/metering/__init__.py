"""How much was used, and how sure are we?"""
