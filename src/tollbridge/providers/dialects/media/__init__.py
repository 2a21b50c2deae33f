"""How are pictures, sounds, scores and vectors asked for, and how are they given?"""
