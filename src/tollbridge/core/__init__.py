"""The nouns that travel through every stage: frozen values, no input or output."""
