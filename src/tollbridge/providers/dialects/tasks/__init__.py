"""How do providers speak of work that is submitted first and fetched later?"""
